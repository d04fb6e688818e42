/** The queue's figures: exact, of one organisation alone, and as fresh as they say. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { jobMetrics } from '../../platform/job-metrics.js';
import { type PeriodName, periodMinutes } from '../../platform/periods.js';
import { makeOrg } from '../../tests/setup/database.js';
import { setLimits } from '../../tests/setup/quotas.js';
import { eventually } from '../../tests/setup/until.js';
import { startWithinMs } from './sla.js';
import { jobStatuses } from './states.js';
import type { JobPriority } from './store/jobs.js';
import { createJobsTest, type JobsTest } from './testing.js';
import { history, type PastJob, storeHistory } from './testing-history.js';

const histories = process.env.HARBORWATCH_DEEP ? 200 : 15;

let t: JobsTest;
let made = 0;
const newOrg = () => {
  made += 1;
  return makeOrg(t.platform, `stats-${made}`);
};
beforeAll(async () => {
  t = await createJobsTest();
});
afterAll(() => t.close());

const fields = `pendingJobs runningJobs completedJobs failedJobs cancelledJobs queueDepth avgProcessingTimeMs throughputPerMinute
  p50ExecutionTimeMs p95ExecutionTimeMs p99ExecutionTimeMs successRate errorRate
  byPriority { priority pending p95StartDelayMs startedWithinSla }`;
const stats = async (identity: Identity, period: PeriodName = 'P_24H', selection = fields) =>
  (await t.ask(identity, `query ($period: Period) { queueStats(period: $period) { ${selection} } }`, { period }))
    .queueStats;

/** The smallest value that at least this share of the values does not pass. */
const nearestRank = (values: number[], share: number): number | null => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
};
const toMs = (us: number | null): number | null => (us === null ? null : us / 1_000);
const percent = (part: number, whole: number): number | null => (whole === 0 ? null : (100 * part) / whole);

/** The same as the product answers, from the history itself. */
function recompute(jobs: readonly PastJob[], period: PeriodName, limit: number) {
  const minutes = periodMinutes[period];
  const isEnded = (job: PastJob) => job.endedAgoUs !== null && job.endedAgoUs < minutes * 60e6;
  const ended = jobs.filter(isEnded);
  const count = (status: PastJob['status']) => ended.filter((job) => job.status === status).length;
  const executions = ended
    .filter(({ status, isReuse }) => status !== 'CANCELLED' && !isReuse)
    .map(({ executionUs }) => executionUs);
  const pending = jobs.filter(({ status }) => status === 'PENDING');
  const running = jobs.filter(({ status }) => status === 'RUNNING').length;
  const mean = executions.length === 0 ? null : executions.reduce((sum, us) => sum + us, 0) / executions.length / 1_000;
  return {
    pendingJobs: pending.length,
    runningJobs: running,
    completedJobs: count('COMPLETED'),
    failedJobs: count('FAILED'),
    cancelledJobs: count('CANCELLED'),
    queueDepth: Math.min(pending.length, Math.max(0, limit - running)),
    avgProcessingTimeMs: mean === null ? null : expect.closeTo(mean, 6),
    throughputPerMinute: count('COMPLETED') / minutes,
    p50ExecutionTimeMs: toMs(nearestRank(executions, 0.5)),
    p95ExecutionTimeMs: toMs(nearestRank(executions, 0.95)),
    p99ExecutionTimeMs: toMs(nearestRank(executions, 0.99)),
    successRate: percent(count('COMPLETED'), count('COMPLETED') + count('FAILED')),
    errorRate: percent(count('FAILED'), count('COMPLETED') + count('FAILED')),
    byPriority: (['HIGH', 'NORMAL', 'LOW'] as const).map((priority) => {
      const own = jobs.filter((job) => job.priority === priority);
      const delays = own
        .filter((job) => (isEnded(job) || job.status === 'RUNNING') && job.hasBegun && !job.isReuse)
        .map(({ delayUs }) => delayUs);
      const waiting = own.filter(({ status }) => status === 'PENDING');
      const late = waiting.filter(
        ({ hasBegun, waitsUs }) => !hasBegun && waitsUs > startWithinMs[priority] * 1_000,
      ).length;
      const inTime = delays.filter((us) => us <= startWithinMs[priority] * 1_000).length;
      return {
        priority,
        pending: waiting.length,
        p95StartDelayMs: toMs(nearestRank(delays, 0.95)),
        startedWithinSla: percent(inTime, delays.length + late),
      };
    }),
  };
}

