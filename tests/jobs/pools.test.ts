/** Worker pools as operators run them: `npm run worker` for each, in processes of their own. */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { assignWorkerPool } from '../../platform/system/accounts.js';
import { createJobsTest, endlessQuery, type JobsTest } from '../../subgraphs/jobs/testing.js';
import { eventually } from '../setup/until.js';
import { runWorker, startWorkerProcesses, type WorkerProcesses } from '../setup/worker-process.js';

const minute = 60_000;

let t: JobsTest;
let inGold: Identity;
let inShared: Identity;
/** By pool. */
const started: Record<string, WorkerProcesses> = {};
let queries = 0;

const start = async (pool: string, ...args: string[]) => {
  const processes = await startWorkerProcesses(['--pool', pool, ...args], t.env);
  started[pool] = processes;
  return processes;
};
/** A query of about half a second that nobody has asked before. */
const submit = async (identity: Identity): Promise<string> => {
  queries += 1;
  return (await t.submit(identity, { query: `SELECT count(*) + ${queries} AS n FROM generate_series(1, 1500000)` })).id;
};
const submitted = (identity: Identity, count: number) =>
  Promise.all(Array.from({ length: count }, () => submit(identity)));

interface JobState {
  id: string;
  status: string;
  attempt: number;
}
const states = (ids: string[]) =>
  t.database.asSuperuser<JobState>('SELECT id, status, attempt FROM app.jobs WHERE id = ANY($1)', [ids]);
const complete = (ids: string[], timeoutMs: number) =>
  eventually(
    async () => expect(new Set((await states(ids)).map(({ status }) => status))).toEqual(new Set(['COMPLETED'])),
    timeoutMs,
  );
/** The pools whose workers claimed the jobs. */
const poolsOf = async (ids: string[]): Promise<string[]> => {
  const rows = await t.database.asSuperuser<{ pool: string }>(
    'SELECT DISTINCT pool FROM public.claims WHERE job_id = ANY($1) ORDER BY pool',
    [ids],
  );
  return rows.map(({ pool }) => pool);
};
const workersOf = async (pool: string): Promise<{ pid: number; running: number }[]> => {
  const rows = await t.database.asSuperuser<{ id: string; running: number }>(
    'SELECT worker_id AS id, running FROM app.job_workers WHERE pool = $1',
    [pool],
  );
  return rows.map(({ id, running }) => ({ pid: Number(id.split('-').at(-2)), running }));
};

beforeAll(async () => {
  t = await createJobsTest();
  [inGold, inShared] = t.orgs;
  await t.database.asSuperuser('CREATE TABLE public.claims (job_id uuid, pool text, at timestamptz)');
  await t.database.asSuperuser(
    `CREATE FUNCTION public.note_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
       INSERT INTO public.claims SELECT NEW.id, pool, clock_timestamp() FROM app.job_workers WHERE worker_id = NEW.worker_id;
       RETURN NULL;
     END $$`,
  );
  await t.database.asSuperuser(
    `CREATE TRIGGER note_claim AFTER UPDATE OF worker_id ON app.jobs FOR EACH ROW
       WHEN (NEW.worker_id IS NOT NULL AND NEW.worker_id IS DISTINCT FROM OLD.worker_id) EXECUTE FUNCTION public.note_claim()`,
  );
  await assignWorkerPool(t.platform.postgres, inGold.orgId, 'gold', async () => {});
});
afterAll(async () => {
  await Promise.all(Object.values(started).map((processes) => processes.stop()));
  await t.close();
});

describe('npm run worker', { timeout: 4 * minute }, () => {
  test('ends with status 2 and a message where something is wrong', async () => {
    const wrong: [string[], Record<string, string>, string][] = [
      [['--pool', 'Gold'], t.env, '--pool "Gold" is not allowed: it takes 1 to 63 lower-case letters'],
      [[], { ...t.env, WORKER_PROCESSES: '2-1' }, 'WORKER_PROCESSES "2-1" is not allowed'],
      [[], { HARBORWATCH_DATA_DIR: '/nowhere' }, 'There is no installation in /nowhere: set HARBORWATCH_DATA_DIR'],
      [[], { ...t.env, CURSOR_KEY: '' }, 'CURSOR_KEY is not set: a process started by itself needs it.'],
    ];
    await Promise.all(
      wrong.map(async ([args, env, message]) => {
        const child = runWorker(args, env);
        const [output, [status]] = await Promise.all([text(child.stderr!), once(child, 'exit')]);
        expect([status, output]).toEqual([2, expect.stringContaining(message)]);
      }),
    );
  });

  test('an assigned organisation’s jobs run in its pool alone, all others’ in the shared one', async () => {
    await Promise.all([start('shared', '--concurrency', '2'), start('gold', '--concurrency', '2')]);
    await eventually(async () => {
      expect([await workersOf('shared'), await workersOf('gold')]).toEqual([[expect.anything()], [expect.anything()]]);
    });
    const [gold, shared] = await Promise.all([submitted(inGold, 12), submitted(inShared, 12)]);
    await complete([...gold, ...shared], minute);
    expect([await poolsOf(gold), await poolsOf(shared)]).toEqual([['gold'], ['shared']]);
  });

  test('a pool whose worker was killed is served by the shared workers within half a minute, and no job is lost', async () => {
    const long = await Promise.all(
      [1, 2].map(async (n) => {
        const query = `SELECT count(*) + ${n} AS n FROM generate_series(1, 20000000)`;
        return (await t.submit(inGold, { query })).id as string;
      }),
    );
    await eventually(async () => {
      expect((await states(long)).map(({ status }) => status)).toEqual(['RUNNING', 'RUNNING']);
    });
    const waiting = await submitted(inGold, 6);
    const killedAt = new Date();
    await started.gold!.kill((await workersOf('gold')).map(({ pid }) => pid));
    await complete([...long, ...waiting], 2 * minute);
    const [first] = await t.database.asSuperuser<{ pools: string[]; seconds: number }>(
      `SELECT array_agg(DISTINCT pool) AS pools, extract(epoch FROM min(at) - $2)::float8 AS seconds
         FROM public.claims WHERE job_id = ANY($1)`,
      [waiting, killedAt],
    );
    expect(first!.pools).toEqual(['shared']);
    expect(first!.seconds).toBeLessThan(30);
    expect((await states(long)).map(({ attempt }) => attempt)).toEqual([2, 2]);
    expect((await states(waiting)).map(({ attempt }) => attempt)).toEqual(waiting.map(() => 1));
  });

  test('more processes run while the queue is deep, and one that is killed is started again', async () => {
    await started.shared!.stop();
    expect(await workersOf('shared')).toEqual([]);
    const scaled = await start('shared', '--concurrency', '1', '--processes', '1-2');
    const ids = await Promise.all(
      Array.from({ length: 12 }, async () => (await t.submit(inShared, { query: endlessQuery })).id as string),
    );
    await eventually(async () => expect(await workersOf('shared')).toHaveLength(2), minute);
    expect(scaled.output()).toMatch(/\d+ jobs wait for 1 slots: starting worker process 2 of 2\./);
    const [before] = await workersOf('shared');
    process.kill(before!.pid, 'SIGKILL');
    await eventually(() => expect(scaled.output()).toMatch(/The workers(-2)? process is up again\./), minute);
    for (const id of ids) {
      await t.ask(inShared, 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus } }', { id });
    }
    expect(await scaled.stop()).toBe(0);
  });
});
