import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { buildSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import { useServer as answerProtocol } from 'graphql-ws/use/ws';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { makeCertificate } from '../../tests/setup/certificate.js';
import { eventually } from '../../tests/setup/until.js';
import { readBody } from './body.js';
import { type Exchange, type ListenerOptions, sendJson } from './listener.js';
import { apiRoute, serveRoutes, type TestServer } from './testing.js';

let server: TestServer | undefined;
let directory: string | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
  if (directory) await rm(directory, { recursive: true });
  directory = undefined;
});

const limitBytes = 100_000;
/** Takes a body within the limit and answers its size. */
const measure = async ({ request, response }: Exchange) =>
  sendJson(response, 200, { bytes: (await readBody(request, limitBytes)).length });

const dial = async (): Promise<Socket> => {
  const socket = connect(server!.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
};
/** However it closes: `once` would throw for a reset. */
const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));
const readAll = async (socket: Socket): Promise<string> => {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.resume();
  await closed(socket);
  return text;
};

describe('a body over the limit', () => {
  const head = (headers: string) => `POST /graphql HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`;
  const tooLarge =
    /^HTTP\/1\.1 413 .*"The body is over the limit of 100,000 bytes\..*PAYLOAD_TOO_LARGE.*"limitBytes":100000/s;

  it('is answered 413 to a client that sends all of it before it listens', async () => {
    server = await serveRoutes([apiRoute(measure)]);
    for (const headers of [`Content-Length: ${2 * limitBytes}`, 'Transfer-Encoding: chunked']) {
      const socket = await dial();
      // Not a byte is read before all are sent, as simple clients do.
      socket.pause();
      socket.write(head(headers));
      const chunk = Buffer.alloc(limitBytes / 10, 'x');
      for (let sent = 0; sent < 2 * limitBytes; sent += chunk.length) {
        if (headers.startsWith('Transfer')) socket.write(`${chunk.length.toString(16)}\r\n`);
        if (!socket.write(chunk)) await once(socket, 'drain');
        if (headers.startsWith('Transfer')) socket.write('\r\n');
      }
      if (headers.startsWith('Transfer')) socket.write('0\r\n\r\n');
      expect(await readAll(socket)).toMatch(tooLarge);
    }
  });

  it('is answered at once to a client that listens, and cut off when there is no end to it', async () => {
    server = await serveRoutes([apiRoute(measure)]);
    const socket = await dial();
    socket.write(head(`Content-Length: ${1_000 * limitBytes}`));
    const [first] = await once(socket, 'data');
    expect(String(first)).toMatch(tooLarge);
    const endless = setInterval(() => socket.write(Buffer.alloc(limitBytes)), 1);
    await closed(socket);
    clearInterval(endless);
  });

  it('counts after it is inflated', async () => {
    server = await serveRoutes([apiRoute(measure)]);
    const send = async (bytes: number) => {
      const body = gzipSync(Buffer.alloc(bytes));
      const answer = await fetch(`${server!.url}/graphql`, {
        method: 'POST',
        headers: { 'content-encoding': 'gzip' },
        body,
      });
      return [answer.status, ((await answer.json()) as { bytes?: number }).bytes];
    };
    expect(await send(limitBytes)).toEqual([200, limitBytes]);
    expect(await send(limitBytes + 1)).toEqual([413, undefined]);
    expect(await send(100 * limitBytes)).toEqual([413, undefined]);
  });

  it('that is broken gzip or breaks off does no harm', async () => {
    server = await serveRoutes([apiRoute(measure)]);
    const gzip = gzipSync(Buffer.alloc(1_000));
    for (const body of [Buffer.from('not gzip'), gzip.subarray(0, 20)]) {
      const headers = { 'content-encoding': 'gzip' };
      expect((await fetch(`${server.url}/graphql`, { method: 'POST', headers, body })).status).toBe(400);
    }
    const socket = await dial();
    socket.write(`${head('Content-Length: 5000')}half`);
    socket.destroy();
    expect((await fetch(`${server.url}/graphql`, { method: 'POST', body: 'x' })).status).toBe(200);
  });
});

