import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import type { Worker } from '../../platform/subgraph.js';
import { createTestPlatform, makeOrg, type TestPlatform } from '../../tests/setup/database.js';
import { ingest } from '../../tests/setup/events.js';
import { readWholeFeed } from '../../tests/setup/feed.js';
import { eventually } from '../../tests/setup/until.js';
import { WidgetCache } from './cache.js';
import { analytics } from './index.js';
import { Rollup, toRanges } from './rollup.js';
import { AnalyticsStore } from './store.js';

let scene: TestPlatform;
let rollup: Rollup;
let worker: Worker | undefined;

beforeAll(async () => {
  scene = await createTestPlatform();
  const { postgres, redis, clock } = scene.platform;
  rollup = new Rollup(new AnalyticsStore(postgres), new WidgetCache(redis, clock));
});
afterAll(async () => {
  await worker?.stop(5_000);
  await scene.close();
});

/** An event with what it must count as. */
interface Sample {
  dataset: string;
  event: Record<string, unknown>;
  minute: string;
  severity: string;
  isError: boolean;
}

type Counts = Record<string, [events: number, errors: number]>;

/** The naive truth: each event counted on its own. */
function count(samples: Sample[]): Counts {
  const counts: Counts = {};
  for (const { dataset, minute, severity, isError } of samples) {
    const key = `${dataset} ${minute} ${severity}`;
    const entry = counts[key] ?? [0, 0];
    counts[key] = entry;
    entry[0] += 1;
    entry[1] += isError ? 1 : 0;
  }
  return counts;
}

async function rolledUp(identity: Identity): Promise<Counts> {
  const rows = await scene.platform.postgres.withOrg(identity, (tx) =>
    tx.query<{ dataset: string; minute: string; severity: string; events: number; errors: number }>(
      'SELECT dataset, minute, severity, event_count::int AS events, error_count::int AS errors FROM event_rollup_minute',
    ),
  );
  return Object.fromEntries(
    rows.map((row) => [`${row.dataset} ${row.minute} ${row.severity}`, [row.events, row.errors]]),
  );
}

const newOrg = (): Promise<Identity> => makeOrg(scene.platform, `org-${crypto.randomUUID()}`);

// The last minute of one month and the first of the next, so that a batch may touch two partitions.
const firstMinuteMs = Date.UTC(2026, 0, 31, 23, 58);

const moment = fc
  .record({ minute: fc.integer({ min: 0, max: 4 }), withinMs: fc.integer({ min: 0, max: 59_999 }) })
  .map(({ minute, withinMs }) => {
    const startMs = firstMinuteMs + minute * 60_000;
    return {
      time: new Date(startMs + withinMs).toISOString(),
      minute: new Date(startMs).toISOString().replace('.000', ''),
    };
  });

const logSeverity = fc.constantFrom<[sent: unknown, severity: string]>(
  ['critical', 'critical'],
  ['ERROR', 'high'],
  [4, 'medium'],
  ['notice', 'low'],
  ['info', 'info'],
  ['strange', 'info'],
  [undefined, 'info'],
);
const outcome = fc.constantFrom<[sent: Record<string, unknown>, failed: boolean]>(
  [{}, false],
  [{ outcome: 'success' }, false],
  [{ outcome: 'FAILURE' }, true],
  [{ event: { outcome: 'failure' } }, true],
  [{ event: 'text' }, false],
);
const status = fc.constantFrom<[sent: unknown, severity: string, failed: boolean]>(
  [200, 'info', false],
  [399, 'info', false],
  [400, 'medium', true],
  [499, 'medium', true],
  [500, 'high', true],
  [undefined, 'info', false],
);
const windows = fc.constantFrom<[sent: Record<string, unknown>, severity: string, isError: boolean]>(
  [{ Level: 'Critical' }, 'critical', true],
  [{ Level: 'Error' }, 'high', true],
  [{ Level: '3' }, 'medium', false],
  [{ Severity: 'INFO' }, 'info', false],
  [{ EventType: 'AUDIT_FAILURE' }, 'info', true],
  [{ EventType: 'AUDIT_SUCCESS' }, 'info', false],
  [{ EventID: 4625 }, 'info', true],
  [{ Keywords: 'Audit Failure' }, 'info', true],
  [{ Keywords: -9.2e18 }, 'info', false],
);

