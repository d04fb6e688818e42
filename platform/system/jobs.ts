/** What of jobs has to look across organisations: the sweeps that find what nobody works on any more. */
import { tierLimits } from '../org-limits.js';
import type { Postgres } from '../postgres/postgres.js';
import { isUnlimited } from '../quotas.js';

/** A job of some organisation. */
export interface JobRef {
  orgId: string;
  jobId: string;
}

const batch = 500;

/**
 * Takes jobs from workers that were not heard of for the length of their lease. A job that has had `maxAttempts` ends
 * as FAILED with `error`, the others wait for a worker again.
 * @returns the jobs that changed
 */
export async function returnExpiredLeases(
  postgres: Postgres,
  { maxAttempts, error }: { maxAttempts: number; error: object },
): Promise<JobRef[]> {
  return postgres.asSystem((tx) =>
    tx.query<JobRef>(
      `WITH lost AS (
         SELECT org_id, id FROM jobs WHERE status = 'RUNNING' AND lease_until < clock_timestamp()
          LIMIT ${batch} FOR UPDATE SKIP LOCKED
       ), returned AS (
         UPDATE jobs j
            SET status = CASE WHEN attempt >= $1 THEN 'FAILED' ELSE 'PENDING' END,
                error = CASE WHEN attempt >= $1 THEN $2::jsonb END,
                completed_at = CASE WHEN attempt >= $1 THEN clock_timestamp() END,
                lease_until = NULL, worker_id = NULL, percent = 0, rows_fetched = 0, result_bytes = 0, updated_at = clock_timestamp()
           FROM lost WHERE j.org_id = lost.org_id AND j.id = lost.id
         RETURNING j.org_id, j.id
       ), cleared AS (
         DELETE FROM job_results r USING returned j WHERE r.org_id = j.org_id AND r.job_id = j.id
       )
       SELECT org_id AS "orgId", id AS "jobId" FROM returned`,
      [maxAttempts, JSON.stringify(error)],
    ),
  );
}

/**
 * The jobs that have waited for longer than `olderThanMs` and that their organisation's quota has room for, the most
 * urgent first.
 */
export async function findOverdueJobs(postgres: Postgres, olderThanMs: number, limit: number): Promise<JobRef[]> {
  const quotas = Object.entries(tierLimits).map(([tier, { runningJobs }]) => [tier, runningJobs]);
  return postgres.asSystem((tx) =>
    tx.query<JobRef>(
      `WITH overdue AS (
         SELECT org_id, id, priority, created_at,
                row_number() OVER (PARTITION BY org_id ORDER BY priority DESC, created_at, id) AS place
           FROM jobs WHERE status = 'PENDING' AND updated_at < clock_timestamp() - $1 * interval '1 millisecond'
       ), running AS (
         SELECT org_id, count(*) AS count FROM jobs WHERE status = 'RUNNING' GROUP BY org_id
       )
       SELECT overdue.org_id AS "orgId", overdue.id AS "jobId"
         FROM overdue JOIN orgs ON orgs.id = overdue.org_id LEFT JOIN running ON running.org_id = overdue.org_id
        WHERE ${isUnlimited('runningJobs')}
           OR place + coalesce(running.count, 0) <= coalesce(orgs.limits ->> 'runningJobs', $3::jsonb ->> orgs.tier)::float8
        ORDER BY overdue.priority DESC, overdue.created_at LIMIT $2`,
      [olderThanMs, limit, JSON.stringify(Object.fromEntries(quotas))],
    ),
  );
}

/** Deletes the results whose time is over. @returns of how many jobs */
export async function deleteExpiredResults(postgres: Postgres): Promise<number> {
  const rows = await postgres.asSystem((tx) =>
    tx.query(
      `WITH expired AS (
         SELECT org_id, id FROM jobs WHERE expires_at < now() AND purged_at IS NULL
          ORDER BY expires_at LIMIT ${batch} FOR UPDATE SKIP LOCKED
       ), cleared AS (
         DELETE FROM job_results r USING expired j WHERE r.org_id = j.org_id AND r.job_id = j.id
       )
       UPDATE jobs j SET purged_at = now(), result_bytes = 0 FROM expired WHERE j.org_id = expired.org_id AND j.id = expired.id
       RETURNING j.id`,
    ),
  );
  return rows.length;
}
