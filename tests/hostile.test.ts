/**
 * What a hostile client sends: always a 4xx or GraphQL errors with a code of the registry, never a 5xx, a closed socket of
 * somebody else, or an event loop that stands still.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { Client } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { errorRegistry } from '../platform/errors.js';
import { startTestGateway, type TestGateway } from './setup/gateway.js';
import { chunked, type RawAnswer, sendRaw, withLength } from './setup/raw-http.js';

const runs = process.env.HARBORWATCH_DEEP ? 20_000 : 500;
const runsTimeoutMs = process.env.HARBORWATCH_DEEP ? 1_800_000 : 240_000;
const maxStallMs = 250;

let gateway: TestGateway;
let token: string;
/** Somebody else, who is connected all the time. */
let bystander: Client;
let lost: unknown;

beforeAll(async () => {
  gateway = await startTestGateway();
  token = await gateway.tokenFor(gateway.orgs[0]);
  bystander = await gateway.webSocket(gateway.orgs[1]);
  bystander.on('closed', (event) => {
    lost = event;
  });
  await expectServed();
});
afterAll(async () => {
  await bystander?.dispose();
  await gateway?.close();
});
afterEach(expectServed);

/** Others are served as if nothing had happened, over the connections that they have. */
async function expectServed(): Promise<void> {
  const query = '{ viewer { org { slug } } }';
  expect((await gateway.query<any>(gateway.orgs[0], query)).data).toEqual({ viewer: { org: { slug: 'one' } } });
  const answer = await bystander.iterate<any>({ query }).next();
  expect(answer.value?.data).toEqual({ viewer: { org: { slug: 'two' } } });
  expect(lost).toBeUndefined();
}

const codesOf = (answer: RawAnswer): (string | undefined)[] => {
  const { errors } = JSON.parse(answer.body) as { errors?: { message: string; extensions?: { code?: string } }[] };
  return (errors ?? []).map(({ extensions }) => extensions?.code);
};

/** An answer that a client can act on. */
function expectTold(answer: RawAnswer, ...expected: string[]): void {
  const codes = codesOf(answer);
  expect(answer.status, answer.body).toBeLessThan(500);
  expect(answer.status, answer.body).toBeGreaterThanOrEqual(200);
  if (answer.status >= 400) expect(codes.length).toBeGreaterThan(0);
  for (const code of codes) expect(Object.keys(errorRegistry), answer.body).toContain(code);
  expect(codes, answer.body).not.toContain('INTERNAL_SERVER_ERROR');
  if (expected.length > 0) expect(expected, answer.body).toContain(codes[0]);
}

/** How long the gateway, which runs in this process, answered nobody. What stalls it does so every time. */
async function expectNoStall(attack: () => Promise<void>): Promise<void> {
  const stalls: number[] = [];
  while (stalls.length < 3) {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    await attack();
    delay.disable();
    stalls.push(delay.max / 1e6);
    if (delay.max / 1e6 < maxStallMs) return;
  }
  expect(Math.min(...stalls)).toBeLessThan(maxStallMs);
}

const authorized = (headers: Record<string, string> = {}) => ({ authorization: `Bearer ${token}`, ...headers });
const send = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
  sendRaw(gateway.url, { headers: authorized(withLength(body, headers)) }, [body]);
const operation = (query: string, more: object = {}) => JSON.stringify({ query, ...more });

