import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../platform/config.js';
import { freePort } from '../../../platform/embedded/processes.js';
import { startRedis } from '../../../platform/embedded/redis.js';
import { createPlatform } from '../../../platform/platform.js';
import { toolchainDir } from '../../../tests/setup/toolchain.js';
import { eventually } from '../../../tests/setup/until.js';
import { ChunkBuilder } from '../store/chunks.js';
import { LeaseStore, type Progress } from '../store/leases.js';
import { createJobsTest, endlessQuery, type JobsTest } from '../testing.js';

let t: JobsTest;
const start = async (settings?: Record<string, string>) => {
  t = await createJobsTest(settings);
};
afterEach(() => t.close());

interface JobState {
  status: string;
  attempt: number;
  rows_fetched: number;
}

const stateOf = async (id: string): Promise<JobState> => {
  const [row] = await t.database.asSuperuser<JobState>(
    'SELECT status, attempt, rows_fetched FROM app.jobs WHERE id = $1',
    [id],
  );
  return row!;
};

const cancel = (id: string) =>
  t.ask(
    t.orgs[0],
    'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus job { status progress { phase } } } }',
    { id },
  );

const runs = (id: string) =>
  eventually(async () => {
    expect((await stateOf(id)).status).toBe('RUNNING');
    expect(await t.runningQueries()).toBe(1);
  });

const completes = (id: string, timeoutMs?: number) =>
  eventually(async () => expect((await stateOf(id)).status).toBe('COMPLETED'), timeoutMs);

const someProgress: Progress = {
  percent: 10,
  rowsFetched: 1,
  phase: 'FETCHING',
  isExact: false,
  coveredSince: null,
  columns: [],
};

describe('claims', () => {
  beforeEach(() => start());

  test('of ten at once one gets the job', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 1' });
    const leases = new LeaseStore(t.platform.postgres);
    const claims = await Promise.all(Array.from({ length: 10 }, (_, n) => leases.claim('shared', `worker ${n}`, 3)));
    expect(claims.flat().map(({ jobId }) => jobId)).toEqual([id]);
    expect(await stateOf(id)).toMatchObject({ status: 'RUNNING', attempt: 1 });
  });

  test('wait for no job that somebody else has locked', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 1' });
    const { id: other } = await t.submit(t.orgs[1], { query: 'SELECT 1' });
    const release = await t.database.hold('SELECT FROM app.jobs WHERE id = $1 FOR UPDATE', [id]);
    const leases = new LeaseStore(t.platform.postgres);
    const claimed = async () => (await leases.claim('shared', 'worker', 1)).map(({ jobId }) => jobId);
    expect(await claimed()).toEqual([other]);
    expect(await claimed()).toEqual([]);
    await release();
    expect(await claimed()).toEqual([id]);
  });

  test('take as long after a flood where a process made their plans before it, for few jobs', async () => {
    const fill = (count: number) =>
      t.database.asSuperuser(
        `INSERT INTO app.jobs (org_id, language, query, priority, timeout_ms, fingerprint)
         SELECT $1, 'SQL', 'SELECT 1', 'NORMAL', 1000, '' FROM generate_series(1, $2::int)`,
        [t.orgs[0].orgId, count],
      );
    const medianOf = async (leases: LeaseStore) => {
      const times: number[] = [];
      for (let n = 0; n < 15; n++) {
        const began = performance.now();
        expect(await leases.claim('shared', 'worker', 1)).toHaveLength(1);
        times.push(performance.now() - began);
      }
      return times.sort((a, b) => a - b)[7]!;
    };
    // No statistics come in between that would have plans made anew.
    await t.database.asSuperuser('ALTER TABLE app.jobs SET (autovacuum_enabled = off)');
    await fill(25);
    await t.database.asSuperuser('ANALYZE app.jobs');
    const early = new LeaseStore(t.platform.postgres);
    await medianOf(early);
    await fill(20_000);
    const platform = createPlatform(loadConfig(t.env), 'late');
    const late = await medianOf(new LeaseStore(platform.postgres));
    await platform.close();
    expect(await medianOf(early)).toBeLessThan(10 * late);
  });

  test('two workers that hear of the same jobs run each once', async () => {
    await Promise.all([t.startWorker(), t.startWorker()]);
    const submitted = await Promise.all(
      Array.from({ length: 30 }, (_, n) => t.submit(t.orgs[n % 2]!, { query: `SELECT ${n} AS n`, waitMs: 20_000 })),
    );
    expect(new Set(submitted.map(({ status }) => status))).toEqual(new Set(['COMPLETED']));
    const kept = await t.database.asSuperuser('SELECT attempt, row_count FROM app.job_results');
    expect(kept).toEqual(Array.from({ length: 30 }, () => ({ attempt: 1, row_count: 1 })));
  });

  test('a job whose worker died in the middle is run again, once to the end', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT n FROM generate_series(1, 3) n' });
    const leases = new LeaseStore(t.platform.postgres);
    const [lease] = await leases.claim('shared', 'dead', 1);
    const chunks = new ChunkBuilder();
    chunks.add([99]);
    expect(await leases.append(lease!, (await chunks.take())!, someProgress)).toBe(true);
    await t.database.asSuperuser(`UPDATE app.jobs SET lease_until = now() - interval '1 second' WHERE id = $1`, [id]);
    await t.startWorker();
    await completes(id);
    expect(await stateOf(id)).toEqual({ status: 'COMPLETED', attempt: 2, rows_fetched: 3 });
    expect(
      await leases.complete(lease!, { columns: [], rowCount: 1, render: undefined, search: undefined }, undefined),
    ).toBe(false);
    const { job } = await t.ask(t.orgs[0], 'query ($id: ID!) { job(id: $id) { results { nodes } } }', { id });
    expect(job.results.nodes).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });
});

