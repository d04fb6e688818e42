/** The rules of submitting: what is checked and stored, and what an equal request answers with. */
import { createHash } from 'node:crypto';
import { datasets } from '../../../datasets/index.js';
import { canonicalJson } from '../../../platform/canonical-json.js';
import type { Clock } from '../../../platform/clock.js';
import type { Config } from '../../../platform/config.js';
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import { isNestedTooDeeply, maxNesting } from '../../../platform/storable.js';
import { checkQuery, type Engines, prepareQuery } from '../../../query/index.js';
import { CallbackAddresses } from '../callbacks/addresses.js';
import type { PoolBells } from '../rings.js';
import { isTerminal } from '../states.js';
import type { JobPriority, JobRow } from '../store/jobs.js';
import type { NewJob } from '../store/new-job.js';
import type { SubmissionStore } from '../store/submissions.js';
import type { JobsService } from './jobs.js';
import { aboutInput, checkInteger, checkTtl, type QueryText, toQuery } from './query-text.js';
import { reuseOf } from './reuse.js';

export interface Submission extends QueryText {
  priority?: JobPriority | null;
  timeoutMs?: number | null;
  metadata?: unknown;
  callbackUrl?: string | null;
  idempotencyKey?: string | null;
  waitMs?: number | null;
  maxResultAgeSeconds?: number | null;
  resultTtlSeconds?: number | null;
  cancelUnaskedSeconds?: number | null;
}

/** A job as it is asked for, before its query was looked at. */
type Request = Omit<NewJob, 'reuse'>;

const maxTimeoutMs = 3_600_000;
const maxWaitMs = 30_000;
/** Kept back from the request's deadline for the answer itself. */
const answerMs = 500;
const maxMetadataBytes = 16_384;
const maxResultAgeSeconds = 86_400;
const defaultResultTtlSeconds = 86_400;
/** Whoever watches asks every two seconds; with less than this, a request that is late would cancel the job. */
const minUnaskedSeconds = 10;
const maxUnaskedSeconds = 86_400;

export class SubmissionService {
  readonly #callbacks: CallbackAddresses;

  constructor(
    private readonly store: SubmissionStore,
    private readonly jobs: JobsService,
    private readonly engines: Engines,
    private readonly bells: PoolBells,
    private readonly clock: Clock,
    private readonly config: Pick<Config, 'queryTimeoutMs' | 'callbackAllowedAddresses'>,
  ) {
    this.#callbacks = new CallbackAddresses(config.callbackAllowedAddresses);
  }

