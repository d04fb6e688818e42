import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tests/setup/until.js';
import { RawSocket } from './raw-socket.js';
import { identityOf, type StreamGraph, startStreamGraph } from './testing.js';

let graph: StreamGraph;
beforeAll(async () => {
  graph = await startStreamGraph({
    settings: {
      WEBSOCKET_MESSAGE_BYTES: '10000',
      CONNECTION_INIT_MS: '300',
      STREAMS_MAX: '50',
      STREAMS_PER_USER: '3',
      OPERATIONS_PER_SOCKET: '4',
      CORS_ORIGINS: 'https://app.example',
    },
  });
});
afterAll(() => graph.close());

const plain = 'subscription ($t: String!) { plain(topic: $t) { n } }';
const codes = (payload: any[]) => payload.map(({ extensions }) => extensions.code);

describe('a connection', () => {
  it('is acknowledged once, answers pings with what they carry, and takes no second connection_init', async () => {
    const socket = await RawSocket.connect(graph.url);
    socket.send({ type: 'ping', payload: { at: 'now', ü: '€' } });
    socket.send({ type: 'pong' });
    socket.send({ type: 'ping' });
    await socket.until(({ messages }) => messages.length === 3);
    expect(socket.messages.slice(1)).toEqual([{ type: 'pong', payload: { at: 'now', ü: '€' } }, { type: 'pong' }]);
    socket.send({ type: 'connection_init' });
    await socket.until(() => false);
    expect(socket.closed).toEqual({ code: 4429, reason: 'Too many initialisation requests' });
  });

  it.each([
    ['not JSON', 'hello'],
    ['no object', 'null'],
    ['without a type', '{"id":"1"}'],
    ['nested too deep', `{"type":"ping","payload":${'['.repeat(4_000)}${']'.repeat(4_000)}}`],
    ['of an unknown type', '{"type":"start","id":"1"}'],
    ['a subscribe without an id', '{"type":"subscribe","payload":{"query":"{ping}"}}'],
    ['a subscribe with an endless id', `{"type":"subscribe","id":"${'x'.repeat(300)}","payload":{"query":"{ping}"}}`],
  ])('is closed with 4400 for a message that is %s, and others live on', async (_what, message) => {
    const [broken, other] = await Promise.all([RawSocket.connect(graph.url), RawSocket.connect(graph.url)]);
    broken.send(message);
    await broken.until(() => false);
    expect(broken.closed?.code).toBe(4400);
    other.subscribe('1', '{ ping }');
    expect((await other.ended('1'))?.type).toBe('complete');
    await other.close();
  });

  it('is closed with 4408 where it does not start, and with 4401 where it asks first', async () => {
    const silent = await RawSocket.open(graph.url);
    await silent.until(() => false);
    expect(silent.closed).toMatchObject({ code: 4408, reason: expect.stringContaining('300 ms') });
    const hasty = await RawSocket.open(graph.url);
    hasty.subscribe('1', '{ ping }');
    await hasty.until(() => false);
    expect(hasty.closed?.code).toBe(4401);
  });

  it('is closed with 1009 for a message over the limit, and with 1007 or 1002 for garbage frames', async () => {
    const large = await RawSocket.connect(graph.url);
    large.send({ type: 'ping', payload: { text: 'x'.repeat(10_001) } });
    await large.until(() => false);
    expect(large.closed?.code).toBe(1009);
    const garbage = await RawSocket.connect(graph.url);
    (garbage.webSocket as unknown as { _socket: NodeJS.WritableStream })._socket.write(
      Buffer.from('ffffffffffff', 'hex'),
    );
    await garbage.until(() => false);
    expect(garbage.closed?.code).toBe(1002);
  });

  it('speaks no other protocol', async () => {
    const socket = await RawSocket.open(graph.url, 'graphql-transport-ws');
    await socket.close();
    await expect(RawSocket.open(graph.url, 'graphql-ws')).rejects.toThrow();
  });

  it.each([
    ['https://evil.example', 403],
    ['null', 403],
    ['https://app.example', 101],
  ])('from a page of the origin %s is answered with %i', async (origin, status) => {
    const stream = connect(Number(new URL(graph.url).port), '127.0.0.1');
    stream.write(
      `GET /graphql HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: ${origin}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
    );
    const [answer] = await once(stream, 'data');
    stream.destroy();
    expect(String(answer)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('that is refused is closed, also where the client keeps its own half open', async () => {
    const stream = connect({ port: Number(new URL(graph.url).port), host: '127.0.0.1', allowHalfOpen: true });
    stream.write('GET /nowhere HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect(String((await once(stream, 'data'))[0])).toMatch(/^HTTP\/1\.1 404 /);
    // Whoever writes to a connection that is closed is told so.
    stream.on('error', () => {});
    const closed = once(stream, 'close');
    const writing = setInterval(() => stream.write('x'), 50);
    await closed.catch(() => {});
    clearInterval(writing);
    expect(stream.destroyed).toBe(true);
  });

  it('is closed with 4401 when its token ends, and with it everything that runs over it', async () => {
    const token = await graph.tokenFor(identityOf('one', 'expiring'), Date.now() - 898_000);
    const socket = await RawSocket.connect(graph.url, token);
    const t = crypto.randomUUID();
    socket.subscribe('1', plain, { t });
    await eventually(() => expect(graph.feed(t).open).toBe(1));
    await socket.until(() => false);
    expect(socket.closed).toMatchObject({ code: 4401, reason: expect.stringContaining('TOKEN_EXPIRED') });
    await eventually(() => expect(graph.feed(t).open).toBe(0));
  });

  it('with a token of yesterday is refused by name', async () => {
    const socket = await RawSocket.open(graph.url);
    const authorization = `Bearer ${await graph.tokenFor(identityOf('one', 'late'), Date.now() - 86_400_000)}`;
    socket.send({ type: 'connection_init', payload: { authorization } });
    await socket.until(() => false);
    expect(socket.closed).toMatchObject({ code: 4401, reason: expect.stringContaining('TOKEN_EXPIRED') });
  });

  it('over the limit of its user is closed with 4429, and taken again when another one is gone', async () => {
    const token = await graph.tokenFor(identityOf('one', 'busy'));
    const open = await Promise.all([1, 2, 3].map(() => RawSocket.connect(graph.url, token)));
    const fourth = await RawSocket.connect(graph.url, token);
    expect(fourth.closed).toMatchObject({ code: 4429, reason: expect.stringMatching(/TOO_MANY_STREAMS.*3/) });
    const other = await RawSocket.connect(graph.url, await graph.tokenFor(identityOf('two', 'busy')));
    expect(other.closed).toBeUndefined();
    await open.pop()!.close();
    await eventually(async () => {
      const again = await RawSocket.connect(graph.url, token);
      open.push(again);
      expect(again.closed).toBeUndefined();
    });
    await Promise.all([...open, other].map((socket) => socket.close()));
  });

  it('over the limit of the gateway is answered with 429 over HTTP', async () => {
    await eventually(async () => {
      const open: RawSocket[] = [];
      const failure = await (async () => {
        for (let i = 0; i < 60; i += 1) open.push(await RawSocket.connect(graph.url));
      })().catch((error: Error) => error.message);
      await Promise.all(open.map((socket) => socket.close()));
      expect([failure, open.length]).toEqual([expect.stringContaining('429'), 50]);
    });
  });
});

describe('an operation', () => {
  let socket: RawSocket;
  beforeAll(async () => {
    await eventually(async () => {
      socket = await RawSocket.connect(graph.url);
    });
  });
  afterAll(() => socket.close());

  it('may be a query or a mutation, the first time and every other', async () => {
    for (const id of ['q1', 'q2']) {
      socket.subscribe(id, '{ ping person(id: "7") { name } }');
      expect((await socket.ended(id))?.type).toBe('complete');
      expect(socket.of(id)).toEqual([{ data: { ping: 'pong', person: { name: 'Person 7' } } }]);
    }
    for (const id of ['m1', 'm2']) {
      socket.subscribe(id, 'mutation ($n: Int!) { publish(topic: "m", n: $n) }', { n: 5 });
      await socket.ended(id);
      expect(socket.of(id)).toEqual([{ data: { publish: 5 } }]);
    }
    expect(graph.feed('m').length).toBe(2);
  });

  it('with the id of one that runs closes the socket with 4409', async () => {
    const own = await RawSocket.connect(graph.url);
    own.subscribe('x', plain, { t: 'twice' });
    own.subscribe('x', plain, { t: 'twice' });
    await own.until(() => false);
    expect(own.closed).toEqual({ code: 4409, reason: 'Subscriber for x already exists' });
  });

  it('may take the id of one that has ended', async () => {
    socket.subscribe('again', plain, { t: 'again' });
    socket.send({ id: 'again', type: 'complete' });
    socket.subscribe('again', '{ ping }');
    expect((await socket.ended('again'))?.type).toBe('complete');
    expect(socket.of('again')).toEqual([{ data: { ping: 'pong' } }]);
    await eventually(() => expect(graph.feed('again').open).toBe(0));
  });

  it.each([
    ['a syntax error', '{ ping', 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['two root fields', 'subscription { refused { n } own(topic: "x") { n } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['no operation', 'fragment F on Tick { n }', /GRAPHQL_VALIDATION_FAILED|OPERATION_RESOLUTION_FAILURE/],
  ])('with %s is answered with an error of its own', async (what, query, code) => {
    socket.subscribe(what, query);
    const end = await socket.ended(what);
    expect(end?.type).toBe('error');
    expect(codes(end!.payload)[0]).toMatch(code);
  });

  it('that makes the validator of graphql-js throw leaves the others on its socket alone', async () => {
    const t = crypto.randomUUID();
    socket.subscribe('lives', plain, { t });
    await eventually(() => expect(graph.feed(t).open).toBe(1));
    socket.subscribe('trap', 'subscription ($x: Boolean!) { plain(topic: "t") @include(if: $x) { n } }', { x: true });
    const end = await socket.ended('trap');
    expect([end?.type, codes(end!.payload)[0]]).toEqual(['error', 'GRAPHQL_VALIDATION_FAILED']);
    graph.feed(t).publish({ n: 1 });
    await socket.until(() => socket.of('lives').length === 1);
    socket.send({ id: 'lives', type: 'complete' });
  });

  it('with variables that do not fit is answered by their name', async () => {
    socket.subscribe('coerce', plain, { t: {} });
    expect((await socket.ended('coerce'))?.type).toBe('complete');
    expect(codes(socket.of('coerce')[0].errors)).toEqual(['BAD_USER_INPUT']);
  });

  it.each([
    ['query', { query: 5 }],
    ['query', {}],
    ['variables', { query: '{ ping }', variables: [] }],
    ['operationName', { query: '{ ping }', operationName: 1 }],
    ['extensions', { query: '{ ping }', extensions: 'x' }],
    ['payload', null],
  ])('with a `%s` that is something else is told so', async (argument, payload) => {
    const id = crypto.randomUUID();
    socket.send({ id, type: 'subscribe', payload });
    const end = await socket.ended(id);
    expect(end).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'BAD_USER_INPUT', argument } }] });
  });

  it('over the limit of its socket is refused, and taken when another one has ended', async () => {
    const own = await RawSocket.connect(graph.url);
    for (const id of ['1', '2', '3', '4', '5']) own.subscribe(id, plain, { t: 'many' });
    const end = await own.ended('5');
    expect(end).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'TOO_MANY_OPERATIONS', limit: 4 } }] });
    own.send({ id: '1', type: 'complete' });
    own.subscribe('5 again', '{ ping }');
    expect((await own.ended('5 again'))?.type).toBe('complete');
    await own.close();
  });

  it('tells callers without a token nothing of the schema', async () => {
    socket.subscribe('hint', 'subscription { plane(topic: "x") { n } }');
    socket.subscribe('introspection', '{ __schema { queryType { name } } }');
    expect((await socket.ended('hint'))!.payload[0].message).not.toContain('plain');
    await socket.ended('introspection');
    expect(codes(socket.of('introspection')[0].errors)).toEqual(['UNAUTHENTICATED']);
  });

  it('with a large answer, and text beyond ASCII, comes whole', async () => {
    const t = crypto.randomUUID();
    socket.subscribe('large', 'subscription ($t: String!) { plain(topic: $t) { n text } }', { t });
    await eventually(() => expect(graph.feed(t).open).toBe(1));
    const texts = ['ü€😀'.repeat(10), 'é'.repeat(40_000), 'x'.repeat(70_000), ''];
    graph.feed(t).publish(...texts.map((text, n) => ({ n, text })));
    await socket.until(() => socket.of('large').length === 4);
    expect(socket.of('large').map(({ data }) => data.plain.text)).toEqual(texts);
    socket.send({ id: 'large', type: 'complete' });
  });
});

it('a gateway that ends completes every operation and closes with 1001', async () => {
  const ending = await startStreamGraph();
  const sockets = await Promise.all([1, 2, 3].map(() => RawSocket.connect(ending.url)));
  for (const socket of sockets) socket.subscribe('1', plain, { t: 't' });
  await eventually(() => expect(ending.feed('t').open).toBe(1));
  await Promise.all([ending.drain(), ...sockets.map((socket) => socket.until(() => false))]);
  for (const socket of sockets) {
    expect([socket.messages.at(-1), socket.closed?.code]).toEqual([{ id: '1', type: 'complete' }, 1001]);
  }
  expect(ending.feed('t').open).toBe(0);
  await ending.close();
});

it('a gateway for persisted operations alone runs no other over a WebSocket or an event stream', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'persisted-'));
  const file = join(directory, 'manifest.json');
  await writeFile(file, JSON.stringify({ plain, ping: '{ ping }' }));
  const strict = await startStreamGraph({ settings: { PERSISTED_OPERATIONS: file, PERSISTED_ONLY: 'on' } });
  const socket = await RawSocket.connect(strict.url);
  socket.subscribe('other', 'subscription { own(topic: "t") { n } }');
  expect(codes((await socket.ended('other'))!.payload)).toEqual(['PERSISTED_OPERATION_REQUIRED']);
  socket.send({ id: 'unknown', type: 'subscribe', payload: { documentId: 'nothing' } });
  expect(codes((await socket.ended('unknown'))!.payload)).toEqual(['PERSISTED_OPERATION_UNKNOWN']);
  socket.send({ id: 'ping', type: 'subscribe', payload: { documentId: 'ping' } });
  await socket.ended('ping');
  expect(socket.of('ping')).toEqual([{ data: { ping: 'pong' } }]);
  socket.send({ id: 'plain', type: 'subscribe', payload: { documentId: 'plain', variables: { t: 't' } } });
  await eventually(() => expect(strict.feed('t').open).toBe(1));
  strict.feed('t').publish({ n: 1 });
  await socket.until(() => socket.of('plain').length === 1);

  const get = (parameters: Record<string, string>) =>
    fetch(`${strict.url}/graphql?${new URLSearchParams(parameters)}`, { headers: { accept: 'text/event-stream' } });
  const refused = await get({ query: 'subscription { own(topic: "t") { n } }' });
  expect(codes(((await refused.json()) as any).errors)).toEqual(['PERSISTED_OPERATION_REQUIRED']);
  expect(await (await get({ documentId: 'ping' })).text()).toContain('{"data":{"ping":"pong"}}');
  await socket.close();
  await strict.close();
  await rm(directory, { recursive: true });
});
