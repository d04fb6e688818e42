/**
 * What starts, keeps and ends the attempts of jobs, of all organisations together: who works off thousands of short jobs
 * a second cannot open a transaction for each.
 */
import { tierLimits } from '../org-limits.js';
import type { Postgres } from '../postgres/postgres.js';
import { isUnlimited } from '../quotas.js';
import { sharedPool } from '../worker-pools.js';
import { workerSilenceSeconds } from './workers.js';

/** Claims of all processes come one after the other. */
const claimsLock = 'harborwatch:claims';

/**
 * The attempts of `refs` that are still held, with their rows locked in one order: statements over several jobs never
 * wait for each other in a circle.
 */
const heldInOrder = (refs: string): string => `held AS (
  SELECT j.org_id, j.id FROM jobs j JOIN ${refs} ref USING (org_id, id)
   WHERE j.attempt = ref.attempt AND j.status = 'RUNNING' ORDER BY j.id FOR NO KEY UPDATE OF j)`;

/** How many jobs an organisation has started for each that one of weight 1 has, while both have some that wait. */
const weights = { ENTERPRISE: 4, PRO: 2, BASIC: 1 };

/**
 * The status of a job that is found by its id. The plan is kept, and may be made while no job waits: going through the
 * index of those that wait would look just as well then. No index has this expression.
 */
const statusOfOne = (job: string): string => `(${job}.status || '')`;

/** A claim looks at so many jobs more than it takes: some may be locked. */
const spare = 4;

/** The right to write to one attempt of a job. */
export interface AttemptRef {
  orgId: string;
  jobId: string;
  attempt: number;
}

/** An attempt that has begun. */
export interface ClaimedAttempt extends AttemptRef {
  language: string;
  query: string;
  dataset: string | null;
  rangeFrom: string | null;
  rangeTo: string | null;
  timeoutMs: number;
  /** How many of the organisation's jobs ran before the claim, and how many may; null for no limit. */
  ranBefore: number;
  mayRun: number | null;
}

export interface ClaimOptions {
  pool: string;
  workerId: string;
  /** How many at most. */
  count: number;
  leaseSeconds: number;
  /** How long a job that was handed back waits. */
  pauseSeconds: number;
  /** The states' step, as SQL: see subgraphs/jobs/states.ts. */
  step: { from: string; to: string };
}

/**
 * Begins attempts at up to `count` jobs of the pool. Whose they are is decided by start-time fair queueing (P. Goyal,
 * H. Vin, H. Cheng, "Start-time Fair Queueing", 1996): every start moves its organisation on by 1 over its weight, and
 * the one that is least far goes next; one that had nothing to do gains no credit by it. Within an organisation the most
 * urgent goes first, the oldest among equals. At most as many run of an organisation as its quota admits: claims come one
 * after the other, so that each sees what those before it have started. For the same reason none waits for a job that
 * somebody else has locked: all others would wait with it.
 */
