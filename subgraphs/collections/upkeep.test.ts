import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { ingest } from '../../tests/setup/events.js';
import { eventually } from '../../tests/setup/until.js';
import { Entries } from './entries.js';
import { queryEngine } from './index.js';
import { CollectionsStore } from './store.js';
import { type Bench, createCollection, hashOf, openBench, redisEntries, statusOf } from './testing.js';
import { startCollectionsWorker } from './worker.js';

let bench: Bench;
let one: Identity;
let worker: { stop(): Promise<void> };

beforeAll(async () => {
  bench = await openBench();
  [one] = bench.orgs;
  worker = await bench.startWorker();
});

afterAll(async () => {
  await worker?.stop();
  await bench?.close();
});

const expireInSeconds = 3_600;

interface TestEvent {
  timestamp: string;
  source_id: string;
  user_name: string;
  bytes_in: number;
}

const collectionOf = (name: string) =>
  createCollection(bench, one, {
    friendlyName: name,
    query: `SELECT bytes_in, timestamp, user_name FROM logs WHERE source_id = '${name}' AND bytes_in < 90`,
    keyFields: ['user_name'],
    valueFields: ['bytes_in'],
    expireInSeconds: String(expireInSeconds),
    mode: 'HASH_AND_CONTENT',
  });

/** What Redis must hold after all these events, from the rules alone. */
function model(events: readonly TestEvent[]): Record<string, string> {
  const last = new Map<string, { time: string; value: string }>();
  for (const { timestamp, user_name, bytes_in } of events) {
    if (bytes_in >= 90 || Date.parse(timestamp) + expireInSeconds * 1000 <= Date.now()) continue;
    const value = JSON.stringify({ bytes_in });
    const known = last.get(user_name);
    if (!known || timestamp > known.time || (timestamp === known.time && value > known.value))
      last.set(user_name, { time: timestamp, value });
  }
  return Object.fromEntries(
    [...last].map(([name, { time, value }]) => [
      hashOf([name]),
      `${value} until ${Date.parse(time) + expireInSeconds * 1000}`,
    ]),
  );
}

const inRedis = async (redisKeyBase: string): Promise<Record<string, string>> => {
  const entries = await redisEntries(bench, redisKeyBase);
  // Redis keeps milliseconds, rounded up; the model's moments are cut to them.
  return Object.fromEntries(
    [...entries].map(([hash, { value, expiresAtMs }]) => [hash, `${value} until ${expiresAtMs - 1}`]),
  );
};

/** Waits until the collection runs and holds exactly what the events say. */
const settled = (id: string, redisKeyBase: string, events: readonly TestEvent[]) =>
  eventually(async () => {
    expect(await statusOf(bench, one, id)).toBe('RUNNING');
    expect(await inRedis(redisKeyBase)).toEqual(model(events));
    expect(await statusOf(bench, one, id)).toBe('RUNNING');
  }, 60_000);

const step = (name: 'start' | 'stop', id: string) =>
  bench.ask(one, `mutation($id: ID!) { ${name}Collection(input: { id: $id }) { status } }`, { id });

const restartWorker = async () => {
  await worker.stop();
  worker = await bench.startWorker();
};

