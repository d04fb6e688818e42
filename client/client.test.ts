/** The client against a bare HTTP server that answers what no healthy Harborwatch would. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { buildSchema } from 'graphql';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createClient, HarborwatchClientError, JobProgressDocument, ViewerDocument } from './index.js';

let server: Server | undefined;
afterEach(() => server?.close());

async function answering(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): RequestListener => {
  return (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};
const failure = async (work: Promise<unknown>): Promise<HarborwatchClientError> => {
  const error = await work.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(HarborwatchClientError);
  return error;
};

const viewer = {
  data: { viewer: { org: { id: '1', slug: 'demo', name: 'Demo' }, user: null, expiresAt: '2026-01-31T00:00:00Z' } },
};

describe('the client', () => {
  it('answers the data, and sends document, variables and token', async () => {
    const seen: { url?: string | undefined; authorization?: string | undefined; body: string }[] = [];
    const url = await answering(async (request, response) => {
      seen.push({
        url: request.url,
        authorization: request.headers.authorization,
        body: (await request.toArray()).join(''),
      });
      response.end(JSON.stringify(viewer));
    });
    expect(await createClient({ url: `${url}/behind/a/proxy`, token: 'secret' }).execute(ViewerDocument, {})).toEqual(
      viewer.data,
    );
    expect(seen[0]).toMatchObject({ url: '/behind/a/proxy/graphql', authorization: 'Bearer secret' });
    expect(JSON.parse(seen[0]!.body)).toMatchObject({ query: expect.stringContaining('query Viewer'), variables: {} });
  });

  it('throws the first error with its code and details, whatever the status', async () => {
    const errors = [{ message: 'No such column.', extensions: { code: 'QUERY_UNKNOWN_COLUMN', line: 2, column: 7 } }];
    const url = await answering(json(400, { errors }, { 'retry-after': '2' }));
    expect(await failure(createClient({ url }).execute(ViewerDocument, {}))).toMatchObject({
      code: 'QUERY_UNKNOWN_COLUMN',
      message: 'No such column.',
      details: { line: 2, column: 7 },
      status: 400,
      retryAfterMs: 2_000,
    });
  });

  it('tells an address that is no Harborwatch', async () => {
    const url = await answering((_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    );
    expect(await failure(createClient({ url }).execute(ViewerDocument, {}))).toMatchObject({
      code: 'BAD_ANSWER',
      message: expect.stringContaining('Is this the address of a Harborwatch?'),
    });
    const other = await answering(json(404, { hello: 'world' }));
    expect(await failure(createClient({ url: other }).execute(ViewerDocument, {}))).toMatchObject({
      code: 'BAD_ANSWER',
      status: 404,
    });
  });

  it('tells a server that is not there, breaks off, or takes too long', async () => {
    const url = await answering((request) => request.socket.destroy());
    expect(await failure(createClient({ url }).execute(ViewerDocument, {}))).toMatchObject({ code: 'UNREACHABLE' });
    const silent = await answering(() => {});
    expect(await failure(createClient({ url: silent, timeoutMs: 50 }).execute(ViewerDocument, {}))).toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('did not answer within 0.05 s'),
    });
    server!.closeAllConnections();
    server!.close();
    expect(await failure(createClient({ url: silent }).execute(ViewerDocument, {}))).toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('ends a call with the caller’s signal', async () => {
    const url = await answering(() => {});
    const controller = new AbortController();
    const call = createClient({ url }).execute(ViewerDocument, {}, { signal: controller.signal });
    controller.abort();
    expect(await failure(call)).toMatchObject({ code: 'ABORTED' });
    server!.closeAllConnections();
  });

  it('asks once for a newer token when one is refused', async () => {
    const tokens: (string | undefined)[] = [];
    const url = await answering((request, response) => {
      const { authorization } = request.headers;
      tokens.push(authorization);
      const expired = { errors: [{ message: 'Over.', extensions: { code: 'TOKEN_EXPIRED' } }] };
      response.end(JSON.stringify(authorization === 'Bearer new' ? viewer : expired));
    });
    const getToken = async (refused?: string) => (refused === 'old' ? 'new' : 'old');
    expect(await createClient({ url, getToken }).execute(ViewerDocument, {})).toEqual(viewer.data);
    expect(tokens).toEqual(['Bearer old', 'Bearer new']);
    expect(await failure(createClient({ url, token: 'old' }).execute(ViewerDocument, {}))).toMatchObject({
      code: 'TOKEN_EXPIRED',
    });
  });

  it('sends bulk events as they are, gzipped, and from a stream', async () => {
    const seen: { url: string | undefined; encoding: string | undefined; body: string }[] = [];
    const receipt = { accepted: 1, rejected: [], batchId: 'b', duplicate: false };
    const url = await answering(async (request, response) => {
      const body = Buffer.concat(await request.toArray());
      const encoding = request.headers['content-encoding'];
      seen.push({ url: request.url, encoding, body: (encoding === 'gzip' ? gunzipSync(body) : body).toString() });
      response.end(JSON.stringify(receipt));
    });
    const client = createClient({ url });
    expect(await client.ingest('logs', '{"a":1}\n', { batchId: 'x y' })).toEqual(receipt);
    await client.ingest('odd/name', Uint8Array.from(gzipSync('{"a":2}\n')), { gzip: true });
    await client.ingest('logs', new Blob(['{"a":3}\n']).stream());
    expect(seen).toEqual([
      { url: '/ingest/logs?batchId=x+y', encoding: undefined, body: '{"a":1}\n' },
      { url: '/ingest/odd%2Fname', encoding: 'gzip', body: '{"a":2}\n' },
      { url: '/ingest/logs', encoding: undefined, body: '{"a":3}\n' },
    ]);
  });

  it('tells a subscription that cannot connect', async () => {
    const url = await answering((_, response) => response.end());
    server!.on('upgrade', (_, socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'));
    const client = createClient({ url, webSocket: WebSocket, socketRetries: 0 });
    expect(await failure(client.subscribe(JobProgressDocument, { id: '1' }).next())).toMatchObject({
      code: 'UNREACHABLE',
    });
    await client.close();
  });

  it('goes on with a subscription under a newer token when the server says that one’s time is over', async () => {
    const tokens: unknown[] = [];
    const url = await answering((_, response) => response.end());
    const sockets = new WebSocketServer({ server: server!, path: '/graphql' });
    useServer<Record<string, unknown>, Extra & Record<PropertyKey, unknown>>(
      {
        schema: buildSchema('type Query { a: Int } type Subscription { jobProgress(id: ID!): Int }'),
        validate: () => [],
        onConnect: ({ connectionParams, extra }) => {
          extra.token = connectionParams?.authorization;
          tokens.push(extra.token);
        },
        onSubscribe: () => undefined,
        subscribe: async ({ contextValue }) => {
          const { socket, token } = (contextValue as { extra: Extra & { token?: unknown } }).extra;
          return (async function* () {
            yield { data: { jobProgress: token } };
            if (token === 'Bearer old') socket.close(4401, 'TOKEN_EXPIRED: connect again');
            if (token === 'Bearer old') await once(socket, 'close');
          })() as never;
        },
        context: (context) => context as never,
      },
      sockets,
    );
    let current = 'old';
    const getToken = async (refused?: string) => {
      if (refused === 'old') current = 'new';
      return current;
    };
    const client = createClient({ url, webSocket: WebSocket, getToken });
    const seen: unknown[] = [];
    for await (const data of client.subscribe(JobProgressDocument, { id: '1' })) seen.push(data);
    expect(seen).toEqual([{ jobProgress: 'Bearer old' }, { jobProgress: 'Bearer new' }]);
    const stuck = createClient({ url, webSocket: WebSocket, token: 'old' });
    const states = stuck.subscribe(JobProgressDocument, { id: '1' });
    await states.next();
    expect(await failure(states.next())).toMatchObject({ code: 'TOKEN_EXPIRED', message: 'connect again' });
    await Promise.all([client.close(), stuck.close()]);
    sockets.close();
  });
});
