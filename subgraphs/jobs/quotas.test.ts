/** Quotas of jobs: how many run at the same time, and how large their results are together. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../platform/embedded/processes.js';
import type { Identity } from '../../platform/identity.js';
import type { LimitOverrides } from '../../platform/org-limits.js';
import { deleteExpiredResults } from '../../platform/system/jobs.js';
import { quotaEntries, setLimits } from '../../tests/setup/quotas.js';
import { eventually } from '../../tests/setup/until.js';
import { LeaseStore } from './store/leases.js';
import { chunkOf, resultOf } from './store/testing.js';
import { createJobsTest, endlessQuery, type JobsTest } from './testing.js';

const flow = process.env.HARBORWATCH_DEEP ? 600 : 60;

let t: JobsTest;
let org: Identity;
const start = async (settings?: Record<string, string>) => {
  t = await createJobsTest(settings);
  [org] = t.orgs;
};
afterEach(() => t.close());

const limit = (limits: LimitOverrides) => setLimits(t, org, limits);
const submit = (query: string, input: object = {}): Promise<{ id: string }> => t.submit(org, { query, ...input });
const briefQuery = (n: number) => `SELECT count(*) + ${n} AS n FROM generate_series(1, 100000)`;

interface JobState {
  status: string;
  error: { code: string; message: string } | null;
  bytes: number;
}

const stateOf = async (id: string): Promise<JobState> => {
  const [row] = await t.database.asSuperuser<JobState>(
    'SELECT status, error, result_bytes::int AS bytes FROM app.jobs WHERE id = $1',
    [id],
  );
  return row!;
};

const ends = (id: string, status: string) =>
  eventually(async () => expect(await stateOf(id)).toMatchObject({ status }), 60_000);

/** Waits until every job has ended, and answers the most that ran at the same time in each organisation, and how they ended. */
async function allEnded(): Promise<{ most: number; statuses: string[] }[]> {
  await eventually(async () => {
    const open = await t.database.asSuperuser(`SELECT id FROM app.jobs WHERE status IN ('PENDING', 'RUNNING')`);
    expect(open).toEqual([]);
  }, 110_000);
  return t.database.asSuperuser(
    `SELECT max(beside)::int AS most, array_agg(DISTINCT status) AS statuses FROM (
       SELECT org_id, status,
              (SELECT count(*) FROM app.jobs o WHERE o.org_id = j.org_id AND o.started_at <= j.started_at AND o.completed_at > j.started_at) AS beside
         FROM app.jobs j) AS job
      GROUP BY org_id ORDER BY 1`,
  );
}

describe('running jobs', () => {
  beforeEach(() => start());

  test('are never more than the quota over several workers, and all of them end', async () => {
    await limit({ runningJobs: 2 });
    await setLimits(t, t.orgs[1], { runningJobs: 5 });
    await Promise.all([t.startWorker(), t.startWorker(), t.startWorker()]);
    await Promise.all(Array.from({ length: flow }, (_, n) => t.submit(t.orgs[n % 2]!, { query: briefQuery(n) })));
    const [first, second] = await allEnded();
    expect(first).toEqual({ most: 2, statuses: ['COMPLETED'] });
    expect(second!.statuses).toEqual(['COMPLETED']);
    expect(second!.most).toBeLessThanOrEqual(5);
  });

  test('that wait for the quota start when one ends, urgent ones first, then the oldest', async () => {
    await limit({ runningJobs: 1 });
    await t.startWorker();
    const { id: running } = await submit(endlessQuery);
    await ends(running, 'RUNNING');
    const waiting: string[] = [];
    for (const priority of ['LOW', 'NORMAL', 'NORMAL', 'HIGH']) {
      waiting.push((await submit(briefQuery(1), { priority })).id);
    }
    const cancel = 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus } }';
    await t.ask(org, cancel, { id: running });
    await allEnded();
    const order = await t.database.asSuperuser<{ id: string }>(
      `SELECT id FROM app.jobs WHERE status = 'COMPLETED' ORDER BY started_at`,
    );
    const [low, older, newer, high] = waiting;
    expect(order.map(({ id }) => id)).toEqual([high, older, newer, low]);
  });

  test('of a dead worker make room when their lease is over', async () => {
    await limit({ runningJobs: 1 });
    const { id: lost } = await submit(briefQuery(1));
    const { id: held } = await submit(briefQuery(2));
    const worker = await t.startWorker();
    await ends(held, 'COMPLETED');
    await worker.stop(1_000);
    await t.database.asSuperuser(
      `UPDATE app.jobs SET status = 'RUNNING', completed_at = NULL, lease_until = now() - interval '1 second' WHERE id = $1`,
      [lost],
    );
    const { id: next } = await submit(briefQuery(3));
    await t.startWorker();
    await Promise.all([ends(lost, 'COMPLETED'), ends(next, 'COMPLETED')]);
  });

  test('at the quota leave other organisations’ jobs alone', async () => {
    await limit({ runningJobs: 1 });
    await t.startWorker();
    const { id: running } = await submit(endlessQuery, { priority: 'HIGH' });
    await ends(running, 'RUNNING');
    for (let n = 0; n < 20; n++) await submit(briefQuery(n), { priority: 'HIGH' });
    const { id } = await t.submit(t.orgs[1], { query: briefQuery(1), priority: 'LOW' });
    await ends(id, 'COMPLETED');
    expect(await stateOf(running)).toMatchObject({ status: 'RUNNING' });
  });

  test('are told of once when they reach the quota', async () => {
    await limit({ runningJobs: 1 });
    await t.startWorker();
    for (let n = 0; n < 3; n++) await submit(briefQuery(n));
    await allEnded();
    const entries = (await quotaEntries(t, org)).map(({ module, data }) => [module, data.quota, data.threshold]);
    expect(entries).toEqual([
      ['jobs', 'runningJobs', 80],
      ['jobs', 'runningJobs', 100],
    ]);
  });
});

