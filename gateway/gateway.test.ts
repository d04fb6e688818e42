import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../tests/setup/gateway.js';
import { eventually } from '../tests/setup/until.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ settings: { EVENT_BYTES: '20000', INGEST_BODY_BYTES: '100000' } });
});
afterAll(() => gateway.close());

const event = (minute: number, more: object = {}) => ({
  request_timestamp: `2026-03-01T10:${String(minute).padStart(2, '0')}:00Z`,
  ...more,
});
const post = async (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
  const token = await gateway.tokenFor(gateway.orgs[0]);
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  return { status: response.status, body: (await response.json()) as Record<string, any> };
};

/** Sends bytes that fetch would not, and answers what comes back. */
const raw = async (text: string): Promise<string> => {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
};

describe('over HTTP', () => {
  it('answers the caller’s organisation and user', async () => {
    const answer = await gateway.query<any>(gateway.orgs[0], '{ viewer { org { slug } user { email } } }');
    expect(answer.data.viewer).toEqual({ org: { slug: 'one' }, user: { email: 'admin@one.example' } });
  });

  it('joins an entity of another subgraph by its key, and answers null for another organisation’s', async () => {
    const [one, two] = gateway.orgs;
    const own = await gateway.query<any>(one, 'query ($id: ID!) { org(id: $id) { slug } }', { id: one.orgId });
    const foreign = await gateway.query<any>(one, 'query ($id: ID!) { org(id: $id) { slug } }', { id: two.orgId });
    const missing = await gateway.query<any>(one, 'query ($id: ID!) { org(id: $id) { slug } }', {
      id: crypto.randomUUID(),
    });
    expect(own.data.org.slug).toBe('one');
    expect([foreign.data, foreign.errors]).toEqual([missing.data, missing.errors]);
  });

  it('refuses a caller without a token by name, and a broken token with 401', async () => {
    const none = await gateway.query(undefined, '{ viewer { org { slug } } }');
    expect(none.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    const broken = await post('/graphql', '{"query":"{__typename}"}', {
      authorization: 'Bearer nonsense',
      'content-type': 'application/json',
    });
    expect([broken.status, broken.body.errors[0].extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('says that a token has expired with a code of its own', async () => {
    const { orgId, tier, capabilities, subject } = gateway.orgs[0];
    const claims = {
      orgId,
      tier,
      capabilities,
      userId: subject.userId!,
      sessionId: crypto.randomUUID(),
      accessVersion: 1,
    };
    const { token } = await gateway.platform.tokens.issue(claims, Date.now() - 3_600_000);
    const answer = await post('/graphql', '{"query":"{__typename}"}', {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    });
    expect([answer.status, answer.body.errors[0].extensions.code]).toEqual([401, 'TOKEN_EXPIRED']);
  });

  it('shows the schema to signed-in callers only', async () => {
    const query = '{ __schema { queryType { name } } }';
    expect((await gateway.query<any>(gateway.orgs[0], query)).data.__schema.queryType.name).toBe('Query');
    expect((await gateway.query(undefined, query)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    const hidden = '{ ...F } fragment F on Query { __type(name: "Job") { name } }';
    expect((await gateway.query(undefined, hidden)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    expect((await gateway.query(gateway.orgs[0], '{ job }')).errors?.map(({ message }) => message).join()).toContain(
      'Did you mean',
    );
    expect((await gateway.query(undefined, '{ job1 }')).errors?.map(({ message }) => message).join()).not.toContain(
      'Did you mean',
    );
  });

  it('refuses a GraphQL body over 1 MB with 413', async () => {
    const answer = await post(
      '/graphql',
      JSON.stringify({ query: '{__typename}', variables: { x: 'x'.repeat(1_100_000) } }),
      { 'content-type': 'application/json' },
    );
    expect([answer.status, answer.body.errors[0].extensions.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  it('answers a subscription over HTTP with a clear 400', async () => {
    const answer = await gateway.query(gateway.orgs[0], 'subscription { eventTail(dataset: "logs") { cursor } }');
    expect([answer.status, answer.errors?.[0]?.extensions.code]).toEqual([400, 'SUBSCRIPTION_TRANSPORT']);
  });

  it('masks nothing of our own errors and names the argument', async () => {
    const answer = await gateway.query(gateway.orgs[0], '{ dataset(name: "nope") { name } }');
    expect(answer.errors?.[0]).toMatchObject({
      extensions: { code: 'UNKNOWN_DATASET', argument: 'name' },
      path: ['dataset'],
    });
  });

  it('names the path and the methods of a wrong address', async () => {
    expect((await post('/nowhere', '')).body.errors[0].extensions.code).toBe('NOT_FOUND');
    expect((await post('/health/live', '')).status).toBe(405);
  });

  it.each(['GET //', 'GET http://[', 'GET /graphiql/%'])(
    'answers the broken address of "%s" as the caller’s mistake',
    async (line) => {
      expect(await raw(`${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 40[04] .*(BAD_USER_INPUT|NOT_FOUND)/s,
      );
    },
  );

  it('refuses an operation that the document does not have with 400', async () => {
    const answer = await post('/graphql', JSON.stringify({ query: '{ __typename }', operationName: 'Other' }), {
      'content-type': 'application/json',
    });
    expect([answer.status, answer.body.errors[0].extensions.code]).toEqual([400, 'OPERATION_RESOLUTION_FAILURE']);
  });

  it('says what is wrong with a moment, written in the operation or sent as a variable', async () => {
    const [one] = gateway.orgs;
    const written = await gateway.query(one, '{ jobs(createdAfter: "yesterday") { nodes { id } } }');
    const sent = await gateway.query(one, 'query ($t: DateTime) { jobs(createdAfter: $t) { nodes { id } } }', {
      t: '2026-02-30T00:00:00Z',
    });
    expect([written, sent].map(({ errors }) => [errors?.[0]?.extensions.code, errors?.[0]?.message])).toEqual([
      ['BAD_USER_INPUT', expect.stringContaining('RFC 3339')],
      ['BAD_USER_INPUT', expect.stringContaining('RFC 3339')],
    ]);
  });

  it('records signed-in requests in web_activity', async () => {
    await gateway.query(gateway.orgs[1], 'query Named { viewer { org { slug } } }');
    await eventually(async () => {
      const answer = await gateway.query<any>(
        gateway.orgs[1],
        '{ dataset(name: "web_activity") { eventCount { value } } }',
      );
      expect(answer.data.dataset.eventCount.value).toBeGreaterThan(0);
    });
    const [row] = await gateway.platform.postgres.withOrg(gateway.orgs[1], (tx) =>
      tx.query<any>("SELECT domain, username, action, status FROM web_activity WHERE operation = 'Named'"),
    );
    expect(row).toEqual({ domain: 'two', username: 'admin@two.example', action: 'query', status: 200 });
  });
});

describe('bulk ingest', () => {
  it('takes gzipped NDJSON and names the line of everything it rejects', async () => {
    const lines = [
      JSON.stringify(event(1)),
      'not json',
      '',
      JSON.stringify({ status_code: 200 }),
      JSON.stringify(event(2)),
    ];
    const answer = await post('/ingest/website_logs', new Uint8Array(gzipSync(lines.join('\r\n'))), {
      'content-encoding': 'gzip',
    });
    expect(answer.status).toBe(200);
    expect(answer.body.accepted).toBe(2);
    expect(answer.body.rejected.map(({ line, code, field }: any) => [line, code, field])).toEqual([
      [2, 'EVENT_INVALID', null],
      [4, 'EVENT_INVALID', 'request_timestamp'],
    ]);
  });

  it('stores a batch sent twice once, and answers the first receipt', async () => {
    const body = JSON.stringify(event(3));
    const first = await post('/ingest/website_logs?batchId=twice', body);
    const second = await post('/ingest/website_logs?batchId=twice', body);
    expect([first.body.accepted, first.body.duplicate, second.body.accepted, second.body.duplicate]).toEqual([
      1,
      false,
      1,
      true,
    ]);
  });

  it('bounds the body after inflation, each event, and refuses what is no gzip', async () => {
    const bomb = await post('/ingest/website_logs', new Uint8Array(gzipSync('x'.repeat(200_000))), {
      'content-encoding': 'gzip',
    });
    expect([bomb.status, bomb.body.errors[0].extensions.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const large = await post('/ingest/website_logs', JSON.stringify(event(4, { url: 'x'.repeat(30_000) })));
    expect(large.body.rejected[0]).toMatchObject({ line: 1, code: 'EVENT_TOO_LARGE' });
    const broken = await post('/ingest/website_logs', 'plain', { 'content-encoding': 'gzip' });
    expect([broken.status, broken.body.errors[0].extensions.code]).toEqual([400, 'BAD_USER_INPUT']);
  });

  it('refuses a broken percent-encoding of the dataset', async () => {
    const answer = await post('/ingest/%ff', '{}');
    expect([answer.status, answer.body.errors[0].extensions.code]).toEqual([400, 'BAD_USER_INPUT']);
  });

  it('refuses an unknown dataset and a caller without a token', async () => {
    expect((await post('/ingest/nope', '{}')).body.errors[0].extensions.code).toBe('UNKNOWN_DATASET');
    const response = await fetch(`${gateway.url}/ingest/logs`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
  });
});

describe('over WebSocket', () => {
  const upgrade = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

  it.each(['/nowhere', '//', 'http://['])('refuses an upgrade at "%s" and lives on', async (path) => {
    expect(await raw(upgrade(path))).toContain('404');
    expect((await gateway.query(gateway.orgs[0], '{ __typename }')).status).toBe(200);
  });

  it('outlives clients that ask for an upgrade and break off', async () => {
    for (let i = 0; i < 5; i += 1) {
      const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
      await once(socket, 'connect');
      socket.write(upgrade('/nowhere') + 'x'.repeat(100_000), () => socket.resetAndDestroy());
      await once(socket, 'close');
    }
    expect((await gateway.query(gateway.orgs[0], '{ __typename }')).status).toBe(200);
  });

  it('answers errors of queries, mutations and subscriptions by their code, and keeps the socket', async () => {
    const client = await gateway.webSocket(gateway.orgs[0]);
    const codeOf = async (query: string, variables?: Record<string, unknown>) => {
      const { value } = await client.iterate({ query, variables: variables ?? null }).next();
      return value?.errors?.[0]?.extensions?.code;
    };
    expect(await codeOf('mutation { cancelJob(input: { id: "none" }) { cancelledAt } }')).toBe('NOT_FOUND');
    expect(await codeOf('query ($id: ID!) { job(id: $id) { id } }', { id: {} })).toBe('BAD_USER_INPUT');
    expect(await codeOf('subscription ($id: ID!) { jobProgress(id: $id) { id } }', { id: {} })).toBe('BAD_USER_INPUT');
    expect(await codeOf('{ viewer { org { slug } } }')).toBeUndefined();
    await client.dispose();
  });

  it('streams committed events to their own organisation only, and goes on behind a cursor without a gap', async () => {
    const [one, two] = gateway.orgs;
    const client = await gateway.webSocket(one);
    const tail = (after?: string) =>
      client.iterate<any>({
        query: 'subscription ($after: String) { eventTail(dataset: "logs", after: $after) { event cursor lagged } }',
        variables: { after },
      });
    const ingest = (identity: typeof one, message: string) =>
      gateway.query(
        identity,
        'mutation ($e: [JSON!]!) { ingestEvents(input: { dataset: "logs", events: $e }) { accepted } }',
        {
          e: [
            { timestamp: '2026-03-01T10:00:00Z', message },
            { timestamp: '2026-03-01T10:00:01Z', message: `${message} again` },
          ],
        },
      );
    const stream = tail();
    const first = stream.next();
    // The subscription is open once the server has read the feed's end; until then events are history to it.
    await eventually(async () => {
      await ingest(two, 'foreign');
      await ingest(one, 'mine');
      const seen = await Promise.race([first, new Promise((resolve) => setImmediate(resolve))]);
      if (!seen) throw new Error('nothing yet');
    });
    const step = (await first).value!.data.eventTail;
    expect(step.event.message).toMatch(/^mine/);
    await stream.return?.();
    const resumed = tail(step.cursor);
    const next = (await resumed.next()).value!.data.eventTail;
    expect(next.event.message).toMatch(/^mine/);
    await resumed.return?.();
    await client.dispose();
  });

  it('answers queries too, and an invalid subscription without closing the socket', async () => {
    const client = await gateway.webSocket(gateway.orgs[0]);
    const query = await client.iterate<any>({ query: '{ viewer { org { slug } } }' }).next();
    expect(query.value.data.viewer.org.slug).toBe('one');
    const conditional = client.iterate({
      query: 'subscription ($x: Boolean!) { eventTail(dataset: "logs") @include(if: $x) { cursor } }',
      variables: { x: true },
    });
    await expect(conditional.next()).rejects.toBeDefined();
    const again = await client.iterate<any>({ query: '{ viewer { org { slug } } }' }).next();
    expect(again.value.data.viewer.org.slug).toBe('one');
    await client.dispose();
  });

  it('refuses a broken token with 4401, and a cursor of another organisation', async () => {
    const { createClient } = await import('graphql-ws');
    const { WebSocket } = await import('ws');
    const client = createClient({
      url: `${gateway.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: 'Bearer x' },
      retryAttempts: 0,
    });
    await expect(client.iterate({ query: '{ __typename }' }).next()).rejects.toMatchObject({ code: 4401 });
    await client.dispose();
    const binding = { orgId: gateway.orgs[1].orgId, list: 'eventTail', filters: { dataset: 'logs' } };
    const after = gateway.platform.cursors.encode(binding, ['0', '0', null, null, null]);
    const own = await gateway.webSocket(gateway.orgs[0]);
    const result = await own
      .iterate({
        query: 'subscription ($after: String) { eventTail(dataset: "logs", after: $after) { cursor } }',
        variables: { after },
      })
      .next()
      .catch((e) => ({ value: { errors: e } }));
    expect(JSON.stringify(result)).toContain('INVALID_CURSOR');
    await own.dispose();
  });
});
