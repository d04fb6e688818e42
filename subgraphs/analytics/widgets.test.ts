import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import type { Platform } from '../../platform/platform.js';
import { connectRedis, type RedisConnections } from '../../platform/redis.js';
import { createExecutor, printSubgraph, type SubgraphExecutor, type Worker } from '../../platform/subgraph.js';
import { createTestPlatform, makeOrg, type TestPlatform } from '../../tests/setup/database.js';
import { ingest } from '../../tests/setup/events.js';
import { eventually } from '../../tests/setup/until.js';
import { analytics } from './index.js';
import { periodsAt, trendOf } from './service.js';
import { AnalyticsStore } from './store.js';

const minuteMs = 60_000;
let scene: TestPlatform;
let platform: Platform;
/** What the widgets take for the present; each test has an hour of its own. */
const clock = { nowMs: 0, now: () => clock.nowMs };

beforeAll(async () => {
  scene = await createTestPlatform();
  platform = { ...scene.platform, clock };
  await eventually(() => platform.redis.ping().then((up) => expect(up).toBe(true)));
});
afterAll(async () => {
  await worker?.stop(5_000);
  await scene.close();
});

const executorOn = (on: Platform): SubgraphExecutor => createExecutor(analytics, analytics.create(on), on.logger);

async function newOrg(): Promise<Identity> {
  const identity = await makeOrg(platform, `org-${crypto.randomUUID()}`);
  clock.nowMs = Date.now();
  return identity;
}

let worker: Worker | undefined;

/** Resolves when all that the organisation has sent is counted; the first call starts the worker. */
async function countNow(identity: Identity): Promise<void> {
  worker ??= (await analytics.create(platform).startWorkers!())[0];
  const store = new AnalyticsStore(platform.postgres);
  await eventually(async () => {
    expect(
      await store.read(identity, Date.now(), (tx) =>
        store.uncountedSince(tx, ['logs', 'website_logs', 'web_activity']),
      ),
    ).toBeNull();
  });
}

const minutesAgo = (minutes: number): string => new Date(clock.nowMs - minutes * minuteMs).toISOString();
const log = (minutes: number, severity = 'info') => ({ timestamp: minutesAgo(minutes), severity });

interface Answer {
  totalEvents: string;
  totalErrors: string;
  trend: { changePercentage: number | null; direction: string; previousPeriod: string } | null;
  breakdown: { severity: string; count: string }[];
  cached: boolean;
  cacheTtlSeconds: number;
  generatedAt: string;
  dataThrough: string;
  stale: boolean;
  source: string;
  from: string;
  to: string;
}

async function run(executor: SubgraphExecutor, identity: Identity, args: string) {
  const query = `{ widgets { totalEvents${args} { totalEvents totalErrors trend { changePercentage direction previousPeriod }
    breakdown { severity count } cached cacheTtlSeconds generatedAt dataThrough stale source from to } } }`;
  return executor.execute({ query }, { identity, remoteIp: null });
}

async function ask(identity: Identity, args = '', executor = executorOn(platform)): Promise<Answer> {
  const result = await run(executor, identity, args);
  expect(result.errors).toBeUndefined();
  return (result.data as unknown as { widgets: { totalEvents: Answer } }).widgets.totalEvents;
}

async function refusal(identity: Identity, args: string) {
  const { message, extensions } = (await run(executorOn(platform), identity, args)).errors![0]!;
  return { message, ...extensions };
}

test('the schema holds the contract', () => {
  const sdl = printSubgraph(analytics);
  expect(sdl).toContain('widgets: Widgets!');
  expect(sdl).toMatch(/totalEvents\([\s\S]*period: Period = P_24H[\s\S]*\): TotalEventsWidget!/);
  expect(sdl).toContain('includeTrend: Boolean = true');
  expect(sdl).toContain('type TotalEventsWidget implements WidgetResult');
});

describe('before the worker runs', () => {
  test('events that wait too long to be counted make an answer stale, which tells since when', async () => {
    const identity = await newOrg();
    expect(await ask(identity)).toMatchObject({ totalEvents: '0', stale: false });
    const before = Date.now();
    await ingest(platform, identity, 'logs', [log(1), log(2)]);
    clock.nowMs = Date.now();
    const soon = await ask(identity, '(refresh: true)');
    expect(soon).toMatchObject({ totalEvents: '0', stale: false });
    expect(Date.parse(soon.dataThrough)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(soon.dataThrough)).toBeLessThanOrEqual(clock.nowMs);
    clock.nowMs += 31_000;
    expect(await ask(identity, '(refresh: true)')).toMatchObject({
      totalEvents: '0',
      stale: true,
      dataThrough: soon.dataThrough,
    });
    await countNow(identity);
    const counted = await ask(identity);
    expect(counted).toMatchObject({ totalEvents: '2', stale: false, cached: false });
    expect(counted.dataThrough).toBe(counted.generatedAt);
  });
});

