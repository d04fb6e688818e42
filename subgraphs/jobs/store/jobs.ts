/** The jobs' rows as callers see them. Every statement runs inside the caller's organisation. */
import type { Identity } from '../../../platform/identity.js';
import { emit } from '../../../platform/outbox.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import { countRows } from '../../../platform/postgres/count.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { type QuotaUse, readUse, requireRoom, withQuotas } from '../../../platform/quotas.js';
import type { ResultColumn, SearchSummary, TimeRange } from '../../../query/index.js';
import { type JobStatus, step } from '../states.js';

export type JobPriority = 'LOW' | 'NORMAL' | 'HIGH';
export type JobLanguage = 'SQL' | 'KQL' | 'LINQ' | 'OPENSEARCH';

/** Why a job failed: a code of the error registry, and the place in the query's text where there is one. */
export interface JobFailure {
  code: string;
  message: string;
  line?: number | undefined;
  column?: number | undefined;
}

export interface JobRow {
  id: string;
  status: JobStatus;
  language: JobLanguage;
  query: string;
  /** The dataset that a search in OpenSearch's DSL reads; null where it is the default, and for other languages. */
  dataset: string | null;
  /** Cuts what the query reads; RFC 3339. */
  rangeFrom: string | null;
  rangeTo: string | null;
  priority: JobPriority;
  metadata: unknown;
  /** The user behind the submission; null for the system. */
  submittedBy: string | null;
  createdAt: string;
  updatedAt: string;
  startedAt: string | null;
  completedAt: string | null;
  expiresAt: string | null;
  /** Whether the results' time is over. */
  isExpired: boolean;
  executionTimeMs: number | null;
  attempt: number;
  percent: number;
  rowsFetched: number;
  columns: ResultColumn[] | null;
  /** How the query's author would draw the result. */
  render: Rendering | null;
  /** What a search answers beside its hits. */
  search: SearchSummary | null;
  error: JobFailure | null;
  timeoutMs: number;
  callbackUrl: string | null;
  resultTtlSeconds: number;
  /** Cancelled once nobody asked for it for that long; null for never. */
  cancelUnaskedSeconds: number | null;
  /** What a running attempt does; null while none runs. */
  phase: RunPhase | null;
  /** Whether `percent` is a measure, and no guess. */
  isExact: boolean;
  /** The rows so far are of all events at or after this moment; null where that cannot be said. */
  coveredSince: string | null;
  /** Of the rows so far: grows when they are replaced, and not when rows are added. */
  revision: number;
  /** Completed by finalizeJob, with what was found until then. */
  isPartial: boolean;
  /** The job whose rows are this one's result; null for its own. */
  resultOf: string | null;
}

/** What a running attempt does: it plans, waits for the first rows, takes rows in, or puts slices of time together. */
export type RunPhase = 'PLANNING' | 'RUNNING' | 'FETCHING' | 'MERGING';

/** KQL's `render`: a kind of chart, and what it says of it. */
export interface Rendering {
  kind: string;
  properties: Record<string, string>;
}

export interface NewJob {
  language: JobLanguage;
  query: string;
  dataset: string | null;
  range: TimeRange;
  priority: JobPriority;
  timeoutMs: number;
  metadata: unknown;
  submittedBy: string | null;
  idempotencyKey: string | null;
  /** Equal for equal requests. */
  fingerprint: Buffer;
}

/** Which jobs a list has; undefined is no condition. */
export interface JobFilters {
  status?: JobStatus | undefined;
  userId?: string | undefined;
  /** At or after. */
  createdAfter?: string | undefined;
  /** Before. */
  createdBefore?: string | undefined;
}

const jobColumns = `
  id, status, language, query, priority, metadata, submitted_by AS "submittedBy", created_at AS "createdAt",
  updated_at AS "updatedAt", started_at AS "startedAt", completed_at AS "completedAt", expires_at AS "expiresAt",
  coalesce(expires_at <= now(), false) AS "isExpired",
  (extract(epoch FROM completed_at - started_at) * 1000)::int AS "executionTimeMs",
  attempt, percent, rows_fetched AS "rowsFetched", columns, render, search, error,
  dataset, range_from AS "rangeFrom", range_to AS "rangeTo", timeout_ms AS "timeoutMs", callback_url AS "callbackUrl",
  result_ttl_seconds AS "resultTtlSeconds", cancel_unasked_seconds AS "cancelUnaskedSeconds", phase, is_exact AS "isExact",
  covered_since AS "coveredSince", revision, is_partial AS "isPartial", result_of AS "resultOf"`;

const matches = `
  ($1::text IS NULL OR status = $1) AND ($2::uuid IS NULL OR submitted_by = $2)
  AND ($3::timestamptz IS NULL OR created_at >= $3) AND ($4::timestamptz IS NULL OR created_at < $4)`;

const filterParameters = ({ status, userId, createdAfter, createdBefore }: JobFilters): unknown[] => [
  status,
  userId,
  createdAfter,
  createdBefore,
];

/** The order of the organisation's queue. */
export const mostUrgentFirst = 'priority DESC, created_at, id';

/** What quotas count. */
export const runningJobs = `SELECT count(*) FROM jobs WHERE status = 'RUNNING'`;
export const keptResultBytes = 'SELECT coalesce(sum(result_bytes), 0) FROM jobs WHERE result_bytes > 0';
const counted = { runningJobs, resultBytes: keptResultBytes };
export type JobsQuota = keyof typeof counted;

