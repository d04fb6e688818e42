/** Everything that can be done to jobs, by callers, workers, sweepers and time, each with what it has to answer. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { cancelUnaskedJobs, deleteExpiredResults, returnExpiredLeases } from '../../../platform/system/jobs.js';
import type { JobEvent } from '../states.js';
import { chunkOf, progressOf, resultOf } from '../store/testing.js';
import { type Model, type ModelJob, type ModelLease, maxAttempts, type Priority } from './model.js';
import { expectAgreement, type Scene } from './scene.js';

type Command = fc.AsyncCommand<Model, Scene>;

/** A command that is shown by its words, and is followed by a look at everything. */
function command(words: string, run: (model: Model, scene: Scene) => Promise<void>): Command {
  return {
    check: () => true,
    run: async (model, scene) => {
      await run(model, scene);
      await expectAgreement(model, scene);
    },
    toString: () => words,
  };
}

/** A command about one of the jobs; without jobs it does nothing. */
const aboutJob = (words: string, run: (job: ModelJob, model: Model, scene: Scene) => Promise<void>) =>
  fc.nat(40).map((index) =>
    command(`${words} of job ${index}`, async (model, scene) => {
      const job = model.pick(index);
      if (job) await run(job, model, scene);
    }),
  );

/** A write of a worker, under a claim of any age: @returns whether it was taken */
type Write = (lease: ModelLease, model: Model, scene: Scene) => Promise<boolean>;

const write = (words: string, perform: Write, then: (job: ModelJob, model: Model) => void) =>
  fc.nat(40).map((index) =>
    command(`${words} under claim ${index}`, async (model, scene) => {
      const lease = model.leases[model.leases.length - 1 - (index % Math.max(1, model.leases.length))];
      if (!lease) return;
      const expected = model.isHeld(lease);
      expect(await perform(lease, model, scene)).toBe(expected);
      if (expected) then(lease.job, model);
    }),
  );

const refOf = ({ job, attempt }: ModelLease, { test }: Scene) => ({
  orgId: test.orgs[job.org].orgId,
  jobId: job.id,
  attempt,
});
/** Any of the workers: which one holds an attempt is said by its number alone. */
const storeOf = ({ attempt }: ModelLease, { workers }: Scene) => workers[attempt % 2]!;
const storedRows = (job: ModelJob) => job.chunks.flat().length;
/** Rows that tell which attempt made them. */
const newRows = ({ attempt }: ModelLease, count: number) => Array.from({ length: count }, (_, n) => attempt * 100 + n);

/** Asks the graph. @returns the error's code, or undefined */
const codeOf = async (asking: Promise<unknown>): Promise<string | undefined> =>
  asking.then(
    () => undefined,
    (error) => error.extensions?.code ?? error,
  );

const ask = (job: ModelJob, { test }: Scene, query: string) => test.ask(test.orgs[job.org], query, { id: job.id });

/** A handed-back job waits for as long as the test wants, whatever the machine's speed. */
const holdPaused = (job: ModelJob, { sql }: Scene) =>
  job.status === 'PENDING'
    ? sql(`UPDATE app.jobs SET updated_at = now() + interval '1 hour' WHERE id = $1`, [job.id])
    : Promise.resolve();

let texts = 0;

async function submit(model: Model, { test }: Scene, org: 0 | 1, query: string, priority: Priority): Promise<void> {
  const mutation = 'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { id status cacheHit resultCount } }';
  const { submitJob } = await test.ask(test.orgs[org], mutation, { input: { query, priority } });
  const job = model.submit(submitJob.id, org, query, priority);
  expect(submitJob).toMatchObject({
    status: job.status,
    cacheHit: job.resultOf !== null,
    resultCount: job.resultOf ? storedRows(job.resultOf) : null,
  });
}

const org = fc.constantFrom(0 as const, 1 as const);
const priority = fc.constantFrom<Priority>('LOW', 'NORMAL', 'HIGH');

