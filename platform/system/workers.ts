/** Who runs query jobs: the worker processes of all pools, and how much waits for them. */
import { tierLimits } from '../org-limits.js';
import type { Postgres } from '../postgres/postgres.js';
import { isUnlimited } from '../quotas.js';
import { sharedPool } from '../worker-pools.js';

/** A worker that was not seen for this long counts no more. */
export const workerSilenceSeconds = 15;
/** After this long its row goes. */
const forgottenAfterSeconds = 60;

/** What a worker process says of itself. */
export interface WorkerReport {
  workerId: string;
  pool: string;
  /** How many jobs it runs at once. */
  concurrency: number;
  /** How many it runs now. */
  running: number;
}

/** Writes down that the worker lives; sweeps away those that were not seen for a minute. */
export async function reportWorker(postgres: Postgres, report: WorkerReport): Promise<void> {
  const { workerId, pool, concurrency, running } = report;
  await postgres.asSystem((tx) =>
    tx.query(
      `WITH silent AS (
         SELECT worker_id FROM job_workers
          WHERE seen_at < clock_timestamp() - interval '${forgottenAfterSeconds} seconds' AND worker_id <> $1
            FOR UPDATE SKIP LOCKED
       ), swept AS (
         DELETE FROM job_workers w USING silent WHERE w.worker_id = silent.worker_id
       )
       INSERT INTO job_workers (worker_id, pool, concurrency, running) VALUES ($1, $2, $3, $4)
       ON CONFLICT (worker_id) DO UPDATE SET running = excluded.running, seen_at = clock_timestamp()`,
      [workerId, pool, concurrency, running],
    ),
  );
}

/** The worker takes no more jobs. */
export async function removeWorker(postgres: Postgres, workerId: string): Promise<void> {
  await postgres.asSystem((tx) => tx.query('DELETE FROM job_workers WHERE worker_id = $1', [workerId]));
}

/** What a pool has to do, and with how many hands. */
export interface PoolLoad {
  pool: string;
  /** Jobs of its organisations that wait. */
  pending: number;
  /** Those among them that their organisations' quotas have room for: more workers would start them. */
  startable: number;
  /** Jobs that its workers run; a few seconds old. */
  running: number;
  /** How many jobs its workers run at once; 0 where none lives. */
  slots: number;
}

/** The load of every pool that has a worker or a job that waits, and of the shared one. */
export async function readPoolLoads(postgres: Postgres): Promise<PoolLoad[]> {
  const quotas = Object.entries(tierLimits).map(([tier, { runningJobs }]) => [tier, runningJobs]);
  return postgres.asSystem((tx) =>
    tx.query<PoolLoad>(
      `WITH workers AS (
         SELECT pool, sum(concurrency) AS slots, sum(running) AS running FROM job_workers
          WHERE seen_at > clock_timestamp() - interval '${workerSilenceSeconds} seconds' GROUP BY pool
       ), waiting AS (
         SELECT coalesce(orgs.worker_pool, $2) AS pool, sum(jobs) AS pending,
                sum(CASE WHEN ${isUnlimited('runningJobs')} THEN jobs
                         ELSE least(jobs, greatest(0, coalesce(orgs.limits ->> 'runningJobs', $1::jsonb ->> orgs.tier)::bigint -
                           (SELECT count(*) FROM jobs WHERE org_id = orgs.id AND status = 'RUNNING')))
                    END) AS startable
           FROM (SELECT org_id, count(*) AS jobs FROM jobs WHERE status = 'PENDING' GROUP BY org_id) AS pending
           JOIN orgs ON orgs.id = pending.org_id GROUP BY 1
       )
       SELECT pool, coalesce(pending, 0)::float8 AS pending, coalesce(startable, 0)::float8 AS startable,
              coalesce(running, 0)::float8 AS running, coalesce(slots, 0)::float8 AS slots
         FROM workers FULL JOIN waiting USING (pool)
         FULL JOIN (SELECT $2::text AS pool) AS shared USING (pool)
        ORDER BY pool`,
      [JSON.stringify(Object.fromEntries(quotas)), sharedPool],
    ),
  );
}

/** What is there for the workers of a pool to do: the shared ones also serve the pools that have no worker. */
export function loadOf(pool: string, loads: readonly PoolLoad[]): Omit<PoolLoad, 'pool'> {
  const served = loads.filter((load) => load.pool === pool || (pool === sharedPool && load.slots === 0));
  const sum = (of: (load: PoolLoad) => number) => served.reduce((total, load) => total + of(load), 0);
  return {
    pending: sum(({ pending }) => pending),
    startable: sum(({ startable }) => startable),
    running: sum(({ running }) => running),
    slots: sum(({ slots }) => slots),
  };
}
