import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { unlimited } from '../../../platform/org-limits.js';
import { loadOf, readPoolLoads } from '../../../platform/system/workers.js';
import { workerMetrics } from '../../../platform/worker-metrics.js';
import { eventually } from '../../../tests/setup/until.js';
import { createJobsTest, endlessQuery, type JobsTest } from '../testing.js';
import { newWorkerId, registerWorker } from './registry.js';

let t: JobsTest;
beforeAll(async () => {
  t = await createJobsTest({ WORKER_CONCURRENCY: '3' });
});
afterAll(() => t.close());
beforeEach(() => t.database.asSuperuser('DELETE FROM app.job_workers'));

const register = (pool: string, concurrency: number, running = 0) =>
  registerWorker(t.platform, { workerId: newWorkerId(), pool, concurrency, running: () => running });
const listed = () =>
  t.database.asSuperuser<{ pool: string; concurrency: number; running: number }>(
    'SELECT pool, concurrency, running FROM app.job_workers ORDER BY pool, concurrency',
  );
const limit = (at: 0 | 1, runningJobs: number | null, pool: string | null = null) =>
  t.database.asSuperuser('UPDATE app.orgs SET limits = $2, worker_pool = $3 WHERE id = $1', [
    t.orgs[at].orgId,
    JSON.stringify({ ...unlimited, runningJobs }),
    pool,
  ]);

test('a worker is listed with what it runs for as long as it lives, and not after a clean stop', async () => {
  const { id } = await t.submit(t.orgs[0], { query: endlessQuery });
  const worker = await t.startWorker();
  await eventually(async () => expect(await listed()).toEqual([{ pool: 'shared', concurrency: 3, running: 1 }]));
  const [first] = await t.database.asSuperuser<{ id: string; seen: Date }>(
    'SELECT worker_id AS id, seen_at AS seen FROM app.job_workers',
  );
  await eventually(async () => {
    const [row] = await t.database.asSuperuser<{ later: boolean }>(
      'SELECT seen_at > $1 AND started_at < seen_at AS later FROM app.job_workers',
      [first!.seen],
    );
    expect(row!.later).toBe(true);
  });
  const [job] = await t.database.asSuperuser<{ worker: string }>(
    'SELECT worker_id AS worker FROM app.jobs WHERE id = $1',
    [id],
  );
  expect(job!.worker).toBe(first!.id);
  await worker.stop(100);
  expect(await listed()).toEqual([]);
  await t.ask(t.orgs[0], 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus } }', { id });
});

test('two starts in one process are two workers', async () => {
  const workers = [register('gold', 2), register('gold', 5)];
  await eventually(async () => expect(await listed()).toHaveLength(2));
  await workers[0]!.stop();
  expect(await listed()).toEqual([{ pool: 'gold', concurrency: 5, running: 0 }]);
  await workers[1]!.stop();
});

test('a worker that died is swept away by the others after a minute, and not before', async () => {
  await t.database.asSuperuser(
    `INSERT INTO app.job_workers (worker_id, pool, concurrency, seen_at)
     VALUES ('dead', 'gold', 1, now() - interval '61 seconds'), ('silent', 'gold', 2, now() - interval '20 seconds')`,
  );
  const worker = register('shared', 4);
  await eventually(async () =>
    expect((await listed()).map(({ concurrency }) => concurrency).toSorted()).toEqual([2, 4]),
  );
  await worker.stop();
});

test('the load of a pool is what waits for it, and of that what its organisations have room for', async () => {
  await limit(0, 2);
  await limit(1, null, 'gold');
  const ids = await Promise.all(
    [0, 0, 0, 1, 1].map(async (at) => (await t.submit(t.orgs[at]!, { query: `SELECT ${at}` })).id as string),
  );
  const shared = { pool: 'shared', pending: 3, startable: 2, running: 1, slots: 4 };
  const gold = { pool: 'gold', pending: 2, startable: 2, running: 0, slots: 0 };
  const worker = register('shared', 4, 1);
  await eventually(async () => expect(await readPoolLoads(t.platform.postgres)).toEqual([gold, shared]));
  // Nobody works for gold, so the shared workers do.
  const loads = await readPoolLoads(t.platform.postgres);
  expect(loadOf('shared', loads)).toEqual({ pending: 5, startable: 4, running: 1, slots: 4 });
  expect(loadOf('gold', loads)).toEqual({ pending: 2, startable: 2, running: 0, slots: 0 });
  const figures = await workerMetrics(t.platform.postgres).text();
  for (const line of [
    'harborwatch_jobs_pending{pool="gold"} 2',
    'harborwatch_jobs_startable{pool="shared"} 2',
    'harborwatch_worker_slots{pool="gold"} 0',
    'harborwatch_worker_slots{pool="shared"} 4',
    'harborwatch_worker_slots_busy{pool="shared"} 1',
  ]) {
    expect(figures.split('\n')).toContain(line);
  }
  const documented = readFileSync('docs/workers.md', 'utf8').match(/harborwatch_\w+/g)!;
  expect(documented).toHaveLength(4);
  for (const name of documented) expect(figures).toContain(`# TYPE ${name} gauge`);
  const golden = register('gold', 1);
  await eventually(async () =>
    expect(loadOf('shared', await readPoolLoads(t.platform.postgres))).toMatchObject({ pending: 3 }),
  );
  await Promise.all([worker.stop(), golden.stop()]);
  expect(ids).toHaveLength(5);
});