describe('jobs that really ran', () => {
  test('count as their rows tell, with the start of their first attempt, whoever ended them', async () => {
    const [identity] = t.orgs;
    const worker = await t.startWorker();
    const texts = [
      'SELECT 1 AS one',
      'SELECT n FROM generate_series(1, 25) n',
      'SELECT 1 / (n - 1) FROM generate_series(1, 2) n',
    ];
    const submitted = await Promise.all(
      texts.map((query) => t.submit(identity, { query, waitMs: 20_000, priority: 'HIGH' })),
    );
    expect(submitted.map(({ status }) => status)).toEqual(['COMPLETED', 'COMPLETED', 'FAILED']);
    await worker.stop(2_000);
    const { id } = await t.submit(identity, { query: 'SELECT 5' });
    await t.ask(identity, 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus } }', { id });
    const rows = await t.database.asSuperuser<{ status: string; us: string; delay: string | null }>(
      `SELECT status, (extract(epoch FROM completed_at - started_at) * 1000000)::bigint AS us,
              (extract(epoch FROM first_started_at - created_at) * 1000000)::bigint AS delay FROM app.jobs WHERE org_id = $1`,
      [identity.orgId],
    );
    const ran = rows.filter(({ status }) => status !== 'CANCELLED');
    expect(await stats(identity, 'P_1H')).toMatchObject({
      completedJobs: 2,
      failedJobs: 1,
      cancelledJobs: 1,
      p99ExecutionTimeMs: Math.max(...ran.map(({ us }) => Number(us))) / 1_000,
      errorRate: 100 / 3,
      byPriority: [
        {
          priority: 'HIGH',
          p95StartDelayMs: Math.max(...ran.map(({ delay }) => Number(delay))) / 1_000,
          startedWithinSla: 100,
        },
        { priority: 'NORMAL', startedWithinSla: null },
        { priority: 'LOW', startedWithinSla: null },
      ],
    });
    const days = '{ ... on Usage { jobDays(days: 2) { completed failed cancelled cacheHits rows } } }';
    const { _entities } = await t.ask(identity, `query ($r: [_Any!]!) { _entities(representations: $r) ${days} }`, {
      r: [{ __typename: 'Usage', orgId: identity.orgId }],
    });
    const sum = (of: (day: Record<string, string | number>) => unknown) =>
      _entities[0].jobDays.reduce((total: number, day: Record<string, string | number>) => total + Number(of(day)), 0);
    expect([
      sum((day) => day.completed),
      sum((day) => day.failed),
      sum((day) => day.cancelled),
      sum((day) => day.rows),
    ]).toEqual([2, 1, 1, 26]);
  });
});