const sample: fc.Arbitrary<Sample> = fc.oneof(
  fc.tuple(moment, logSeverity, outcome).map(([at, [sent, severity], [extra, failed]]) => ({
    dataset: 'logs',
    event: { timestamp: at.time, severity: sent, ...extra },
    minute: at.minute,
    severity,
    isError: failed || severity === 'critical' || severity === 'high',
  })),
  fc.tuple(moment, windows).map(([at, [sent, severity, isError]]) => ({
    dataset: 'security_events',
    event: { '@timestamp': at.time, ...sent },
    minute: at.minute,
    severity,
    isError,
  })),
  fc
    .tuple(moment, status, fc.constantFrom('website_logs', 'web_activity'))
    .map(([at, [sent, severity, failed], dataset]) => ({
      dataset,
      event:
        dataset === 'website_logs'
          ? { request_timestamp: at.time, status_code: sent }
          : { eventdate: at.time, status: sent },
      minute: at.minute,
      severity,
      isError: failed,
    })),
);

/** Batches that are sent one after another; those of one step are sent at once. */
const steps = fc.array(fc.array(fc.array(sample, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 3,
});

async function send(identity: Identity, batch: Sample[]): Promise<void> {
  const byDataset = Object.groupBy(batch, ({ dataset }) => dataset);
  for (const [dataset, samples] of Object.entries(byDataset)) {
    const receipt = await ingest(
      scene.platform,
      identity,
      dataset,
      samples!.map(({ event }) => event),
    );
    expect(receipt.rejected).toEqual([]);
  }
}

test('minutes become ranges without gaps, each minute once', () => {
  const minute = 60_000;
  expect(toRanges([3 * minute, 0, minute, 3 * minute, 7 * minute])).toEqual([
    { startMs: 0, endMs: 2 * minute },
    { startMs: 3 * minute, endMs: 4 * minute },
    { startMs: 7 * minute, endMs: 8 * minute },
  ]);
});

describe('without a follower', () => {
  test('recounts of the same minutes at once, and repeated ones, leave the exact counts', async () => {
    const identity = await newOrg();
    const samples = fc.sample(sample, { numRuns: 40, seed: 7 });
    for (let start = 0; start < samples.length; start += 10) await send(identity, samples.slice(start, start + 10));
    const rows = await readWholeFeed(scene.platform.postgres, identity);
    await Promise.all([
      rollup.apply(rows),
      rollup.apply(rows.slice(0, 3)),
      rollup.apply(rows),
      rollup.apply(rows.slice(2)),
    ]);
    expect(await rolledUp(identity)).toEqual(count(samples));
    await rollup.apply(rows);
    expect(await rolledUp(identity)).toEqual(count(samples));
  });

  test('a rebuild counts what was never counted and forgets what is no more', async () => {
    const identity = await newOrg();
    const days = ['1999-12-31T23:59:59.999Z', '2026-01-15T10:00:00Z', '2026-01-15T10:00:59Z', '2026-03-01T00:00:00Z'];
    await ingest(
      scene.platform,
      identity,
      'logs',
      days.map((timestamp) => ({ timestamp, severity: 'high' })),
    );
    await scene.database.asSuperuser(
      `INSERT INTO app.event_rollup_minute VALUES ($1, 'logs', '2001-01-01 00:00+00', 'info', 5, 0), ($1, 'logs', '2026-01-15 10:00+00', 'low', 9, 9)`,
      [identity.orgId],
    );
    expect(await rollup.rebuild(identity.orgId, 'logs')).toBe(4);
    expect(await rolledUp(identity)).toEqual({
      'logs 1999-12-31T23:59:00Z high': [1, 1],
      'logs 2026-01-15T10:00:00Z high': [2, 2],
      'logs 2026-03-01T00:00:00Z high': [1, 1],
    });
  });
});

describe('with a follower', () => {
  beforeAll(async () => {
    [worker] = (await analytics.create(scene.platform).startWorkers!()) as [Worker];
  });

  test('whatever is sent, late, at once and into the same minutes, the rollup equals the naive counts of each organisation', async () => {
    await fc.assert(
      fc.asyncProperty(steps, steps, async (one, two) => {
        const orgs = [await newOrg(), await newOrg()] as const;
        const sendAll = async (identity: Identity, all: Sample[][][]) => {
          for (const step of all) await Promise.all(step.map((batch) => send(identity, batch)));
        };
        await Promise.all([sendAll(orgs[0], one), sendAll(orgs[1], two)]);
        await eventually(async () => {
          expect(await rolledUp(orgs[0])).toEqual(count(one.flat(2)));
          expect(await rolledUp(orgs[1])).toEqual(count(two.flat(2)));
        });
      }),
      { numRuns: 15 },
    );
  }, 120_000);
});
