/** Submissions as they are stored: a job that waits, or one that an old result has answered already. */
import type { Identity } from '../../../platform/identity.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import { isUnlimited, type QuotaRow, quotaColumns, requireRoom, toUse, withQuotas } from '../../../platform/quotas.js';
import { RecentUse } from '../../../platform/recent-use.js';
import { sharedPool } from '../../../platform/worker-pools.js';
import { births } from '../states.js';
import { ManyInserts, type StoredRow } from './insert-many.js';
import { type JobRow, jobColumns, keptResultBytes } from './jobs.js';
import type { NewJob } from './new-job.js';
import { reusableResult } from './reuse.js';

/** What a job takes over from the one that has its result. */
const takenOver = 'attempt, columns, render, search, rows_fetched, revision, covered_since';

const given = `
  org_id, language, query, priority, timeout_ms, metadata, submitted_by, idempotency_key, fingerprint, dataset, range_from,
  range_to, callback_url, result_ttl_seconds, cancel_unasked_seconds`;
const givenValues = `
  $1::uuid, $2::text, $3::text, $4::job_priority, $5::int, $6::json, $7::uuid, $8::text, $9::bytea, $10::text,
  $11::timestamptz, $12::timestamptz, $13::text, $14::int, $15::int`;
const kept = 'ON CONFLICT (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING';

/** A statement that stores a job, by itself, and with what is used of the quota without it. */
interface InsertStatement {
  alone: string;
  counting: string;
}

const statement = (born: string): InsertStatement => {
  const select = (columns: string) => `
    WITH ${born}
    SELECT coalesce(orgs.worker_pool, '${sharedPool}') AS pool, ${columns}born.* FROM orgs LEFT JOIN born ON true`;
  const used = `(CASE WHEN ${isUnlimited('resultBytes')} THEN 0 ELSE (${keptResultBytes}) END)::float8 AS used`;
  return { alone: select(''), counting: select(`${quotaColumns}, ${used}, `) };
};

/** An age of 0 looks for nothing, also not for what was completed in this very moment. */
const lookedFor = 'CASE WHEN $21::int IS DISTINCT FROM 0 THEN $16::bytea END';
const insert = statement(`old AS (
  ${reusableResult(`id, ${takenOver}`, lookedFor, '$21::int')}
), born AS (
  INSERT INTO jobs (${given}, status, reuse_key, reuse_seconds, reads_datasets, reads_from, reads_to,
                    result_of, ${takenOver}, percent, is_exact, completed_at, expires_at)
  SELECT ${givenValues}, '${births.submit}', $16::bytea, $17::int, $18::text[], $19::timestamptz, $20::timestamptz,
         NULL, 0, NULL, NULL, NULL, 0, 0, NULL, 0, false, NULL, NULL
   WHERE NOT EXISTS (SELECT FROM old)
  UNION ALL
  SELECT ${givenValues}, '${births.reuse}', NULL, NULL, NULL, NULL, NULL,
         id, ${takenOver}, 100, true, clock_timestamp(), clock_timestamp() + $14 * interval '1 second' FROM old
  ${kept} RETURNING ${jobColumns})`);

export class SubmissionStore {
  readonly #resultUse = new RecentUse();
  readonly #many: ManyInserts;

  constructor(readonly postgres: Postgres) {
    this.#many = new ManyInserts(postgres);
  }

  /**
   * Stores a job, or one that an old result answers.
   * @returns it, and the pool that runs it; undefined when the idempotency key is taken
   * @throws QUOTA_EXCEEDED where there is no room for any result
   */
  async insert(identity: Identity, job: NewJob): Promise<{ job: JobRow; pool: string } | undefined> {
    const { pool, ...stored } = await this.#insert(identity, job);
    return stored.id === null ? undefined : { job: stored, pool };
  }

  async #insert(identity: Identity, job: NewJob): Promise<StoredRow> {
    const { reuse, range } = job;
    const looksForResult = reuse !== undefined && job.maxResultAgeSeconds !== 0;
    const isFarFromQuota = this.#resultUse.take(identity.orgId, 1);
    if (isFarFromQuota && !looksForResult) return this.#many.insert(identity, job);
    const parameters = [
      identity.orgId,
      job.language,
      job.query,
      job.priority,
      job.timeoutMs,
      job.metadata == null ? null : JSON.stringify(job.metadata),
      job.submittedBy,
      job.idempotencyKey,
      job.fingerprint,
      job.dataset,
      range.from ?? null,
      range.to ?? null,
      job.callbackUrl,
      job.resultTtlSeconds,
      job.cancelUnaskedSeconds,
      reuse?.key ?? null,
      reuse?.seconds ?? null,
      reuse?.datasets ?? null,
      reuse?.range.from ?? null,
      reuse?.range.to ?? null,
      job.maxResultAgeSeconds,
    ];
    if (!isFarFromQuota) return this.#insertCounting(identity, parameters);
    const [row] = await this.postgres.queryAsOrg<StoredRow>(identity, insert.alone, parameters);
    return row!;
  }

  /** @throws QUOTA_EXCEEDED; nothing is stored then */
  async #insertCounting(identity: Identity, parameters: unknown[]): Promise<StoredRow> {
    return withQuotas(this.postgres, identity, async (tx) => {
      const [row] = await tx.query<QuotaRow & { used: number } & StoredRow>(insert.counting, parameters);
      const { tier, limits, noticed, used, ...stored } = row!;
      const use = toUse({ tier, limits, noticed }, 'resultBytes', used);
      if (stored.id !== null && stored.resultOf === null) requireRoom('jobs', use, 1);
      this.#resultUse.note(identity.orgId, use);
      return stored;
    });
  }

  async findByIdempotencyKey(identity: Identity, key: string): Promise<(JobRow & { fingerprint: Buffer }) | undefined> {
    const [row] = await this.postgres.queryAsOrg<JobRow & { fingerprint: Buffer }>(
      identity,
      `SELECT ${jobColumns}, fingerprint FROM jobs WHERE idempotency_key = $1`,
      [key],
      { readOnly: true },
    );
    return row;
  }
}