describe('a client that is slow or sends nonsense', () => {
  it('is told that its headers or its body took too long', async () => {
    server = await serveRoutes([apiRoute(measure)], { HEADERS_TIMEOUT_MS: '150', REQUEST_TIMEOUT_MS: '300' });
    const slow = [
      'POST /graphql HTTP/1.1\r\nHost: x\r\nX-',
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf',
    ];
    for (const text of slow) {
      const socket = await dial();
      socket.write(text);
      expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 408 .*"code":"REQUEST_TIMEOUT"/s);
    }
  });

  it('is told the limit of its headers, and that its bytes are no HTTP', async () => {
    server = await serveRoutes([apiRoute(measure)], { MAX_HEADER_BYTES: '4096' });
    const long = await dial();
    long.write(`GET /graphql HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(5_000)}\r\n\r\n`);
    expect(await readAll(long)).toMatch(/^HTTP\/1\.1 431 .*limit of 4,096 bytes.*"code":"HEADERS_TOO_LARGE"/s);
    const broken = await dial();
    broken.write('\u0016\u0003\u0001 hello\r\n\r\n');
    expect(await readAll(broken)).toMatch(/^HTTP\/1\.1 400 .*"code":"BAD_USER_INPUT"/s);
  });

  it('loses its connection with the answer, also where it keeps its own half open', async () => {
    server = await serveRoutes([apiRoute(measure)], { HEADERS_TIMEOUT_MS: '100' });
    const open = new Set<Socket>();
    server.web.server.on('connection', (socket: Socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    });
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    socket.write('GET / HTT');
    expect(String((await once(socket, 'data'))[0])).toContain('REQUEST_TIMEOUT');
    expect(open.size).toBe(1);
    await eventually(() => expect(open.size).toBe(0));
    socket.destroy();
  });

  it('that offers HTTP/2 with its first request is answered over HTTP/1.1', async () => {
    server = await serveRoutes([apiRoute(measure)]);
    server.web.server.on('upgrade', (_request, stream: Socket) => stream.destroy());
    const socket = await dial();
    socket.write(
      'POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n' +
        'HTTP2-Settings: AAEAAEAA\r\nContent-Length: 5\r\n\r\nhello',
    );
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 .*"bytes":5/s);
    socket.destroy();
  });

  it('that keeps a connection open without a request loses it', async () => {
    server = await serveRoutes([apiRoute(measure)], { KEEP_ALIVE_TIMEOUT_MS: '100' });
    const socket = await dial();
    socket.write('GET /graphql HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await readAll(socket)).toContain('HTTP/1.1 200');
  });
});