describe('queueStats', () => {
  test('tells of any history what a naive count over its jobs tells, with another organisation’s beside it', async () => {
    const other = await newOrg();
    const figures = fc.asyncProperty(history, history, fc.constantFrom(1, 5, 1_000), async (jobs, others, limit) => {
      const identity = await newOrg();
      await setLimits(t, identity, { runningJobs: limit });
      await storeHistory(t, identity, jobs);
      await storeHistory(t, other, others);
      for (const period of ['P_1H', 'P_24H', 'P_30D'] as const) {
        expect(await stats(identity, period)).toEqual(recompute(jobs, period, limit));
      }
    });
    await fc.assert(figures, { numRuns: histories });
  }, 600_000);

  test('of an organisation without jobs has nothing to divide: null, not zero', async () => {
    expect(await stats(await newOrg())).toEqual(recompute([], 'P_24H', Number.POSITIVE_INFINITY));
  });

  test('counts the workers that serve the organisation: its pool’s, and the shared ones while none of those lives', async () => {
    const identity = await newOrg();
    const workers = () => stats(identity, 'P_1H', 'workersActive workersTotal');
    const live = (id: string, pool: string, concurrency: number, running: number, seenSecondsAgo: number) =>
      t.database.asSuperuser(
        `INSERT INTO app.job_workers (worker_id, pool, concurrency, running, seen_at)
         VALUES ($1, $2, $3, $4, now() - $5 * interval '1 second')`,
        [id, pool, concurrency, running, seenSecondsAgo],
      );
    await live('shared 1', 'shared', 4, 1, 2);
    await live('shared 2', 'shared', 4, 4, 2);
    await live('shared 3', 'shared', 50, 50, 16);
    await live('own 1', 'gold', 3, 2, 2);
    await live('other', 'silver', 7, 7, 2);
    expect(await workers()).toEqual({ workersActive: 5, workersTotal: 8 });
    await t.database.asSuperuser(`UPDATE app.orgs SET worker_pool = 'gold' WHERE id = $1`, [identity.orgId]);
    await eventually(async () => expect(await workers()).toEqual({ workersActive: 2, workersTotal: 3 }));
    await t.database.asSuperuser(
      `UPDATE app.job_workers SET seen_at = now() - interval '1 minute' WHERE pool = 'gold'`,
    );
    await eventually(async () => expect(await workers()).toEqual({ workersActive: 5, workersTotal: 8 }));
    await t.database.asSuperuser('DELETE FROM app.job_workers');
    await eventually(async () => expect(await workers()).toEqual({ workersActive: 0, workersTotal: 0 }));
  });

  test('tells what the process takes, and the queue in Redis', async () => {
    const { memory } = await stats(await newOrg(), 'P_1H', 'memory { heapUsed heapTotal external queueMemoryMb }');
    expect(memory.heapUsed).toBeGreaterThan(1_000_000);
    expect(memory.heapTotal).toBeGreaterThan(1_000_000);
    expect(memory.external).toBeGreaterThan(0);
    expect(memory.queueMemoryMb).toBeGreaterThanOrEqual(0);
  });

  test('needs jobs:read', async () => {
    await expect(stats({ ...t.orgs[0], capabilities: [] })).rejects.toThrow('FORBIDDEN');
  });

  test('asked for by many at once is counted once, and again when it is a second old', async () => {
    const identity = await newOrg();
    const counted = async () => (await stats(identity, 'P_24H', 'pendingJobs')).pendingJobs;
    expect(await Promise.all(Array.from({ length: 50 }, counted))).toEqual(new Array(50).fill(0));
    await t.submit(identity, { query: 'SELECT 1' });
    await eventually(async () => expect(await counted()).toBe(1), 5_000);
  });
});

describe('jobDays', () => {
  test('are the sums over the jobs that ended on each day, those without jobs too', async () => {
    const days = fc.asyncProperty(history, async (jobs) => {
      const identity = await newOrg();
      await storeHistory(t, identity, jobs);
      const query = `query ($r: [_Any!]!) { _entities(representations: $r) {
        ... on Usage { jobDays(days: 3) { day completed failed cancelled cacheHits executionMs rows } } } }`;
      const answer = await t.ask(identity, query, { r: [{ __typename: 'Usage', orgId: identity.orgId }] });
      const naive = await t.database.asSuperuser(
        `SELECT to_char(day, 'YYYY-MM-DD') AS day, count(*) FILTER (WHERE status = 'COMPLETED')::int AS completed,
                count(*) FILTER (WHERE status = 'FAILED')::int AS failed, count(*) FILTER (WHERE status = 'CANCELLED')::int AS cancelled,
                count(*) FILTER (WHERE result_of IS NOT NULL)::int AS "cacheHits",
                round(coalesce(sum(extract(epoch FROM completed_at - started_at) * 1000)
                  FILTER (WHERE status <> 'CANCELLED' AND result_of IS NULL), 0))::text AS "executionMs",
                coalesce(sum(rows_fetched) FILTER (WHERE status = 'COMPLETED'), 0)::text AS rows
           FROM generate_series(date_trunc('day', now(), 'UTC') - interval '2 days', now(), '1 day') AS day
           LEFT JOIN app.jobs ON org_id = $1 AND date_trunc('day', completed_at, 'UTC') = day GROUP BY day ORDER BY day`,
        [identity.orgId],
      );
      expect(answer._entities[0].jobDays).toEqual(naive);
    });
    await fc.assert(days, { numRuns: Math.ceil(histories / 3) });
  }, 300_000);

  test('take 1 to 366 days', async () => {
    const query =
      'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Usage { jobDays(days: 367) { day } } } }';
    const asked = t.ask(t.orgs[0], query, { r: [{ __typename: 'Usage', orgId: t.orgs[0].orgId }] });
    await expect(asked).rejects.toMatchObject({ extensions: { code: 'BAD_USER_INPUT', argument: 'days' } });
  });
});

