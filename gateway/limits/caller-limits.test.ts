/** What callers are held to, over a real gateway with all its doors. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../platform/embedded/redis.js';
import { capabilitiesOf, type Identity, type Tier } from '../../platform/identity.js';
import type { LimitOverrides } from '../../platform/org-limits.js';
import type { Platform } from '../../platform/platform.js';
import { createOrgWithAdministrator, updateOrg } from '../../platform/system/accounts.js';
import { subgraphs } from '../../subgraphs/index.js';
import { type GraphQLAnswer, startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';
import { toolchainDir } from '../../tests/setup/toolchain.js';
import { eventually } from '../../tests/setup/until.js';
import { startGateway } from '../server.js';
import { RawSocket } from '../subscriptions/raw-socket.js';

let gateway: TestGateway;
const open: (() => unknown)[] = [];
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});
afterAll(() => gateway.close());

let orgs = 0;
/** An organisation of its own for a test, so that nobody else takes from its limits. */
async function makeLimitedOrg(
  tier: Tier,
  limits: LimitOverrides = {},
  platform: Platform = gateway.platform,
): Promise<Identity> {
  const slug = `limited-${++orgs}`;
  const made = await createOrgWithAdministrator(
    platform.postgres,
    { slug, name: slug, tier, limits },
    { email: `admin@${slug}.example`, name: slug, passwordHash: 'unusable', roles: ['ADMIN'] },
  );
  return {
    orgId: made!.orgId,
    subject: { kind: 'USER', id: made!.userId, userId: made!.userId },
    capabilities: capabilitiesOf(['ADMIN']),
    tier,
    requestId: slug,
    deadline: Date.now() + 3_600_000,
  };
}

/** So slow that nothing comes back within a test. */
const slowly = (burstCapacity: number): LimitOverrides => ({ requestsPerMinute: 1, burstCapacity });

const limitOf = (headers: Headers) =>
  Object.fromEntries(['limit', 'remaining', 'reset', 'tier'].map((name) => [name, headers.get(`x-ratelimit-${name}`)]));