test('without Redis, jobs that wait for the quota all run', async () => {
  await start({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
  await limit({ runningJobs: 1 });
  await Promise.all([t.startWorker(), t.startWorker()]);
  for (let n = 0; n < 8; n++) await submit(briefQuery(n));
  expect(await allEnded()).toEqual([{ most: 1, statuses: ['COMPLETED'] }]);
});

describe('result bytes', () => {
  beforeEach(() => start());

  const keptBytes = async () => {
    const [row] = await t.database.asSuperuser<{ rows: number; jobs: number }>(
      `SELECT (SELECT coalesce(sum(json_bytes), 0) FROM app.job_results)::int AS rows,
              (SELECT sum(result_bytes) FROM app.jobs)::int AS jobs`,
    );
    return row!;
  };

  /** Submissions are refused within a second of the change; those that were taken until then leave no bytes. */
  const isRefused = (extensions: object) => {
    let tries = 0;
    return eventually(async () => {
      tries += 1; // Another text each time: an old result would answer at the quota too.
      await expect(submit(`SELECT ${tries} WHERE false`)).rejects.toMatchObject({ extensions });
    });
  };

  test('are those of the kept chunks; at the quota nothing is submitted until results have gone', async () => {
    await t.startWorker();
    const { id } = await submit('SELECT n FROM generate_series(1, 2500) n');
    await ends(id, 'COMPLETED');
    const { rows, jobs } = await keptBytes();
    expect(jobs).toBe(rows);
    await limit({ resultBytes: rows });
    await isRefused({ code: 'QUOTA_EXCEEDED', quota: 'resultBytes', used: rows, limit: rows });
    await t.database.asSuperuser(`UPDATE app.jobs SET expires_at = now() - interval '2 minutes' WHERE id = $1`, [id]);
    expect(await deleteExpiredResults(t.platform.postgres)).toBe(1);
    expect(await keptBytes()).toEqual({ rows: 0, jobs: 0 });
    await ends((await submit('SELECT 1')).id, 'COMPLETED');
  });

  test('that would pass the quota end their job, and nothing of it stays', async () => {
    await t.startWorker();
    await limit({ resultBytes: 50_000 });
    const { id } = await submit('SELECT n FROM generate_series(1, 100000) n');
    await ends(id, 'FAILED');
    expect(await stateOf(id)).toMatchObject({ error: { code: 'QUOTA_EXCEEDED' }, bytes: 0 });
    expect(await keptBytes()).toEqual({ rows: 0, jobs: 0 });
    // The last chunk comes with the job's end.
    await limit({ resultBytes: 10 });
    const { id: brief } = await submit('SELECT n FROM generate_series(1, 100) n');
    await ends(brief, 'FAILED');
    expect(await stateOf(brief)).toMatchObject({ error: { code: 'QUOTA_EXCEEDED' } });
    const entries = (await quotaEntries(t, org)).map(({ data }) => [data.quota, data.threshold]);
    expect(entries).toEqual([
      ['resultBytes', 80],
      ['resultBytes', 100],
    ]);
  });

  test('are not passed by many processes that store small results at the same time', async () => {
    const jsonBytes = 100_000;
    await limit({ resultBytes: 10 * jsonBytes });
    for (let n = 0; n < 40; n++) await submit(`SELECT ${n} AS n`);
    const processes = Array.from({ length: 8 }, () => new LeaseStore(t.platform.postgres));
    const claimed = await processes[0]!.claim('shared', 'worker', 40);
    expect(claimed).toHaveLength(40);
    const refusals: unknown[] = [];
    for (const [n, lease] of claimed.entries()) {
      const chunk = { ...(await chunkOf([n])), jsonBytes };
      await processes[n % 8]!.complete(lease, resultOf(1), chunk).catch(({ code }) => refusals.push(code));
    }
    expect(refusals).toEqual(Array.from({ length: 30 }, () => 'QUOTA_EXCEEDED'));
    expect((await keptBytes()).jobs).toBe(10 * jsonBytes);
  });

  test('of a submission that was made before are answered at the quota too', async () => {
    const input = { idempotencyKey: 'one' };
    const { id } = await submit('SELECT 1', input);
    await limit({ resultBytes: 0 });
    expect((await submit('SELECT 1', input)).id).toBe(id);
    await isRefused({ code: 'QUOTA_EXCEEDED' });
  });
});