describe('cancelJob', () => {
  beforeEach(() => start());

  test('stops the query in the database within a second', async () => {
    await t.startWorker();
    const { id } = await t.submit(t.orgs[0], { query: endlessQuery });
    await runs(id);
    const { cancelJob } = await cancel(id);
    expect(cancelJob).toEqual({
      previousStatus: 'RUNNING',
      job: { status: 'CANCELLED', progress: { phase: 'CANCELLED' } },
    });
    await eventually(async () => expect(await t.runningQueries()).toBe(0), 1_000);
    expect((await stateOf(id)).status).toBe('CANCELLED');
    await expect(cancel(id)).rejects.toMatchObject({
      extensions: { code: 'JOB_NOT_CANCELLABLE', status: 'CANCELLED' },
    });
  });

  test('stops the query within a second while somebody writes to another job of the same worker', async () => {
    await t.startWorker();
    const [{ id }, { id: locked }] = await Promise.all([
      t.submit(t.orgs[0], { query: endlessQuery }),
      t.submit(t.orgs[0], { query: `${endlessQuery} WHERE true` }),
    ]);
    await eventually(async () => expect(await t.runningQueries()).toBe(2));
    const leaseOf = async (job: string) =>
      (
        await t.database.asSuperuser<{ until: Date }>('SELECT lease_until AS until FROM app.jobs WHERE id = $1', [job])
      )[0]!.until;
    const release = await t.database.hold('SELECT FROM app.jobs WHERE id = $1 FOR UPDATE', [locked]);
    try {
      // Two renewals later the lock was met.
      for (let renewals = 0; renewals < 2; renewals++) {
        const before = await leaseOf(id);
        await eventually(async () => expect(await leaseOf(id)).not.toEqual(before), 5_000);
      }
      await cancel(id);
      await eventually(async () => expect(await t.runningQueries()).toBe(1), 1_000);
    } finally {
      await release();
    }
    expect((await stateOf(locked)).status).toBe('RUNNING');
    await cancel(locked);
  });

  test('of a job that waits keeps every worker from it', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 1' });
    expect((await cancel(id)).cancelJob.previousStatus).toBe('PENDING');
    await t.startWorker();
    const later = await t.submit(t.orgs[0], { query: 'SELECT 2' });
    await completes(later.id);
    expect(await stateOf(id)).toMatchObject({ status: 'CANCELLED', attempt: 0 });
  });
});

test('waiting jobs tell their place in the organisation’s queue, urgent ones first', async () => {
  await start();
  const submit = async (org: 0 | 1, priority: string) =>
    (await t.submit(t.orgs[org], { query: 'SELECT 1', priority })).id;
  const low = await submit(0, 'LOW');
  const normal = await submit(0, 'NORMAL');
  await submit(1, 'HIGH');
  const high = await submit(0, 'HIGH');
  const { jobs } = await t.ask(t.orgs[0], '{ jobs { nodes { id queuePosition estimatedDurationMs } } }');
  expect(jobs.nodes).toEqual([
    { id: high, queuePosition: 1, estimatedDurationMs: null },
    { id: normal, queuePosition: 2, estimatedDurationMs: null },
    { id: low, queuePosition: 3, estimatedDurationMs: null },
  ]);
});

test('a worker that stops hands its running jobs back, and the next one runs them', async () => {
  await start();
  const worker = await t.startWorker();
  const { id } = await t.submit(t.orgs[0], { query: endlessQuery });
  await runs(id);
  await worker.stop(500);
  expect(await stateOf(id)).toMatchObject({ status: 'PENDING', attempt: 1 });
  expect(await t.runningQueries()).toBe(0);
  await t.startWorker();
  await runs(id);
  expect((await stateOf(id)).attempt).toBe(2);
  await cancel(id);
});

describe('without Redis', () => {
  test('submitJob answers within a second, and the job runs and can be cancelled', async () => {
    await start({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
    await t.startWorker();
    // The first one also loads the grammar of SQL.
    await t.submit(t.orgs[0], { query: 'SELECT 1' });
    const began = performance.now();
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 1' });
    expect(performance.now() - began).toBeLessThan(1_000);
    await completes(id, 60_000);
    const endless = await t.submit(t.orgs[0], { query: endlessQuery });
    await runs(endless.id);
    await cancel(endless.id);
    await eventually(async () => expect(await t.runningQueries()).toBe(0), 2_000);
  }, 180_000);

  test('jobs that were rung for run although Redis was emptied, and others when it is away in between', async () => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'harborwatch-jobs-redis-'));
    const redis = await startRedis({ dataDir, toolchainDir });
    let again: Awaited<ReturnType<typeof startRedis>> | undefined;
    try {
      await start({ REDIS_URL: redis.url });
      const { id: rung } = await t.submit(t.orgs[0], { query: 'SELECT 1' });
      const client = new Redis(redis.url);
      await eventually(async () => expect((await client.keys('*-queue:jobs-shared:*')).length).toBeGreaterThan(2));
      await client.flushall();
      client.disconnect();
      await t.startWorker();
      await completes(rung);
      await redis.stop();
      const { id: unheard } = await t.submit(t.orgs[0], { query: 'SELECT 2' });
      await completes(unheard, 60_000);
      again = await startRedis({ dataDir, toolchainDir });
      const { status } = await t.submit(t.orgs[0], { query: 'SELECT 3', waitMs: 15_000 });
      expect(status).toBe('COMPLETED');
    } finally {
      await redis.stop();
      await again?.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
  }, 180_000);
});
