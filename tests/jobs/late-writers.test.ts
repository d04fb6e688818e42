/** Workers that stand still for longer than their lease, in processes of their own, and come back when the job went on without them. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leaseSeconds } from '../../subgraphs/jobs/store/leases.js';
import { createJobsTest, type JobsTest } from '../../subgraphs/jobs/testing.js';
import { eventually } from '../setup/until.js';
import { Program } from './crash/program.js';

const isDeep = Boolean(process.env.HARBORWATCH_DEEP);
const rowCount = 400_000;
const manyRows = `SELECT n, repeat('x', 100) AS padding FROM generate_series(1, ${rowCount}) n`;

let t: JobsTest;
let programs: Program[];
beforeEach(async () => {
  t = await createJobsTest();
  programs = [];
});
afterEach(async () => {
  await Promise.all(programs.map((program) => program.end()));
  await t.close();
});

async function startWorker(): Promise<Program> {
  const worker = new Program('worker', 'subgraphs/work.ts', [], t.env);
  programs.push(worker);
  await worker.keep();
  return worker;
}

const rowOf = async (id: string) => {
  const [row] = await t.database.asSuperuser<{ status: string; attempt: number; rows_fetched: number }>(
    'SELECT * FROM app.jobs WHERE id = $1',
    [id],
  );
  return row!;
};

/** Everything that is stored of the job, to see whether it changes; but how its query ran, which is told afterwards. */
async function everythingOf(id: string) {
  const chunks = await t.database.asSuperuser<{ data: Buffer }>(
    'SELECT attempt, first_row, row_count, data FROM app.job_results WHERE job_id = $1 ORDER BY attempt, first_row',
    [id],
  );
  const print = createHash('sha256');
  for (const { data, ...place } of chunks) print.update(JSON.stringify(place)).update(data);
  const events = await t.database.asSuperuser('SELECT * FROM app.job_events WHERE job_id = $1 ORDER BY tx, seq', [id]);
  return { row: { ...(await rowOf(id)), plan: null }, chunks: print.digest('hex'), events };
}

/** A worker process that stands still in the middle of a job that it has stored rows of. */
async function freezeInTheMiddle(): Promise<{ worker: Program; id: string }> {
  const worker = await startWorker();
  const { id } = await t.submit(t.orgs[0], { query: manyRows });
  await eventually(async () => expect((await rowOf(id)).rows_fetched).toBeGreaterThan(0));
  worker.freeze();
  expect(await rowOf(id)).toMatchObject({ status: 'RUNNING', attempt: 1 });
  return { worker, id };
}

/** The worker goes on; it has noticed what happened when its query is gone and it runs another job. */
async function thawAndSettle(worker: Program): Promise<void> {
  expect(await t.runningQueries()).toBe(1);
  worker.thaw();
  await eventually(async () => expect(await t.runningQueries()).toBe(0), 5_000);
  const { id } = await t.submit(t.orgs[0], { query: 'SELECT 1', maxResultAgeSeconds: 0 });
  await eventually(async () => expect((await rowOf(id)).status).toBe('COMPLETED'));
}

describe('a worker that stood still for longer than its lease', () => {
  test('changes nothing of the job that another one completed meanwhile, and ends its query', async () => {
    const { worker, id } = await freezeInTheMiddle();
    if (isDeep) await delay((leaseSeconds + 1) * 1_000);
    else
      await t.database.asSuperuser(`UPDATE app.jobs SET lease_until = now() - interval '1 second' WHERE id = $1`, [id]);
    const other = await startWorker();
    await eventually(async () => expect((await rowOf(id)).status).toBe('COMPLETED'), 90_000);
    await other.end();

    const before = await everythingOf(id);
    expect(before.row).toMatchObject({ attempt: 2, rows_fetched: rowCount });
    await thawAndSettle(worker);
    expect(await everythingOf(id)).toEqual(before);
  }, 240_000);

  test('changes nothing of the job that was cancelled meanwhile, and ends its query', async () => {
    const { worker, id } = await freezeInTheMiddle();
    await t.ask(t.orgs[0], 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus } }', { id });
    const before = await everythingOf(id);
    expect(before.row.status).toBe('CANCELLED');
    await thawAndSettle(worker);
    expect(await everythingOf(id)).toEqual(before);
  }, 240_000);
});
