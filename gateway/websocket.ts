/** GraphQL over WebSocket (graphql-transport-ws), on the same path as HTTP. */
import type { IncomingMessage, Server } from 'node:http';
import type { ApolloServer } from '@apollo/server';
import {
  type ExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  getOperationAST,
  parse,
  validate,
} from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer as answerProtocol, type Extra } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { mapAsyncIterable } from '../platform/async-iterable.js';
import { HarborwatchError } from '../platform/errors.js';
import type { Identity } from '../platform/identity.js';
import type { Platform } from '../platform/platform.js';
import type { GraphQLContext } from '../platform/subgraph.js';
import { formatError, maxTokens } from './apollo.js';
import type { FederatedGateway } from './federated-gateway.js';
import { addressOf } from './http.js';
import { authenticate, operationDeadlineMs } from './identity.js';

/** The largest message that a client may send. */
const maxMessageBytes = 65_536;
const connectionInitTimeoutMs = 3_000;
/** Close codes of the protocol: the token is missing or wrong, or its time is over. */
const unauthorized = 4401;

interface SocketState {
  identity: Identity | undefined;
  expiry?: NodeJS.Timeout;
}
type SocketExtra = Extra & Record<PropertyKey, unknown> & { state?: SocketState };

/** What the subscription and operation callbacks hand on to execution. */
interface Operation {
  payload: SubscribePayload;
  context: GraphQLContext;
}

/** Answers upgrades at `/graphql`. `close` ends every socket. */
export function serveWebSocket(
  server: Server,
  platform: Pick<Platform, 'tokens' | 'clock' | 'logger'>,
  gateway: FederatedGateway,
  apollo: ApolloServer<GraphQLContext>,
): { close(): Promise<void> } {
  const { logger, clock } = platform;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes });
  server.on('upgrade', (request, socket, head) => {
    // Nobody else listens here: a client that breaks off would end the process.
    socket.on('error', () => socket.destroy());
    if (!isGraphqlAddress(request)) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request));
  });

  const format = (error: GraphQLError): GraphQLFormattedError => formatError(error.toJSON(), logger, error);
  const publish = (result: ExecutionResult): ExecutionResult =>
    result.errors
      ? { ...result, errors: result.errors.map((error) => toGraphQLError(format(asGraphQLError(error)))) }
      : result;

  const close = answerProtocol<Record<string, unknown>, SocketExtra>(
    {
      connectionInitWaitTimeout: connectionInitTimeoutMs,
      onConnect: async ({ connectionParams, extra }) => {
        try {
          const authorization = connectionParams?.authorization ?? connectionParams?.Authorization;
          const identity = await authenticate(
            platform.tokens,
            typeof authorization === 'string' ? authorization : undefined,
            crypto.randomUUID(),
            clock.now(),
          );
          extra.state = { identity };
          if (identity?.expiresAtMs) {
            const end = () =>
              extra.socket.close(unauthorized, 'TOKEN_EXPIRED: connect again with a fresh access token');
            extra.state.expiry = setTimeout(end, Math.min(identity.expiresAtMs - clock.now(), 2 ** 31 - 1));
          }
          return true;
        } catch (error) {
          if (!(error instanceof HarborwatchError)) throw error;
          extra.socket.close(unauthorized, `${error.code}: ${error.message}`.slice(0, 120));
          return false;
        }
      },
      onClose: ({ extra }) => {
        clearTimeout(extra.state?.expiry);
      },
      onSubscribe: ({ extra }, _id, payload) => {
        const checked = checkOperation(gateway, payload);
        if (Array.isArray(checked)) return checked.map((error) => toGraphQLError(format(error)));
        const identity = extra.state?.identity;
        const context: GraphQLContext = {
          // Each operation of a long-lived socket has a deadline and a request id of its own.
          identity: identity && {
            ...identity,
            requestId: crypto.randomUUID(),
            deadline: clock.now() + operationDeadlineMs,
          },
          remoteIp: extra.request.socket.remoteAddress ?? null,
        };
        // The cast: graphql-ws hands the arguments unread to `execute` or `subscribe` below.
        return {
          schema: gateway.apiSchema,
          document: checked,
          operationName: payload.operationName,
          operation: { payload, context },
        } as never;
      },
      execute: async (args) => {
        const { payload, context } = (args as unknown as { operation: Operation }).operation;
        const { body } = await apollo.executeOperation(
          {
            query: payload.query,
            operationName: payload.operationName ?? undefined,
            variables: payload.variables ?? undefined,
          } as never,
          { contextValue: context },
        );
        if (body.kind !== 'single') return {};
        const { errors, ...result } = body.singleResult;
        // graphql-ws takes errors of graphql-js alone, and closes the socket over others.
        return { ...result, ...(errors ? { errors: errors.map(toGraphQLError) } : {}) } as ExecutionResult;
      },
      subscribe: async (args) => {
        const { document, operation } = args as unknown as { document: ReturnType<typeof parse>; operation: Operation };
        const { payload, context } = operation;
        const result = await gateway.subscribe({
          document,
          source: payload.query,
          operationName: payload.operationName ?? undefined,
          variables: payload.variables ?? {},
          context,
        });
        return Symbol.asyncIterator in result
          ? (mapAsyncIterable(endWithErrors(result), publish) as never)
          : publish(result);
      },
    },
    sockets,
  );
  return {
    close: async () => {
      await close.dispose();
    },
  };
}