/** Far from the border between expired and not, a few of the same time, some late, with microseconds. */
const anEvent = fc.record({
  secondsAgo: fc.oneof(
    fc.integer({ min: 0, max: 6 }),
    fc.integer({ min: 0, max: 3_000 }),
    fc.integer({ min: 4_000, max: 9_000 }),
  ),
  user: fc.integer({ min: 0, max: 4 }),
  bytes: fc.integer({ min: 0, max: 99 }),
});
const anAction = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('ingest' as const),
      events: fc.array(anEvent, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('stop' as const, 'start' as const, 'flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

describe('Redis equals what the stored events say', () => {
  test('after any history of late, repeated and expired events, stops, starts, FLUSHALLs and restarts of the worker', {
    timeout: 240_000,
  }, async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(anEvent, { maxLength: 5 }),
        fc.array(anAction, { minLength: 1, maxLength: 9 }),
        async (history, actions) => {
          const name = `model-${run++}`;
          const baseMs = Date.now();
          const events: TestEvent[] = [];
          const store = async (drawn: { secondsAgo: number; user: number; bytes: number }[]) => {
            if (drawn.length === 0) return;
            const made = drawn.map(({ secondsAgo, user, bytes }) => ({
              timestamp: new Date(baseMs - secondsAgo * 1000).toISOString().replace('Z', '001Z'),
              source_id: name,
              user_name: `user ${user}`,
              bytes_in: bytes,
            }));
            events.push(...made);
            await ingest(bench.platform, one, 'logs', made);
          };
          await store(history);
          const { id, redisKeyBase } = await collectionOf(name);
          for (const action of actions) {
            if (action.kind === 'ingest') await store(action.events);
            else if (action.kind === 'flush') await bench.platform.redis.commands.flushall();
            else if (action.kind === 'restart') await restartWorker();
            else await step(action.kind, id);
          }
          await step('start', id);
          await settled(id, redisKeyBase, events);
          await bench.ask(one, 'mutation($id: ID!) { removeCollection(input: { id: $id }) { id } }', { id });
        },
      ),
      { numRuns: 20, endOnFailure: true },
    );
  });

  test('when events are ingested all the time while it is filled again and again', { timeout: 180_000 }, async () => {
    const { id, redisKeyBase } = await collectionOf('busy');
    const events: TestEvent[] = [];
    for (let round = 0; round < 60; round++) {
      const event = {
        timestamp: new Date().toISOString().replace('Z', '001Z'),
        source_id: 'busy',
        user_name: `user ${round}`,
        bytes_in: round,
      };
      events.push(event);
      await ingest(bench.platform, one, 'logs', [event]);
      if (round % 15 === 7) await bench.platform.redis.commands.flushall();
      if (round % 15 === 11) await step('stop', id);
      if (round % 15 === 12) await step('start', id);
    }
    await settled(id, redisKeyBase, events);
  });

  test('after a FLUSHALL, without any new event; and what passed as RUNNING meanwhile is an error, not null', {
    timeout: 180_000,
  }, async () => {
    const event = {
      timestamp: new Date().toISOString().replace('Z', '001Z'),
      source_id: 'flushed',
      user_name: 'ada',
      bytes_in: 1,
    };
    await ingest(bench.platform, one, 'logs', [event]);
    const { id, redisKeyBase } = await collectionOf('flushed');
    await settled(id, redisKeyBase, [event]);
    await bench.platform.redis.commands.flushall();
    const query = 'query($id: ID!) { collection(id: $id) { lookup(key: ["ada"]) { key } } }';
    const { data, errors } = await bench.execute(one, query, { id });
    const { lookup } = data!.collection as { lookup: unknown };
    expect(errors?.[0]?.extensions.code ?? (lookup === null ? 'missed' : 'found')).toMatch(
      /^(SERVICE_UNAVAILABLE|found)$/,
    );
    await settled(id, redisKeyBase, [event]);
  });

  test('after Redis was killed and came back, though events came meanwhile; a lookup says so until then', {
    timeout: 180_000,
  }, async () => {
    const event = (user_name: string): TestEvent => ({
      timestamp: new Date().toISOString().replace('Z', '001Z'),
      source_id: 'outage',
      user_name,
      bytes_in: 1,
    });
    const events = [event('before')];
    await ingest(bench.platform, one, 'logs', events);
    const { id, redisKeyBase } = await collectionOf('outage');
    await settled(id, redisKeyBase, events);

    await bench.killRedis();
    events.push(event('during'));
    await ingest(bench.platform, one, 'logs', [events[1]!]);
    await eventually(async () => expect(await statusOf(bench, one, id)).toBe('RECONNECTING'));
    const query = 'query($id: ID!) { collection(id: $id) { status keyCount lookup(key: ["before"]) { key } } }';
    const { data, errors } = await bench.execute(one, query, { id });
    expect(data).toEqual({ collection: { status: 'RECONNECTING', keyCount: 1, lookup: null } });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['SERVICE_UNAVAILABLE']);

    await bench.reviveRedis();
    await settled(id, redisKeyBase, events);
  });

  test('of two workers at once, one follows, and the other takes over when it ends', { timeout: 180_000 }, async () => {
    const second = bench.startWorker();
    const { id, redisKeyBase } = await collectionOf('takeover');
    const events: TestEvent[] = [];
    for (let round = 0; round < 10; round++) {
      events.push({
        timestamp: new Date().toISOString().replace('Z', '001Z'),
        source_id: 'takeover',
        user_name: `user ${round}`,
        bytes_in: round,
      });
      await ingest(bench.platform, one, 'logs', events.slice(-1));
      if (round === 5) await worker.stop();
    }
    await settled(id, redisKeyBase, events);
    worker = await second;
  });
});

