/**
 * What a worker writes. A claim makes the attempt's number; every later write carries it and does nothing when the job
 * has gone on without this worker: cancelled, or handed to another one after the lease ran out.
 */
import { type Identity, systemIdentity } from '../../../platform/identity.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { fits, lockQuota, noteUse, readUse, requireRoom, withQuotas } from '../../../platform/quotas.js';
import type { ResultColumn, SearchSummary } from '../../../query/index.js';
import { type JobEvent, step } from '../states.js';
import {
  type JobFailure,
  type JobLanguage,
  keptResultBytes,
  mostUrgentFirst,
  type Rendering,
  runningJobs,
} from './jobs.js';

/** How long a worker may be silent before its jobs are given to others. */
export const leaseSeconds = 30;
/** How long results are kept. */
export const resultHours = 24;
/** How long a job that was handed back waits, so that trouble that passes does not use up its attempts. */
const pauseSeconds = 2;

/** The right to write to one attempt of a job. */
export interface Lease {
  orgId: string;
  jobId: string;
  attempt: number;
}

export interface ClaimedJob extends Lease {
  language: JobLanguage;
  query: string;
  dataset: string | null;
  rangeFrom: string | null;
  rangeTo: string | null;
  timeoutMs: number;
}

/** What a job ends with, beside its rows. */
export interface JobResult {
  columns: ResultColumn[];
  rowCount: number;
  render: Rendering | undefined;
  search: SearchSummary | undefined;
}

/** Rows of a result, packed. */
export interface Chunk {
  /** The first row's number, from 0. */
  firstRow: number;
  rowCount: number;
  /** The size before compression. */
  jsonBytes: number;
  data: Buffer;
}

export interface Progress {
  percent: number;
  rowsFetched: number;
}

const identityOf = ({ orgId }: { orgId: string }): Identity => systemIdentity(orgId, 'jobs');

const leaseEnd = `clock_timestamp() + interval '${leaseSeconds} seconds'`;
const held = `id = $1 AND attempt = $2 AND status = 'RUNNING'`;
const endLease = 'lease_until = NULL, worker_id = NULL, updated_at = clock_timestamp()';

export class LeaseStore {
  constructor(readonly postgres: Postgres) {}

  /**
   * Begins an attempt of the job, or of one that waits and comes before it in the organisation: the most urgent, the
   * oldest among equals. So none is passed over that had to wait for the quota.
   * @returns undefined when none waits, or as many run already as the organisation's quota admits
   */
  async claim(orgId: string, jobId: string, workerId: string): Promise<ClaimedJob | undefined> {
    const { from, to } = step('claim');
    const identity = identityOf({ orgId });
    return this.postgres.withOrg(identity, async (tx) => {
      await lockQuota(tx, orgId, 'runningJobs');
      const use = await readUse(tx, 'runningJobs', runningJobs);
      if (!fits(use, 1)) return undefined;
      const [row] = await tx.query<Omit<ClaimedJob, 'orgId'>>(
        `UPDATE jobs SET status = ${to}, attempt = attempt + 1, worker_id = $2, lease_until = ${leaseEnd}, started_at = clock_timestamp(),
                         updated_at = clock_timestamp(), percent = 0, rows_fetched = 0, result_bytes = 0
          WHERE id = (SELECT id FROM jobs
                       WHERE status IN (${from})
                         AND (id = $1 OR attempt = 0 OR updated_at < clock_timestamp() - interval '${pauseSeconds} seconds')
                       ORDER BY ${mostUrgentFirst} LIMIT 1 FOR UPDATE SKIP LOCKED)
          RETURNING id AS "jobId", attempt, language, query, timeout_ms AS "timeoutMs", dataset,
                    range_from AS "rangeFrom", range_to AS "rangeTo"`,
        [jobId, workerId],
      );
      if (!row) return undefined;
      if (row.attempt > 1) await deleteChunks(tx, row.jobId);
      await noteUse(tx, identity, 'jobs', use, 1);
      return { orgId, ...row };
    });
  }

  /** Renews the lease. @returns false when it is lost */
  async renew(lease: Lease): Promise<boolean> {
    return this.#fenced(lease, `lease_until = ${leaseEnd}`);
  }