function isGraphqlAddress(request: IncomingMessage): boolean {
  try {
    return addressOf(request).pathname === '/graphql';
  } catch {
    return false;
  }
}

/** Parses and validates. graphql-js 16 throws from `validate` for some subscriptions; unguarded, that closes the socket. */
function checkOperation(
  gateway: FederatedGateway,
  payload: SubscribePayload,
): ReturnType<typeof parse> | GraphQLError[] {
  const coded = (error: unknown, code: string) => {
    const known = error instanceof GraphQLError ? error : new GraphQLError((error as Error).message);
    return new GraphQLError(known.message, {
      nodes: known.nodes ?? null,
      source: known.source ?? null,
      positions: known.positions ?? null,
      extensions: { code },
    });
  };
  let document: ReturnType<typeof parse>;
  try {
    document = parse(payload.query, { maxTokens });
  } catch (error) {
    return [coded(error, 'GRAPHQL_PARSE_FAILED')];
  }
  try {
    const errors = validate(gateway.apiSchema, document);
    if (errors.length > 0) return errors.map((error) => coded(error, 'GRAPHQL_VALIDATION_FAILED'));
  } catch (error) {
    return [coded(error, 'GRAPHQL_VALIDATION_FAILED')];
  }
  if (!getOperationAST(document, payload.operationName)) {
    return [
      coded(
        new GraphQLError('The operation to run is not named, or not in the document.'),
        'OPERATION_RESOLUTION_FAILURE',
      ),
    ];
  }
  return document;
}

/** A stream that throws ends with one last result that tells why, instead of closing the socket. */
function endWithErrors(source: AsyncIterableIterator<ExecutionResult>): AsyncIterableIterator<ExecutionResult> {
  let failed = false;
  return {
    async next() {
      if (failed) return { done: true, value: undefined };
      try {
        return await source.next();
      } catch (error) {
        failed = true;
        return { done: false, value: { errors: [asGraphQLError(error)] } };
      }
    },
    return: async (value) => (await source.return?.(value)) ?? { done: true, value },
    throw: async (error) => (await source.throw?.(error)) ?? { done: true, value: undefined },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  if (error instanceof HarborwatchError)
    return new GraphQLError(error.message, { extensions: { code: error.code, ...error.details } });
  return toGraphQLError(error as GraphQLFormattedError);
}

const toGraphQLError = ({ message, path, extensions }: GraphQLFormattedError): GraphQLError =>
  new GraphQLError(message, { path: path ?? null, extensions: extensions ?? {} });
