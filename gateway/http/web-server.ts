/** The server under the routes: HTTP, or HTTPS with HTTP/2; times and sizes that a slow or hostile client cannot stretch. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { constants, createSecureServer, type Http2SecureServer, type Http2ServerRequest } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from '../../platform/config.js';
import type { ErrorCode } from '../../platform/errors.js';
import type { Logger } from '../../platform/logging.js';
import { answerRaw } from './raw-answer.js';
import { certificateFiles, readCertificate, watchCertificate } from './tls.js';

type WebServerSettings = Pick<
  Config,
  'tlsCertFile' | 'tlsKeyFile' | 'requestTimeoutMs' | 'headersTimeoutMs' | 'keepAliveTimeoutMs' | 'maxHeaderBytes'
>;

/** What one HTTP/2 connection may ask at a time. */
const maxConcurrentStreams = 128;
/** How often connections are looked at, at the least. */
const maxCheckIntervalMs = 5_000;
const closeIdleEveryMs = 50;

export interface WebServer {
  /** Where upgrades to WebSocket come in: over HTTP/1.1, which browsers use for them also beside HTTP/2. */
  readonly server: Server;
  /** @returns the port. @throws the listen error, such as EADDRINUSE */
  listen(port: number, host: string): Promise<number>;
  /** Takes no more connections, lets the requests in hand end, and cuts off what is left after `hardEndMs`. */
  drain(hardEndMs: number): Promise<void>;
}

/**
 * @param certificateCheckMs how often the certificate's files are looked at
 * @throws ConfigError for a certificate that cannot be used
 */
export async function createWebServer(
  config: WebServerSettings,
  listener: RequestListener,
  logger: Logger,
  certificateCheckMs?: number,
): Promise<WebServer> {
  const { requestTimeoutMs, maxHeaderBytes } = config;
  const headersTimeoutMs = Math.min(config.headersTimeoutMs, requestTimeoutMs);
  const options = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: headersTimeoutMs,
    keepAliveTimeout: config.keepAliveTimeoutMs,
    maxHeaderSize: maxHeaderBytes,
    connectionsCheckingInterval: Math.min(headersTimeoutMs, maxCheckIntervalMs),
  };
  const files = certificateFiles(config);
  let server: Server;
  let unwatch = () => {};
  if (files) {
    const secure = createSecureServer({
      ...(await readCertificate(files, logger)),
      ...options,
      allowHTTP1: true,
      handshakeTimeout: headersTimeoutMs,
      settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderBytes },
    });
    boundSessions(secure, config);
    unwatch = watchCertificate(
      files,
      logger,
      (certificate) => secure.setSecureContext(certificate),
      certificateCheckMs,
    );
    // Requests of both protocols look alike, and upgrades are events of both servers.
    server = secure as unknown as Server;
  } else {
    // Some clients offer HTTP/2 with their first request: it is a request like any other, and answered over HTTP/1.1.
    const isWebSocket = ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket';
    server = createServer({ ...options, shouldUpgradeCallback: isWebSocket });
  }
  server.on('request', listener);
  server.on('clientError', (error, socket) => answerBrokenRequest(error, socket, maxHeaderBytes));
  const sockets = new Set<Socket>();
  server.on(files ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return {
    server,
    async listen(port, host) {
      server.listen(port, host);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
    async drain(hardEndMs) {
      unwatch();
      // Of HTTP/2, this also tells every client to open no more streams.
      const closed = new Promise((resolve) => server.close(resolve));
      // Of HTTP/1.1, a connection is idle as soon as its request has ended.
      const closeIdle = setInterval(() => server.closeIdleConnections(), closeIdleEveryMs);
      const hardEnd = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, hardEndMs);
      await closed;
      clearInterval(closeIdle);
      clearTimeout(hardEnd);
    },
  };
}

/** For HTTP/2 what node does for HTTP/1.1: idle connections end, and so do requests that never arrive in full. */
function boundSessions(
  server: Http2SecureServer,
  { keepAliveTimeoutMs, requestTimeoutMs }: Pick<Config, 'keepAliveTimeoutMs' | 'requestTimeoutMs'>,
): void {
  server.on('session', (session) => {
    let open = 0;
    session.on('stream', (stream) => {
      open += 1;
      stream.once('close', () => {
        open -= 1;
      });
    });
    // A stream of events may be silent for longer.
    session.setTimeout(keepAliveTimeoutMs, () => {
      if (open === 0) session.close();
    });
  });
  server.on('request', (request: Http2ServerRequest) => {
    if (request.httpVersionMajor < 2 || request.stream.endAfterHeaders) return;
    const late = setTimeout(() => request.stream.close(constants.NGHTTP2_CANCEL), requestTimeoutMs);
    const inTime = () => clearTimeout(late);
    request.once('end', inTime).once('close', inTime);
  });
}

/** Answers what did not even become a request, in the shape of every other error. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex, maxHeaderBytes: number): void {
  const answering = (socket as { _httpMessage?: { headersSent: boolean } })._httpMessage;
  if (!socket.writable || error.code === 'ECONNRESET' || answering?.headersSent) {
    socket.destroy();
    return;
  }
  answerRaw(socket, ...describeBrokenRequest(error.code, maxHeaderBytes));
}

function describeBrokenRequest(code: string | undefined, maxHeaderBytes: number): [ErrorCode, string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['HEADERS_TOO_LARGE', `The headers are over the limit of ${maxHeaderBytes.toLocaleString('en')} bytes.`];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['REQUEST_TIMEOUT', 'The request did not arrive in full within its time.'];
    default:
      return ['BAD_USER_INPUT', 'This is not a valid HTTP request.'];
  }
}
