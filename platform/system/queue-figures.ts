/**
 * What is going on in the queue of jobs: of one organisation, or of all at once for those who watch over them. Exact:
 * counted and ranked over every job of the period.
 */
import type { Identity, Tier } from '../identity.js';
import type { LimitOverrides } from '../org-limits.js';
import type { Postgres } from '../postgres/postgres.js';
import { sharedPool } from '../worker-pools.js';
import { workerSilenceSeconds } from './workers.js';

/** The most urgent first. */
export const jobPriorities = ['HIGH', 'NORMAL', 'LOW'] as const;
type Priority = (typeof jobPriorities)[number];

/** How soon jobs of each priority are to start. */
export type StartPromises = Readonly<Record<Priority, number>>;

/** One organisation's queue. Jobs count in the period that they ended in. */
export interface QueueFigures {
  orgId: string;
  /** The worker pool that its jobs are meant for. */
  pool: string;
  tier: Tier;
  limits: LimitOverrides;
  running: number;
  completed: number;
  failed: number;
  cancelled: number;
  /** Over the jobs that completed or failed; those that an older result answered ran for nobody, and are left out. */
  meanExecutionUs: number | null;
  /** The 50th, 95th and 99th percentile of the same, by nearest rank: the time of a job that there was. */
  executionUs: [p50: number, p95: number, p99: number] | null;
  byPriority: Record<Priority, StartFigures>;
  /** Callbacks that were given up in the last day; counted up to 1,000. */
  deadCallbacks: number;
}

/** How the jobs of a priority start: those that ended in the period, and those that run. */
export interface StartFigures {
  /** How many wait. */
  pending: number;
  /** How many of them should have started before now. */
  overdue: number;
  started: number;
  startedInTime: number;
  /** From submission to the first start. */
  p95StartDelayUs: number | null;
}

type Named = [sql: string, name: string];

const ofPriorities = (promises: StartPromises, of: (isOf: string, promiseMs: number) => Named[]): string =>
  jobPriorities
    .flatMap((priority) =>
      of(`priority = '${priority}'`, promises[priority]).map(([sql, name]) => `${sql} AS "${priority} ${name}"`),
    )
    .join(', ');

const endedInPeriod = `job_ends WHERE org_id = orgs.id AND completed_at > now() - $1 * interval '1 second'`;

/** What waits, what runs, and how jobs ended. */
const queue = (promises: StartPromises): string => `
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'COMPLETED')::int AS completed, count(*) FILTER (WHERE status = 'FAILED')::int AS failed,
           count(*) FILTER (WHERE status = 'CANCELLED')::int AS cancelled, avg(execution_us)::float8 AS "meanExecutionUs",
           percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY execution_us)::float8[] AS "executionUs"
      FROM ${endedInPeriod}
  ) AS ended
  CROSS JOIN LATERAL (SELECT count(*)::int AS running FROM jobs WHERE org_id = orgs.id AND status = 'RUNNING') AS now_running
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS "deadCallbacks" FROM (
      SELECT FROM job_callbacks WHERE org_id = orgs.id AND status = 'DEAD' AND died_at > now() - interval '1 day' LIMIT 1000
    ) AS dead
  ) AS calls
  CROSS JOIN LATERAL (
    SELECT ${ofPriorities(promises, (isOf, promiseMs) => [
      [`count(*) FILTER (WHERE ${isOf})::int`, 'pending'],
      [
        `count(*) FILTER (WHERE ${isOf} AND first_started_at IS NULL AND created_at < now() - interval '${promiseMs} ms')::int`,
        'overdue',
      ],
    ])} FROM jobs WHERE org_id = orgs.id AND status = 'PENDING'
  ) AS waiting`;

/** How jobs began. */
const starts = (promises: StartPromises): string => `
  CROSS JOIN LATERAL (
    SELECT ${ofPriorities(promises, (isOf, promiseMs) => [
      [`count(start_delay_us) FILTER (WHERE ${isOf})::int`, 'started'],
      [`count(*) FILTER (WHERE ${isOf} AND start_delay_us <= ${promiseMs * 1_000})::int`, 'startedInTime'],
      [
        `percentile_disc(0.95) WITHIN GROUP (ORDER BY start_delay_us) FILTER (WHERE ${isOf})::float8`,
        'p95StartDelayUs',
      ],
    ])}
      FROM (
        SELECT priority, start_delay_us FROM ${endedInPeriod}
        UNION ALL
        SELECT priority, (date_part('epoch', first_started_at - created_at) * 1000000)::bigint FROM jobs
         WHERE org_id = orgs.id AND status = 'RUNNING'
      ) AS job
  ) AS begun`;