describe('the subscription queueStats', () => {
  test('tells the present state first, then changes, never two within a second', async () => {
    const identity = await newOrg();
    await t.submit(identity, { query: 'SELECT 1' });
    const states = t
      .watch(identity, 'subscription { queueStats(period: P_1H) { pendingJobs } }', {})
      [Symbol.asyncIterator]();
    const next = async () => (await states.next()).value.pendingJobs;
    expect(await next()).toBe(1);
    for (let n = 2; n <= 4; n++) {
      await t.submit(identity, { query: 'SELECT 1' });
      const since = performance.now();
      // A state that was counted before the submission may come first.
      while ((await next()) < n) expect(performance.now() - since).toBeLessThan(10_000);
    }
    const told: number[] = [];
    const submitting = (async () => {
      for (let n = 0; n < 20; n++) await t.submit(identity, { query: 'SELECT 1' });
    })();
    for (;;) {
      const pending = await next();
      told.push(performance.now());
      if (pending === 24) break;
    }
    await submitting;
    const gaps = told.slice(1).map((at, index) => at - told[index]!);
    expect(gaps.filter((gap) => gap < 990)).toEqual([]);
    await states.return?.();
  });
});

describe('/metrics', () => {
  test('count every end once, in buckets that contain each other, without a label of an organisation', async () => {
    const metrics = jobMetrics(t.platform.postgres);
    await metrics.text();
    const identity = await newOrg();
    const job = (status: 'COMPLETED' | 'FAILED', executionUs: number, priority: JobPriority = 'HIGH'): PastJob => ({
      status,
      priority,
      executionUs,
      delayUs: 50_000,
      endedAgoUs: 60e6,
      hasBegun: true,
      isReuse: false,
      waitsUs: 0,
      rows: 1,
    });
    await storeHistory(t, identity, [job('COMPLETED', 5_000), job('COMPLETED', 5_001), job('FAILED', 7_200e6, 'LOW')]);
    const lines = await eventually(async () => {
      const text = await metrics.text();
      expect(text).toContain('harborwatch_jobs_ended_total{status="COMPLETED"} 2');
      return text.split('\n');
    });
    expect(lines).toEqual(
      expect.arrayContaining([
        'harborwatch_jobs_ended_total{status="FAILED"} 1',
        'harborwatch_job_duration_seconds_bucket{status="COMPLETED",le="0.005"} 1',
        'harborwatch_job_duration_seconds_bucket{status="COMPLETED",le="0.01"} 2',
        'harborwatch_job_duration_seconds_bucket{status="FAILED",le="3600"} 0',
        'harborwatch_job_duration_seconds_bucket{status="FAILED",le="+Inf"} 1',
        'harborwatch_job_duration_seconds_sum{status="FAILED"} 7200',
        'harborwatch_job_start_delay_seconds_bucket{priority="HIGH",le="0.05"} 2',
        'harborwatch_job_start_delay_seconds_count{priority="LOW"} 1',
      ]),
    );
    expect(lines.join()).not.toContain(identity.orgId);
    for (const status of jobStatuses)
      expect(lines.filter((line) => line.includes(`_total{status="${status}"`)).length).toBeLessThan(2);
  });
});
