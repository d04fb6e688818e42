/** GraphQL over WebSocket (graphql-transport-ws), on the same path as HTTP. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Config } from '../../platform/config.js';
import { fail, HarborwatchError } from '../../platform/errors.js';
import { within } from '../../platform/within.js';
import { forwardedFrom } from '../http/forwarded-headers.js';
import { addressOf } from '../http/listener.js';
import { answerRaw } from '../http/raw-answer.js';
import { createRemoteAddress } from '../http/remote-address.js';
import type { Admission } from './admission.js';
import { drainOneByOne } from './drain.js';
import { SocketConnection, type SocketHost } from './socket-connection.js';

const protocol = 'graphql-transport-ws';
/** How long clients may take to answer the close of their WebSocket. */
const closeTimeoutMs = 1_000;

/** Connections at `/graphql`, and their end. */
export interface SocketServer {
  /** Answers one upgrade. */
  accept(request: IncomingMessage, stream: Duplex, head: Buffer): void;
  /** Refuses new connections and ends all others. */
  close(): Promise<void>;
}

/** @param host answers what the connections ask */
export function createSocketServer(host: SocketHost, admission: Admission, config: Config): SocketServer {
  const connections = new Set<SocketConnection>();
  const remoteAddress = createRemoteAddress(config.trustedProxies);
  let closing = false;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: config.webSocketMessageBytes,
    // Compressed messages could not be shared.
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false),
  });
  const upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    check(request, config.corsOrigins);
    if (closing) fail('SERVICE_UNAVAILABLE', 'The gateway ends: connect again.');
    stream.once('close', admission.enter());
    sockets.handleUpgrade(request, stream, head, (webSocket) => {
      if (webSocket.protocol !== protocol) {
        webSocket.on('error', () => {});
        webSocket.close(4406, `Subprotocol not acceptable: use ${protocol}`);
        return;
      }
      const { forwardHeaders } = config;
      const origin = {
        remoteIp: remoteAddress(request),
        ...(forwardHeaders.length > 0 ? { forwardedHeaders: forwardedFrom(request, forwardHeaders) } : {}),
      };
      const connection: SocketConnection = new SocketConnection(webSocket, stream, host, origin, () => {
        connections.delete(connection);
      });
      connections.add(connection);
    });
  };
  const pings = setInterval(() => {
    for (const connection of connections) connection.ping();
  }, config.streamPingMs);
  return {
    accept: (request, stream, head) => {
      // Nobody else listens here: a client that breaks off would end the process.
      stream.on('error', () => stream.destroy());
      try {
        upgrade(request, stream, head);
      } catch (error) {
        if (error instanceof HarborwatchError) answerRaw(stream, error.code, error.message, error.details);
        else answerRaw(stream, 'BAD_USER_INPUT', 'The upgrade is not acceptable.');
      }
    },
    close: async () => {
      closing = true;
      await drainOneByOne(connections, (connection) => connection.drain(), config.streamDrainMs);
      clearInterval(pings);
      const clients = [...sockets.clients];
      const closed = Promise.all(clients.map((webSocket) => once(webSocket, 'close')));
      await within(closeTimeoutMs, closed, undefined);
      for (const webSocket of clients) webSocket.terminate();
    },
  };
}

/**
 * A browser sends the page's origin, and asks nobody before it opens a WebSocket: pages of other origins are refused
 * here, as CORS refuses them over HTTP.
 * @throws NOT_FOUND, FORBIDDEN
 */
function check(request: IncomingMessage, allowedOrigins: readonly string[]): void {
  if (!isGraphqlAddress(request)) fail('NOT_FOUND', 'WebSockets are answered at /graphql.');
  const { origin, host } = request.headers;
  if (origin === undefined || allowedOrigins.includes('*') || allowedOrigins.includes(origin)) return;
  if (URL.parse(origin)?.host !== host) {
    fail(
      'FORBIDDEN',
      `Pages of the origin ${origin.slice(0, 200)} may not connect; CORS_ORIGINS lists those that may.`,
    );
  }
}

function isGraphqlAddress(request: IncomingMessage): boolean {
  try {
    return addressOf(request).pathname === '/graphql';
  } catch {
    return false;
  }
}
