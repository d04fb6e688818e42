/** The rules of jobs that exist: who sees them, how they are cancelled, paged and watched. */
import { fail } from '../../../platform/errors.js';
import { gatherReads } from '../../../platform/gathered-reads.js';
import type { Identity } from '../../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import { type PubSub, watchState } from '../../../platform/pubsub.js';
import type { QuotaUse } from '../../../platform/quotas.js';
import { isUuid } from '../../../platform/uuid.js';
import type { QueryReport } from '../../../query/index.js';
import { isTerminal, type JobStatus } from '../states.js';
import type { ResultRows, ResultStore } from '../store/chunks.js';
import type { JobRow, JobsQuota, JobsStore, ListedJob, Pace } from '../store/jobs.js';
import type { JobFilters, JobOrder } from '../store/list.js';
import { cancelTopic, jobTopic, ringJob, ringJobs } from '../topics.js';
import { checkTtl } from './query-text.js';

export type { JobRow, Pace } from '../store/jobs.js';
export type { JobOrder } from '../store/list.js';

/** Stands for an id that is no UUID: no row has it. */
const nobody = '00000000-0000-0000-0000-000000000000';

/** How often rows are read that are replaced meanwhile. */
const maxReads = 5;

export class JobsService {
  constructor(
    private readonly store: JobsStore,
    private readonly results: ResultStore,
    private readonly pubsub: PubSub,
  ) {}

  /** One job; what many readers ask for at the same moments is one statement. */
  readonly load = gatherReads((identity, ids) => this.find(identity, ids));

  async find(identity: Identity, ids: readonly string[]): Promise<Map<string, JobRow>> {
    const known = ids.map((id) => id.toLowerCase()).filter(isUuid);
    const rows = known.length > 0 ? await this.store.find(identity, known) : [];
    await this.#noteAsked(identity, rows);
    return new Map(rows.map((row) => [row.id, row]));
  }

  async list(identity: Identity, filters: JobFilters, order: JobOrder, page: PageRequest): Promise<ListedJob[]> {
    const rows = await this.store.list(identity, searchable(filters), order, page);
    await this.#noteAsked(identity, rows);
    return rows;
  }

  async count(identity: Identity, filters: JobFilters): Promise<CappedCount> {
    return this.store.count(identity, searchable(filters));
  }

  async queuePositions(identity: Identity, ids: readonly string[]): Promise<Map<string, number>> {
    return this.store.queuePositions(identity, ids);
  }

  async pace(identity: Identity): Promise<Pace> {
    return this.store.pace(identity);
  }

  /** How a slow job's query ran; null where that was not kept. */
  async keptPlan(identity: Identity, id: string): Promise<QueryReport | null> {
    return this.store.keptPlan(identity, id);
  }

  /** What the organisation uses of a quota. */
  async use(identity: Identity, quota: JobsQuota): Promise<QuotaUse> {
    return this.store.use(identity, quota);
  }

  /**
   * Rows of a job's result, from the row that `startIn` tells on.
   * @param partial whether a job that has not ended answers with the rows so far
   * @param startIn is told the state that will be read: rows that are replaced meanwhile are read anew
   * @throws JOB_NOT_COMPLETED, JOB_FAILED, JOB_CANCELLED, RESULT_EXPIRED; what `startIn` throws
   */
  async readResult(
    identity: Identity,
    job: JobRow,
    { partial, limit, startIn }: { partial: boolean; limit: number; startIn: (job: JobRow) => number },
  ): Promise<ResultRows & { job: JobRow; start: number }> {
    let state = job;
    for (let tries = 1; ; tries += 1) {
      requireResult(state, partial);
      const start = startIn(state);
      const read = await this.results.read(identity, state, start, limit);
      if (read) return { ...read, job: state, start };
      if (tries === maxReads)
        fail('SERVICE_UNAVAILABLE', 'The rows were replaced again and again while they were read.');
      state = await this.#require(identity, job.id, 'id');
    }
  }

  /** Tells those who watch all of the organisation's jobs that there is one more. */
  tellOfNew({ orgId }: Identity): void {
    ringJobs(this.pubsub, orgId);
  }

  /** @throws NOT_FOUND, JOB_NOT_CANCELLABLE when it has ended; nothing is changed then */
  async cancel(identity: Identity, id: string): Promise<{ job: JobRow; previousStatus: JobStatus }> {
    const cancelled = isUuid(id.toLowerCase()) ? await this.store.cancel(identity, id) : undefined;
    if (!cancelled) {
      const job = await this.#require(identity, id, 'input.id');
      return fail('JOB_NOT_CANCELLABLE', `The job has ended already: it is ${job.status}.`, {
        argument: 'input.id',
        status: job.status,
      });
    }
    this.pubsub.ring(cancelTopic(identity.orgId, cancelled.job.id));
    ringJob(this.pubsub, identity.orgId, cancelled.job.id);
    return cancelled;
  }

