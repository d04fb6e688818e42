/** The streams of subgraphs that run in a process of their own: graphql-transport-ws at `/NAME`, for the gateway alone. */
import type { Server } from 'node:http';
import { type DocumentNode, parse } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer as answerProtocol, type Extra } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { HarborwatchError } from './errors.js';
import { type HopCall, type HopVerifier, socketBody } from './hop-tokens.js';
import type { Identity } from './identity.js';
import type { Logger } from './logging.js';
import { type SubgraphExecutor, type SubgraphOperation, toPublicError } from './subgraph.js';

interface Options {
  verifier: HopVerifier;
  logger: Logger;
  /** The largest message. */
  bodyBytes: number;
}

/** What `onSubscribe` hands on to execution. */
interface Subscription {
  document: DocumentNode;
  executor: SubgraphExecutor;
  operation: SubgraphOperation;
  call: HopCall;
}

const onlyStreams = 'Only subscriptions are answered here; queries and mutations go over HTTP.';
/** How long the other side may take to close. */
const closeMs = 1_000;

/** Answers upgrades at the paths of `executors`. `close` ends every socket. */
export function serveSubgraphSockets(
  server: Server,
  executors: ReadonlyMap<string, SubgraphExecutor>,
  { verifier, logger, bodyBytes }: Options,
): { close(): Promise<void> } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: bodyBytes, perMessageDeflate: false });
  server.on('upgrade', async (request, socket, head) => {
    // Nobody else listens here: a peer that breaks off would end the process.
    socket.on('error', () => socket.destroy());
    const executor = executors.get(request.url ?? '');
    // No timeout of the server looks at it any more, and the other side may keep its half open.
    const refuse = (status: string) =>
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy());
    if (!executor) return void refuse('404 Not Found');
    try {
      await verifier.verify(request.headers.authorization, executor.name, () => '');
    } catch (error) {
      if (!(error instanceof HarborwatchError)) logger.error({ err: error }, 'unexpected error');
      return void refuse('401 Unauthorized');
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request));
  });

  const publicError = (error: unknown) => toPublicError(error, { identity: undefined }, logger);

  const dispose = answerProtocol<Record<string, unknown>, Extra & Record<PropertyKey, unknown>>(
    {
      onSubscribe: async ({ extra }, _id, payload: SubscribePayload) => {
        try {
          const executor = executors.get(extra.request.url ?? '')!;
          const { token } = (payload.extensions ?? {}) as { token?: string };
          const operation = { query: payload.query, variables: payload.variables ?? undefined };
          const { call } = await verifier.verify(`Bearer ${token}`, executor.name, () => socketBody(operation));
          // The cast: graphql-ws hands it unread to `subscribe` below.
          const lasting = { ...call, identity: call.identity && renewed(call.identity, call.deadline - Date.now()) };
          return { document: parse(payload.query), executor, operation, call: lasting } satisfies Subscription as never;
        } catch (error) {
          return [publicError(error)];
        }
      },
      // What is thrown here would close the socket with every other stream on it.
      subscribe: async (args) => {
        const { executor, operation, call } = args as unknown as Subscription;
        try {
          return await executor.subscribe(operation, call);
        } catch (error) {
          return { errors: [publicError(error)] };
        }
      },
      execute: async () => ({ errors: [publicError(new HarborwatchError('BAD_USER_INPUT', onlyStreams))] }),
      onNext: (_context, _id, _payload, _args, result) => result,
      onError: (_context, _id, _payload, errors) => errors.map(publicError),
    },
    sockets,
  );
  return {
    close: async () => {
      const hardEnd = setTimeout(() => {
        for (const client of sockets.clients) client.terminate();
      }, closeMs);
      await dispose.dispose();
      clearTimeout(hardEnd);
    },
  };
}

/** The identity of a stream, which outlasts the call that opened it: every event has as much time as that had. */
const renewed = (identity: Identity, allowedMs: number): Identity => ({
  ...identity,
  get deadline() {
    return Date.now() + allowedMs;
  },
});
