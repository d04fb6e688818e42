/** How long the log of what happened to jobs is kept, over all organisations. */
import type { Postgres } from '../postgres/postgres.js';

const keptDays = 7;
const batch = 5_000;
const maxBatches = 20;

/**
 * Deletes events that are older than 7 days: the log's beginning, up to the first younger one, so that it keeps no holes.
 * Ends early where another process is at it. @returns how many
 */
export async function deleteOldJobEvents(postgres: Postgres): Promise<number> {
  let count = 0;
  for (let round = 0; round < maxBatches; round += 1) {
    const deleted = await deleteBatch(postgres);
    count += deleted;
    if (deleted < batch) break;
  }
  return count;
}

async function deleteBatch(postgres: Postgres): Promise<number> {
  return postgres.asSystem(async (tx) => {
    const [lock] = await tx.query<{ isFree: boolean }>(
      `SELECT pg_try_advisory_xact_lock(hashtextextended('harborwatch:job_events:old', 0)) AS "isFree"`,
    );
    if (!lock!.isFree) return 0;
    const [deleted] = await tx.query<{ count: number }>(
      `WITH oldest AS MATERIALIZED (
         SELECT tx, seq, occurred_at FROM job_events ORDER BY tx, seq LIMIT ${batch}
       ), first_kept AS (
         SELECT tx, seq FROM oldest WHERE occurred_at >= now() - interval '${keptDays} days' ORDER BY tx, seq LIMIT 1
       ), deleted AS (
         DELETE FROM job_events event USING oldest
          WHERE event.tx = oldest.tx AND event.seq = oldest.seq
            AND NOT EXISTS (SELECT FROM first_kept WHERE (oldest.tx, oldest.seq) >= (first_kept.tx, first_kept.seq))
         RETURNING 1
       )
       SELECT count(*)::int AS count FROM deleted`,
    );
    return deleted!.count;
  });
}