describe('a body', () => {
  it.each([
    ['that is empty', ''],
    ['that is not JSON', '{"query": "{ __typename }"'],
    ['with what follows the JSON', '{"query":"{ __typename }"} x'],
    ['that is a number', '7'],
    ['that is a text', '"{ __typename }"'],
    ['that is true', 'true'],
    ['that is null', 'null'],
    ['that is an empty list', '[]'],
    ['that is a list of operations', '[{"query":"{ __typename }"}]'],
    ['that is an empty object', '{}'],
    ['whose query is a number', '{"query":7}'],
    ['whose query is a list', '{"query":["{ __typename }"]}'],
    ['whose query is a parsed document', '{"query":{"kind":"Document","definitions":[]}}'],
    ['whose query is empty', '{"query":""}'],
    ['whose query is white space', '{"query":" \\n\\ufeff "}'],
    ['whose query is null', '{"query":null}'],
    ['whose variables are a text', '{"query":"{ __typename }","variables":"{}"}'],
    ['whose variables are a list', '{"query":"{ __typename }","variables":[1]}'],
    ['whose operationName is a number', '{"query":"{ __typename }","operationName":7}'],
    ['whose extensions are a list', '{"query":"{ __typename }","extensions":[1]}'],
    ['whose extensions are a number', '{"query":"{ __typename }","extensions":1}'],
    ['whose persistedQuery is a text', '{"query":"{ __typename }","extensions":{"persistedQuery":"x"}}'],
    ['whose hash is an object', '{"extensions":{"persistedQuery":{"version":1,"sha256Hash":{}}}}'],
    ['whose hash is unknown', `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"${'a'.repeat(64)}"}}}`],
    ['whose documentId is a list', '{"documentId":["x"]}'],
    ['whose documentId is unknown', '{"documentId":"x"}'],
    ['with a key twice', '{"query":"{ nope }","query":7}'],
    ['with a prototype', '{"__proto__":{"query":"{ __typename }"}}'],
    ['that is a NUL', '\0'],
    ['with a NUL', '{"query":"{ __typename }\0"}'],
    ['that starts with a byte order mark', '\ufeff{"query":"{ nope }"}'],
  ])('%s is told', async (_name, body) => {
    const answer = await send(body);
    expectTold(answer);
    expect(codesOf(answer)).toHaveLength(1);
  });

  it.each([
    ['broken UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 'BAD_USER_INPUT'],
    [
      'an overlong slash',
      Buffer.concat([Buffer.from('{"query":"{ __typename }","x":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
      'BAD_USER_INPUT',
    ],
    [
      'half of a character at its end',
      Buffer.concat([Buffer.from('{"query":"{ __typename }'), Buffer.from([0xe2, 0x82])]),
      'BAD_USER_INPUT',
    ],
    ['UTF-16', Buffer.from('{"query":"{ __typename }"}', 'utf16le'), 'BAD_USER_INPUT'],
  ])('of %s is refused', async (_name, body, code) => {
    const answer = await send(body);
    expectTold(answer, code);
    expect(answer.status).toBe(400);
  });

  it('that nests 100,000 deep, or as deep as it can, is refused at once', async () => {
    const bodies = [100_000, 500_000].flatMap((levels) => [
      `{"query":"{ __typename }","variables":{"x":${'['.repeat(levels)}${']'.repeat(levels)}}}`,
      '['.repeat(levels),
      '{"a":'.repeat(Math.min(levels, 190_000)),
    ]);
    await expectNoStall(async () => {
      for (const body of bodies) expectTold(await send(body), 'OPERATION_LIMIT_EXCEEDED', 'PAYLOAD_TOO_LARGE');
    });
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    'application/jsonx',
    'application/json-patch+json',
    '',
    ';',
    'application',
    '\u{7f}',
  ])('of the content type "%s" is refused with 415', async (type) => {
    const answer = await send(operation('{ __typename }'), { 'content-type': type });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expectTold(answer, 'UNSUPPORTED_MEDIA_TYPE', 'BAD_USER_INPUT');
  });

  it.each([
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
    'application/json ; charset=utf8',
    'application/json;',
  ])('of the content type "%s" is taken', async (type) => {
    expect((await send(operation('{ __typename }'), { 'content-type': type })).status).toBe(200);
  });

  it.each(['utf-16', 'iso-8859-1', 'shift_jis', 'nonsense', '"utf-16le"'])(
    'in the character set %s is refused',
    async (charset) => {
      expectTold(
        await send(operation('{ nope }'), { 'content-type': `application/json; charset=${charset}` }),
        'UNSUPPORTED_MEDIA_TYPE',
      );
    },
  );

  it.each(['br', 'deflate', 'zstd', 'compress', 'x-gzip, br', 'gzip, gzip', 'nonsense'])(
    'in the encoding %s is refused',
    async (encoding) => {
      const answer = await send(gzipSync(operation('{ nope }')), { 'content-encoding': encoding });
      expectTold(answer, 'UNSUPPORTED_MEDIA_TYPE', 'BAD_USER_INPUT');
      expect(answer.status).toBeGreaterThanOrEqual(400);
    },
  );

  it('of broken gzip is refused: none, half of one, one with a wrong sum, one with something behind it', async () => {
    const whole = gzipSync(operation('{ __typename }'));
    const wrongSum = Buffer.from(whole);
    wrongSum[wrongSum.length - 6] = wrongSum[wrongSum.length - 6]! ^ 0xff;
    for (const body of [Buffer.from('plain'), whole.subarray(0, 20), wrongSum, Buffer.alloc(0)]) {
      expectTold(await send(body, { 'content-encoding': 'gzip' }), 'BAD_USER_INPUT');
    }
  });

  it('of 1 MB that inflates to 1 GB is refused early, in bounded memory', async () => {
    const member = gzipSync(Buffer.alloc(10_000_000, ' '), { level: 9 });
    const bomb = Buffer.concat(Array.from({ length: 100 }, () => member));
    expect(bomb.length).toBeLessThan(1_048_576);
    await expectNoStall(async () => {
      const before = process.memoryUsage().rss;
      const started = performance.now();
      const answer = await send(bomb, { 'content-encoding': 'gzip' });
      expectTold(answer, 'PAYLOAD_TOO_LARGE');
      expect(answer.status).toBe(413);
      expect(performance.now() - started).toBeLessThan(5_000);
      expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    });
  });

  it('that is too large is refused with 413, also where its length is not told, or told wrongly', async () => {
    const large = Buffer.alloc(1_200_000, ' ');
    expectTold(await send(large), 'PAYLOAD_TOO_LARGE');
    const pieces = chunked([large.subarray(0, 600_000), large.subarray(600_000)]);
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
    const answer = await sendRaw(gateway.url, { headers: authorized(headers) }, pieces);
    expectTold(answer, 'PAYLOAD_TOO_LARGE');
    expect(answer.status).toBe(413);
    const told = { 'content-type': 'application/json', 'content-length': '99999999999' };
    expectTold(await sendRaw(gateway.url, { headers: authorized(told) }, ['{}']), 'PAYLOAD_TOO_LARGE');
  });

  it('with huge variables runs or is refused, and stalls nobody', async () => {
    const query = 'query ($x: Boolean = true) { __typename @include(if: $x) }';
    const keys = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`k${n}`, n]));
    const bodies = [
      operation(query, { variables: keys }),
      operation(query, { variables: { x: 'x'.repeat(1_000_000) } }),
      operation('query ($id: ID!) { job(id: $id) { id } }', { variables: { id: 'x'.repeat(1_000_000) } }),
      operation('query ($id: ID!) { job(id: $id) { id } }', { variables: { id: `1${'0'.repeat(400_000)}` } }),
      `{"query":"query ($n: Int) { jobs(first: $n) { nodes { id } } }","variables":{"n":1${'0'.repeat(500_000)}}}`,
      operation('query ($id: ID!) { job(id: $id) { id } }', {
        variables: { id: Array.from({ length: 200_000 }, () => 1) },
      }),
    ];
    await expectNoStall(async () => {
      for (const body of bodies) expectTold(await send(body));
    });
  });
});

describe('an operation', () => {
  const times = (count: number, make: (index: number) => string) =>
    Array.from({ length: count }, (_, n) => make(n)).join(' ');
  const attacks: [string, string][] = [
    [
      'a fragment bomb',
      `{ ...F0 } ${times(21, (i) => `fragment F${i} on Query { ${i < 20 ? `...F${i + 1} ... { ...F${i + 1} }` : '__typename'} }`)}`,
    ],
    ['a cycle of fragments', '{ viewer { org { ...A } } } fragment A on Org { id ...B } fragment B on Org { id ...A }'],
    ['a fragment in itself', '{ ...A } fragment A on Query { ...A }'],
    ['a million lines before its errors', `${'\n'.repeat(1_000_000)}{ ${times(150, (i) => `x${i}`)} }`],
    ['half a million comments', `${'#\n'.repeat(500_000)}{ __typename }`],
    ['a text of many lines', `{ job(id: """${'\n a'.repeat(330_000)}""") { id } }`],
    ['a name of a million letters', `{ ${'a'.repeat(1_000_000)} }`],
    ['20 names of 50,000 letters', `{ ${times(20, (i) => `a${i}${'b'.repeat(50_000)}`)} }`],
    ['a million opening braces', '{'.repeat(1_000_000)],
    ['many tokens', `{ ${'a '.repeat(500_000)} }`],
    ['a deep list', `{ collection(id: "x") { lookup(key: ${'['.repeat(990)}${']'.repeat(990)}) { key } } }`],
    ['a deep list without an end', `{ job(id: ${'['.repeat(1_990)}`],
    ['a deep variable type', `query ($x: ${'['.repeat(900)}Int${']'.repeat(900)}) { __typename @include(if: $x) }`],
    ['the same field 280 times', `{ ${'viewer { org { id } } '.repeat(280)} }`],
    ['the same leaf 1,990 times', `{ viewer { org { ${'id '.repeat(1_990)} } } }`],
    ['inline fragments in each other', `{ viewer ${'{ ... '.repeat(600)} { __typename } ${'} '.repeat(600)} }`],
    [
      '200 fragments',
      `{ viewer { ${times(200, (i) => `...F${i}`)} } } ${times(200, (i) => `fragment F${i} on Viewer { __typename }`)}`,
    ],
    ['500 operations', times(280, (i) => `query Q${i} { __typename }`)],
    ['directives without number', `{ __typename ${'@skip(if: false) '.repeat(300)} }`],
    ['variables without number', `query (${times(490, (i) => `$v${i}: Int`)}) { __typename }`],
    [
      'a condition on a subscription',
      'subscription ($x: Boolean!) { eventTail(dataset: "logs") @include(if: $x) { cursor } }',
    ],
    [
      'a subscription of several fields',
      'subscription { a: eventTail(dataset: "logs") { cursor } b: eventTail(dataset: "logs") { cursor } }',
    ],
    ['a subscription of __typename', 'subscription { __typename }'],
    ['an operation kind that the schema lacks nothing of', 'mutation { __typename }'],
    ['a definition of a type', 'type Query { x: Int } { __typename }'],
    ['an extension of the schema', 'extend schema @link(url: "x") { query: Query }'],
    ['federation’s own fields', '{ _entities(representations: []) { __typename } _service { sdl } }'],
    ['introspection in circles', `{ __schema { types { ${'fields { type { '.repeat(8)} name ${'} } '.repeat(8)} } } }`],
    ['a lone surrogate', '{ job(id: "\\ud800") { id } }'],
    ['a NUL in a text', '{ job(id: "\\u0000") { id } dataset(name: "\\u0000") { name } org(id: "\\u0000") { id } }'],
    [
      'a NUL in another text',
      '{ activityLog(app: "a\\u0000", days: 1) { nodes { id } } collection(id: "\\u0000") { id } widgets { totalEvents(dataset: "\\u0000") { totalEvents } } }',
    ],
    ['numbers beyond all bounds', '{ jobs(first: 99999999999999999999) { nodes { id } } }'],
    ['a fraction for a whole number', '{ jobs(first: 1e999) { nodes { id } } }'],
    ['no definition', '# nothing'],
    ['control characters', '\u0007{ __typename }\u0000'],
  ];

  it.each(attacks)('with %s is told over HTTP', async (_name, query) => {
    const body = operation(query);
    await expectNoStall(async () => expectTold(await send(body)));
  });

  it.each(attacks.filter(([, query]) => query.length < 50_000))(
    'with %s is told over a WebSocket',
    async (_name, query) => {
      const socket = await openSocket();
      const answers = await socket.ask({ query });
      for (const error of answers.flatMap(({ errors }) => errors))
        expect(Object.keys(errorRegistry)).toContain(error.extensions?.code);
      expect(JSON.stringify(answers)).not.toContain('INTERNAL_SERVER_ERROR');
      // It can be used as before.
      expect(await socket.ask({ query: '{ __typename }' })).toEqual([{ errors: [], data: { __typename: 'Query' } }]);
      socket.close();
    },
  );
});

interface Answer {
  errors: { message: string; extensions?: { code?: string } }[];
  data?: unknown;
}

interface TestSocket {
  /** Runs an operation to its end; a subscription to its first answer. */
  ask(payload: unknown): Promise<Answer[]>;
  send(message: string | Buffer): void;
  close(): void;
  /** The code that the server closes with. */
  closed: Promise<number>;
}

async function openSocket({
  init = true,
  protocol = 'graphql-transport-ws' as string | undefined,
} = {}): Promise<TestSocket> {
  const socket = new WebSocket(
    `${gateway.url.replace('http', 'ws')}/graphql`,
    protocol === undefined ? [] : [protocol],
  );
  const waiting = new Map<string, (message: any) => void>();
  const acknowledged = Promise.withResolvers<void>();
  socket.on('error', () => {});
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    if (message.type === 'connection_ack') acknowledged.resolve();
    waiting.get(message.id)?.(message);
  });
  await new Promise((resolve) => socket.once('open', resolve));
  if (init) {
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
    await acknowledged.promise;
  }
  return {
    closed,
    send: (message) => socket.send(message),
    close: () => socket.close(),
    ask: (payload) =>
      new Promise((resolve, reject) => {
        const id = crypto.randomUUID();
        const answers: Answer[] = [];
        const end = () => {
          waiting.delete(id);
          resolve(answers);
        };
        waiting.set(id, ({ type, payload: answer }) => {
          if (type === 'error') answers.push({ errors: answer });
          else if (type === 'next') answers.push({ errors: [], ...answer });
          if (type !== 'next' || JSON.stringify(payload).includes('"subscription')) end();
        });
        void closed.then((code) => reject(new Error(`The socket was closed with ${code}.`)));
        socket.send(JSON.stringify({ id, type: 'subscribe', payload }));
      }),
  };
}

