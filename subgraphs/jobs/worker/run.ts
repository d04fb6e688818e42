/** One attempt of one job: runs the query, stores the rows, tells the progress, and stops when the job goes on without it. */
import { datasets } from '../../../datasets/index.js';
import { fail, HarborwatchError } from '../../../platform/errors.js';
import type { Logger } from '../../../platform/logging.js';
import type { PubSub } from '../../../platform/pubsub.js';
import { orLate, within } from '../../../platform/within.js';
import {
  type Engines,
  type PreparedQuery,
  prepareQuery,
  type RunState,
  reportOnQuery,
  runQueryInSlices,
  type SlicingRule,
} from '../../../query/index.js';
import type { JobFailure } from '../store/jobs.js';
import { type ClaimedJob, type LeaseStore, leaseSeconds } from '../store/leases.js';
import { cancelTopic, jobTopic, ringJob } from '../topics.js';
import { LeaseLost, ResultWriter } from './result-writer.js';

/** After this many attempts a job is given up. */
export const maxAttempts = 20;
/** What a job ends with that was given up. */
export const abandoned: JobFailure = {
  code: 'JOB_ABANDONED',
  message: `The workers that ran this job ended ${maxAttempts} times before it was done. Submit it again.`,
};

/** How often a worker says that it lives, and learns whether its job was cancelled. */
const heartbeatMs = 750;
/** How long it may take to say how a slow query ran. */
const planReportMs = 1_000;
/** A run that is over by then is not told of before its end. */
const quickMs = 50;
/** Watchers are rung at most this often while rows come in. */
const ringEveryMs = 200;

export interface RunContext {
  leases: LeaseStore;
  engines: Engines;
  pubsub: PubSub;
  logger: Logger;
  /** How it ran is kept of a query that took longer. */
  slowQueryMs: number;
  /** Default: the engine's own. */
  slicing?: SlicingRule;
}

/** Why a run is stopped from outside: the job went on without it, or its process ends and hands it back. */
type StopReason = 'LOST' | 'HANDED_BACK';

export class JobRun {
  readonly #context: RunContext;
  readonly #job: ClaimedJob;
  readonly #abort = new AbortController();
  readonly #claimedAt = performance.now();
  readonly #writer: ResultWriter;
  #slowQuery: PreparedQuery | undefined;
  #stopReason: StopReason | undefined;
  #renewedAt = performance.now();
  #rungAt = 0;

