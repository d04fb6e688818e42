/** What Prometheus counts of the jobs of all organisations together. */
import type { Postgres } from '../postgres/postgres.js';

/** Ended jobs of one kind in one bucket. */
export interface CountedEnds {
  figure: 'ended' | 'duration' | 'startDelay';
  /** The status they ended in; of `startDelay`, the priority. */
  label: string;
  /** How many of the bounds are below the value; 0 of `ended`. */
  bucket: number;
  count: number;
  seconds: number;
}

/** Up to which transaction everything that will ever be there is there now. */
export async function readHorizon(postgres: Postgres): Promise<string> {
  const [row] = await postgres.asSystem((tx) =>
    tx.query<{ horizon: string }>('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon'),
  );
  return row!.horizon;
}

/** The ends from one horizon up to the other. @param boundsUs upper bounds of the buckets, in order */
export async function countEnds(
  postgres: Postgres,
  from: string,
  to: string,
  boundsUs: readonly number[],
): Promise<CountedEnds[]> {
  // A value on a bound is in the bucket below it.
  const bucketed = (figure: string, label: string, us: string) => `
    SELECT '${figure}', ${label}, width_bucket(${us} - 1, $3::bigint[]), count(*)::int, sum(${us})::float8 / 1000000
      FROM ended WHERE ${us} IS NOT NULL GROUP BY 2, 3`;
  return postgres.asSystem((tx) =>
    tx.query<CountedEnds>(
      `WITH ended AS (SELECT * FROM job_ends WHERE tx >= $1::xid8 AND tx < $2::xid8)
       SELECT 'ended' AS figure, status AS label, 0 AS bucket, count(*)::int AS count, 0::float8 AS seconds FROM ended GROUP BY 2
       UNION ALL ${bucketed('duration', 'status', 'execution_us')}
       UNION ALL ${bucketed('startDelay', 'priority::text', 'start_delay_us')}`,
      [from, to, boundsUs],
    ),
  );
}

/** What is so at the moment, by label. */
export interface QueueGauges {
  /** Jobs that run, by their organisation's tier. */
  runningByTier: Record<string, number>;
  /** Organisations with an alert about their queue, by its kind. */
  alertsByKind: Record<string, number>;
}

export async function readQueueGauges(postgres: Postgres): Promise<QueueGauges> {
  const [row] = await postgres.asSystem((tx) =>
    tx.query<QueueGauges>(
      `SELECT (SELECT coalesce(jsonb_object_agg(tier, jobs), '{}') FROM (
                 SELECT orgs.tier, count(*) AS jobs FROM jobs JOIN orgs ON orgs.id = jobs.org_id WHERE status = 'RUNNING' GROUP BY 1
               ) AS running) AS "runningByTier",
              (SELECT coalesce(jsonb_object_agg(kind, orgs), '{}') FROM (
                 SELECT kind, count(*) AS orgs FROM queue_alerts GROUP BY 1) AS alerts) AS "alertsByKind"`,
    ),
  );
  return row!;
}