describe('figures', () => {
  test('a trend compares with the period before; within 1 % it is stable', () => {
    expect(trendOf(150n, 100n)).toEqual({ changePercentage: 50, direction: 'UP', previousPeriod: '100' });
    expect(trendOf(1n, 3n)).toEqual({ changePercentage: -66.67, direction: 'DOWN', previousPeriod: '3' });
    expect(trendOf(101n, 100n)).toEqual({ changePercentage: 1, direction: 'STABLE', previousPeriod: '100' });
    expect(trendOf(99n, 100n).direction).toBe('STABLE');
    expect(trendOf(1_011n, 1_000n).direction).toBe('UP');
    expect(trendOf(5n, 0n)).toEqual({ changePercentage: null, direction: 'UP', previousPeriod: '0' });
    expect(trendOf(0n, 0n)).toEqual({ changePercentage: null, direction: 'STABLE', previousPeriod: '0' });
  });

  test('a period has whole minutes and ends with the running one', () => {
    const { previous, present } = periodsAt(Date.parse('2026-05-01T12:00:30Z'), 'P_1H');
    const iso = ({ startMs, endMs }: { startMs: number; endMs: number }) => [
      new Date(startMs).toISOString(),
      new Date(endMs).toISOString(),
    ];
    expect(iso(present)).toEqual(['2026-05-01T11:01:00.000Z', '2026-05-01T12:01:00.000Z']);
    expect(iso(previous)).toEqual(['2026-05-01T10:01:00.000Z', '2026-05-01T11:01:00.000Z']);
  });

  test('totals, errors, severities and trend are those of the events', async () => {
    const identity = await newOrg();
    await ingest(platform, identity, 'logs', [
      log(0),
      log(1, 'critical'),
      log(30, 'low'),
      log(70),
      log(100, 'high'),
      log(130),
    ]);
    await ingest(platform, identity, 'website_logs', [{ request_timestamp: minutesAgo(2), status_code: 404 }]);
    await ingest(platform, identity, 'web_activity', [{ eventdate: minutesAgo(2), status: 500 }]);
    await countNow(identity);

    const answer = await ask(identity, '(period: P_1H)');
    expect(answer).toMatchObject({
      totalEvents: '4',
      totalErrors: '2',
      trend: { changePercentage: 100, direction: 'UP', previousPeriod: '2' },
      cached: false,
      cacheTtlSeconds: 30,
      stale: false,
      source: 'ROLLUP',
    });
    expect(answer.breakdown).toEqual([
      { severity: 'critical', count: '1' },
      { severity: 'high', count: '0' },
      { severity: 'medium', count: '1' },
      { severity: 'low', count: '1' },
      { severity: 'info', count: '1' },
    ]);
    expect(answer.dataThrough).toBe(answer.generatedAt);
    expect(await ask(identity)).toMatchObject({
      totalEvents: '7',
      trend: { changePercentage: null, direction: 'UP', previousPeriod: '0' },
    });
    expect(await ask(identity, '(period: P_1H, includeTrend: false)')).toMatchObject({ totalEvents: '4', trend: null });
    expect(await ask(identity, '(period: P_1H, dataset: "securewatch-logs-*")')).toMatchObject({
      totalEvents: '3',
      totalErrors: '1',
    });
    expect(await ask(identity, '(period: P_1H, dataset: "web_activity")')).toMatchObject({
      totalEvents: '1',
      totalErrors: '1',
    });
  });

  test('the events of another organisation are never counted', async () => {
    const [one, two] = [await newOrg(), await newOrg()];
    await ingest(platform, one, 'logs', [log(1), log(2)]);
    await ingest(platform, two, 'logs', [log(1)]);
    await countNow(one);
    await countNow(two);
    expect([(await ask(one)).totalEvents, (await ask(two)).totalEvents]).toEqual(['2', '1']);
  });
});

describe('refusals', () => {
  test('a caller without analytics:read is told which capability is missing', async () => {
    const identity = { ...(await newOrg()), capabilities: [{ action: 'events:write' as const }] };
    expect(await refusal(identity, '')).toMatchObject({ code: 'FORBIDDEN', capability: 'analytics:read' });
  });

  test('an unknown dataset is named with those that are counted', async () => {
    expect(await refusal(await newOrg(), '(dataset: "nowhere")')).toMatchObject({
      code: 'UNKNOWN_DATASET',
      argument: 'dataset',
      message:
        'There are no totals for the dataset "nowhere". There are for: logs, security_events, website_logs, web_activity.',
    });
  });

  test('a negative age is refused', async () => {
    expect(await refusal(await newOrg(), '(maxStalenessSeconds: -1)')).toMatchObject({
      code: 'BAD_USER_INPUT',
      argument: 'maxStalenessSeconds',
    });
  });
});