const columns = `orgs.id AS "orgId", coalesce(orgs.worker_pool, '${sharedPool}') AS pool, orgs.tier, orgs.limits`;
const columnsOfQueue = `${columns}, ended.*, now_running.*, calls.*, waiting.*`;

/** The figures of priorities stand side by side: `HIGH pending`. */
type FiguresRow = Omit<QueueFigures, 'byPriority'> & Record<string, unknown>;

function toFigures(row: FiguresRow): QueueFigures {
  const flat: Record<string, unknown> = {};
  const byPriority = {} as Record<Priority, Record<string, unknown>>;
  for (const [name, value] of Object.entries(row)) {
    const [priority, figure] = name.split(' ') as [Priority, string | undefined];
    if (figure === undefined) flat[name] = value;
    else {
      byPriority[priority] ??= {};
      byPriority[priority][figure] = value;
    }
  }
  return { ...flat, byPriority } as unknown as QueueFigures;
}

/**
 * Of the identity's organisation, over the jobs that ended in the last `periodSeconds`. How jobs ended and how they began
 * is ranked at the same time, on two connections: each takes half as long as both.
 */
export async function readQueueFigures(
  postgres: Postgres,
  identity: Identity,
  periodSeconds: number,
  promises: StartPromises,
): Promise<QueueFigures> {
  const read = (selected: string, from: string) =>
    postgres.withOrg(
      identity,
      async (tx) => {
        // So much is ranked in memory; with the default, a day's jobs go through files.
        await tx.query(`SELECT set_config('work_mem', '64MB', true)`);
        const [row] = await tx.query<FiguresRow>(`SELECT ${selected} FROM orgs ${from}`, [periodSeconds]);
        return row!;
      },
      { readOnly: true },
    );
  const [ofQueue, ofStarts] = await Promise.all([
    read(columnsOfQueue, queue(promises)),
    read('begun.*', starts(promises)),
  ]);
  return toFigures({ ...ofQueue, ...ofStarts });
}

/** A queue with the kinds of alerts about it that are on. */
export interface WatchedQueue extends QueueFigures {
  alerts: string[];
  /** Those among them whose cause was there at the last look. */
  loudAlerts: string[];
}

/** Of every organisation that had a job in the period, has one now, or has an alert on. */
export async function readQueuesInUse(
  postgres: Postgres,
  periodSeconds: number,
  promises: StartPromises,
): Promise<WatchedQueue[]> {
  const rows = await postgres.asSystem((tx) =>
    tx.query<FiguresRow & Pick<WatchedQueue, 'alerts' | 'loudAlerts'>>(
      `SELECT figures.*, ARRAY(SELECT kind FROM queue_alerts WHERE org_id = figures."orgId") AS alerts,
              ARRAY(SELECT kind FROM queue_alerts WHERE org_id = figures."orgId" AND quiet_since IS NULL) AS "loudAlerts"
         FROM (SELECT ${columnsOfQueue}, begun.* FROM orgs ${queue(promises)} ${starts(promises)}) AS figures
        WHERE running + completed + failed + cancelled + "deadCallbacks" > 0
           OR ${jobPriorities.map((priority) => `"${priority} pending"`).join(' + ')} > 0
           OR EXISTS (SELECT FROM queue_alerts WHERE org_id = figures."orgId")`,
      [periodSeconds],
    ),
  );
  return rows.map((row) => ({ ...toFigures(row), alerts: row.alerts, loudAlerts: row.loudAlerts }));
}

/** The live workers of a pool. */
export interface PoolSlots {
  pool: string;
  /** How many jobs they run at once. */
  slots: number;
  /** How many they run now; a few seconds old. */
  busy: number;
}

/** Every pool that has a live worker. */
export async function readPoolSlots(postgres: Postgres): Promise<PoolSlots[]> {
  return postgres.asSystem((tx) =>
    tx.query<PoolSlots>(
      `SELECT pool, sum(concurrency)::int AS slots, sum(least(running, concurrency))::int AS busy FROM job_workers
        WHERE seen_at > clock_timestamp() - interval '${workerSilenceSeconds} seconds' GROUP BY pool`,
    ),
  );
}

/**
 * Whether it is this process's turn to watch over the queues: one of all takes it each `everyMs`. Two that both took it
 * would do no harm.
 */
export async function takeWatch(postgres: Postgres, everyMs: number): Promise<boolean> {
  const rows = await postgres.asSystem((tx) =>
    tx.query(
      `INSERT INTO checkpoints AS old (log, consumer) VALUES ('jobs', 'queue-alerts')
       ON CONFLICT (log, consumer) DO UPDATE SET updated_at = clock_timestamp()
        WHERE old.updated_at < clock_timestamp() - $1 * interval '1 millisecond' RETURNING 1`,
      [everyMs],
    ),
  );
  return rows.length > 0;
}
