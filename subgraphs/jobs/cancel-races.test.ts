/** A cancel and whatever else happens to the job at the same moment: one of them has its way, and each caller learns which. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { returnExpiredLeases } from '../../platform/system/jobs.js';
import { eventually } from '../../tests/setup/until.js';
import type { JobStatus } from './states.js';
import { type Lease, LeaseStore } from './store/leases.js';
import { chunkOf, progressOf, resultOf } from './store/testing.js';
import { createJobsTest, endlessQuery, type JobsTest } from './testing.js';

const rounds = process.env.HARBORWATCH_DEEP ? 100 : 8;
/** Jobs of one round, each with its own race. */
const lanes = 3;
const cancelsPerLane = 3;

let t: JobsTest;
let leases: LeaseStore;
beforeAll(async () => {
  t = await createJobsTest();
  leases = new LeaseStore(t.platform.postgres);
});
afterAll(() => t.close());

interface Cancelled {
  previousStatus: JobStatus;
  cancelledAt: string;
}

const cancel = async (id: string): Promise<Cancelled> => {
  const mutation =
    'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus cancelledAt job { status } } }';
  return (await t.ask(t.orgs[0], mutation, { id })).cancelJob;
};

/** Everything that the database has of a job. */
const everythingOf = (id: string) =>
  t.database.asSuperuser<Record<string, unknown> & { status: JobStatus; completed_at: Date; chunks: number }>(
    `SELECT j.*, (SELECT count(*)::int FROM app.job_results r WHERE r.job_id = j.id) AS chunks,
            (SELECT json_agg(e.type ORDER BY e.tx, e.seq) FROM app.job_events e WHERE e.job_id = j.id) AS events
       FROM app.jobs j WHERE id = $1`,
    [id],
  );

const submit = async (): Promise<string> =>
  (await t.submit(t.orgs[0], { query: 'SELECT 1', maxResultAgeSeconds: 0 })).id;

/** Makes jobs that run, each with a row stored. */
async function running(count: number): Promise<Lease[]> {
  const ids = await Promise.all(Array.from({ length: count }, submit));
  const claimed = await leases.claim('shared', 'a worker', count);
  expect(new Set(claimed.map(({ jobId }) => jobId))).toEqual(new Set(ids));
  await Promise.all(claimed.map(async (lease) => leases.append(lease, await chunkOf([1]), progressOf(1))));
  return claimed;
}

/** Nobody can change a job until all of them wait for it; then all go at once. */
async function atOnce<T>(waiting: number, start: () => Promise<T>[]): Promise<PromiseSettledResult<T>[]> {
  const release = await t.database.hold('LOCK TABLE app.jobs IN SHARE MODE');
  const acting = Promise.allSettled(start());
  try {
    await eventually(async () => {
      const [row] = await t.database.asSuperuser<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      expect(row!.count).toBeGreaterThanOrEqual(waiting);
    });
  } finally {
    await release();
  }
  return acting;
}

/** What else may happen to a job. */
interface Rival {
  name: string;
  from: 'PENDING' | 'RUNNING';
  /** Where it leads; a job that it leaves open can still be cancelled. */
  to: JobStatus;
  /** @returns whether it had its way with the job */
  act(lease: Lease): Promise<boolean>;
}

const answersOf = async (call: Promise<unknown>): Promise<boolean> =>
  call.then(
    () => true,
    () => false,
  );

const rivals: Rival[] = [
  {
    name: 'the claim of a worker',
    from: 'PENDING',
    to: 'RUNNING',
    act: async ({ jobId }) => (await leases.claim('shared', 'a worker', lanes)).some((job) => job.jobId === jobId),
  },
  {
    name: 'the flush of the queue',
    from: 'PENDING',
    to: 'CANCELLED',
    act: () => answersOf(t.ask(t.orgs[0], 'mutation { flushQueue }')),
  },
  {
    name: 'its completion',
    from: 'RUNNING',
    to: 'COMPLETED',
    act: async (lease) => leases.complete(lease, resultOf(2), await chunkOf([2], 1)),
  },
  {
    name: 'its failure',
    from: 'RUNNING',
    to: 'FAILED',
    act: (lease) => leases.fail(lease, { code: 'QUERY_FAILED', message: 'no' }),
  },
  {
    name: 'its return by a worker that stops',
    from: 'RUNNING',
    to: 'PENDING',
    act: (lease) => leases.release(lease),
  },
  {
    name: 'the end of its lease',
    from: 'RUNNING',
    to: 'PENDING',
    act: async ({ jobId }) => {
      const options = { maxAttempts: 20, error: { code: 'JOB_ABANDONED', message: 'no' } };
      return (await returnExpiredLeases(t.platform.postgres, options)).some((job) => job.jobId === jobId);
    },
  },
  {
    name: 'its finalization',
    from: 'RUNNING',
    to: 'COMPLETED',
    act: ({ jobId }) =>
      answersOf(t.ask(t.orgs[0], 'mutation ($id: ID!) { finalizeJob(input: { id: $id }) { id } }', { id: jobId })),
  },
];