export async function claimJobs(
  postgres: Postgres,
  { pool, workerId, count, leaseSeconds, pauseSeconds, step }: ClaimOptions,
): Promise<ClaimedAttempt[]> {
  return postgres.queryAsSystem<ClaimedAttempt>(
    `WITH RECURSIVE waiting AS (
         (SELECT org_id FROM jobs WHERE status = 'PENDING' ORDER BY org_id LIMIT 1)
         UNION ALL
         SELECT (SELECT org_id FROM jobs WHERE status = 'PENDING' AND org_id > waiting.org_id ORDER BY org_id LIMIT 1)
           FROM waiting WHERE waiting.org_id IS NOT NULL
       ), shares AS (
         SELECT orgs.id AS org_id, ($5::jsonb ->> orgs.tier)::float8 AS weight,
                greatest(turns.virtual_time, clock.virtual_time, 0) AS virtual_time,
                CASE WHEN NOT ${isUnlimited('runningJobs')}
                     THEN coalesce(orgs.limits ->> 'runningJobs', $6::jsonb ->> orgs.tier)::bigint END AS may_run,
                CASE WHEN ${isUnlimited('runningJobs')} THEN 0
                     ELSE (SELECT count(*) FROM jobs WHERE org_id = orgs.id AND status = 'RUNNING') END AS ran_before
           FROM orgs JOIN waiting ON waiting.org_id = orgs.id
           LEFT JOIN job_turns AS turns ON turns.org_id = orgs.id AND turns.pool = $1
           LEFT JOIN job_clocks AS clock ON clock.pool = $1
          WHERE coalesce(orgs.worker_pool, '${sharedPool}') = $1
             OR ($1 = '${sharedPool}' AND NOT EXISTS (
                  SELECT 1 FROM job_workers w WHERE w.pool = orgs.worker_pool
                     AND w.seen_at > clock_timestamp() - interval '${workerSilenceSeconds} seconds'))
       ), candidates AS (
         SELECT shares.*, next.id, next.created_at,
                shares.virtual_time + (row_number() OVER (PARTITION BY shares.org_id
                  ORDER BY next.priority DESC, next.created_at, next.id) - 1) / shares.weight AS start
           FROM shares CROSS JOIN LATERAL (
             SELECT id, priority, created_at FROM jobs
              WHERE org_id = shares.org_id AND status = 'PENDING'
                AND (attempt = 0 OR updated_at < clock_timestamp() - $7 * interval '1 second')
              ORDER BY priority DESC, created_at, id LIMIT greatest(0, least($2::bigint + ${spare}, shares.may_run - shares.ran_before))
           ) AS next
       ), chosen AS (
         SELECT * FROM candidates ORDER BY start, created_at, id LIMIT $2::bigint + ${spare}
       ), free AS (
         SELECT chosen.* FROM chosen CROSS JOIN LATERAL (
           SELECT FROM jobs j WHERE j.org_id = chosen.org_id AND j.id = chosen.id AND ${statusOfOne('j')} IN (${step.from})
              FOR NO KEY UPDATE SKIP LOCKED
         ) AS locked LIMIT $2::bigint
       ), claimed AS (
         UPDATE jobs j
            SET status = ${step.to}, attempt = j.attempt + 1, worker_id = $3, lease_until = clock_timestamp() + $4 * interval '1 second',
                started_at = clock_timestamp(), updated_at = clock_timestamp(), phase = 'PLANNING', percent = 0, rows_fetched = 0,
                is_exact = false, covered_since = NULL, revision = 0, columns = NULL, result_bytes = 0,
                feed_horizon = pg_snapshot_xmin(pg_current_snapshot())
           FROM free WHERE j.org_id = free.org_id AND j.id = free.id
         RETURNING j.org_id, j.id, j.attempt, j.language, j.query, j.dataset, j.range_from, j.range_to, j.timeout_ms,
                   free.start, free.weight, free.ran_before, free.may_run
       ), turned AS (
         INSERT INTO job_turns (org_id, pool, virtual_time) SELECT org_id, $1, max(start + 1 / weight) FROM claimed GROUP BY org_id
         ON CONFLICT (org_id) DO UPDATE SET pool = excluded.pool, virtual_time = excluded.virtual_time
       ), clocked AS (
         INSERT INTO job_clocks (pool, virtual_time) SELECT $1, max(start) FROM claimed HAVING count(*) > 0
         ON CONFLICT (pool) DO UPDATE SET virtual_time = greatest(job_clocks.virtual_time, excluded.virtual_time)
       ), cleared AS (
         DELETE FROM job_results r USING claimed WHERE r.org_id = claimed.org_id AND r.job_id = claimed.id AND claimed.attempt > 1
       )
       SELECT org_id AS "orgId", id AS "jobId", attempt, language, query, dataset, range_from AS "rangeFrom", range_to AS "rangeTo",
              timeout_ms AS "timeoutMs", ran_before::float8 AS "ranBefore", may_run::float8 AS "mayRun"
         FROM claimed ORDER BY start`,
    [
      pool,
      count,
      workerId,
      leaseSeconds,
      JSON.stringify(weights),
      JSON.stringify(
        Object.fromEntries(Object.entries(tierLimits).map(([tier, limits]) => [tier, limits.runningJobs])),
      ),
      pauseSeconds,
    ],
    { lock: claimsLock },
  );
}

/**
 * Renews leases. Waits for nobody who writes to one of the jobs: the others' leases, and the news of their cancels, would
 * wait too. That is the attempt itself, which renews its lease by it, or an end, which the next renewal sees.
 * @returns which of them are still held, in order
 */
