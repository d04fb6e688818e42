/** The jobs' rows as callers see them. Every statement runs inside the caller's organisation. */
import type { Identity } from '../../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import { countRows } from '../../../platform/postgres/count.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { type QuotaUse, readUse } from '../../../platform/quotas.js';
import type { QueryReport, ResultColumn, SearchSummary } from '../../../query/index.js';
import { type JobStatus, step } from '../states.js';
import { filterParameters, type JobFilters, type JobOrder, matches, pageStatement } from './list.js';

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
  /** Whether it is cancelled once nobody asks for it, and nobody has for a second. */
  isUnasked: boolean;
}

/** What a running attempt does: it plans, waits for the first rows, takes rows in, or puts slices of time together. */
export type RunPhase = 'PLANNING' | 'RUNNING' | 'FETCHING' | 'MERGING';

/** KQL's `render`: a kind of chart, and what it says of it. */
export interface Rendering {
  kind: string;
  properties: Record<string, string>;
}

/** A job in a list. */
export interface ListedJob extends JobRow {
  /** The value that the list is sorted by. */
  sortKey: string;
}

/** How fast the organisation's jobs go. */
export interface Pace {
  /** The median time of its latest completed jobs; null before the first one. */
  medianMs: number | null;
  /** How many of its jobs run. */
  running: number;
}

/** Whether it matters that somebody asks for a job. */
const isAskedFor = `cancel_unasked_seconds IS NOT NULL AND status IN (${step('cancel').from})`;

export const jobColumns = `
  id, status, language, query, priority, metadata, submitted_by AS "submittedBy", created_at AS "createdAt",
  updated_at AS "updatedAt", started_at AS "startedAt", completed_at AS "completedAt", expires_at AS "expiresAt",
  coalesce(expires_at <= now(), false) AS "isExpired",
  (extract(epoch FROM completed_at - started_at) * 1000)::int AS "executionTimeMs",
  attempt, percent, rows_fetched AS "rowsFetched", columns, render, search, error,
  dataset, range_from AS "rangeFrom", range_to AS "rangeTo", timeout_ms AS "timeoutMs", callback_url AS "callbackUrl",
  result_ttl_seconds AS "resultTtlSeconds", cancel_unasked_seconds AS "cancelUnaskedSeconds", phase, is_exact AS "isExact",
  covered_since AS "coveredSince", revision, is_partial AS "isPartial", result_of AS "resultOf",
  (${isAskedFor} AND asked_at < now() - interval '1 second') AS "isUnasked"`;

/** The order of the organisation's queue. */
export const mostUrgentFirst = 'priority DESC, created_at, id';

/** What quotas count. */
export const runningJobs = `SELECT count(*) FROM jobs WHERE status = 'RUNNING'`;
export const keptResultBytes = 'SELECT coalesce(sum(result_bytes), 0) FROM jobs WHERE result_bytes > 0';
const counted = { runningJobs, resultBytes: keptResultBytes };
export type JobsQuota = keyof typeof counted;

/** How many of the latest completed jobs tell how long the next one will take. */
const sampleSize = 50;

/** So many places are counted one by one; of more jobs the whole queue is numbered once. */
const maxCounted = 8;
const countedQueue = `
  SELECT id, (1 + (SELECT count(*) FROM jobs ahead WHERE ahead.status = 'PENDING' AND ahead.priority > job.priority)
                + (SELECT count(*) FROM jobs ahead WHERE ahead.status = 'PENDING' AND ahead.priority = job.priority
                      AND (ahead.created_at, ahead.id) < (job.created_at, job.id)))::int AS position
    FROM jobs job WHERE id = ANY($1::uuid[]) AND status = 'PENDING'`;
const numberedQueue = `
  SELECT id, position FROM (
    SELECT id, row_number() OVER (ORDER BY ${mostUrgentFirst})::int AS position FROM jobs WHERE status = 'PENDING'
  ) AS queue WHERE id = ANY($1::uuid[])`;

export class JobsStore {
  constructor(readonly postgres: Postgres) {}

  async find(identity: Identity, ids: readonly string[]): Promise<JobRow[]> {
    const sql = `SELECT ${jobColumns} FROM jobs WHERE id = ANY($1::uuid[])`;
    return this.postgres.queryAsOrg(identity, sql, [ids], { readOnly: true });
  }

  /** In the order that is asked for; BACKWARD reads the other way. */
  async list(identity: Identity, filters: JobFilters, order: JobOrder, page: PageRequest): Promise<ListedJob[]> {
    const { sql, parameters } = pageStatement(jobColumns, filters, order, page);
    return this.#read(identity, (tx) => tx.query<ListedJob>(sql, parameters));
  }

  async count(identity: Identity, filters: JobFilters): Promise<CappedCount> {
    return this.#read(identity, (tx) => countRows(tx, `jobs WHERE ${matches}`, filterParameters(filters)));
  }