describe.each(rivals)('cancelJob and $name at the same moment', ({ from, to, act, name }) => {
  test('leave the job in the state of the one that came first, and only that one succeeds', async () => {
    for (let round = 0; round < rounds; round++) {
      const jobs: Lease[] =
        from === 'RUNNING'
          ? await running(lanes)
          : (await Promise.all(Array.from({ length: lanes }, submit))).map((jobId) => ({
              orgId: t.orgs[0].orgId,
              jobId,
              attempt: 0,
            }));
      if (name === 'the end of its lease') {
        await t.database.asSuperuser(
          `UPDATE app.jobs SET lease_until = now() - interval '1 second' WHERE status = 'RUNNING'`,
        );
      }
      const acts = (lease: Lease) => act(lease).then((hadItsWay) => ({ lease, hadItsWay }));
      const cancels = (lease: Lease) => cancel(lease.jobId).then((cancelled) => ({ lease, cancelled }));
      const settled = await atOnce<{ lease: Lease; hadItsWay?: boolean; cancelled?: Cancelled }>(
        lanes * cancelsPerLane,
        () =>
          jobs.flatMap((lease, lane) => {
            const many = Array.from({ length: cancelsPerLane }, () => cancels(lease));
            return (lane + round) % 2 === 0 ? [acts(lease), ...many] : [...many, acts(lease)];
          }),
      );
      const refusals = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      const outcomes = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      for (const { jobId } of jobs) {
        const [row] = await everythingOf(jobId);
        const own = outcomes.filter(({ lease }) => lease.jobId === jobId);
        const cancelled = own.flatMap((one) => one.cancelled ?? []);
        // A claim of one lane may have begun the job of another one, and a flush ends all of them.
        const hadItsWay =
          from === 'PENDING' ? row!.attempt !== 0 || cancelled.length === 0 : own.some((one) => one.hadItsWay);
        const endsIt = to !== 'PENDING' && to !== 'RUNNING';
        if (endsIt && hadItsWay) {
          expect([cancelled, row!.status]).toEqual([[], to]);
        } else {
          expect(cancelled).toHaveLength(1);
          expect(row).toMatchObject({ status: 'CANCELLED', lease_until: null, worker_id: null, chunks: 0 });
          expect(Date.parse(cancelled[0]!.cancelledAt)).toBe(row!.completed_at.getTime());
          const passedThrough = hadItsWay && !endsIt ? to : from;
          expect(cancelled[0]!.previousStatus).toBe(passedThrough);
        }
        const terminal = (row!.events as string[]).filter((type) =>
          ['COMPLETED', 'FAILED', 'CANCELLED'].includes(type),
        );
        expect(terminal).toEqual([row!.status]);
      }
      // Whoever was refused learns how the job has ended.
      const ends = new Set(
        (await Promise.all(jobs.map(({ jobId }) => everythingOf(jobId)))).map(([row]) => row!.status),
      );
      for (const { extensions } of refusals) {
        expect(extensions.code).toBe('JOB_NOT_CANCELLABLE');
        expect(ends).toContain(extensions.status);
      }
      await t.database.asSuperuser(`DELETE FROM app.jobs`);
    }
  });
});

test('of twenty cancels at the same moment one succeeds, and the others are told that it is cancelled', async () => {
  const [lease] = await running(1);
  const settled = await atOnce(20, () => Array.from({ length: 20 }, () => cancel(lease!.jobId)));
  const cancelled = settled.filter(({ status }) => status === 'fulfilled');
  expect(cancelled).toMatchObject([{ value: { previousStatus: 'RUNNING' } }]);
  for (const one of settled) {
    if (one.status === 'rejected') {
      expect(one.reason).toMatchObject({ extensions: { code: 'JOB_NOT_CANCELLABLE', status: 'CANCELLED' } });
    }
  }
});

describe('cancelJob of a job that has ended', () => {
  const ends: { status: JobStatus; end(lease: Lease): Promise<unknown> }[] = [
    { status: 'COMPLETED', end: (lease) => leases.complete(lease, resultOf(1), undefined) },
    { status: 'FAILED', end: (lease) => leases.fail(lease, { code: 'QUERY_FAILED', message: 'no' }) },
    { status: 'CANCELLED', end: (lease) => cancel(lease.jobId) },
  ];

  test.each(ends)('as $status answers that, and changes nothing', async ({ status, end }) => {
    const [lease] = await running(1);
    await end(lease!);
    const before = await everythingOf(lease!.jobId);
    expect(before[0]!.status).toBe(status);
    await expect(cancel(lease!.jobId)).rejects.toMatchObject({
      extensions: { code: 'JOB_NOT_CANCELLABLE', status, argument: 'input.id' },
    });
    expect(await everythingOf(lease!.jobId)).toEqual(before);
  });
});

test('the queries of cancelled jobs are gone from the database within a second, whichever worker runs them', async () => {
  await Promise.all([t.startWorker(), t.startWorker()]);
  const ids = await Promise.all(
    Array.from({ length: 6 }, async (_, n) => (await t.submit(t.orgs[n % 2]!, { query: endlessQuery })).id),
  );
  await eventually(async () => expect(await t.runningQueries()).toBe(6));
  await Promise.all(
    ids.map((id, n) =>
      t.ask(t.orgs[n % 2]!, 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus } }', { id }),
    ),
  );
  await eventually(async () => expect(await t.runningQueries()).toBe(0), 1_000);
});
