/** For the tests of sources: a subgraph that answers as a test says, and what a call needs. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadConfig } from '../../platform/config.js';
import { createLogger } from '../../platform/logging.js';
import type { RequestContext } from '../context.js';
import { HttpSource, type HttpSourceOptions } from './http.js';
import type { FetchOperation } from './source.js';

export const read: FetchOperation = { text: '{ job { id } }', kind: 'query' };
export const write: FetchOperation = { text: 'mutation { submit { id } }', kind: 'mutation' };

export const quiet = createLogger('test', process.env.HARBORWATCH_TEST_LOG_LEVEL ?? 'silent');

/** A context with a deadline in `ms`. */
export const contextFor = (ms = 10_000, more: Partial<RequestContext> = {}): RequestContext => ({
  identity: undefined,
  remoteIp: null,
  requestId: 'request-1',
  deadline: Date.now() + ms,
  ...more,
});

/** A source with the settings' defaults, but for those that are given as environment variables. */
export const sourceAt = (
  url: string,
  env: Record<string, string> = {},
  more: Partial<HttpSourceOptions> = {},
): HttpSource => new HttpSource({ name: 'jobs', url, settings: loadConfig(env), logger: quiet, ...more });

export type Answerer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

export interface FakeSubgraph {
  url: string;
  /** Every request that came in whole. */
  requests: { body: string; headers: IncomingMessage['headers'] }[];
  /** How many connections were ever opened. */
  connections: number;
  /** How the next requests are answered; the last one stays. */
  answers: Answerer[];
  close(): Promise<void>;
}

/** Starts one. */
export async function startFakeSubgraph(...answers: Answerer[]): Promise<FakeSubgraph> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    subgraph.requests.push({ body, headers: request.headers });
    (subgraph.answers.length > 1 ? subgraph.answers.shift()! : subgraph.answers[0]!)(request, response, body);
  });
  server.on('connection', () => {
    subgraph.connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const subgraph: FakeSubgraph = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    requests: [],
    connections: 0,
    answers,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return subgraph;
}

/** Answers text. */
export const says =
  (text: string, status = 200, headers: Record<string, string> = {}): Answerer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
  };

export const good = says('{"data":{"job":{"id":"1"}}}');
/** Breaks the connection off. */
export const breaksOff: Answerer = (request) => request.socket.destroy();
/** Never answers. */
export const silent: Answerer = () => {};
