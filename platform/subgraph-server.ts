/**
 * Subgraphs in a process of their own: GraphQL over HTTP and graphql-transport-ws at `/NAME`, for the gateway alone. What
 * it sends was planned against the very schema, so it is executed as it is; its token tells for whom.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionResult } from 'graphql';
import { type ErrorCode, errorRegistry, fail, HarborwatchError } from './errors.js';
import type { HopVerifier } from './hop-tokens.js';
import type { Logger } from './logging.js';
import { type SubgraphExecutor, type SubgraphOperation, toPublicError } from './subgraph.js';
import { serveSubgraphSockets } from './subgraph-sockets.js';

export interface SubgraphServerOptions {
  executors: readonly SubgraphExecutor[];
  verifier: HopVerifier;
  logger: Logger;
  /** The largest request. */
  bodyBytes: number;
  /** 0 takes a free one. */
  port: number;
  host: string;
  /** Whether the subgraphs can answer, by name. */
  health: () => Promise<Record<string, boolean>>;
}

export interface RunningSubgraphServer {
  port: number;
  /** Lets the gateway turn away, then refuses new work and lets the work in hand end. */
  drain(): Promise<void>;
}

/** Longer than the gateway keeps a connection that it does not use: it is the one that closes. */
const keepAliveMs = 65_000;
/** How long a process that was asked to end still answers, with each answer asking for the connection's end. */
const turnAwayMs = 300;
const drainMs = 4_000;

/** Starts to listen. @throws the listen error, such as EADDRINUSE */
export async function startSubgraphServer(options: SubgraphServerOptions): Promise<RunningSubgraphServer> {
  const executors = new Map(options.executors.map((executor) => [`/${executor.name}`, executor]));
  let draining = false;
  const server = createServer({ keepAliveTimeout: keepAliveMs }, async (request, response) => {
    if (draining) response.setHeader('connection', 'close');
    try {
      const executor = executors.get(request.url ?? '');
      if (executor) await answer(executor, request, response, options);
      else await answerHealth(request, response, options, draining);
    } catch (error) {
      sendError(response, error, options.logger);
    }
  });
  const sockets = serveSubgraphSockets(server, executors, options);
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    drain: async () => {
      draining = true;
      await delay(turnAwayMs);
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await sockets.close();
      const hardEnd = setTimeout(() => server.closeAllConnections(), drainMs);
      await closed;
      clearTimeout(hardEnd);
    },
  };
}

async function answer(
  executor: SubgraphExecutor,
  request: IncomingMessage,
  response: ServerResponse,
  { verifier, logger, bodyBytes }: SubgraphServerOptions,
): Promise<void> {
  if (request.method !== 'POST') fail('METHOD_NOT_ALLOWED', `/${executor.name} takes POST, not ${request.method}.`);
  const { call, body } = await verifier.verify(request.headers.authorization, executor.name, () =>
    readBody(request, bodyBytes),
  );
  const operation = JSON.parse(body.toString()) as SubgraphOperation;
  const run = Promise.try(() => executor.execute(operation, call)).catch(
    (error): ExecutionResult => ({ errors: [toPublicError(error, call, logger)] }),
  );
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new HarborwatchError('SUBGRAPH_TIMEOUT', 'The answer was not ready in time.'));
  }, call.deadline - Date.now());
  try {
    const result = await Promise.race([run, timeout]);
    const cacheControl = result.errors ? undefined : executor.cacheControlOf(operation.query);
    if (cacheControl !== undefined) response.setHeader('cache-control', cacheControl);
    send(response, 200, result);
  } finally {
    clearTimeout(timer);
  }
}

async function answerHealth(
  request: IncomingMessage,
  response: ServerResponse,
  { executors, health }: SubgraphServerOptions,
  draining: boolean,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return notFound(executors);
  if (request.url === '/health/live') return send(response, 200, { status: 'live' });
  if (request.url !== '/health/ready') return notFound(executors);
  const subgraphs = await health();
  const ready = !draining && Object.values(subgraphs).every(Boolean);
  const status = draining ? 'draining' : ready ? 'ready' : 'degraded';
  send(response, ready ? 200 : 503, { status, subgraphs });
}

const notFound = (executors: readonly SubgraphExecutor[]): never =>
  fail(
    'NOT_FOUND',
    `There is nothing here; the subgraphs are at ${executors.map(({ name }) => `/${name}`).join(', ')}.`,
  );

async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = () =>
    fail('PAYLOAD_TOO_LARGE', `The body is over the limit of ${limit.toLocaleString('en')} bytes.`, {
      limitBytes: limit,
    });
  if (Number(request.headers['content-length'] ?? 0) > limit) tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function sendError(response: ServerResponse, error: unknown, logger: Logger): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const known = error instanceof HarborwatchError ? error : undefined;
  if (!known) logger.error({ err: error }, 'unexpected error');
  const code: ErrorCode = known?.code ?? 'INTERNAL_SERVER_ERROR';
  const message = known?.message ?? 'Something went wrong on our side; it was logged.';
  const { status } = errorRegistry[code];
  // A body that was not read to its end would be taken for the next request.
  if (status === 401 || status === 413 || status === 405) response.setHeader('connection', 'close');
  send(response, status, { errors: [{ message, extensions: { code, ...known?.details } }] });
}