test('a batch that Redis did not take while the collection was being filled makes another fill begin', {
  timeout: 180_000,
}, async () => {
  await worker.stop();
  const { platform } = bench;
  const { postgres, pubsub, clock, logger, redis } = platform;
  const engine = queryEngine({ postgres: postgres.queryPool });
  const snapshotTaken = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const held = startCollectionsWorker(postgres, {
    store: new CollectionsStore(postgres),
    entries: new Entries(redis, logger),
    engine: {
      ...engine,
      // The real engine, held up behind its snapshot when it fills from history.
      run: async function* (query, options) {
        yield* engine.run(query, options);
        if (options.ingestBatch !== undefined) return;
        snapshotTaken.resolve();
        await goOn.promise;
      },
    },
    pubsub,
    clock,
    logger,
  });
  const event = (user_name: string) => ({
    timestamp: new Date().toISOString().replace('Z', '001Z'),
    source_id: 'blink',
    user_name,
    bytes_in: 1,
  });
  const events = [event('ada')];
  await ingest(platform, one, 'logs', events);
  const { id, redisKeyBase } = await collectionOf('blink');
  await snapshotTaken.promise;
  redis.commands.disconnect();
  events.push(event('bob'));
  await ingest(platform, one, 'logs', events.slice(1));
  await eventually(async () => {
    const behind = await bench.database.asSuperuser(
      `SELECT 1 FROM app.change_feed f JOIN app.checkpoints c ON c.log = 'change_feed' AND c.consumer = 'collections'
        WHERE (f.tx, f.seq) > (c.tx, c.seq)`,
    );
    expect(behind).toEqual([]);
  });
  await redis.commands.connect();
  goOn.resolve();
  await settled(id, redisKeyBase, events);
  await held.stop(5_000);
  worker = await bench.startWorker();
});

test('a stopped collection takes no new events; its entries stay, and it says that it is stopped', async () => {
  const now = new Date().toISOString().replace('Z', '001Z');
  const first = { timestamp: now, source_id: 'still', user_name: 'ada', bytes_in: 1 };
  await ingest(bench.platform, one, 'logs', [first]);
  const { id, redisKeyBase } = await collectionOf('still');
  await settled(id, redisKeyBase, [first]);
  await step('stop', id);
  const follower = await collectionOf('witness');
  const later = { timestamp: now, user_name: 'bob', bytes_in: 2 };
  await ingest(bench.platform, one, 'logs', [{ ...later, source_id: 'still' }]);
  await ingest(bench.platform, one, 'logs', [{ ...later, source_id: 'witness' }]);
  // The witness has the later batch, so the earlier one has passed.
  await settled(follower.id, follower.redisKeyBase, [{ ...later, source_id: 'witness' }]);
  expect(await inRedis(redisKeyBase)).toEqual(model([first]));
  expect(await statusOf(bench, one, id)).toBe('STOPPED');
  await step('start', id);
  await settled(id, redisKeyBase, [first, { ...later, source_id: 'still' }]);
});