/** How many of the latest completed jobs tell how long the next one will take. */
const sampleSize = 50;

export class JobsStore {
  constructor(readonly postgres: Postgres) {}

  /**
   * Stores a job and tells the workers, both or neither.
   * @returns undefined when the idempotency key is taken
   * @throws QUOTA_EXCEEDED where there is no room for any result
   */
  async insert(identity: Identity, job: NewJob): Promise<JobRow | undefined> {
    return withQuotas(this.postgres, identity, async (tx) => {
      requireRoom('jobs', await readUse(tx, 'resultBytes', keptResultBytes), 1);
      const [row] = await tx.query<JobRow>(
        `INSERT INTO jobs (org_id, language, query, priority, timeout_ms, metadata, submitted_by, idempotency_key, fingerprint,
                           dataset, range_from, range_to)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (org_id, idempotency_key) DO NOTHING RETURNING ${jobColumns}`,
        [
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
          job.range.from ?? null,
          job.range.to ?? null,
        ],
      );
      if (row) await emit(tx, identity.orgId, 'jobs.submitted', { jobId: row.id, priority: job.priority });
      return row;
    });
  }

  async findByIdempotencyKey(identity: Identity, key: string): Promise<(JobRow & { fingerprint: Buffer }) | undefined> {
    const [row] = await this.#read(identity, (tx) =>
      tx.query<JobRow & { fingerprint: Buffer }>(
        `SELECT ${jobColumns}, fingerprint FROM jobs WHERE idempotency_key = $1`,
        [key],
      ),
    );
    return row;
  }

  async find(identity: Identity, ids: readonly string[]): Promise<JobRow[]> {
    return this.#read(identity, (tx) =>
      tx.query<JobRow>(`SELECT ${jobColumns} FROM jobs WHERE id = ANY($1::uuid[])`, [ids]),
    );
  }

  /** Newest first; BACKWARD reads the other way. */
  async list(identity: Identity, filters: JobFilters, page: PageRequest): Promise<JobRow[]> {
    const [comparison, order] = page.direction === 'FORWARD' ? ['<', 'DESC'] : ['>', 'ASC'];
    const [createdAt, id] = page.position ?? [null, null];
    return this.#read(identity, (tx) =>
      tx.query<JobRow>(
        `SELECT ${jobColumns} FROM jobs WHERE ${matches}
            AND ($5::timestamptz IS NULL OR (created_at, id) ${comparison} ($5::timestamptz, $6::uuid))
          ORDER BY created_at ${order}, id ${order} LIMIT $7`,
        [...filterParameters(filters), createdAt, id, page.limit + 1],
      ),
    );
  }

  async count(identity: Identity, filters: JobFilters): Promise<CappedCount> {
    return this.#read(identity, (tx) => countRows(tx, `jobs WHERE ${matches}`, filterParameters(filters)));
  }

  /** The places of pending jobs in their organisation's queue, from 1; jobs that do not wait are left out. */
  async queuePositions(identity: Identity, ids: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#read(identity, (tx) =>
      tx.query<{ id: string; position: number }>(
        `SELECT id, position FROM (
           SELECT id, row_number() OVER (ORDER BY ${mostUrgentFirst})::int AS position
             FROM jobs WHERE status = 'PENDING'
         ) AS queue WHERE id = ANY($1::uuid[])`,
        [ids],
      ),
    );
    return new Map(rows.map(({ id, position }) => [id, position]));
  }

  /** The median time of the organisation's latest completed jobs; null before the first one. */
  async medianExecutionMs(identity: Identity): Promise<number | null> {
    const [row] = await this.#read(identity, (tx) =>
      tx.query<{ median: number | null }>(
        `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::int AS median FROM (
           SELECT extract(epoch FROM completed_at - started_at)::float8 * 1000 AS ms
             FROM jobs WHERE status = 'COMPLETED' ORDER BY created_at DESC LIMIT ${sampleSize}
         ) AS latest`,
      ),
    );
    return row!.median;
  }

  /** Cancels a job that has not ended. @returns undefined when there is none, or it has ended */
  async cancel(identity: Identity, id: string): Promise<{ job: JobRow; previousStatus: JobStatus } | undefined> {
    const { from, to } = step('cancel');
    return this.postgres.withOrg(identity, async (tx) => {
      const [row] = await tx.query<JobRow & { previousStatus: JobStatus }>(
        `UPDATE jobs SET status = ${to}, completed_at = clock_timestamp(), updated_at = clock_timestamp(),
                         lease_until = NULL, worker_id = NULL, result_bytes = 0
          WHERE id = $1 AND status IN (${from}) RETURNING old.status AS "previousStatus", ${jobColumns}`,
        [id],
      );
      if (!row) return undefined;
      // The row's lock is held: its worker can add no further chunk.
      await tx.query('DELETE FROM job_results WHERE job_id = $1', [id]);
      const { previousStatus, ...job } = row;
      return { job, previousStatus };
    });
  }

  /** What the organisation uses of a quota. */
  async use(identity: Identity, quota: JobsQuota): Promise<QuotaUse> {
    return this.#read(identity, (tx) => readUse(tx, quota, counted[quota], { always: true }));
  }

  #read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }
}
