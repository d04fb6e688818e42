/** A collector of OpenTelemetry traces: OTLP over HTTP, kept as it came. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Collected {
  path: string;
  type: string | undefined;
  headers: Record<string, unknown>;
  body: Buffer;
}

export interface Collector {
  url: string;
  collected: Collected[];
  close(): Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const collected: Collected[] = [];
  const server = createServer(async (request, response) => {
    const { url: path = '', headers } = request;
    collected.push({ path, type: headers['content-type'], headers, body: Buffer.concat(await request.toArray()) });
    response.writeHead(200, { 'content-type': headers['content-type'] }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    collected,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The spans that arrived as JSON, each with the attributes of its `resource`. */
export const spansOf = (collected: Collected[]): any[] =>
  collected
    .flatMap(({ body }) => JSON.parse(body.toString()).resourceSpans)
    .flatMap(({ resource, scopeSpans }: any) =>
      scopeSpans.flatMap(({ spans }: any) => spans.map((span: any) => ({ ...span, resource: attributesOf(resource) }))),
    );

/** The attributes of a span or resource as a plain object. */
export const attributesOf = ({ attributes }: any): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }: any) => [key, Object.values(value)[0]]));