  /**
   * Adds rows to the result, tells the progress and renews the lease.
   * @returns false when the lease is lost
   * @throws QUOTA_EXCEEDED where the organisation's results would be too large together; nothing is added then
   */
  async append(lease: Lease, chunk: Chunk, progress: Progress): Promise<boolean> {
    return this.#fenced(
      lease,
      `lease_until = ${leaseEnd}, updated_at = clock_timestamp(), percent = greatest(percent, $3), rows_fetched = $4,
       result_bytes = result_bytes + $5`,
      [progress.percent, progress.rowsFetched, chunk.jsonBytes],
      (tx) => insertChunk(tx, lease, chunk),
    );
  }

  /**
   * Ends the job with its result, whose last rows come with it.
   * @returns false when the lease is lost
   * @throws QUOTA_EXCEEDED as append does; the job runs on then
   */
  async complete(lease: Lease, result: JobResult, last: Chunk | undefined): Promise<boolean> {
    const { columns, rowCount, render, search } = result;
    return this.#step(
      'complete',
      lease,
      `columns = $3, rows_fetched = $4, percent = 100, result_bytes = result_bytes + $5, render = $6, search = $7, completed_at = clock_timestamp(),
       expires_at = clock_timestamp() + interval '${resultHours} hours'`,
      [
        JSON.stringify(columns),
        rowCount,
        last?.jsonBytes ?? 0,
        render && JSON.stringify(render),
        search && JSON.stringify(search),
      ],
      async (tx) => last && insertChunk(tx, lease, last),
    );
  }

  /** Ends the job with an error; what it had found goes. @returns false when the lease is lost */
  async fail(lease: Lease, error: JobFailure): Promise<boolean> {
    const set = 'error = $3, completed_at = clock_timestamp(), result_bytes = 0';
    return this.#step('fail', lease, set, [JSON.stringify(error)], (tx) => deleteChunks(tx, lease.jobId));
  }

  /** Hands the job back, to begin anew elsewhere. @returns false when the lease is lost */
  async release(lease: Lease): Promise<boolean> {
    const set = 'percent = 0, rows_fetched = 0, result_bytes = 0';
    return this.#step('release', lease, set, [], (tx) => deleteChunks(tx, lease.jobId));
  }

  async #step(
    event: JobEvent,
    lease: Lease,
    set: string,
    parameters: unknown[],
    then: (tx: Tx) => Promise<unknown>,
  ): Promise<boolean> {
    return this.#fenced(lease, `status = ${step(event).to}, ${endLease}, ${set}`, parameters, then);
  }

  /** Writes to the job's row and then, with its lock held, to its result. */
  async #fenced(
    lease: Lease,
    set: string,
    parameters: unknown[] = [],
    then?: (tx: Tx) => Promise<unknown>,
  ): Promise<boolean> {
    return withQuotas(this.postgres, identityOf(lease), async (tx) => {
      const rows = await tx.query(`UPDATE jobs SET ${set} WHERE ${held} RETURNING 1`, [
        lease.jobId,
        lease.attempt,
        ...parameters,
      ]);
      if (rows.length > 0) await then?.(tx);
      return rows.length > 0;
    });
  }
}

/**
 * Adds a chunk whose size the job's row has already. Jobs that add chunks at the same moment do not see each other's: the
 * quota is passed by one chunk of each at most.
 */
async function insertChunk(tx: Tx, lease: Lease, chunk: Chunk): Promise<void> {
  const { orgId, jobId, attempt } = lease;
  const { used: usedWithIt, ...quota } = await readUse(tx, 'resultBytes', keptResultBytes);
  const use = { ...quota, used: usedWithIt - chunk.jsonBytes };
  requireRoom('jobs', use, chunk.jsonBytes);
  await tx.query(
    `INSERT INTO job_results (org_id, job_id, attempt, first_row, row_count, json_bytes, data)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [orgId, jobId, attempt, chunk.firstRow, chunk.rowCount, chunk.jsonBytes, chunk.data],
  );
  await noteUse(tx, identityOf(lease), 'jobs', use, chunk.jsonBytes);
}

async function deleteChunks(tx: Tx, jobId: string): Promise<void> {
  await tx.query('DELETE FROM job_results WHERE job_id = $1', [jobId]);
}
