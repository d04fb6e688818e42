/**
 * What a worker writes. A claim makes the attempt's number; every later write carries it and does nothing when the job
 * has gone on without this worker: cancelled, or handed to another one after the lease ran out.
 */

import { Batching } from '../../../platform/batching.js';
import { HarborwatchError } from '../../../platform/errors.js';
import { type Identity, systemIdentity } from '../../../platform/identity.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { noteUse, type QuotaUse, readUse, requireRoom, withQuotas } from '../../../platform/quotas.js';
import { RecentUse } from '../../../platform/recent-use.js';
import {
  type AttemptRef,
  type ClaimedAttempt,
  claimJobs,
  completeJobs,
  renewLeases,
  type WholeResult,
} from '../../../platform/system/dispatch.js';
import type { QueryReport, ResultColumn, SearchSummary } from '../../../query/index.js';
import { type JobEvent, step } from '../states.js';
import {
  type JobFailure,
  type JobLanguage,
  keptResultBytes,
  type Rendering,
  type RunPhase,
  runningJobs,
} from './jobs.js';

/** How long a worker may be silent before its jobs are given to others. */
export const leaseSeconds = 30;
/** How long a job that was handed back waits, so that trouble that passes does not use up its attempts. */
const pauseSeconds = 2;

/** The most leases that are renewed, and jobs that are ended, by one statement. */
const maxRenewals = 500;
const maxCompletions = 64;

/** The right to write to one attempt of a job. */
export type Lease = AttemptRef;

export interface ClaimedJob extends ClaimedAttempt {
  language: JobLanguage;
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

/** How far an attempt is. */
export interface Progress {
  percent: number;
  /** The rows that are stored. */
  rowsFetched: number;
  phase: RunPhase;
  /** Whether `percent` is a measure, and no guess. */
  isExact: boolean;
  /** The rows are of all events at or after this moment; null where that cannot be said. */
  coveredSince: string | null;
  /** Undefined while they are not known. */
  columns: ResultColumn[] | undefined;
}

const identityOf = ({ orgId }: { orgId: string }): Identity => systemIdentity(orgId, 'jobs');

const leaseEnd = `clock_timestamp() + interval '${leaseSeconds} seconds'`;
const held = `id = $1 AND attempt = $2 AND status = 'RUNNING'`;
const progressed = `lease_until = ${leaseEnd}, updated_at = clock_timestamp(), percent = greatest(percent, $3), rows_fetched = $4,
  phase = $5, is_exact = $6, covered_since = $7, columns = coalesce($8, columns)`;
const progressParameters = ({ percent, rowsFetched, phase, isExact, coveredSince, columns }: Progress): unknown[] => [
  percent,
  rowsFetched,
  phase,
  isExact,
  coveredSince,
  columns && JSON.stringify(columns),
];
const endLease = 'lease_until = NULL, worker_id = NULL, phase = NULL, updated_at = clock_timestamp()';

export class LeaseStore {
  readonly #renewals: Batching<Lease, boolean>;
  readonly #completions: Batching<WholeResult, boolean>;
  readonly #resultUse = new RecentUse();
  /** Which organisations were told that they use much of their quota of running jobs, until the memory fades. */
  readonly #toldOfRunning = new Map<string, number>();

  constructor(readonly postgres: Postgres) {
    this.#renewals = new Batching((leases) => renewLeases(postgres, leases, leaseSeconds), maxRenewals);
    this.#completions = new Batching((results) => this.#completeAll(results), maxCompletions);
  }

  /** Begins attempts at up to `count` jobs of the pool's organisations: see claimJobs. */
  async claim(pool: string, workerId: string, count: number): Promise<ClaimedJob[]> {
    const options = { pool, workerId, count, leaseSeconds, pauseSeconds, step: step('claim') };
    const jobs = (await claimJobs(this.postgres, options)) as ClaimedJob[];
    await this.#noteRunning(jobs);
    return jobs;
  }

  /** Renews the lease. @returns false when it is lost */
  renew(lease: Lease): Promise<boolean> {
    return this.#renewals.add(lease);
  }

  /**
   * Adds rows to the result where there are any, tells the progress and renews the lease.
   * @returns false when the lease is lost
   * @throws QUOTA_EXCEEDED where the organisation's results would be too large together; nothing is added then
   */
  async append(lease: Lease, chunk: Chunk | undefined, progress: Progress): Promise<boolean> {
    const set = `${progressed}, result_bytes = result_bytes + $9`;
    return this.#fenced(
      lease,
      set,
      [...progressParameters(progress), chunk?.jsonBytes ?? 0],
      async (tx) => chunk && insertChunks(tx, lease, [chunk]),
    );
  }