export async function renewLeases(
  postgres: Postgres,
  leases: readonly AttemptRef[],
  leaseSeconds: number,
): Promise<boolean[]> {
  const held = await postgres.queryAsSystem<{ jobId: string }>(
    `WITH lease AS (
       SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS lease (org_id, id, attempt)
     ), held AS (
       SELECT j.org_id, j.id FROM jobs j JOIN lease USING (org_id, id) WHERE j.attempt = lease.attempt AND j.status = 'RUNNING'
     ), free AS (
       SELECT j.org_id, j.id FROM jobs j JOIN lease USING (org_id, id)
        WHERE j.attempt = lease.attempt AND j.status = 'RUNNING' FOR NO KEY UPDATE OF j SKIP LOCKED
     ), renewed AS (
       UPDATE jobs j SET lease_until = clock_timestamp() + $4 * interval '1 second'
         FROM free WHERE j.org_id = free.org_id AND j.id = free.id
     )
     SELECT id AS "jobId" FROM held`,
    [...columnsOf(leases), leaseSeconds],
  );
  return whichOf(leases, held);
}

/** A result that is whole, with the rows that are not stored yet; at most one chunk of them. */
export interface WholeResult extends AttemptRef {
  columns: string;
  rowCount: number;
  render: string | null;
  search: string | null;
  chunk: { firstRow: number; rowCount: number; jsonBytes: number; data: Buffer } | null;
}

/** Ends attempts with their results. @returns which of them were still held, in order; the others change nothing */
export async function completeJobs(
  postgres: Postgres,
  results: readonly WholeResult[],
  { to }: { to: string },
): Promise<boolean[]> {
  const chunkOf = (of: (chunk: NonNullable<WholeResult['chunk']>) => number | Buffer) =>
    results.map(({ chunk }) => chunk && of(chunk));
  const ended = await postgres.queryAsSystem<{ jobId: string }>(
    `WITH result AS (
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::jsonb[], $5::int[], $6::json[], $7::json[],
                              $8::int[], $9::int[], $10::int[], $11::bytea[])
           AS result (org_id, id, attempt, columns, rows, render, search, first_row, row_count, json_bytes, data)
       ), ${heldInOrder('result')}, ended AS (
         UPDATE jobs j
            SET status = ${to}, columns = result.columns, rows_fetched = result.rows, percent = 100, is_exact = true,
                covered_since = NULL, phase = NULL, result_bytes = result_bytes + coalesce(result.json_bytes, 0),
                render = result.render, search = result.search, lease_until = NULL, worker_id = NULL,
                updated_at = clock_timestamp(), completed_at = clock_timestamp(),
                expires_at = clock_timestamp() + result_ttl_seconds * interval '1 second'
           FROM held JOIN result USING (org_id, id) WHERE j.org_id = held.org_id AND j.id = held.id
         RETURNING j.org_id, j.id
       ), stored AS (
         INSERT INTO job_results (org_id, job_id, attempt, first_row, row_count, json_bytes, data)
         SELECT org_id, id, attempt, first_row, row_count, json_bytes, data FROM result JOIN ended USING (org_id, id)
          WHERE first_row IS NOT NULL
       )
       SELECT id AS "jobId" FROM ended`,
    [
      ...columnsOf(results),
      results.map(({ columns }) => columns),
      results.map(({ rowCount }) => rowCount),
      results.map(({ render }) => render),
      results.map(({ search }) => search),
      chunkOf(({ firstRow }) => firstRow),
      chunkOf(({ rowCount }) => rowCount),
      chunkOf(({ jsonBytes }) => jsonBytes),
      chunkOf(({ data }) => data),
    ],
  );
  return whichOf(results, ended);
}

const columnsOf = (refs: readonly AttemptRef[]): unknown[] => [
  refs.map(({ orgId }) => orgId),
  refs.map(({ jobId }) => jobId),
  refs.map(({ attempt }) => attempt),
];

/** Ids are unique over all organisations: they are made at random. */
function whichOf(refs: readonly AttemptRef[], found: readonly { jobId: string }[]): boolean[] {
  const ids = new Set(found.map(({ jobId }) => jobId));
  return refs.map(({ jobId }) => ids.has(jobId));
}