  /** The places of pending jobs in their organisation's queue, from 1; jobs that do not wait are left out. */
  async queuePositions(identity: Identity, ids: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#read(identity, (tx) =>
      tx.query<{ id: string; position: number }>(ids.length > maxCounted ? numberedQueue : countedQueue, [ids]),
    );
    return new Map(rows.map(({ id, position }) => [id, position]));
  }

  async pace(identity: Identity): Promise<Pace> {
    const [row] = await this.#read(identity, (tx) =>
      tx.query<Pace>(
        // Of the latest jobs those that ran: others were answered by an old result.
        `SELECT (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::int FROM (
                   SELECT extract(epoch FROM completed_at - started_at)::float8 * 1000 AS ms FROM (
                     SELECT * FROM jobs WHERE status = 'COMPLETED' ORDER BY created_at DESC LIMIT ${10 * sampleSize}
                   ) AS latest WHERE result_of IS NULL LIMIT ${sampleSize}
                 ) AS sample) AS "medianMs",
                (${runningJobs})::int AS running`,
      ),
    );
    return row!;
  }

  /** Notes that somebody asks for these jobs, where they are cancelled once nobody does. */
  async noteAsked(identity: Identity, ids: readonly string[]): Promise<void> {
    await this.postgres.withOrg(identity, (tx) =>
      tx.query(`UPDATE jobs SET asked_at = clock_timestamp() WHERE id = ANY($1::uuid[]) AND ${isAskedFor}`, [ids]),
    );
  }

  /**
   * Keeps a result for so long from now, or for longer where it is kept for longer anyway.
   * @param ttlSeconds undefined for what was said when the job was submitted
   * @returns undefined where there is no result
   */
  async prolong(identity: Identity, id: string, ttlSeconds: number | undefined): Promise<JobRow | undefined> {
    const [row] = await this.postgres.withOrg(identity, (tx) =>
      tx.query<JobRow>(
        `UPDATE jobs SET expires_at = greatest(expires_at, now() + coalesce($2, result_ttl_seconds) * interval '1 second')
          WHERE id = $1 AND status = 'COMPLETED' AND expires_at > now() AND purged_at IS NULL RETURNING ${jobColumns}`,
        [id, ttlSeconds],
      ),
    );
    return row;
  }

  /** Cancels a job that has not ended. @returns undefined when there is none, or it has ended */
  async cancel(identity: Identity, id: string): Promise<{ job: JobRow; previousStatus: JobStatus } | undefined> {
    const { from, to } = step('cancel');
    return this.postgres.withOrg(identity, async (tx) => {
      // Locked first: the `old` of RETURNING is out of date where the UPDATE waits for somebody else's.
      const [locked] = await tx.query<{ status: JobStatus }>(
        `SELECT status FROM jobs WHERE id = $1 AND status IN (${from}) FOR UPDATE`,
        [id],
      );
      if (!locked) return undefined;
      const [job] = await tx.query<JobRow>(
        `UPDATE jobs SET status = ${to}, completed_at = clock_timestamp(), updated_at = clock_timestamp(), phase = NULL,
                         lease_until = NULL, worker_id = NULL, result_bytes = 0
          WHERE id = $1 RETURNING ${jobColumns}`,
        [id],
      );
      // The row's lock is held: its worker can add no further chunk.
      await tx.query('DELETE FROM job_results WHERE job_id = $1', [id]);
      return { job: job!, previousStatus: locked.status };
    });
  }

  /** Completes a running job with the rows that are stored. @returns undefined when there is none, or it does not run */
  async finalize(identity: Identity, id: string): Promise<JobRow | undefined> {
    const { from, to } = step('finalize');
    return this.postgres.withOrg(identity, async (tx) => {
      const [row] = await tx.query<JobRow>(
        `UPDATE jobs SET status = ${to}, is_partial = true, percent = 100, phase = NULL, columns = coalesce(columns, '[]'),
                         completed_at = clock_timestamp(), updated_at = clock_timestamp(),
                         expires_at = clock_timestamp() + result_ttl_seconds * interval '1 second',
                         lease_until = NULL, worker_id = NULL
          WHERE id = $1 AND status IN (${from}) RETURNING ${jobColumns}`,
        [id],
      );
      return row;
    });
  }

  /** How a slow job's query ran; null where that was not kept. */
  async keptPlan(identity: Identity, id: string): Promise<QueryReport | null> {
    const [row] = await this.#read(identity, (tx) =>
      tx.query<{ plan: QueryReport | null }>('SELECT plan FROM jobs WHERE id = $1', [id]),
    );
    return row?.plan ?? null;
  }

  /** What the organisation uses of a quota. */
  async use(identity: Identity, quota: JobsQuota): Promise<QuotaUse> {
    return this.#read(identity, (tx) => readUse(tx, quota, counted[quota], { always: true }));
  }

  #read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }
}