  constructor(context: RunContext, job: ClaimedJob) {
    this.#context = context;
    this.#job = job;
    this.#writer = new ResultWriter(context.leases, job, () => {
      this.#renewedAt = performance.now();
      if (performance.now() - this.#rungAt >= ringEveryMs) this.#ringProgress();
    });
  }

  /** Resolves when the attempt has ended, however it did. */
  async execute(): Promise<void> {
    const { pubsub, logger } = this.#context;
    const { orgId, jobId } = this.#job;
    const beat = () => void this.#beat();
    const heartbeat = setInterval(beat, heartbeatMs);
    let stopListening = () => {};
    // Most queries are over before anybody could want to know that they have begun, or to cancel them.
    const quick = setTimeout(() => {
      this.#ring();
      stopListening = pubsub.listen(cancelTopic(orgId, jobId), beat);
    }, quickMs);
    try {
      await this.#runToEnd();
    } catch (error) {
      // The database is away. Once the lease runs out, a sweeper finds the job.
      logger.warn({ jobId, err: error }, 'a job was left behind');
    } finally {
      clearInterval(heartbeat);
      clearTimeout(quick);
      stopListening();
    }
    if (this.#slowQuery !== undefined) await this.#keepPlan(this.#slowQuery);
  }

  /** Ends the attempt and hands the job back, for another worker to begin anew. */
  handBack(): void {
    this.#stop('HANDED_BACK');
  }

  #stop(reason: StopReason): void {
    this.#stopReason ??= reason;
    this.#abort.abort();
  }

  async #runToEnd(): Promise<void> {
    try {
      await this.#runQuery();
    } catch (error) {
      if (error instanceof LeaseLost || this.#stopReason === 'LOST') return;
      await this.#endWith(error);
    }
    this.#ring();
  }

  async #runQuery(): Promise<void> {
    const query = await this.#prepare();
    const { engines, leases, slicing = {}, slowQueryMs } = this.#context;
    const { orgId } = this.#job;
    const options = { orgId, timeoutMs: this.#leftMs(), signal: this.#abort.signal, slicing };
    const began = performance.now();
    try {
      const search = await this.#storeStates(runQueryInSlices(engines, query, options));
      const { last, ...result } = await this.#writer.finish();
      const render = query.form === 'PLAN' ? query.render : undefined;
      if (!(await leases.complete(this.#job, { ...result, render, search }, last))) throw new LeaseLost();
    } finally {
      if (performance.now() - began > slowQueryMs) this.#slowQuery = query;
    }
  }

  /** Guarded again when it runs: what is stored is the caller's text. @throws QUERY_* */
  async #prepare(): Promise<PreparedQuery> {
    const { signal } = this.#abort;
    signal.throwIfAborted();
    const stopped = Promise.withResolvers<never>();
    const onAbort = () => stopped.reject(new Error('The attempt was stopped.'));
    signal.addEventListener('abort', onAbort);
    try {
      return await orLate(this.#leftMs(), Promise.race([prepareJobQuery(this.#job), stopped.promise]), () =>
        fail('QUERY_TIMEOUT', 'The query’s time was over before it was planned. Allow it more time.'),
      );
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Of the attempt's time, which begins with its claim. */
  #leftMs(): number {
    return Math.max(1, Math.floor(this.#job.timeoutMs - (performance.now() - this.#claimedAt)));
  }

  /** Stores what the run finds, as it comes and when it is due. @returns what a search answers beside its hits */
  async #storeStates(states: AsyncGenerator<RunState, void>): Promise<RunState['search']> {
    let search: RunState['search'];
    let next = states.next();
    try {
      for (;;) {
        const step = await orLate<IteratorResult<RunState, void> | undefined>(
          this.#writer.dueInMs,
          next,
          () => undefined,
        );
        if (step === undefined) {
          await this.#writer.store();
          continue;
        }
        if (step.done) return search;
        search = step.value.search;
        await this.#writer.take(step.value);
        next = states.next();
      }
    } catch (error) {
      // The run may be in the middle of its next step, which nobody waits for.
      this.#abort.abort();
      next.catch(() => {});
      await states.return().catch(() => {});
      throw error;
    }
  }

  /** Best effort, once the job has ended: its slot waits for a second at most. */
  async #keepPlan(query: PreparedQuery): Promise<void> {
    const { engines, leases } = this.#context;
    const options = { orgId: this.#job.orgId, sees: 'EVERYTHING', timeoutMs: planReportMs } as const;
    const kept = reportOnQuery(engines, query, options).then((report) => leases.storePlan(this.#job, report));
    await within(planReportMs, kept, undefined);
  }

  /** Ends the job with the error, or lets it wait again. */
  async #endWith(error: unknown): Promise<void> {
    const { leases, logger } = this.#context;
    const isPassing =
      this.#stopReason === 'HANDED_BACK' || (error instanceof HarborwatchError && error.code === 'SERVICE_UNAVAILABLE');
    if (!isPassing) {
      await leases.fail(this.#job, toFailure(error, this.#job, logger));
    } else if (this.#job.attempt >= maxAttempts) {
      await leases.fail(this.#job, abandoned);
    } else {
      await leases.release(this.#job);
    }
  }

  async #beat(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    try {
      if (await this.#context.leases.renew(this.#job)) this.#renewedAt = performance.now();
      else this.#stop('LOST');
    } catch {
      // The database is away: this worker counts as dead once its lease is over.
      if (performance.now() - this.#renewedAt > leaseSeconds * 1_000) this.#stop('LOST');
    }
  }

  #ring(): void {
    ringJob(this.#context.pubsub, this.#job.orgId, this.#job.jobId);
  }

  #ringProgress(): void {
    this.#rungAt = performance.now();
    this.#context.pubsub.ring(jobTopic(this.#job.orgId, this.#job.jobId));
  }
}

async function prepareJobQuery(job: ClaimedJob): Promise<PreparedQuery> {
  const { language, query: text, dataset, rangeFrom, rangeTo } = job;
  const range = { ...(rangeFrom === null ? {} : { from: rangeFrom }), ...(rangeTo === null ? {} : { to: rangeTo }) };
  return prepareQuery({ language, text, datasets, range, dataset: dataset ?? undefined });
}

function toFailure(error: unknown, { orgId, jobId }: ClaimedJob, logger: Logger): JobFailure {
  if (error instanceof HarborwatchError) {
    return { code: error.code, message: error.message, line: error.details.line, column: error.details.column };
  }
  logger.error({ err: error, orgId, jobId }, 'a job met an unexpected error');
  return {
    code: 'INTERNAL_SERVER_ERROR',
    message: 'Something went wrong on our side; it was logged with the job’s id.',
  };
}