it('draining lets a request in hand end and takes no new connection', async () => {
  const [asked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  server = await serveRoutes([
    apiRoute(async ({ response }) => {
      asked.resolve();
      await released.promise;
      sendJson(response, 200, { data: 'late' });
    }),
  ]);
  const answer = fetch(`${server.url}/graphql`);
  await asked.promise;
  const drained = server.close();
  await expect(fetch(`${server.url}/graphql`)).rejects.toThrow();
  released.resolve();
  expect(await (await answer).json()).toEqual({ data: 'late' });
  await drained;
  server = undefined;
});

describe('with a certificate', () => {
  const startSecure = async (
    settings: Record<string, string> = {},
    handle: (exchange: Exchange) => unknown = measure,
    options: Partial<ListenerOptions> = {},
  ) => {
    directory = await mkdtemp(join(tmpdir(), 'harborwatch-tls-'));
    const files = { TLS_CERT_FILE: join(directory, 'cert.pem'), TLS_KEY_FILE: join(directory, 'key.pem') };
    const certificate = makeCertificate();
    await writeFile(files.TLS_CERT_FILE, certificate.cert);
    await writeFile(files.TLS_KEY_FILE, certificate.key);
    server = await serveRoutes([apiRoute(handle)], { ...files, ...settings }, options);
    return { files, ca: certificate.cert };
  };

  /** A request of a real HTTP/2 client, its body in as many writes as given. */
  const askHttp2 = async (ca: string, ...parts: string[]) => {
    const session = connectHttp2(server!.url, { ca });
    const stream = session.request({ ':method': 'POST', ':path': '/graphql', 'x-request-id': 'of-http2' });
    stream.on('error', () => {});
    for (const part of parts) stream.write(part);
    stream.end();
    const [headers] = await once(stream, 'response');
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) text += chunk;
    session.destroy();
    return { headers: headers as Record<string, unknown>, body: JSON.parse(text) };
  };

  it('HTTP/2 is served, with the request id, the security headers and HSTS', async () => {
    const { ca } = await startSecure();
    const { headers, body } = await askHttp2(ca, 'hello ', 'there');
    expect(body).toEqual({ bytes: 11 });
    expect(headers).toMatchObject({
      ':status': 200,
      'x-request-id': 'of-http2',
      'x-content-type-options': 'nosniff',
      'strict-transport-security': 'max-age=31536000',
    });
  });

  it('a body over the limit is answered 413 over HTTP/2, and the connection goes on', async () => {
    const { ca } = await startSecure();
    const session = connectHttp2(server!.url, { ca });
    const ask = async (body: Buffer) => {
      const stream = session.request({ ':method': 'POST', ':path': '/graphql' });
      stream.on('error', () => {});
      stream.end(body);
      const [headers] = await once(stream, 'response');
      let text = '';
      for await (const chunk of stream.setEncoding('utf8')) text += chunk;
      return [headers[':status'], JSON.parse(text).errors?.[0].extensions.code];
    };
    expect(await ask(Buffer.alloc(2 * limitBytes))).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(await ask(Buffer.alloc(10))).toEqual([200, undefined]);
    session.destroy();
  });

  it('a request over HTTP/2 that does not arrive in full is cut off', async () => {
    const { ca } = await startSecure({ REQUEST_TIMEOUT_MS: '200', HEADERS_TIMEOUT_MS: '200' });
    const session = connectHttp2(server!.url, { ca });
    const stream = session.request({ ':method': 'POST', ':path': '/graphql' });
    stream.on('error', () => {});
    stream.write('half');
    await once(stream, 'close');
    expect(stream.rstCode).toBe(8);
    session.destroy();
  });

  it('HTTP/1.1 is served as well, and plain HTTP is not', async () => {
    const { ca } = await startSecure();
    const status = await new Promise((resolve, reject) => {
      const options = { ca, method: 'POST', agent: false };
      requestHttps(`${server!.url}/graphql`, options, (response) => {
        response.resume();
        resolve([response.httpVersion, response.statusCode]);
      })
        .on('error', reject)
        .end('x');
    });
    expect(status).toEqual(['1.1', 200]);
    const plain = requestHttp(`http://127.0.0.1:${server!.port}/graphql`);
    plain.end();
    await expect(once(plain, 'response')).rejects.toThrow();
  });

  it('operations run over a WebSocket on the same port', async () => {
    const { ca } = await startSecure();
    const sockets = new WebSocketServer({ noServer: true });
    server!.web.server.on('upgrade', (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request)),
    );
    const closing = answerProtocol(
      { schema: buildSchema('type Query { word: String }'), roots: { query: { word: () => 'hello' } } },
      sockets,
    );
    class Trusting extends WebSocket {
      constructor(address: string, protocols?: string | string[]) {
        super(address, protocols, { ca });
      }
    }
    const client = createClient({ url: `${server!.url.replace('https', 'wss')}/graphql`, webSocketImpl: Trusting });
    const { value } = await client.iterate({ query: '{ word }' }).next();
    expect(value).toEqual({ data: { word: 'hello' } });
    await client.dispose();
    await closing.dispose();
  });

  const shownCertificate = async (): Promise<string> => {
    const socket: TLSSocket = connectTls({ port: server!.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };

  it('a new certificate is shown once both files have changed, and half of it never', async () => {
    const logged: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) });
    const { files } = await startSecure({}, measure, { logger });
    const before = await shownCertificate();
    const next = makeCertificate();
    await writeFile(files.TLS_CERT_FILE, next.cert);
    await eventually(() => expect(logged.join()).toContain('is not that of the certificate'));
    expect(await shownCertificate()).toBe(before);
    await writeFile(files.TLS_KEY_FILE, next.key);
    await eventually(async () => expect(await shownCertificate()).not.toBe(before));
    expect((await askHttp2(next.cert, 'x')).body).toEqual({ bytes: 1 });
  });

  it('draining lets a request over HTTP/2 end, and ends idle connections', async () => {
    const [asked, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { ca } = await startSecure({}, async ({ response }) => {
      asked.resolve();
      await released.promise;
      sendJson(response, 200, { data: 'late' });
    });
    const idle = connectHttp2(server!.url, { ca });
    await once(idle, 'connect');
    const session = connectHttp2(server!.url, { ca });
    const stream = session.request({ ':method': 'POST', ':path': '/graphql' }).setEncoding('utf8');
    stream.end('x');
    const answered = stream.toArray();
    await asked.promise;
    const drained = server!.close();
    released.resolve();
    expect((await answered).join('')).toBe('{"data":"late"}');
    await drained;
    server = undefined;
  });

  it.each([
    [
      'a key that belongs to another',
      async (files: Files) => writeFile(files.TLS_KEY_FILE, makeCertificate().key),
      /is not that of the certificate/,
    ],
    [
      'a certificate that is none',
      async (files: Files) => writeFile(files.TLS_CERT_FILE, 'hello'),
      /^TLS_CERT_FILE .* holds no PEM certificate/,
    ],
    ['a missing file', async (files: Files) => rm(files.TLS_KEY_FILE), /^TLS_KEY_FILE cannot be read: ENOENT/],
  ])('%s is named at start', async (_what, spoil, message) => {
    const { files } = await startSecure();
    await spoil(files);
    await expect(serveRoutes([], files)).rejects.toThrow(message);
  });

  it('a certificate without its key is named at start', async () => {
    await expect(serveRoutes([], { TLS_CERT_FILE: '/some/file' })).rejects.toThrow(
      /TLS_KEY_FILE is not: HTTPS needs both/,
    );
  });
});

interface Files {
  TLS_CERT_FILE: string;
  TLS_KEY_FILE: string;
}
