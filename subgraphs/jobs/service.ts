/** The rules of jobs: what is submitted, who sees it, how it is cancelled, paged and watched. */
import { createHash } from 'node:crypto';
import { datasets, findDataset } from '../../datasets/index.js';
import { hasCapability } from '../../platform/capabilities.js';
import type { Clock } from '../../platform/clock.js';
import type { Config } from '../../platform/config.js';
import { fail, HarborwatchError } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../platform/paging.js';
import { type PubSub, watchState } from '../../platform/pubsub.js';
import type { QuotaUse } from '../../platform/quotas.js';
import { isNestedTooDeeply, maxNesting } from '../../platform/storable.js';
import { isUuid } from '../../platform/uuid.js';
import {
  type Completion,
  checkQuery,
  completeQuery,
  type Engines,
  exactRange,
  type JsonValue,
  prepareQuery,
  type QueryReport,
  reportOnQuery,
} from '../../query/index.js';
import { isTerminal, type JobStatus } from './states.js';
import type { ResultStore } from './store/chunks.js';
import type { JobFilters, JobLanguage, JobPriority, JobRow, JobsQuota, JobsStore, NewJob } from './store/jobs.js';
import { cancelTopic, jobTopic } from './topics.js';

export type { JobRow } from './store/jobs.js';

/** A query's text and what it reads. */
export interface QueryText {
  query: string;
  language?: JobLanguage | null;
  /** For OPENSEARCH alone. */
  dataset?: string | null;
  /** RFC 3339. */
  from?: string | null;
  to?: string | null;
}

export interface Submission extends QueryText {
  priority?: JobPriority | null;
  timeoutMs?: number | null;
  metadata?: unknown;
  idempotencyKey?: string | null;
  waitMs?: number | null;
}

const maxTimeoutMs = 3_600_000;
const maxWaitMs = 30_000;
/** Kept back from the request's deadline for the answer itself. */
const answerMs = 500;
const maxMetadataBytes = 16_384;
/** Stands for an id that is no UUID: no row has it. */
const nobody = '00000000-0000-0000-0000-000000000000';

export class JobsService {
  constructor(
    private readonly store: JobsStore,
    private readonly results: ResultStore,
    private readonly engines: Engines,
    private readonly pubsub: PubSub,
    private readonly clock: Clock,
    private readonly config: Pick<Config, 'queryTimeoutMs'>,
  ) {}

  /**
   * Checks the query and stores the job; workers hear of it by themselves. A repeated idempotency key answers with the
   * job that the first one made.
   * @throws QUERY_* with the place in the text, CONFLICT for another query under a used key, QUOTA_EXCEEDED; nothing is
   * stored then
   */
  async submit(identity: Identity, submission: Submission): Promise<JobRow> {
    const waitMs = checkInteger(submission.waitMs ?? 0, 0, maxWaitMs, 'input.waitMs');
    const job = toNewJob(identity, submission, this.config.queryTimeoutMs);
    const stored = (await this.#findEqual(identity, job)) ?? (await this.#checkAndStore(identity, job));
    if (waitMs === 0 || isTerminal(stored.status)) return stored;
    return this.#waitForEnd(identity, stored, waitMs);
  }

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

  /** How the query would run; nothing is stored. @throws QUERY_* with the place in the text */
  async estimate(identity: Identity, text: QueryText): Promise<QueryReport> {
    const { query, ...options } = toQuery(text);
    return aboutInput(async () => {
      const prepared = await prepareQuery({ ...options, text: query, dataset: options.dataset ?? undefined, datasets });
      const sees = hasCapability(identity, 'platform:admin') ? 'EVERYTHING' : 'BOUNDS';
      return reportOnQuery(this.engines, prepared, { orgId: identity.orgId, sees });
    });
  }

  /** What could stand at a place of a text that is being written. */
  async complete(text: string, language: JobLanguage, position: number): Promise<Completion[]> {
    checkInteger(position, 0, text.length, 'input.position');
    return completeQuery({ language, text, offset: position, datasets });
  }

  /** The job's present state, then its changes; ends after a terminal state. @throws NOT_FOUND */
  async watch(identity: Identity, id: string): Promise<AsyncIterableIterator<JobRow>> {
    await this.#require(identity, id, 'id');
    return this.#watch(identity, id);
  }

  #watch(identity: Identity, id: string): AsyncIterableIterator<JobRow> {
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

  /** The job that an earlier submission with the same key made. */
  async #findEqual(identity: Identity, job: NewJob): Promise<JobRow | undefined> {
    if (job.idempotencyKey === null) return undefined;
    const found = await this.store.findByIdempotencyKey(identity, job.idempotencyKey);
    if (found && !found.fingerprint.equals(job.fingerprint)) {
      fail('CONFLICT', 'This idempotency key belongs to a job with another request. Use a new key.', {
        argument: 'input.idempotencyKey',
        jobId: found.id,
      });
    }
    return found;
  }