const submissions = fc
  .tuple(org, priority)
  .map(([whose, how]) =>
    command(`submit for ${whose}, ${how}`, (model, scene) =>
      submit(model, scene, whose, `SELECT ${++texts} AS n`, how),
    ),
  );

const resubmissions = aboutJob('submit the query', (job, model, scene) =>
  submit(model, scene, job.org, job.query, 'NORMAL'),
);

const claims = fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 3 })).map(([worker, count]) =>
  command(`claim ${count} by ${worker}`, async (model, { workers, test }) => {
    const waiting = [model.claimable(0), model.claimable(1)] as const;
    const claimed = await workers[worker]!.claim('shared', `worker ${worker}`, count);
    expect(claimed).toHaveLength(Math.min(count, waiting[0].length + waiting[1].length));
    for (const whose of [0, 1] as const) {
      const ids = claimed.filter(({ orgId }) => orgId === test.orgs[whose].orgId).map(({ jobId }) => jobId);
      expect(ids).toEqual(waiting[whose].slice(0, ids.length).map(({ id }) => id));
    }
    for (const { jobId, attempt } of claimed) {
      const job = model.jobs.find(({ id }) => id === jobId)!;
      expect(model.step(job, 'claim')).toBe(true);
      expect(attempt).toBe(job.attempt);
      model.leases.push({ job, attempt });
    }
  }),
);

const appends = write(
  'append',
  async (lease, _, scene) =>
    storeOf(lease, scene).append(
      refOf(lease, scene),
      await chunkOf(newRows(lease, 2), storedRows(lease.job)),
      progressOf(storedRows(lease.job) + 2),
    ),
  (job) => void job.chunks.push(newRows({ job, attempt: job.attempt }, 2)),
);

const replacements = write(
  'replace',
  async (lease, _, scene) =>
    storeOf(lease, scene).replace(refOf(lease, scene), [await chunkOf(newRows(lease, 3))], progressOf(3)),
  (job) => {
    job.chunks = [newRows({ job, attempt: job.attempt }, 3)];
  },
);

const renewals = write(
  'renew',
  (lease, _, scene) => storeOf(lease, scene).renew(refOf(lease, scene)),
  () => {},
);

const completions = write(
  'complete',
  async (lease, _, scene) => {
    const rows = storedRows(lease.job);
    return storeOf(lease, scene).complete(
      refOf(lease, scene),
      resultOf(rows + 1),
      await chunkOf(newRows(lease, 1), rows),
    );
  },
  (job, model) => {
    job.chunks.push(newRows({ job, attempt: job.attempt }, 1));
    model.step(job, 'complete');
  },
);

const failures = write(
  'fail',
  (lease, _, scene) => storeOf(lease, scene).fail(refOf(lease, scene), { code: 'QUERY_FAILED', message: 'no' }),
  (job, model) => {
    model.step(job, 'fail');
    job.errorCode = 'QUERY_FAILED';
  },
);

const releases = write(
  'release',
  async (lease, model, scene) => {
    const isReleased = await storeOf(lease, scene).release(refOf(lease, scene));
    if (model.isHeld(lease))
      await scene.sql(`UPDATE app.jobs SET updated_at = now() + interval '1 hour' WHERE id = $1`, [lease.job.id]);
    return isReleased;
  },
  (job, model) => void model.step(job, 'release'),
);

const expiries = aboutJob('end the lease', async (job, model, scene) => {
  await scene.sql(
    `UPDATE app.jobs SET lease_until = now() - interval '1 second' WHERE id = $1 AND lease_until IS NOT NULL`,
    [job.id],
  );
  const error = { code: 'JOB_ABANDONED', message: 'given up' };
  const returned = await returnExpiredLeases(scene.test.platform.postgres, { maxAttempts, error });
  const expected = model.step(job, 'expire');
  expect(returned.map(({ jobId }) => jobId)).toEqual(expected ? [job.id] : []);
  if (expected && job.status === 'FAILED') job.errorCode = 'JOB_ABANDONED';
  if (expected) await holdPaused(job, scene);
});

