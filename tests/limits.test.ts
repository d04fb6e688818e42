/** Every limit of an operation over a real gateway: what reaches it runs, and what is one over is refused by its code. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from './setup/gateway.js';

interface Request {
  query?: string;
  documentId?: string;
  variables?: Record<string, unknown>;
  extensions?: Record<string, unknown>;
}

interface Told {
  message: string;
  extensions: Record<string, unknown> & { code: string };
}

interface Doors {
  gateway: TestGateway;
  client: Client;
}

const doorNames = ['HTTP', 'WebSocket', 'an event stream'] as const;

async function openDoors(settings: Record<string, string>): Promise<Doors> {
  const gateway = await startTestGateway({ settings });
  return { gateway, client: await gateway.webSocket(gateway.orgs[0]) };
}

async function closeDoors(doors: Doors | undefined): Promise<void> {
  await doors?.client.dispose();
  await doors?.gateway.close();
}

const post = async ({ gateway }: Doors, body: string, accept = 'application/graphql-response+json') =>
  fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${await gateway.tokenFor(gateway.orgs[0])}`,
      accept,
    },
    body,
  });

/** Sends an operation through one of the doors. @returns its errors */
async function errorsOf(doors: Doors, door: (typeof doorNames)[number], request: Request): Promise<Told[]> {
  if (door === 'HTTP') {
    const response = await post(doors, JSON.stringify(request));
    const { errors = [] } = (await response.json()) as { errors?: Told[] };
    expect(response.status).toBe(errors.length > 0 ? 400 : 200);
    return errors;
  }
  if (door === 'an event stream') {
    const text = await (await post(doors, JSON.stringify(request), 'text/event-stream')).text();
    return (JSON.parse(/^data: *(.+)$/m.exec(text)?.[1] ?? text) as { errors?: Told[] }).errors ?? [];
  }
  return new Promise((resolve, reject) => {
    let told: Told[] = [];
    doors.client.subscribe(
      { query: '', ...request },
      {
        next: ({ errors = [] }) => {
          told = errors as unknown as Told[];
        },
        error: (errors) => (Array.isArray(errors) ? resolve(errors as unknown as Told[]) : reject(errors)),
        complete: () => resolve(told),
      },
    );
  });
}

const times = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, n) => make(n)).join(' ');

/** An activity log of actors with an activity of their own, and so on. */
const nestedFields = (depth: number) => {
  const fields = ['activityLog(app: "a", days: 1, first: 0) @skip(if: true)', 'nodes', 'actor'];
  while (fields.length < depth - 1) fields.push('activity(days: 1, first: 0)', 'nodes', 'actor');
  const used = fields.slice(0, depth - 1);
  return `{ ${used.join(' { ')} { __typename ${'} '.repeat(used.length)} }`;
};

const cases: [string, number, (n: number) => Request][] = [
  ['tokens', 2_000, (n) => ({ query: `{ collection(id: "x") { lookup(key: [${'1 '.repeat(n - 20)}]) { key } } }` })],
  ['lines', 5_000, (n) => ({ query: `{ __typename }${'\n'.repeat(n - 1)}` })],
  ['nameLength', 256, (n) => ({ query: `query ${'n'.repeat(n)} { __typename }` })],
  ['depth', 10, (n) => ({ query: nestedFields(n) })],
  ['aliases', 15, (n) => ({ query: `{ ${times(n, (i) => `a${i}: __typename`)} }` })],
  ['rootFields', 20, (n) => ({ query: `{ ${'__typename '.repeat(n)} }` })],
  ['directives', 20, (n) => ({ query: `{ viewer { ${'__typename @skip(if: false) '.repeat(n)} } }` })],
  [
    'literalNesting',
    10,
    (n) => ({ query: `{ collection(id: "x") { lookup(key: ${'['.repeat(n) + ']'.repeat(n)}) { key } } }` }),
  ],
  [
    'cost',
    100,
    (n) => ({ query: 'query ($n: Int) { jobs(first: $n) { nodes { __typename } } }', variables: { n: n - 1 } }),
  ],
];

describe('each limit', () => {
  let doors: Doors;
  beforeAll(async () => {
    doors = await openDoors({ GRAPHQL_MAX_COST: '100', GRAPHQL_BODY_BYTES: '20000' });
  });
  afterAll(() => closeDoors(doors));

  describe.each(doorNames)('over %s', (door) => {
    it.each(cases)(
      'lets pass what reaches it, and tells number, limit and setting of one more: %s, %i',
      async (limit, maximum, make) => {
        expect(await errorsOf(doors, door, make(maximum))).toEqual([]);
        const [error, ...more] = await errorsOf(doors, door, make(maximum + 1));
        expect(more).toEqual([]);
        expect(error).toMatchObject({
          message: expect.stringContaining(`the limit is ${maximum.toLocaleString('en')}.`),
          extensions: {
            code: limit === 'cost' ? 'COST_LIMIT_EXCEEDED' : 'OPERATION_LIMIT_EXCEEDED',
            limit,
            maximum,
            value: limit === 'lines' ? maximum : maximum + 1,
            setting: expect.stringMatching(/^GRAPHQL_MAX_/),
          },
        });
      },
    );

    it('holds for an operation that ran before', async () => {
      const query = 'query ($n: Int) { jobs(last: $n) { nodes { __typename } } }';
      expect(await errorsOf(doors, door, { query, variables: { n: 99 } })).toEqual([]);
      expect(await errorsOf(doors, door, { query, variables: { n: 100 } })).toMatchObject([
        { extensions: { value: 101 } },
      ]);
    });
  });

  it('lets a body of 20,000 bytes pass, and refuses one more', async () => {
    const body = JSON.stringify({ query: '{ __typename }' });
    expect((await post(doors, body.padEnd(20_000))).status).toBe(200);
    const over = await post(doors, body.padEnd(20_001));
    const { errors } = (await over.json()) as { errors: Told[] };
    expect([over.status, errors[0]?.extensions]).toMatchObject([
      413,
      { code: 'PAYLOAD_TOO_LARGE', limitBytes: 20_000 },
    ]);
    expect(errors[0]?.message).toContain('20,000 bytes');
  });

  it('bounds the nesting of a body before anything reads it', async () => {
    const body = (levels: number) =>
      `{"query":"{ __typename }","variables":{"x":${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}}}`;
    expect((await post(doors, body(100))).status).toBe(200);
    const over = await post(doors, body(101));
    expect(over.status).toBe(400);
    expect(await over.json()).toMatchObject({
      errors: [
        {
          message: 'Lists and objects nest 101 deep; the limit is 100.',
          extensions: { code: 'OPERATION_LIMIT_EXCEEDED' },
        },
      ],
    });
  });
});

