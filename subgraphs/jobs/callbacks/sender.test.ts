/** One call: to real receivers on loopback, with names from a real name server. */

import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificate } from '../../../tests/setup/certificate.js';
import { CallbackAddresses } from './addresses.js';
import { startNameServer, startReceiver, status } from './receivers.js';
import { CallbackSender } from './sender.js';

const never = new AbortController().signal;
const headers = { 'webhook-id': 'x' };
const body = '{"type":"job.completed"}';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});
const kept = <T extends { close(): Promise<void> }>(one: T): T => {
  open.push(one);
  return one;
};

const receiver = async (...args: Parameters<typeof startReceiver>) => kept(await startReceiver(...args));

/** A receiver that speaks bytes. */
async function rawReceiver(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  kept({
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A sender whose names are what the name server says. */
async function senderWith(
  addressesOf: (name: string, n: number) => readonly string[] | undefined,
  allowed = ['127.0.0.1'],
) {
  const names = kept(await startNameServer(addressesOf));
  const resolver = new Resolver({ timeout: 1_500, tries: 2 });
  resolver.setServers([names.address]);
  return { names, sender: new CallbackSender(new CallbackAddresses(allowed), resolver) };
}

const local = new CallbackSender(new CallbackAddresses(['127.0.0.1']));
const send = (url: string, sender = local, signal = never) => sender.send(url, headers, body, signal);

describe('answers', () => {
  test.each([200, 201, 202, 204, 299])('%i is success', async (code) => {
    const { url } = await receiver(status(code));
    expect(await send(url)).toEqual({ statusCode: code, error: null });
  });

  test.each([400, 401, 404, 409, 429, 500, 502, 503, 504])('%i is a refusal', async (code) => {
    const { url } = await receiver(status(code));
    expect(await send(url)).toEqual({ statusCode: code, error: 'REFUSED' });
  });

  test('410 says that it is not wanted', async () => {
    const { url } = await receiver(status(410));
    expect(await send(url)).toEqual({ statusCode: 410, error: 'GONE' });
  });

  test.each([301, 302, 303, 307, 308, 304])('%i is a failure, and nobody goes where it leads', async (code) => {
    const elsewhere = await receiver();
    const { url, calls } = await receiver(status(code, { location: `${elsewhere.url}/secret` }));
    expect(await send(url)).toEqual({ statusCode: code, error: 'REDIRECTED' });
    expect(calls).toHaveLength(1);
    expect(elsewhere.calls).toEqual([]);
  });

  test('Retry-After is handed on', async () => {
    const { url } = await receiver(status(503, { 'retry-after': '120' }));
    expect(await send(url)).toEqual({ statusCode: 503, error: 'REFUSED', retryAfter: '120' });
  });
});

describe('the request', () => {
  test('is a POST of the body as it is, with the path and query of the URL', async () => {
    const { url, port, calls } = await receiver();
    await send(`${url}/a/b?key=1&x=%20`);
    expect(calls).toEqual([
      {
        method: 'POST',
        path: '/a/b?key=1&x=%20',
        body,
        headers: {
          host: `127.0.0.1:${port}`,
          connection: 'close',
          'content-length': String(body.length),
          'content-type': 'application/json',
          'user-agent': 'Harborwatch',
          'webhook-id': 'x',
        },
      },
    ]);
  });

  test('goes to the receiver itself, whatever proxy the environment names', async () => {
    const proxy = await receiver();
    const { url, calls } = await receiver();
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : proxy.url;
    try {
      expect((await send(url)).error).toBeNull();
    } finally {
      for (const [index, name] of names.entries()) {
        if (before[index] === undefined) delete process.env[name];
        else process.env[name] = before[index];
      }
    }
    expect(calls).toHaveLength(1);
    expect(proxy.calls).toEqual([]);
  });
});

describe('receivers that misbehave', () => {
  const timed = async (url: string, sender = local) => {
    const began = performance.now();
    const answer = await send(url, sender);
    return { answer, tookMs: performance.now() - began };
  };

  const hanging: [string, (socket: Socket) => void][] = [
    ['takes the request and says nothing', () => {}],
    ['ends neither its headers nor the call', (socket) => socket.write('HTTP/1.1 200 OK\r\nx: ')],
    [
      'sends one header after the other for ever',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        const timer = setInterval(() => socket.write('x: y\r\n'), 100);
        socket.on('close', () => clearInterval(timer));
      },
    ],
    [
      'says again and again that it will answer',
      (socket) => {
        const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 100);
        socket.on('close', () => clearInterval(timer));
      },
    ],
  ];

  test('one that hangs, in whichever way, holds a call for 5 seconds', async () => {
    const judge = async ([what, onConnection]: (typeof hanging)[number]) => {
      const { answer, tookMs } = await timed(await rawReceiver(onConnection));
      expect(answer, what).toEqual({ statusCode: null, error: 'TIMED_OUT' });
      expect(tookMs, what).toBeGreaterThan(4_900);
      expect(tookMs, what).toBeLessThan(7_000);
    };
    await Promise.all(hanging.map(judge));
  });

  test('one that answers without end is left after 64 KB; its status counts', async () => {
    let sent = 0;
    const { url } = await receiver((response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(16_384, 'x');
      const pump = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        if (!response.destroyed) response.once('drain', pump);
      };
      pump();
    });
    const { answer, tookMs } = await timed(url);
    expect(answer).toEqual({ statusCode: 200, error: null });
    expect(tookMs).toBeLessThan(3_000);
    expect(sent).toBeLessThan(16_777_216); // What the buffers of two sockets hold, at most.
  });

  test('one that drips its answer is left after 5 seconds; its status counts', async () => {
    const { url } = await receiver((response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'), 100);
      response.on('close', () => clearInterval(timer));
    });
    const { answer, tookMs } = await timed(url);
    expect(answer).toEqual({ statusCode: 200, error: null });
    expect(tookMs).toBeLessThan(7_000);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['closes the socket at once', (socket) => socket.destroy()],
    ['closes it after the request', (socket) => socket.once('data', () => socket.destroy())],
    ['resets it', (socket) => socket.once('data', () => socket.resetAndDestroy())],
    ['closes it within its headers', (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nx: y'))],
    ['speaks no HTTP', (socket) => socket.once('data', () => socket.end('220 mail.example ESMTP\r\n'))],
    ['has endless headers', (socket) => socket.end(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(1_000_000)}\r\n\r\n`)],
  ])('one that %s is a failed connection', async (_what, onConnection) => {
    expect(await send(await rawReceiver(onConnection))).toEqual({ statusCode: null, error: 'CONNECTION_FAILED' });
  });

  test('one that is not there is a failed connection', async () => {
    const { url, close } = await startReceiver();
    await close();
    expect(await send(url)).toEqual({ statusCode: null, error: 'CONNECTION_FAILED' });
  });

  test('a call that is aborted throws, so that nobody takes it for an answer', async () => {
    const stop = new AbortController();
    const { url } = await receiver(() => stop.abort(new Error('the process stops')));
    await expect(send(url, local, stop.signal)).rejects.toThrow('the process stops');
  });
});

describe('names', () => {
  const notAllowed = { statusCode: null, error: 'ADDRESS_NOT_ALLOWED' };

  test('are looked up, and the call goes to the address with the name in its Host header', async () => {
    const { port, calls } = await receiver();
    const { sender } = await senderWith(() => ['127.0.0.1']);
    expect(await send(`http://receiver.example:${port}/x`, sender)).toMatchObject({ error: null });
    expect(calls[0]!.headers.host).toBe(`receiver.example:${port}`);
  });

  test.each([
    ['127.0.0.1'],
    ['10.0.0.1'],
    ['169.254.169.254'],
    ['100.64.0.1'],
    ['0.0.0.0'],
    ['::1'],
    ['::ffff:7f00:1'],
    ['fd00::1'],
    ['fe80::1'],
    ['64:ff9b::7f00:1'],
    ['2002:7f00:1::'],
    ['8.8.8.8', '127.0.0.1'],
    ['2606:4700::1111', '10.0.0.1'],
    ['::1', '8.8.8.8'],
  ])('that lead to %s are not called', async (...addresses) => {
    const { port, calls } = await receiver();
    const { sender } = await senderWith(() => addresses, []);
    expect(await send(`https://receiver.example:${port}/`, sender)).toEqual(notAllowed);
    expect(calls).toEqual([]);
  });

  test('one forbidden address among allowed ones is enough', async () => {
    const { port, calls } = await receiver();
    const { sender } = await senderWith(() => ['127.0.0.1', '127.0.0.2']);
    expect(await send(`http://receiver.example:${port}/`, sender)).toEqual(notAllowed);
    expect(calls).toEqual([]);
  });

  test('literal addresses that came in before a rule are checked again', async () => {
    const { port, calls } = await receiver();
    const sender = new CallbackSender(new CallbackAddresses([]));
    for (const host of ['127.0.0.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]', '0.0.0.0', '0x7f.1']) {
      expect(await send(`https://${host}:${port}/`, sender)).toEqual(notAllowed);
    }
    expect(calls).toEqual([]);
  });

  test('a name that changes between two look-ups is looked up once for each call, and what was checked is dialled', async () => {
    const { port, calls } = await receiver();
    // Allowed at first, and everything else afterwards: a second look-up would dial what was never checked.
    const { names, sender } = await senderWith((_name, n) => (n === 1 ? ['127.0.0.1'] : ['127.0.0.2']));
    const url = `http://rebind.example:${port}/`;
    expect(await send(url, sender)).toMatchObject({ statusCode: 204, error: null });
    expect(names.asked.sort()).toEqual(['rebind.example 1', 'rebind.example 28']);
    expect(await send(url, sender)).toEqual(notAllowed);
    expect(calls).toHaveLength(1);
  });

  test('a name that leads nowhere is told like a forbidden one', async () => {
    const { sender } = await senderWith(() => []);
    expect(await send('https://nowhere.example/', sender)).toEqual(notAllowed);
  });

  test('name servers that say nothing hold a call for 5 seconds at most', async () => {
    const silent = await senderWith(() => undefined);
    const began = performance.now();
    expect((await send('https://silent.example/', silent.sender)).statusCode).toBeNull();
    expect(performance.now() - began).toBeLessThan(7_000);
  });

  test('http goes to admitted addresses alone', async () => {
    const { sender } = await senderWith(() => ['8.8.8.8']);
    expect(await send('http://receiver.example/', sender)).toEqual(notAllowed);
  });

  test('an address that does not answer does not keep the others from being tried', async () => {
    const { port, calls } = await receiver();
    const { sender } = await senderWith(() => ['::1', '127.0.0.1'], ['127.0.0.1', '::1']);
    expect(await send(`http://receiver.example:${port}/`, sender)).toMatchObject({ error: null });
    expect(calls).toHaveLength(1);
  });
});

describe('https', () => {
  const known = makeCertificate(['receiver.example']);
  const before = getCACertificates('default');
  beforeAll(() => setDefaultCACertificates([...before, known.cert]));
  afterAll(() => setDefaultCACertificates(before));

  test('checks the certificate against the name, which the receiver is told', async () => {
    const server = await receiver((response) => {
      const { servername } = response.req.socket as TLSSocket & { servername: string };
      response.writeHead(200, { 'retry-after': servername }).end();
    }, known);
    const { sender } = await senderWith(() => ['127.0.0.1']);
    const answer = await send(`https://receiver.example:${server.port}/`, sender);
    expect(answer).toEqual({ statusCode: 200, error: null, retryAfter: 'receiver.example' });
    const other = await send(`https://other.example:${server.port}/`, sender);
    expect(other).toEqual({ statusCode: null, error: 'TLS_FAILED' });
    expect(server.calls).toHaveLength(1);
  });

  test('checks it against a literal address', async () => {
    const { url } = await receiver(status(204), known);
    expect(await send(url)).toEqual({ statusCode: 204, error: null });
  });

  test('takes no certificate that nobody vouches for, whatever the environment says', async () => {
    const server = await receiver(status(204), makeCertificate(['receiver.example']));
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      expect(await send(server.url)).toEqual({ statusCode: null, error: 'TLS_FAILED' });
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }
    expect(server.calls).toEqual([]);
  });

  test('a receiver that speaks no TLS is told as that', async () => {
    const { port, calls } = await receiver();
    expect(await send(`https://127.0.0.1:${port}/`)).toEqual({ statusCode: null, error: 'TLS_FAILED' });
    expect(calls).toEqual([]);
  });
});
