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
      // From organisation to organisation within the index, and in each no further than there is room: thousands may wait.
      `WITH RECURSIVE waiting AS (
         (SELECT org_id FROM jobs WHERE status = 'PENDING' ORDER BY org_id LIMIT 1)
         UNION ALL
         SELECT (SELECT org_id FROM jobs WHERE status = 'PENDING' AND org_id > waiting.org_id ORDER BY org_id LIMIT 1)
           FROM waiting WHERE waiting.org_id IS NOT NULL
       ), room AS (
         SELECT orgs.id AS org_id,
                CASE WHEN ${isUnlimited('runningJobs')} THEN $2::bigint
                     ELSE least($2::bigint, greatest(0, coalesce(orgs.limits ->> 'runningJobs', $3::jsonb ->> orgs.tier)::bigint -
                       (SELECT count(*) FROM jobs WHERE org_id = orgs.id AND status = 'RUNNING')))
                END AS jobs
           FROM orgs JOIN waiting ON waiting.org_id = orgs.id
       )
       SELECT room.org_id AS "orgId", overdue.id AS "jobId"
         FROM room CROSS JOIN LATERAL (
           SELECT id, priority, created_at FROM jobs
            WHERE org_id = room.org_id AND status = 'PENDING' AND updated_at < clock_timestamp() - $1 * interval '1 millisecond'
            ORDER BY priority DESC, created_at, id LIMIT room.jobs
         ) AS overdue
        ORDER BY overdue.priority DESC, overdue.created_at LIMIT $2::bigint`,
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
