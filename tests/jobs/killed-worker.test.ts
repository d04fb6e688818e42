/** A worker process that is killed leaves nothing running in the database. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isRunning } from '../../platform/embedded/processes.js';
import { createJobsTest, endlessQuery, type JobsTest } from '../../subgraphs/jobs/testing.js';
import { eventually } from '../setup/until.js';
import { startWorkerProcesses } from '../setup/worker-process.js';

let t: JobsTest;
beforeAll(async () => {
  t = await createJobsTest();
});
afterAll(() => t?.close());

test('within two seconds of kill -9 its queries are gone, in mid-work and while they send rows', async () => {
  const sends = `SELECT n, repeat('x', 2000) AS text FROM (VALUES (1)) AS one, generate_series(1, 2000000) n`;
  const ids: string[] = [];
  for (const query of [endlessQuery, sends]) ids.push((await t.submit(t.orgs[0], { query })).id);
  const worker = await startWorkerProcesses([], t.env);
  const stateOf = async (id: string) => {
    const [row] = await t.database.asSuperuser<{ rows: number; worker: string }>(
      'SELECT rows_fetched AS rows, worker_id AS worker FROM app.jobs WHERE id = $1',
      [id],
    );
    return row!;
  };
  const pids = await eventually(async () => {
    expect(await t.runningQueries()).toBe(2);
    const states = await Promise.all(ids.map(stateOf));
    expect(states[1]!.rows).toBeGreaterThan(1_000);
    return new Set(states.map((state) => Number(/-(\d+)-[0-9a-f]+$/.exec(state.worker)![1])));
  }, 90_000);
  await worker.kill([...pids]);
  await eventually(async () => expect(await t.runningQueries()).toBe(0), 2_000);
}, 180_000);

test('workers whose supervisor is killed end by themselves, and hand back what they run', async () => {
  const { id } = await t.submit(t.orgs[0], { query: endlessQuery });
  const supervisor = await startWorkerProcesses([], t.env);
  const stateOf = async () => {
    const [job] = await t.database.asSuperuser(
      'SELECT status, attempt, lease_until AS lease FROM app.jobs WHERE id = $1',
      [id],
    );
    return job;
  };
  const workers = () => t.database.asSuperuser<{ id: string }>('SELECT worker_id AS id FROM app.job_workers');
  await eventually(async () => expect(await stateOf()).toMatchObject({ status: 'RUNNING' }), 90_000);
  const running = (await workers()).map((worker) => Number(worker.id.split('-').at(-2)));
  await supervisor.kill([]);
  // Sooner than by the end of the lease.
  await eventually(async () => expect(await stateOf()).toEqual({ status: 'PENDING', attempt: 1, lease: null }), 25_000);
  await eventually(() => expect(running.filter(isRunning)).toEqual([]), 25_000);
}, 180_000);