  /**
   * Keeps a completed job's result for so long from now, never for less than it is kept anyway.
   * @param ttlSeconds the `resultTtlSeconds` of the submission where it is not given
   * @throws BAD_USER_INPUT, NOT_FOUND, JOB_NOT_COMPLETED, JOB_FAILED, JOB_CANCELLED, RESULT_EXPIRED
   */
  async touch(identity: Identity, id: string, ttlSeconds: number | undefined): Promise<JobRow> {
    const ttl = ttlSeconds === undefined ? undefined : checkTtl(ttlSeconds, 'input.ttlSeconds');
    const kept = isUuid(id.toLowerCase()) ? await this.store.prolong(identity, id, ttl) : undefined;
    if (kept) return kept;
    const argument = 'input.id';
    requireResult(await this.#require(identity, id, argument), false, { argument });
    return fail('RESULT_EXPIRED', 'The result’s time ended just now.', { argument });
  }

  /**
   * Completes a running job with the rows that are stored; one that is completed already answers as it is.
   * @throws NOT_FOUND, JOB_NOT_RUNNING; nothing is changed then
   */
  async finalize(identity: Identity, id: string): Promise<JobRow> {
    const finalized = isUuid(id.toLowerCase()) ? await this.store.finalize(identity, id) : undefined;
    if (finalized) {
      this.pubsub.ring(cancelTopic(identity.orgId, finalized.id));
      ringJob(this.pubsub, identity.orgId, finalized.id);
      return finalized;
    }
    const job = await this.#require(identity, id, 'input.id');
    if (job.status === 'COMPLETED') return job;
    // It was claimed in between.
    if (job.status === 'RUNNING') return this.finalize(identity, id);
    return fail('JOB_NOT_RUNNING', `Nothing was found that could be kept: the job is ${job.status}.`, {
      argument: 'input.id',
      status: job.status,
    });
  }

  /** The job's present state, then its changes; ends after a terminal state. @throws NOT_FOUND */
  async watch(identity: Identity, id: string): Promise<AsyncIterableIterator<JobRow>> {
    const job = await this.#require(identity, id, 'id');
    return this.watchStates(identity, job.id, job);
  }

  /** The same for a job that is known to exist. @param first what was read of it a moment ago */
  watchStates(identity: Identity, id: string, first?: JobRow): AsyncIterableIterator<JobRow> {
    return watchState({
      pubsub: this.pubsub,
      topic: jobTopic(identity.orgId, id),
      ...(first === undefined ? {} : { first }),
      read: () => this.#require(identity, id, 'id'),
      version: (job) => `${job.status} ${job.updatedAt}`,
      isTerminal: (job) => isTerminal(job.status),
    });
  }

  async #noteAsked(identity: Identity, rows: readonly JobRow[]): Promise<void> {
    const unasked = rows.filter(({ isUnasked }) => isUnasked).map(({ id }) => id);
    if (unasked.length > 0) await this.store.noteAsked(identity, unasked);
  }

  async #require(identity: Identity, id: string, argument: string): Promise<JobRow> {
    const job = await this.load(identity, id.toLowerCase());
    return job ?? fail('NOT_FOUND', 'There is no job with this id.', { argument });
  }
}

const searchable = (filters: JobFilters): JobFilters => ({
  ...filters,
  userId: filters.userId === undefined || isUuid(filters.userId.toLowerCase()) ? filters.userId : nobody,
});

/** @throws why the job has no rows to answer with; `about` goes into the details */
function requireResult(
  { status, isExpired, error, expiresAt }: JobRow,
  partial: boolean,
  about: { argument?: string } = {},
): void {
  if (isExpired)
    fail('RESULT_EXPIRED', `The result was kept until ${expiresAt}, and is gone.`, { ...about, expiresAt });
  if (status === 'COMPLETED' || (partial && !isTerminal(status))) return;
  if (status === 'FAILED') {
    const reason = error?.code;
    fail('JOB_FAILED', `The job has no result: it failed with ${reason}.`, { ...about, status, reason });
  }
  if (status === 'CANCELLED') fail('JOB_CANCELLED', 'The job has no result: it was cancelled.', { ...about, status });
  fail('JOB_NOT_COMPLETED', `The job is ${status}: its result is not whole yet.`, { ...about, status });
}