const ask = async (identity: Identity, init: RequestInit & { path?: string } = {}, at = gateway) => {
  const { path = '/graphql', headers, ...rest } = init;
  return fetch(`${at.url}${path}`, {
    method: 'POST',
    body: JSON.stringify({ query: '{ viewer { tier } }' }),
    ...rest,
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${await at.tokenFor(identity)}`,
      ...(headers as Record<string, string>),
    },
  });
};

const errorOf = async (response: Response) => ((await response.json()) as GraphQLAnswer).errors![0]!;

/** A line of bulk ingest. */
const event = `{"timestamp":"2026-01-01T00:00:00Z","severity":"INFO","message":"hello"}\n`;
const typename = '{ __typename }';
/** Its cost is that of thousands of objects. */
const costly = `query ($first: Int) { jobs(first: $first) { nodes { results(first: 100) { nodes } } } }`;
const tail = 'subscription { eventTail(dataset: "logs") { cursor } }';

describe('every answer tells of the limit', () => {
  it('of data and errors, cold and warm, refused and mistaken, over every door', async () => {
    const identity = await makeLimitedOrg('PRO');
    const kinds: Record<string, [number, RequestInit & { path?: string }]> = {
      cold: [200, {}],
      warm: [200, {}],
      'a query over GET': [200, { method: 'GET', body: null, path: '/graphql?query={__typename}' }],
      'an operation at fault': [
        400,
        { body: '{"query":"{ nothing }"}', headers: { accept: 'application/graphql-response+json' } },
      ],
      'no JSON': [400, { body: '{' }],
      'no media type': [415, { headers: { 'content-type': 'text/plain' } }],
      'too large': [413, { body: ' '.repeat(1_100_000) }],
      'another method': [405, { method: 'DELETE', body: null }],
      ingest: [200, { path: '/ingest/logs', body: event }],
      'an unknown dataset': [400, { path: '/ingest/nothing', body: '{}\n' }],
      'an event stream': [200, { body: JSON.stringify({ query: typename }), headers: { accept: 'text/event-stream' } }],
    };
    let remaining = 50;
    for (const [name, [status, init]] of Object.entries(kinds)) {
      const response = await ask(identity, init);
      await response.arrayBuffer();
      expect([name, response.status]).toEqual([name, status]);
      // What is refused before anybody knows the caller is charged to the address.
      if (name === 'another method') {
        expect([name, limitOf(response.headers)]).toMatchObject([name, { tier: 'anonymous' }]);
        continue;
      }
      remaining -= 1;
      const told = limitOf(response.headers);
      expect([name, told]).toMatchObject([name, { limit: '300', tier: 'pro' }]);
      // Five come back in a second.
      expect(Number(told.remaining)).toBeGreaterThanOrEqual(remaining);
      expect(Number(told.remaining)).toBeLessThan(50);
      expect(Number(told.reset)).toBeGreaterThanOrEqual(1);
      expect(Number(told.reset)).toBeLessThanOrEqual(3);
    }
  });

  it('also to whoever shows no token, or one that is none, by their address', async () => {
    const open = await fetch(`${gateway.url}/graphql?query={__typename}`, {
      headers: { 'apollo-require-preflight': '1' },
    });
    const bad = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers: { authorization: 'Bearer nothing' } });
    expect([open.status, bad.status]).toEqual([200, 401]);
    for (const { headers } of [open, bad])
      expect(limitOf(headers)).toMatchObject({ limit: '1000000', tier: 'anonymous' });
  });

  it('of those that share one execution, to each its own', async () => {
    const identity = await makeLimitedOrg('PRO', slowly(50));
    await (await ask(identity)).text();
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(identity)));
    const remaining = answers.map(({ headers }) => Number(limitOf(headers).remaining)).sort((a, b) => b - a);
    expect(remaining).toEqual([48, 47, 46, 45, 44, 43, 42, 41, 40, 39]);
  });

  it('without a limit it says so, and Redis is not asked', async () => {
    const identity = await makeLimitedOrg('BASIC', { requestsPerMinute: null });
    const { headers, status } = await ask(identity);
    expect(status).toBe(200);
    expect(limitOf(headers)).toEqual({ limit: 'unlimited', remaining: 'unlimited', reset: '0', tier: 'basic' });
    const { commands, keys } = gateway.platform.redis;
    expect(await commands.exists(keys.rate(identity.orgId))).toBe(0);
  });
});

describe('an organisation that has used up its limit', () => {
  it('is refused over HTTP, as event stream and at ingest, with what was asked and when to come again', async () => {
    const identity = await makeLimitedOrg('BASIC', slowly(1));
    expect((await ask(identity)).status).toBe(200);
    for (const init of [
      {},
      { body: JSON.stringify({ query: '{ never: __typename }' }) },
      { headers: { accept: 'text/event-stream' } },
      { path: '/ingest/logs', body: event },
      { body: '{' },
    ]) {
      const response = await ask(identity, init);
      expect(response.status).toBe(429);
      expect(limitOf(response.headers)).toMatchObject({ limit: '1', remaining: '0', tier: 'basic' });
      const retryAfter = Number(response.headers.get('retry-after'));
      expect(retryAfter).toBeGreaterThan(50);
      const { message, extensions } = await errorOf(response);
      expect(extensions).toEqual({
        code: 'RATE_LIMITED',
        limit: 1,
        burst: 1,
        tier: 'basic',
        units: 1,
        retryAfterSeconds: retryAfter,
      });
      expect(message).toMatch(
        /^The limit of 1 unit a minute, 1 at once \(tier basic\) is used up; .* costs 1 unit\. Try again in \d+ seconds\.$/,
      );
    }
  });

  it('is refused operation by operation over a WebSocket, which stays open', async () => {
    const identity = await makeLimitedOrg('BASIC', slowly(2));
    const socket = await RawSocket.connect(gateway.url, await gateway.tokenFor(identity));
    open.push(() => socket.close());
    socket.subscribe('1', typename);
    socket.subscribe('2', tail);
    for (const [id, query] of [
      ['3', typename],
      ['4', 'mutation { signOut(input: { refreshToken: "x" }) { ok } }'],
      ['5', tail],
    ] as const) {
      socket.subscribe(id, query);
      const end = await socket.ended(id);
      expect(end).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'RATE_LIMITED' } }] });
      expect(end!.payload[0].extensions.retryAfterSeconds).toBeGreaterThan(0);
    }
    expect(socket.messages.filter(({ id }) => id === '1').map(({ type }) => type)).toEqual(['next', 'complete']);
    expect(socket.messages.filter(({ id }) => id === '2')).toEqual([]);
    expect(socket.closed).toBeUndefined();
  });

  it('is told so as an event where the stream was open before it was known what the query costs', async () => {
    const identity = await makeLimitedOrg('BASIC', slowly(2));
    const body = JSON.stringify({ query: costly, variables: { first: 20 } });
    const response = await ask(identity, { body, headers: { accept: 'text/event-stream' } });
    const events = await response.text();
    expect(events).toContain('"code":"RATE_LIMITED"');
    expect(events).toContain('event: complete');
  });

  it('leaves all others alone', async () => {
    const [one, other] = [await makeLimitedOrg('BASIC', slowly(1)), await makeLimitedOrg('BASIC', slowly(1))];
    await ask(one);
    expect((await ask(one)).status).toBe(429);
    expect((await ask(other)).status).toBe(200);
  });
});

describe('an operation', () => {
  const run = (identity: Identity, first: number) =>
    ask(identity, { body: JSON.stringify({ query: costly, variables: { first } }) });
  const remainingOf = ({ headers }: Response) => Number(limitOf(headers).remaining);

  it('costs a unit for each begun thousand of its cost, the same cold and warm and joined', async () => {
    const identity = await makeLimitedOrg('PRO', slowly(1_000));
    const cold = await run(identity, 20);
    expect(cold.status).toBe(200);
    const units = 1_000 - remainingOf(cold);
    expect(units).toBeGreaterThan(1);
    expect(remainingOf(await run(identity, 20))).toBe(1_000 - 2 * units);
    const joined = await Promise.all([run(identity, 20), run(identity, 20), run(identity, 20)]);
    expect(Math.min(...joined.map(remainingOf))).toBe(1_000 - 5 * units);
  });

  it('that costs more than can ever be there is refused with what it costs, and told to ask for less', async () => {
    const identity = await makeLimitedOrg('BASIC', slowly(2));
    for (const _ of ['cold', 'warm']) {
      const response = await run(identity, 50);
      expect(response.status).toBe(429);
      const { message, extensions } = await errorOf(response);
      expect(extensions).toMatchObject({ code: 'RATE_LIMITED', burst: 2, limit: 1, tier: 'basic' });
      expect(extensions.units).toBeGreaterThan(2);
      expect(message).toMatch(/costs \d+ units, and no more than 2 .* can never pass\. Ask for smaller pages/);
    }
    // Finding that out cost a unit each.
    expect((await ask(identity)).status).toBe(429);
  });

  it('of the gateway itself costs nobody anything', async () => {
    const identity = await makeLimitedOrg('PRO', slowly(50));
    const response = await ask(identity, { path: '/ingest/logs', body: event });
    expect(await response.json()).toMatchObject({ accepted: 1 });
    expect(remainingOf(response)).toBe(49);
    // The recorder writes down every request, a second later at most.
    await eventually(async () => {
      const sql = 'SELECT 1 FROM app.web_activity WHERE org_id = $1';
      expect(await gateway.database.asSuperuser(sql, [identity.orgId])).toHaveLength(1);
    });
    expect(remainingOf(await ask(identity))).toBe(48);
  });
});

it('a limit or tier that is changed holds within a second', async () => {
  const identity = await makeLimitedOrg('BASIC', slowly(1));
  await ask(identity);
  expect((await ask(identity)).status).toBe(429);
  const told = async () => limitOf((await ask(identity)).headers);
  for (const [change, expected] of [
    [{ limits: { requestsPerMinute: 600, burstCapacity: 100 } }, { limit: '600', tier: 'basic' }],
    [
      { limits: {}, tier: 'PRO' },
      { limit: '300', tier: 'pro' },
    ],
    [{ limits: { requestsPerMinute: null } }, { limit: 'unlimited', tier: 'pro' }],
  ] as const) {
    await updateOrg(gateway.platform.postgres, identity.orgId, change, async () => {});
    await eventually(async () => expect(await told()).toMatchObject(expected), 1_000);
  }
});

describe('with limits of an installation', () => {
  it('an address without a token has its own, beside those who have one', async () => {
    const own = await startTestGateway({
      settings: { ANONYMOUS_REQUESTS_PER_MINUTE: '1', ANONYMOUS_BURST: '2' },
    });
    open.push(() => own.close());
    const anonymous = () => own.query(undefined, typename);
    expect((await anonymous()).status).toBe(200);
    expect(limitOf((await anonymous()).headers)).toMatchObject({ limit: '1', remaining: '0', tier: 'anonymous' });
    const refused = await anonymous();
    expect(refused).toMatchObject({
      status: 429,
      errors: [{ extensions: { code: 'RATE_LIMITED', tier: 'anonymous' } }],
    });
    expect((await own.query(own.orgs[0], typename)).status).toBe(200);
  });

  it('an address without a token opens so many connections, and tries so many tokens on them', async () => {
    const own = await startTestGateway({
      settings: { ANONYMOUS_REQUESTS_PER_MINUTE: '1', ANONYMOUS_BURST: '2' },
    });
    open.push(() => own.close());
    const sockets = [await RawSocket.connect(own.url), await RawSocket.connect(own.url)];
    open.push(...sockets.map((socket) => () => socket.close()));
    const refused = await RawSocket.connect(own.url);
    expect(refused.closed).toMatchObject({ code: 4429, reason: expect.stringMatching(/^TOO_MANY_CONNECTIONS: /) });
    const signedIn = await RawSocket.connect(own.url, await own.tokenFor(own.orgs[0]));
    open.push(() => signedIn.close());
    expect(signedIn.closed).toBeUndefined();
    await sockets[0]!.close();
    const free = await eventually(async () => {
      const next = await RawSocket.connect(own.url);
      expect(next.closed).toBeUndefined();
      return next;
    });
    open.push(() => free.close());

    const codes = [];
    for (let at = 0; at < 3; at += 1) codes.push((await RawSocket.connect(own.url, 'nothing')).closed?.code);
    expect(codes).toEqual([4401, 4401, 4429]);
  });

  it('nobody is held to any where they are off, and nothing is told of them', async () => {
    const own = await startTestGateway({ settings: { RATE_LIMITS: 'off' } });
    open.push(() => own.close());
    const identity = await makeLimitedOrg('BASIC', { ...slowly(1), concurrentConnections: 0 }, own.platform);
    await ask(identity, {}, own);
    const { status, headers } = await ask(identity, {}, own);
    expect(status).toBe(200);
    expect(headers.has('x-ratelimit-limit')).toBe(false);
    const socket = await RawSocket.connect(own.url, await own.tokenFor(identity));
    open.push(() => socket.close());
    expect(socket.closed).toBeUndefined();
  });

  it('where Redis is killed, requests go on, and within the limit', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'harborwatch-limits-'));
    const redis = await startRedis({ dataDir: directory, toolchainDir });
    const own = await startTestGateway({ settings: { REDIS_URL: redis.url } });
    open.push(async () => {
      await own.close();
      await redis.stop();
      await rm(directory, { recursive: true, force: true });
    });
    const identity = await makeLimitedOrg('BASIC', slowly(5), own.platform);
    await eventually(() => expect(own.platform.redis.commands.status).toBe('ready'));
    expect((await ask(identity, {}, own)).status).toBe(200);
    process.kill(redis.pid!, 'SIGKILL');
    const statuses: number[] = [];
    for (let at = 0; at < 12; at += 1) statuses.push((await ask(identity, {}, own)).status);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(statuses.filter((status) => status === 200)).toHaveLength(5);
  }, 60_000);
});

describe('the connections of an organisation', () => {
  const stream = (identity: Identity, at: TestGateway, signal: AbortSignal) =>
    ask(
      identity,
      {
        body: JSON.stringify({ query: tail }),
        headers: { accept: 'text/event-stream' },
        signal,
      },
      at,
    );

  it('are counted over all doors, refused above the limit, and free again once closed', async () => {
    const identity = await makeLimitedOrg('BASIC', { requestsPerMinute: null, concurrentConnections: 2 });
    const token = await gateway.tokenFor(identity);
    const socket = await RawSocket.connect(gateway.url, token);
    const abort = new AbortController();
    expect((await stream(identity, gateway, abort.signal)).status).toBe(200);

    const refused = await RawSocket.connect(gateway.url, token);
    expect(refused.closed).toMatchObject({ code: 4429, reason: expect.stringMatching(/^TOO_MANY_CONNECTIONS: /) });
    const answer = await stream(identity, gateway, AbortSignal.timeout(30_000));
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect((await errorOf(answer)).extensions).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', limit: 2 });

    await socket.close();
    const free = await eventually(async () => {
      const next = await RawSocket.connect(gateway.url, token);
      expect(next.closed).toBeUndefined();
      return next;
    });
    await free.close();
    abort.abort();
    const { commands, keys } = gateway.platform.redis;
    await eventually(async () => expect(await commands.exists(keys.connections(identity.orgId))).toBe(0));
  });

  it('are counted over all gateways, and those of a gateway that ends are free', async () => {
    const identity = await makeLimitedOrg('BASIC', { requestsPerMinute: null, concurrentConnections: 2 });
    const token = await gateway.tokenFor(identity);
    const other = await startGateway(gateway.platform, {
      supergraphSdl: await readFile('schema/supergraph.graphql', 'utf8'),
      subgraphs,
      pagesDirectory: 'dist/public/graphiql/',
      port: 0,
      host: '127.0.0.1',
    });
    const sockets = [await RawSocket.connect(gateway.url, token), await RawSocket.connect(other.url, token)];
    open.push(...sockets.map((socket) => () => socket.close()));
    for (const url of [gateway.url, other.url]) {
      expect((await RawSocket.connect(url, token)).closed).toMatchObject({ code: 4429 });
    }
    await other.drain();
    const next = await RawSocket.connect(gateway.url, token);
    open.push(() => next.close());
    expect(next.closed).toBeUndefined();
  });
});
