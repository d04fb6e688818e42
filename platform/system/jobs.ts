/** What of jobs has to look across organisations: the sweeps that find what nobody works on any more. */
import type { Postgres } from '../postgres/postgres.js';

/** A job of some organisation. */
export interface JobRef {
  orgId: string;
  jobId: string;
}

const batch = 500;
/** A process that stands still in the middle of a sweep keeps the others from its jobs no longer than this. */
const limits = { timeoutMs: 120_000 };

/**
 * Takes jobs from workers that were not heard of for the length of their lease. A job that has had `maxAttempts` ends
 * as FAILED with `error`, the others wait for a worker again.
 * @returns the jobs that changed
 */
export async function returnExpiredLeases(
  postgres: Postgres,
  { maxAttempts, error }: { maxAttempts: number; error: object },
): Promise<JobRef[]> {
  return postgres.asSystem(
    (tx) =>
      tx.query<JobRef>(
        `WITH lost AS (
         SELECT org_id, id FROM jobs WHERE status = 'RUNNING' AND lease_until < clock_timestamp()
          LIMIT ${batch} FOR UPDATE SKIP LOCKED
       ), returned AS (
         UPDATE jobs j
            SET status = CASE WHEN attempt >= $1 THEN 'FAILED' ELSE 'PENDING' END,
                error = CASE WHEN attempt >= $1 THEN $2::jsonb END,
                completed_at = CASE WHEN attempt >= $1 THEN clock_timestamp() END,
                lease_until = NULL, worker_id = NULL, phase = NULL, percent = 0, rows_fetched = 0, result_bytes = 0,
                updated_at = clock_timestamp()
           FROM lost WHERE j.org_id = lost.org_id AND j.id = lost.id
         RETURNING j.org_id, j.id
       ), cleared AS (
         DELETE FROM job_results r USING returned j WHERE r.org_id = j.org_id AND r.job_id = j.id
       )
       SELECT org_id AS "orgId", id AS "jobId" FROM returned`,
        [maxAttempts, JSON.stringify(error)],
      ),
    limits,
  );
}

/**
 * How long results stay beyond their end, and beyond that of the jobs that have them as theirs. A transaction that saw a
 * result before its end, and prolongs it or takes it over, has ended by then: withOrg gives it 30 s.
 */
const purgeAfter = `now() - interval '1 minute'`;

/** Deletes the results whose time is over, for all jobs that have them. @returns of how many jobs */
export async function deleteExpiredResults(postgres: Postgres): Promise<number> {
  const rows = await postgres.asSystem((tx) =>
    tx.query(
      `WITH expired AS (
         SELECT org_id, id FROM jobs
          WHERE expires_at < ${purgeAfter} AND purged_at IS NULL
            AND NOT EXISTS (SELECT FROM jobs other WHERE other.org_id = jobs.org_id AND other.result_of = jobs.id
                               AND other.expires_at >= ${purgeAfter})
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

/** Cancels the jobs that are to end once nobody asks for them, where nobody has for long enough. @returns them */
export async function cancelUnaskedJobs(postgres: Postgres): Promise<JobRef[]> {
  return postgres.asSystem(async (tx) => {
    const cancelled = await tx.query<JobRef>(
      `WITH unasked AS (
         SELECT org_id, id FROM jobs
          WHERE cancel_unasked_seconds IS NOT NULL AND status IN ('PENDING', 'RUNNING')
            AND asked_at < clock_timestamp() - cancel_unasked_seconds * interval '1 second'
          LIMIT ${batch} FOR UPDATE SKIP LOCKED
       )
       UPDATE jobs j SET status = 'CANCELLED', completed_at = clock_timestamp(), updated_at = clock_timestamp(),
                         lease_until = NULL, worker_id = NULL, phase = NULL, result_bytes = 0
         FROM unasked WHERE j.org_id = unasked.org_id AND j.id = unasked.id
       RETURNING j.org_id AS "orgId", j.id AS "jobId"`,
    );
    // A statement of its own: the first one does not see the rows that a worker stored just before its lock.
    await tx.query(
      `DELETE FROM job_results r USING unnest($1::uuid[], $2::uuid[]) AS job (org_id, id)
        WHERE r.org_id = job.org_id AND r.job_id = job.id`,
      [cancelled.map(({ orgId }) => orgId), cancelled.map(({ jobId }) => jobId)],
    );
    return cancelled;
  }, limits);
}