  /**
   * Checks the query and stores the job; workers hear of it by themselves. Where an equal query has a result that is as
   * good as a new one, the job is completed with it at once. A repeated idempotency key answers with the job that the
   * first one made.
   * @throws QUERY_* with the place in the text, INVALID_TIMEOUT, METADATA_TOO_LARGE, CALLBACK_NOT_ALLOWED, BAD_USER_INPUT,
   * IDEMPOTENCY_KEY_REUSED for another request under a used key, QUOTA_EXCEEDED; nothing is stored then
   */
  async submit(identity: Identity, submission: Submission): Promise<JobRow> {
    const waitMs = checkInteger(submission.waitMs ?? 0, 0, maxWaitMs, 'input.waitMs');
    const request = toRequest(identity, submission, this.config.queryTimeoutMs, this.#callbacks);
    const stored = (await this.#findEqual(identity, request)) ?? (await this.#checkAndStore(identity, request));
    if (waitMs === 0 || isTerminal(stored.status)) return stored;
    return this.#waitForEnd(identity, stored, waitMs);
  }

  /** The job that an earlier submission with the same key made. */
  async #findEqual(identity: Identity, { idempotencyKey, fingerprint }: Request): Promise<JobRow | undefined> {
    if (idempotencyKey === null) return undefined;
    const found = await this.store.findByIdempotencyKey(identity, idempotencyKey);
    if (found && !found.fingerprint.equals(fingerprint)) {
      fail('IDEMPOTENCY_KEY_REUSED', 'This idempotency key belongs to a job with another request. Use a new key.', {
        argument: 'input.idempotencyKey',
        jobId: found.id,
      });
    }
    return found;
  }

  async #checkAndStore(identity: Identity, request: Request): Promise<JobRow> {
    const { language, query: text, dataset, range } = request;
    const prepared = await aboutInput(async () => {
      const query = await prepareQuery({ language, text, range, dataset: dataset ?? undefined, datasets });
      await checkQuery(this.engines, query, { orgId: identity.orgId });
      return query;
    });
    const reuse = reuseOf(identity, request, prepared, this.clock.now());
    const stored = await this.store.insert(identity, { ...request, reuse });
    // Another submission with the same key was stored in the meantime.
    if (stored === undefined) return (await this.#findEqual(identity, request))!;
    const { job, pool } = stored;
    this.jobs.tellOfNew(identity);
    if (!isTerminal(job.status)) this.bells.ring(pool, { orgId: identity.orgId, jobId: job.id });
    return job;
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

function toRequest(
  identity: Identity,
  submission: Submission,
  defaultTimeoutMs: number,
  callbacks: CallbackAddresses,
): Request {
  const request = {
    ...toQuery(submission),
    priority: submission.priority ?? 'NORMAL',
    timeoutMs: checkTimeout(submission.timeoutMs ?? defaultTimeoutMs),
    metadata: checkMetadata(submission.metadata ?? null),
    callbackUrl: optional(submission.callbackUrl, (url) => callbacks.checkUrl(url)),
    maxResultAgeSeconds: optional(submission.maxResultAgeSeconds, (age) =>
      checkInteger(age, 0, maxResultAgeSeconds, 'input.maxResultAgeSeconds'),
    ),
    resultTtlSeconds: checkTtl(submission.resultTtlSeconds ?? defaultResultTtlSeconds, 'input.resultTtlSeconds'),
    cancelUnaskedSeconds: optional(submission.cancelUnaskedSeconds, (seconds) =>
      checkInteger(seconds, minUnaskedSeconds, maxUnaskedSeconds, 'input.cancelUnaskedSeconds'),
    ),
  } as const;
  return {
    ...request,
    submittedBy: identity.subject.userId ?? null,
    idempotencyKey: checkIdempotencyKey(submission.idempotencyKey ?? null),
    // All of what changes the job, and nothing else: how long a caller waits for it does not.
    fingerprint: createHash('sha256').update(canonicalJson(request)).digest(),
  };
}

const optional = <T>(value: T | null | undefined, check: (value: T) => T): T | null =>
  value == null ? null : check(value);

function checkTimeout(timeoutMs: number): number {
  if (timeoutMs >= 1 && timeoutMs <= maxTimeoutMs) return timeoutMs;
  return fail('INVALID_TIMEOUT', `"input.timeoutMs" is ${timeoutMs}; it takes 1 to ${maxTimeoutMs}.`, {
    argument: 'input.timeoutMs',
    min: 1,
    max: maxTimeoutMs,
  });
}

function checkMetadata(metadata: unknown): unknown {
  if (isNestedTooDeeply(metadata)) {
    fail('BAD_USER_INPUT', `"input.metadata" takes at most ${maxNesting} levels of lists and objects.`, {
      argument: 'input.metadata',
    });
  }
  const bytes = Buffer.byteLength(JSON.stringify(metadata));
  if (bytes > maxMetadataBytes) {
    fail('METADATA_TOO_LARGE', `"input.metadata" is ${bytes} bytes as JSON; it takes ${maxMetadataBytes}.`, {
      argument: 'input.metadata',
      limit: maxMetadataBytes,
    });
  }
  return metadata;
}

function checkIdempotencyKey(key: string | null): string | null {
  if (key === null || /^\P{C}{1,200}$/u.test(key)) return key;
  return fail('BAD_USER_INPUT', '"input.idempotencyKey" takes 1 to 200 printable characters.', {
    argument: 'input.idempotencyKey',
  });
}