const pauses = fc.constant(
  command('wait until those that were handed back may go on', async (model, { sql }) => {
    await sql(`UPDATE app.jobs SET updated_at = now() - interval '1 hour' WHERE status = 'PENDING'`);
    for (const job of model.jobs) job.isPaused = false;
  }),
);

/** What a caller does to a job: the graph answers with success or with a code. */
const calls = (event: JobEvent, mutation: string, refusal: (job: ModelJob) => string | undefined) =>
  aboutJob(event, async (job, model, scene) => {
    const code = await codeOf(
      ask(job, scene, `mutation ($id: ID!) { ${mutation}(input: { id: $id }) { __typename } }`),
    );
    const expected = model.step(job, event) ? undefined : refusal(job);
    expect(code).toBe(expected);
  });

const cancels = calls('cancel', 'cancelJob', () => 'JOB_NOT_CANCELLABLE');
const finalizations = calls('finalize', 'finalizeJob', ({ status }) =>
  status === 'COMPLETED' ? undefined : 'JOB_NOT_RUNNING',
);

const unasked = aboutJob('sweep because nobody asks', async (job, model, { sql, test }) => {
  await sql(
    `UPDATE app.jobs SET cancel_unasked_seconds = CASE WHEN id = $1 THEN 10 END, asked_at = now() - interval '11 seconds'`,
    [job.id],
  );
  const cancelled = await cancelUnaskedJobs(test.platform.postgres);
  expect(cancelled.map(({ jobId }) => jobId)).toEqual(model.step(job, 'cancel') ? [job.id] : []);
});

const touches = aboutJob('touch', async (job, model, scene) => {
  const code = await codeOf(ask(job, scene, 'mutation ($id: ID!) { touchJob(input: { id: $id }) { id } }'));
  expect(code).toBe(model.refusalOf(job, false));
});

const flushes = org.map((whose) =>
  command(`flush the queue of ${whose}`, async (model, { test }) => {
    const waiting = model.jobs.filter((job) => job.org === whose && job.status === 'PENDING');
    expect(await test.ask(test.orgs[whose], 'mutation { flushQueue }')).toEqual({ flushQueue: waiting.length });
    for (const job of waiting) model.step(job, 'cancel');
  }),
);

const purges = aboutJob('end the result', async (job, model, { sql, test }) => {
  if (job.status !== 'COMPLETED') return;
  await sql(`UPDATE app.jobs SET expires_at = now() - interval '1 hour' WHERE id = $1`, [job.id]);
  await deleteExpiredResults(test.platform.postgres);
  model.expireResult(job);
});

const reads = fc.tuple(fc.nat(40), fc.boolean()).map(([index, partial]) =>
  command(`read the rows of job ${index}${partial ? ' so far' : ''}`, async (model, scene) => {
    const job = model.pick(index);
    if (!job) return;
    const asking = ask(job, scene, `query ($id: ID!) { job(id: $id) { results(partial: ${partial}) { nodes } } }`);
    const refusal = model.refusalOf(job, partial);
    if (refusal) return expect(await codeOf(asking)).toBe(refusal);
    expect((await asking).job.results.nodes).toEqual(model.rowsOf(job).map((n) => ({ n })));
  }),
);

/** Histories of up to so many commands. Those that make something happen are more likely than those that end it. */
export const histories = (maxCommands: number) =>
  fc.commands(
    [
      submissions,
      claims,
      appends,
      submissions,
      claims,
      completions,
      resubmissions,
      claims,
      appends,
      replacements,
      renewals,
      failures,
      releases,
      pauses,
      expiries,
      cancels,
      unasked,
      finalizations,
      touches,
      flushes,
      purges,
      reads,
      reads,
    ],
    { maxCommands, size: 'max' },
  );
