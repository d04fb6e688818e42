/** The rules of jobs that exist: who sees them, how they are cancelled, paged and watched. */
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import { type PubSub, watchState } from '../../../platform/pubsub.js';
import type { QuotaUse } from '../../../platform/quotas.js';
import { isUuid } from '../../../platform/uuid.js';
import type { JsonValue } from '../../../query/index.js';
import { isTerminal, type JobStatus } from '../states.js';
import type { ResultStore } from '../store/chunks.js';
import type { JobFilters, JobRow, JobsQuota, JobsStore } from '../store/jobs.js';
import { cancelTopic, jobTopic } from '../topics.js';

export type { JobRow } from '../store/jobs.js';

/** Stands for an id that is no UUID: no row has it. */
const nobody = '00000000-0000-0000-0000-000000000000';

export class JobsService {
  constructor(
    private readonly store: JobsStore,
    private readonly results: ResultStore,
    private readonly pubsub: PubSub,
  ) {}

  async find(identity: Identity, ids: readonly string[]): Promise<Map<string, JobRow>> {
    const known = ids.map((id) => id.toLowerCase()).filter(isUuid);
    const rows = known.length > 0 ? await this.store.find(identity, known) : [];
    return new Map(rows.map((row) => [row.id, row]));
  }

  async list(identity: Identity, filters: JobFilters, page: PageRequest): Promise<JobRow[]> {
    return this.store.list(identity, searchable(filters), page);
  }

  async count(identity: Identity, filters: JobFilters): Promise<CappedCount> {
    return this.store.count(identity, searchable(filters));
  }

  async queuePositions(identity: Identity, ids: readonly string[]): Promise<Map<string, number>> {
    return this.store.queuePositions(identity, ids);
  }

  async medianExecutionMs(identity: Identity): Promise<number | null> {
    return this.store.medianExecutionMs(identity);
  }

  /** What the organisation uses of a quota. */
  async use(identity: Identity, quota: JobsQuota): Promise<QuotaUse> {
    return this.store.use(identity, quota);
  }

  /** Rows of a completed job's result, from row `start` on. */
  async readResult(identity: Identity, job: JobRow, start: number, limit: number): Promise<JsonValue[][]> {
    return this.results.read(identity, job, start, limit);
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
    this.pubsub.ring(jobTopic(identity.orgId, cancelled.job.id));
    return cancelled;
  }

  /** The job's present state, then its changes; ends after a terminal state. @throws NOT_FOUND */
  async watch(identity: Identity, id: string): Promise<AsyncIterableIterator<JobRow>> {
    await this.#require(identity, id, 'id');
    return this.watchStates(identity, id);
  }

  /** The same for a job that is known to exist. */
  watchStates(identity: Identity, id: string): AsyncIterableIterator<JobRow> {
    return watchState({
      pubsub: this.pubsub,
      topic: jobTopic(identity.orgId, id),
      read: () => this.#require(identity, id, 'id'),
      version: (job) => `${job.status} ${job.updatedAt}`,
      isTerminal: (job) => isTerminal(job.status),
    });
  }

  async #require(identity: Identity, id: string, argument: string): Promise<JobRow> {
    const job = (await this.find(identity, [id])).get(id.toLowerCase());
    return job ?? fail('NOT_FOUND', 'There is no job with this id.', { argument });
  }
}

const searchable = (filters: JobFilters): JobFilters => ({
  ...filters,
  userId: filters.userId === undefined || isUuid(filters.userId.toLowerCase()) ? filters.userId : nobody,
});
