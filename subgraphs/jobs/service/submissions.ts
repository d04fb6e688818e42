/** The rules of submitting: what is checked and stored, and what an equal request answers with. */
import { createHash } from 'node:crypto';
import { datasets } from '../../../datasets/index.js';
import type { Clock } from '../../../platform/clock.js';
import type { Config } from '../../../platform/config.js';
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import { isNestedTooDeeply, maxNesting } from '../../../platform/storable.js';
import { checkQuery, type Engines, prepareQuery } from '../../../query/index.js';
import { isTerminal } from '../states.js';
import type { JobPriority, JobRow, JobsStore, NewJob } from '../store/jobs.js';
import type { JobsService } from './jobs.js';
import { aboutInput, checkInteger, type QueryText, toQuery } from './query-text.js';

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

export class SubmissionService {
  constructor(
    private readonly store: JobsStore,
    private readonly jobs: JobsService,
    private readonly engines: Engines,
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
    const states = this.jobs.watchStates(identity, job.id);
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