  async #checkAndStore(identity: Identity, job: NewJob): Promise<JobRow> {
    await aboutInput(async () => {
      const query = await prepareQuery({ ...job, text: job.query, dataset: job.dataset ?? undefined, datasets });
      await checkQuery(this.engines, query, { orgId: identity.orgId });
    });
    const stored = await this.store.insert(identity, job);
    // Another submission with the same key was stored in the meantime.
    return stored ?? (await this.#findEqual(identity, job))!;
  }

  /** The job at its end, or as it is when the time is over. */
  async #waitForEnd(identity: Identity, job: JobRow, waitMs: number): Promise<JobRow> {
    const states = this.#watch(identity, job.id);
    const untilDeadlineMs = identity.deadline - this.clock.now() - answerMs;
    const timer = setTimeout(() => void states.return?.(), Math.max(0, Math.min(waitMs, untilDeadlineMs)));
    try {
      let latest = job;
      for await (const state of states) latest = state;
      return latest;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What the engine says of the query is said of `input.query`. */
async function aboutInput<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HarborwatchError) || error.details.argument !== 'query') throw error;
    throw new HarborwatchError(error.code, error.message, { ...error.details, argument: 'input.query' });
  }
}

const searchable = (filters: JobFilters): JobFilters => ({
  ...filters,
  userId: filters.userId === undefined || isUuid(filters.userId.toLowerCase()) ? filters.userId : nobody,
});

function toNewJob(identity: Identity, submission: Submission, defaultTimeoutMs: number): NewJob {
  const { priority, timeoutMs, metadata = null, idempotencyKey = null } = submission;
  if (idempotencyKey !== null && !/^\P{C}{1,200}$/u.test(idempotencyKey)) {
    fail('BAD_USER_INPUT', '"input.idempotencyKey" takes 1 to 200 printable characters.', {
      argument: 'input.idempotencyKey',
    });
  }
  if (isNestedTooDeeply(metadata)) {
    fail('BAD_USER_INPUT', `"input.metadata" takes at most ${maxNesting} levels of lists and objects.`, {
      argument: 'input.metadata',
    });
  }
  const metadataBytes = Buffer.byteLength(JSON.stringify(metadata));
  if (metadataBytes > maxMetadataBytes) {
    fail('PAYLOAD_TOO_LARGE', `"input.metadata" is ${metadataBytes} bytes as JSON; it takes ${maxMetadataBytes}.`, {
      argument: 'input.metadata',
      limit: maxMetadataBytes,
    });
  }
  const request = {
    ...toQuery(submission),
    priority: priority ?? 'NORMAL',
    timeoutMs: checkInteger(timeoutMs ?? defaultTimeoutMs, 1, maxTimeoutMs, 'input.timeoutMs'),
    metadata,
  } as const;
  return {
    ...request,
    submittedBy: identity.subject.userId ?? null,
    idempotencyKey,
    fingerprint: createHash('sha256').update(JSON.stringify(request)).digest(),
  };
}

/** @throws BAD_USER_INPUT, UNKNOWN_DATASET */
function toQuery({ query, language, dataset = null, from, to }: QueryText) {
  if (dataset !== null && language !== 'OPENSEARCH') {
    fail('BAD_USER_INPUT', `"input.dataset" goes with OPENSEARCH alone: other languages name theirs in the text.`, {
      argument: 'input.dataset',
    });
  }
  const known = dataset === null ? undefined : findDataset(dataset);
  if (dataset !== null && known === undefined) {
    const names = datasets.map(({ name }) => name);
    fail('UNKNOWN_DATASET', `There is no dataset "${dataset}". There are ${names.join(', ')}.`, {
      argument: 'input.dataset',
    });
  }
  if (from != null && to != null && Date.parse(from) >= Date.parse(to)) {
    fail('BAD_USER_INPUT', '"input.from" must be before "input.to".', { argument: 'input.from' });
  }
  // Stored as what it means for events, which are stored in whole microseconds.
  const range = exactRange({ ...(from == null ? {} : { from }), ...(to == null ? {} : { to }) });
  return { query, language: language ?? 'SQL', dataset: known?.name ?? null, range };
}

function checkInteger(value: number, min: number, max: number, argument: string): number {
  if (value >= min && value <= max) return value;
  return fail('BAD_USER_INPUT', `"${argument}" is ${value}; it takes ${min} to ${max}.`, { argument, min, max });
}