describe('cache', () => {
  test('a second request is answered from the cache until new events are counted', async () => {
    const identity = await newOrg();
    await ingest(platform, identity, 'logs', [log(1)]);
    await countNow(identity);
    const first = await ask(identity);
    clock.nowMs += 1_000;
    expect(await ask(identity)).toEqual({ ...first, cached: true, source: 'CACHE' });
    expect(await ask(identity, '(period: P_1H)')).toMatchObject({ cached: false });
    await ingest(platform, identity, 'logs', [log(1)]);
    await countNow(identity);
    await eventually(async () => expect(await ask(identity)).toMatchObject({ totalEvents: '2' }));
  });

  test('events of a dataset that is not in the total leave its answer in the cache', async () => {
    const identity = await newOrg();
    await ask(identity);
    await ingest(platform, identity, 'web_activity', [{ eventdate: minutesAgo(1), status: 200 }]);
    await countNow(identity);
    expect(await ask(identity)).toMatchObject({ cached: true });
  });

  test('refresh computes anew, and maxStalenessSeconds does so for older answers', async () => {
    const identity = await newOrg();
    const first = await ask(identity);
    clock.nowMs += 10_000;
    expect(await ask(identity, '(maxStalenessSeconds: 10)')).toMatchObject({ cached: true });
    clock.nowMs += 1;
    const second = await ask(identity, '(maxStalenessSeconds: 10)');
    expect(second.generatedAt > first.generatedAt).toBe(true);
    clock.nowMs += 1;
    const third = await ask(identity, '(refresh: true)');
    expect(third.generatedAt > second.generatedAt).toBe(true);
    expect(await ask(identity)).toMatchObject({ cached: true, generatedAt: third.generatedAt });
  });

  test('answers end after their time in Redis', async () => {
    const identity = await newOrg();
    await ask(identity);
    const keys = await platform.redis.commands.keys(platform.redis.keys.widget(identity.orgId, 'totalEvents', '*'));
    const ttls = await Promise.all(keys.map((key) => platform.redis.commands.ttl(key)));
    expect(ttls).toHaveLength(1);
    expect(ttls[0]).toBeGreaterThan(0);
    expect(ttls[0]).toBeLessThanOrEqual(30);
  });

  test('of many requests at once in a process, one computes', async () => {
    const identity = await newOrg();
    let nowMs = Date.now();
    // Every look at this clock takes a millisecond, so two computations differ in generatedAt.
    const executor = executorOn({ ...platform, clock: { now: () => nowMs++ } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(identity, '', executor)));
    expect(new Set(answers.map((answer) => answer.generatedAt)).size).toBe(1);
    expect(answers.every((answer) => !answer.cached)).toBe(true);
  });
});

describe('without Redis', () => {
  test('an unreachable Redis only means that every answer is computed', async () => {
    const identity = await newOrg();
    await ingest(platform, identity, 'logs', [log(1)]);
    await countNow(identity);
    const away = connectRedis('redis://127.0.0.1:1', 'away', platform.logger);
    const executor = executorOn({ ...platform, redis: away });
    expect(await ask(identity, '', executor)).toMatchObject({ totalEvents: '1', cached: false });
    expect(await ask(identity, '', executor)).toMatchObject({ totalEvents: '1', cached: false, source: 'ROLLUP' });
    await away.close();
  });

  test('a Redis that hangs delays an answer by less than a second, and is used again when it comes back', async () => {
    const identity = await newOrg();
    const line = await openLine(scene.env.REDIS_URL!);
    const redis = connectRedis(line.url, 'hanging', platform.logger);
    const executor = executorOn({ ...platform, redis });
    await eventually(() => untilReady(redis));
    line.hold();
    const start = performance.now();
    expect(await ask(identity, '', executor)).toMatchObject({ totalEvents: '0', cached: false });
    expect(performance.now() - start).toBeLessThan(1_000);
    line.release();
    await eventually(async () => expect(await ask(identity, '', executor)).toMatchObject({ cached: true }));
    await redis.close();
    await line.close();
  });
});

const untilReady = async (redis: RedisConnections) => expect(await redis.ping()).toBe(true);

/** A line to the real Redis that can be held, so that nothing comes through. */
async function openLine(redisUrl: string) {
  const url = new URL(redisUrl);
  const { hostname, port } = url;
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      socket.on('error', () => socket.destroy());
      sockets.push(socket);
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  url.port = String((server.address() as { port: number }).port);
  return {
    url: url.toString(),
    hold: () => {
      for (const socket of sockets) socket.pause();
    },
    release: () => {
      for (const socket of sockets) socket.resume();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