describe('persisted operations', () => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const viewer = 'query Viewer { viewer { org { slug } } }';
  const other = '{ viewer { user { email } } }';
  const persistedQuery = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: sha256(text) } });
  const codes = (errors: Told[]) => errors.map(({ extensions }) => extensions.code);
  let directory: string;
  let only: Doors;
  let open: Doors;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'persisted-'));
    const file = join(directory, 'manifest.json');
    const operations = [
      { id: sha256(viewer), name: 'Viewer', type: 'query', body: viewer },
      { id: 'gone', body: '{ gone }' },
    ];
    await writeFile(file, JSON.stringify({ format: 'apollo-persisted-query-manifest', version: 1, operations }));
    only = await openDoors({ PERSISTED_OPERATIONS: file, PERSISTED_ONLY: 'on' });
    open = await openDoors({ PERSISTED_OPERATIONS: file });
  });
  afterAll(async () => {
    await closeDoors(only);
    await closeDoors(open);
    await rm(directory, { recursive: true });
  });

  it.each(doorNames)('over %s run by their id, their hash or their exact text, first and again', async (door) => {
    for (const doors of [only, open, only, open]) {
      expect(await errorsOf(doors, door, { documentId: sha256(viewer) })).toEqual([]);
      expect(await errorsOf(doors, door, { extensions: persistedQuery(viewer) })).toEqual([]);
      expect(await errorsOf(doors, door, { query: viewer })).toEqual([]);
    }
  });

  it.each(doorNames)(
    'over %s are all that runs where nothing else may, and their ids alone are known',
    async (door) => {
      const code = async (doors: Doors, request: Request) => codes(await errorsOf(doors, door, request));
      expect(await code(open, { query: other })).toEqual([]);
      expect(await code(only, { query: other })).toEqual(['PERSISTED_OPERATION_REQUIRED']);
      expect(await code(only, { query: other, extensions: persistedQuery(other) })).toEqual([
        'PERSISTED_OPERATION_UNKNOWN',
      ]);
      for (const doors of [only, open]) {
        expect(await code(doors, { documentId: 'nope' })).toEqual(['PERSISTED_OPERATION_UNKNOWN']);
        expect(await code(doors, { documentId: sha256(viewer), query: other })).toEqual(['BAD_REQUEST']);
        expect(await code(doors, { documentId: 'gone' })).toEqual(['GRAPHQL_VALIDATION_FAILED']);
      }
    },
  );

  it('run over GET by their id', async () => {
    const get = async (parameters: Record<string, string>) => {
      const authorization = `Bearer ${await only.gateway.tokenFor(only.gateway.orgs[0])}`;
      const response = await fetch(`${only.gateway.url}/graphql?${new URLSearchParams(parameters)}`, {
        headers: { authorization },
      });
      return { status: response.status, ...((await response.json()) as object) };
    };
    const data = { viewer: { org: { slug: 'one' } } };
    expect(await get({ documentId: sha256(viewer) })).toEqual({ status: 200, data });
    expect(await get({ extensions: JSON.stringify(persistedQuery(viewer)) })).toEqual({ status: 200, data });
    expect(await get({ query: other })).toMatchObject({
      status: 400,
      errors: [{ extensions: { code: 'PERSISTED_OPERATION_REQUIRED' } }],
    });
  });

  it('that clients register themselves are asked for, checked against their hash, and run by it from then on', async () => {
    const ask = async (request: Request) => {
      const response = await post(open, JSON.stringify(request));
      const { errors = [] } = (await response.json()) as { errors?: Told[] };
      return [response.status, ...codes(errors)];
    };
    const fresh = 'query Fresh { viewer { user { name } } }';
    const known = { extensions: persistedQuery(fresh) };
    expect(await ask(known)).toEqual([200, 'PERSISTED_QUERY_NOT_FOUND']);
    expect(await ask({ query: '{ __typename }', ...known })).toEqual([400, 'BAD_REQUEST']);
    expect(await ask({ query: fresh, ...known })).toEqual([200]);
    expect(await ask(known)).toEqual([200]);
  });
});

describe('deadlines', () => {
  it('a mutation may wait longer than a query may take', async () => {
    const settings = { OPERATION_TIMEOUT_MS: '500', MUTATION_TIMEOUT_MS: '5000' };
    const gateway = await startTestGateway({ settings });
    // Nothing runs it here.
    const input = { query: 'SELECT 1', waitMs: 1_500 };
    const started = performance.now();
    const answer = await gateway.query<any>(
      gateway.orgs[0],
      'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { status } }',
      { input },
    );
    expect(performance.now() - started).toBeGreaterThan(1_400);
    expect(answer).toMatchObject({ status: 200, data: { submitJob: { status: 'PENDING' } } });
    await gateway.close();
  });
});
