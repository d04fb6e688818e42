/** One attempt of one job: runs the query, stores the rows, tells the progress, and stops when the job goes on without it. */
import { datasets } from '../../../datasets/index.js';
import { fail, HarborwatchError } from '../../../platform/errors.js';
import type { Logger } from '../../../platform/logging.js';
import type { PubSub } from '../../../platform/pubsub.js';
import {
  type Engines,
  estimateQuery,
  type PreparedQuery,
  prepareQuery,
  type ResultColumn,
  runQuery,
  type SearchSummary,
} from '../../../query/index.js';
import { ChunkBuilder } from '../store/chunks.js';
import type { JobFailure } from '../store/jobs.js';
import { type ClaimedJob, type LeaseStore, leaseSeconds } from '../store/leases.js';
import { cancelTopic, jobTopic } from '../topics.js';

/** The most rows of one result. */
export const maxResultRows = 1_000_000;
/** The most bytes of one result, as it is stored: compressed. */
export const maxResultBytes = 268_435_456;
/** After this many attempts a job is given up. */
export const maxAttempts = 20;
/** What a job ends with that was given up. */
export const abandoned: JobFailure = {
  code: 'JOB_ABANDONED',
  message: `The workers that ran this job ended ${maxAttempts} times before it was done. Submit it again.`,
};

/** How often a worker says that it lives, and learns whether its job was cancelled. */
const heartbeatMs = 750;
/** Watchers are rung at most this often while rows come in. */
const ringEveryMs = 200;

export interface RunContext {
  leases: LeaseStore;
  engines: Engines;
  pubsub: PubSub;
  logger: Logger;
}

/** Why a run is stopped from outside: the job went on without it, or its process ends and hands it back. */
type StopReason = 'LOST' | 'HANDED_BACK';

export class JobRun {
  readonly #context: RunContext;
  readonly #job: ClaimedJob;
  readonly #abort = new AbortController();
  readonly #chunks = new ChunkBuilder();
  #storedBytes = 0;
  #percent = 0;
  #estimatedRows: number | undefined;
  #planning: Promise<void> | undefined;
  #stopReason: StopReason | undefined;
  #renewedAt = performance.now();
  #rungAt = 0;

  constructor(context: RunContext, job: ClaimedJob) {
    this.#context = context;
    this.#job = job;
  }

  /**
   * Resolves when the attempt has ended, however it did.
   * @returns whether the job runs no more, so that another one of its organisation may start
   */
  async execute(): Promise<boolean> {
    const { pubsub, logger } = this.#context;
    const { orgId, jobId } = this.#job;
    this.#ring();
    const beat = () => void this.#beat();
    const heartbeat = setInterval(beat, heartbeatMs);
    const stopListening = pubsub.listen(cancelTopic(orgId, jobId), beat);
    try {
      return await this.#runToEnd();
    } catch (error) {
      // The database is away. Once the lease runs out, a sweeper finds the job.
      logger.warn({ jobId, err: error }, 'a job was left behind');
      return false;
    } finally {
      clearInterval(heartbeat);
      stopListening();
    }
  }

  /** Ends the attempt and hands the job back, for another worker to begin anew. */
  handBack(): void {
    this.#stop('HANDED_BACK');
  }

  #stop(reason: StopReason): void {
    this.#stopReason ??= reason;
    this.#abort.abort();
  }

  async #runToEnd(): Promise<boolean> {
    let isOver = true;
    try {
      await this.#runQuery();
    } catch (error) {
      if (this.#stopReason === 'LOST') return true;
      isOver = await this.#endWith(error);
    }
    this.#ring();
    return isOver;
  }

  async #runQuery(): Promise<void> {
    const { leases, engines } = this.#context;
    const { orgId, timeoutMs } = this.#job;
    const query = await prepareJobQuery(this.#job);
    let columns: ResultColumn[] = [];
    let search: SearchSummary | undefined;
    for await (const batch of runQuery(engines, query, { orgId, timeoutMs, signal: this.#abort.signal })) {
      columns = batch.columns;
      search = batch.search;
      for (const row of batch.rows) {
        // A full chunk goes before the next row, so that the last one goes with the job's end.
        if (this.#chunks.isFull) await this.#flush(query);
        this.#chunks.add(row);
        if (this.#chunks.rowCount > maxResultRows) {
          tooLarge(`it has more than ${maxResultRows.toLocaleString('en')} rows`);
        }
      }
    }
    const rowCount = this.#chunks.rowCount;
    const last = await this.#chunks.take();
    this.#weigh(last?.data.length ?? 0);
    const render = query.form === 'PLAN' ? query.render : undefined;
    if (!(await leases.complete(this.#job, { columns, rowCount, render, search }, last))) this.#stop('LOST');
  }

  async #flush(query: PreparedQuery): Promise<void> {
    const chunk = await this.#chunks.take();
    if (chunk === undefined) return;
    this.#weigh(chunk.data.length);
    this.#planning ??= this.#askPlanner(query);
    const rowsFetched = this.#chunks.rowCount;
    if (this.#estimatedRows !== undefined) {
      const share = rowsFetched / Math.max(this.#estimatedRows, rowsFetched);
      this.#percent = Math.max(this.#percent, Math.min(99, Math.floor(100 * share)));
    }
    if (!(await this.#context.leases.append(this.#job, chunk, { percent: this.#percent, rowsFetched }))) {
      this.#stop('LOST');
      this.#abort.signal.throwIfAborted();
    }
    this.#renewedAt = performance.now();
    if (performance.now() - this.#rungAt >= ringEveryMs) this.#ring();
  }

  #weigh(bytes: number): void {
    this.#storedBytes += bytes;
    if (this.#storedBytes > maxResultBytes) tooLarge('it takes more than 256 MB compressed');
  }

  /** Only results of several chunks come here: other queries are over before an estimate would help anybody. */
  async #askPlanner(query: PreparedQuery): Promise<void> {
    const { orgId } = this.#job;
    const estimate = await estimateQuery(this.#context.engines, query, { orgId }).catch(() => undefined);
    this.#estimatedRows = estimate?.rows;
  }

  /** @returns whether the job has ended; otherwise it waits again */
  async #endWith(error: unknown): Promise<boolean> {
    const { leases, logger } = this.#context;
    const isPassing =
      this.#stopReason === 'HANDED_BACK' || (error instanceof HarborwatchError && error.code === 'SERVICE_UNAVAILABLE');
    if (!isPassing) {
      await leases.fail(this.#job, toFailure(error, this.#job, logger));
    } else if (this.#job.attempt >= maxAttempts) {
      await leases.fail(this.#job, abandoned);
    } else {
      await leases.release(this.#job);
      return false;
    }
    return true;
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
    this.#rungAt = performance.now();
    this.#context.pubsub.ring(jobTopic(this.#job.orgId, this.#job.jobId));
  }
}

/** Guarded again when it runs: what is stored is the caller's text. */
async function prepareJobQuery(job: ClaimedJob): Promise<PreparedQuery> {
  const { language, query: text, dataset, rangeFrom, rangeTo } = job;
  const range = { ...(rangeFrom === null ? {} : { from: rangeFrom }), ...(rangeTo === null ? {} : { to: rangeTo }) };
  return prepareQuery({ language, text, datasets, range, dataset: dataset ?? undefined });
}

function tooLarge(why: string): never {
  fail('RESULT_TOO_LARGE', `The result is too large for one job: ${why}. Aggregate, or narrow the time range.`);
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