  /** Puts rows in the place of those that the attempt has stored; else as append. */
  async replace(lease: Lease, chunks: readonly Chunk[], progress: Progress): Promise<boolean> {
    const set = `${progressed}, result_bytes = $9, revision = revision + 1`;
    return this.#fenced(lease, set, [...progressParameters(progress), jsonBytesOf(chunks)], async (tx) => {
      await deleteChunks(tx, lease.jobId);
      await insertChunks(tx, lease, chunks);
    });
  }

  /** Keeps how the attempt's query ran, whatever became of the job since; watchers are not told. */
  async storePlan({ orgId, jobId, attempt }: Lease, report: QueryReport): Promise<void> {
    await this.postgres.withOrg(identityOf({ orgId }), (tx) =>
      tx.query('UPDATE jobs SET plan = $3 WHERE id = $1 AND attempt = $2', [jobId, attempt, JSON.stringify(report)]),
    );
  }

  /**
   * Ends the job with its result, whose last rows come with it.
   * @returns false when the lease is lost
   * @throws QUOTA_EXCEEDED as append does; the job runs on then
   */
  async complete(lease: Lease, result: JobResult, last: Chunk | undefined): Promise<boolean> {
    const { columns, rowCount, render, search } = result;
    if (last === undefined || this.#resultUse.take(lease.orgId, last.jsonBytes)) {
      return this.#completions.add({
        ...lease,
        columns: JSON.stringify(columns),
        rowCount,
        render: render === undefined ? null : JSON.stringify(render),
        search: search === undefined ? null : JSON.stringify(search),
        chunk: last ?? null,
      });
    }
    return this.#step(
      'complete',
      lease,
      `columns = $3, rows_fetched = $4, percent = 100, is_exact = true, covered_since = NULL, result_bytes = result_bytes + $5, render = $6, search = $7, completed_at = clock_timestamp(),
       expires_at = clock_timestamp() + result_ttl_seconds * interval '1 second'`,
      [
        JSON.stringify(columns),
        rowCount,
        last?.jsonBytes ?? 0,
        render && JSON.stringify(render),
        search && JSON.stringify(search),
      ],
      async (tx) => this.#resultUse.note(lease.orgId, await insertChunks(tx, lease, [last])),
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

  /** One result that cannot be stored fails alone. */
  async #completeAll(results: WholeResult[]): Promise<(boolean | Promise<boolean>)[]> {
    try {
      return await completeJobs(this.postgres, results, step('complete'));
    } catch (error) {
      if (results.length === 1 || error instanceof HarborwatchError) throw error;
      return results.map((result) => this.#completeAll([result]).then(([isHeld]) => isHeld!));
    }
  }

  /** Writes down who has come near the quota of running jobs; best effort, since nobody waits for it. */
  async #noteRunning(jobs: readonly ClaimedAttempt[]): Promise<void> {
    const claimed = new Map<string, ClaimedAttempt & { claimed: number }>();
    for (const job of jobs) {
      claimed.set(job.orgId, { ...job, claimed: (claimed.get(job.orgId)?.claimed ?? 0) + 1 });
    }
    for (const { orgId, ranBefore, mayRun, claimed: count } of claimed.values()) {
      const percent = mayRun === null ? 0 : Math.floor((100 * (ranBefore + count)) / mayRun);
      const told = this.#toldOfRunning.get(orgId) ?? 0;
      if (percent < 80 || percent <= told) continue;
      this.#toldOfRunning.set(orgId, percent);
      const identity = identityOf({ orgId });
      await this.postgres
        .withOrg(identity, async (tx) =>
          noteUse(tx, identity, 'jobs', await readUse(tx, 'runningJobs', runningJobs), 0),
        )
        .catch(() => {});
    }
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
 * Adds chunks whose size the job's row has already. Jobs that add chunks at the same moment do not see each other's: the
 * quota is passed by what each of them adds at once at most.
 */
async function insertChunks(tx: Tx, lease: Lease, chunks: readonly Chunk[]): Promise<QuotaUse> {
  const { orgId, jobId, attempt } = lease;
  const { used: usedWithThem, ...quota } = await readUse(tx, 'resultBytes', keptResultBytes);
  const adding = jsonBytesOf(chunks);
  const use = { ...quota, used: usedWithThem - adding };
  requireRoom('jobs', use, adding);
  for (const chunk of chunks) {
    await tx.query(
      `INSERT INTO job_results (org_id, job_id, attempt, first_row, row_count, json_bytes, data)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [orgId, jobId, attempt, chunk.firstRow, chunk.rowCount, chunk.jsonBytes, chunk.data],
    );
  }
  await noteUse(tx, identityOf(lease), 'jobs', use, adding);
  return { ...quota, used: usedWithThem };
}

const jsonBytesOf = (chunks: readonly Chunk[]): number => chunks.reduce((sum, { jsonBytes }) => sum + jsonBytes, 0);

async function deleteChunks(tx: Tx, jobId: string): Promise<void> {
  await tx.query('DELETE FROM job_results WHERE job_id = $1', [jobId]);
}