describe('a WebSocket', () => {
  const codes = {
    badMessage: 4400,
    unauthorized: 4401,
    subprotocol: 4406,
    exists: 4409,
    tooMany: 4429,
    tooBig: 1009,
    badText: 1007,
  };

  it.each<[string, string | Buffer, number]>([
    ['garbage', 'garbage', codes.badMessage],
    ['half of a message', '{"type":"ping"', codes.badMessage],
    ['an empty message', '', codes.badMessage],
    ['binary garbage', Buffer.from([0xff, 0xfe, 0x00]), codes.badMessage],
    ['null', 'null', codes.badMessage],
    ['a number', '7', codes.badMessage],
    ['a list', '[]', codes.badMessage],
    ['a message without a type', '{}', codes.badMessage],
    ['an unknown type', '{"type":"nonsense"}', codes.badMessage],
    ['a type that is no text', '{"type":{"a":1}}', codes.badMessage],
    [
      'a type of the older protocol',
      '{"type":"start","id":"1","payload":{"query":"{ __typename }"}}',
      codes.badMessage,
    ],
    ['a type of the server', '{"type":"connection_ack"}', codes.badMessage],
    ['an operation without an id', '{"type":"subscribe","payload":{"query":"{ __typename }"}}', codes.badMessage],
    [
      'an operation whose id is a number',
      '{"type":"subscribe","id":1,"payload":{"query":"{ __typename }"}}',
      codes.badMessage,
    ],
    [
      'an operation of an endless id',
      JSON.stringify({ type: 'subscribe', id: 'x'.repeat(60_000), payload: { query: '{ __typename }' } }),
      codes.badMessage,
    ],
    ['a second connection_init', '{"type":"connection_init"}', codes.tooMany],
    ['a message of 64 KB and one byte', 'x'.repeat(65_537), codes.tooBig],
    ['a message of 10 MB', 'x'.repeat(10_000_000), codes.tooBig],
    [
      'a message that nests 30,000 deep',
      `{"type":"ping","payload":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
      codes.badMessage,
    ],
  ])('that sends %s is closed, alone', async (_name, message, code) => {
    const socket = await openSocket();
    await expectNoStall(async () => {});
    socket.send(message);
    expect(await socket.closed).toBe(code);
  });

  it.each<[string, unknown]>([
    ['no payload', undefined],
    ['a payload that is null', null],
    ['a payload that is a text', '{ __typename }'],
    ['a payload without a query', {}],
    ['a query that is a number', { query: 7 }],
    ['variables that are a list', { query: '{ __typename }', variables: [1] }],
    ['an operationName that is a number', { query: '{ __typename }', operationName: 7 }],
    ['extensions that are a text', { query: '{ __typename }', extensions: 'x' }],
    ['an unknown hash', { query: '', extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } }],
    ['an unknown id', { query: '', documentId: 'x' }],
  ])('is told of an operation with %s, and goes on', async (_name, payload) => {
    const socket = await openSocket();
    const [answer] = await socket.ask(payload);
    expect(Object.keys(errorRegistry)).toContain(answer?.errors[0]?.extensions?.code);
    expect(answer?.errors[0]?.extensions?.code).not.toBe('INTERNAL_SERVER_ERROR');
    expect((await socket.ask({ query: '{ __typename }' }))[0]?.data).toEqual({ __typename: 'Query' });
    socket.close();
  });

  it('that asks before connection_init, speaks another protocol or none, is closed', async () => {
    const early = await openSocket({ init: false });
    early.send('{"type":"subscribe","id":"1","payload":{"query":"{ __typename }"}}');
    expect(await early.closed).toBe(codes.unauthorized);
    for (const protocol of ['graphql-ws', undefined]) {
      const socket = await openSocket({ init: false, protocol }).catch(() => undefined);
      if (socket) expect(await socket.closed).toBe(codes.subprotocol);
    }
  });

  it('that uses an id twice at once is closed', async () => {
    const socket = await openSocket();
    const query = 'subscription { eventTail(dataset: "logs") { cursor } }';
    for (let n = 0; n < 2; n += 1) socket.send(JSON.stringify({ type: 'subscribe', id: 'one', payload: { query } }));
    expect(await socket.closed).toBe(codes.exists);
  });

  it('that breaks the protocol of frames is closed', async () => {
    const frames = [
      [0xc1, 0x80, 0, 0, 0, 0],
      [0x81, 0x05, 0x68, 0x65, 0x6c, 0x6c, 0x6f],
      [0x83, 0x80, 0, 0, 0, 0],
      [0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0],
      [0x80, 0x80, 0, 0, 0, 0],
      [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
      [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe],
    ];
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': 'graphql-transport-ws',
    };
    for (const frame of frames) {
      const { status } = await sendRaw(gateway.url, { method: 'GET', headers }, [Buffer.from(frame)]);
      expect(status).toBe(101);
    }
  });

  it.each([
    {
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-version': '7',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    },
    { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13', 'sec-websocket-key': 'x' },
    { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13' },
    { upgrade: 'nonsense', connection: 'Upgrade' },
  ])('that asks wrongly for its upgrade is refused with 4xx: %o', async (headers: Record<string, string>) => {
    const { status } = await sendRaw(gateway.url, { method: 'GET', headers });
    expect([400, 405, 426]).toContain(status);
  });
});

describe('anything', () => {
  const valid = operation('query Q($n: Int) { jobs(first: $n) { nodes { id } } }', {
    variables: { n: 1 },
    operationName: 'Q',
  });
  /** A valid body with bytes that are changed, taken out or put in. */
  const mutated = fc
    .array(fc.tuple(fc.nat(valid.length - 1), fc.constantFrom('cut', 'put', 'change'), fc.nat(255)), {
      minLength: 1,
      maxLength: 6,
    })
    .map((changes) => {
      let bytes = Buffer.from(valid);
      for (const [at, what, byte] of changes) {
        const tail = bytes.subarray(what === 'put' ? at : at + 1);
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(what === 'cut' ? [] : [byte]), tail]);
      }
      return bytes;
    });
  const json = fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text));
  const requestLike = fc
    .record(
      {
        query: fc.oneof(fc.constant('{ __typename }'), fc.jsonValue()),
        variables: fc.jsonValue(),
        operationName: fc.jsonValue(),
        extensions: fc.jsonValue(),
        documentId: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    .map((request) => Buffer.from(JSON.stringify(request)));
  const words = [
    '{',
    '}',
    '(',
    ')',
    ':',
    '...',
    '@skip(if: true)',
    '@include(if: $a)',
    '$a',
    '!',
    '[',
    ']',
    '"',
    '"""',
    '#',
    'query',
    'mutation',
    'subscription',
    'fragment',
    'on',
    'Query',
    'Job',
    'viewer',
    'org',
    'id',
    'jobs',
    'nodes',
    '__typename',
    '__schema',
    'first',
    '1',
    '-1',
    '1e9',
    'null',
    'F',
    '=',
    '|',
    '&',
    '\\u0000',
  ];
  const document = fc
    .array(fc.constantFrom(...words), { maxLength: 40 })
    .map((tokens) => Buffer.from(operation(tokens.join(' '))));
  const body = fc.oneof(
    mutated,
    json,
    requestLike,
    document,
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );
  const headers = fc.record({
    'content-type': fc.oneof(
      { weight: 8, arbitrary: fc.constant('application/json') },
      { weight: 1, arbitrary: fc.stringMatching(/^[\x21-\x7e]{0,30}$/) },
    ),
    accept: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('application/json', 'application/graphql-response+json', '*/*') },
      { weight: 1, arbitrary: fc.stringMatching(/^[\x21-\x7e]{1,30}$/) },
    ),
  });
  const encoding = fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom('gzip', 'gzip-of-it', 'br', 'identity') },
  );

  it(`that is sent as a request is told: ${runs} of them`, { timeout: runsTimeoutMs }, async () => {
    const attack = fc.asyncProperty(body, headers, encoding, async (plain, given, encoded) => {
      const bytes = encoded === 'gzip-of-it' ? gzipSync(plain) : plain;
      const extra = encoded === undefined ? {} : { 'content-encoding': encoded === 'gzip-of-it' ? 'gzip' : encoded };
      expectTold(await send(bytes, { ...given, ...extra }));
    });
    await fc.assert(attack, { numRuns: runs });
  });

  it(`that is sent over a WebSocket closes none but its own: ${runs} of them`, { timeout: runsTimeoutMs }, async () => {
    const message = fc.oneof(
      fc.json({ maxDepth: 3 }),
      fc
        .record(
          {
            type: fc.constantFrom('connection_init', 'ping', 'pong', 'subscribe', 'complete', 'next', 'x'),
            id: fc.oneof(fc.constantFrom('a', 'b'), fc.jsonValue()),
            payload: fc.oneof(fc.constant({ query: '{ __typename }' }), fc.jsonValue()),
          },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value)),
      document.map((bytes) => `{"type":"subscribe","id":"d","payload":${bytes}}`),
      fc.string(),
    );
    const attack = fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (messages, init) => {
        const socket = await openSocket({ init });
        for (const text of messages) socket.send(text);
        socket.close();
        expect([1000, 1005, 4400, 4401, 4403, 4409, 4429]).toContain(await socket.closed);
      },
    );
    await fc.assert(attack, { numRuns: Math.ceil(runs / 4) });
  });
});
