/** What is counted over an organisation's jobs, which of its queries were slow, and the end of all that wait. */
import type { Identity } from '../../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import { countRows } from '../../../platform/postgres/count.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { today } from '../../../platform/quotas.js';
import { recordAct } from '../../../platform/self-audit.js';
import {
  type PoolSlots,
  type QueueFigures,
  readPoolSlots,
  readQueueFigures,
} from '../../../platform/system/queue-figures.js';
import type { QueryReport } from '../../../query/index.js';
import { startWithinMs } from '../sla.js';
import { step } from '../states.js';
import { type JobRow, jobColumns, mostUrgentFirst } from './jobs.js';

/** A job that took long, with how its query ran. */
export interface SlowJob extends JobRow {
  completedAt: string;
  plan: QueryReport | null;
}

/** What the jobs that ended on a day (UTC) took. */
export interface JobDay {
  /** Such as 2026-01-31. */
  day: string;
  completed: number;
  failed: number;
  cancelled: number;
  cacheHits: number;
  /** Whole milliseconds. */
  executionMs: string;
  rows: string;
}

/** The shortest time that the index of slow jobs knows of beside those whose plan was kept. */
const indexedSlow = `completed_at IS NOT NULL AND (plan IS NOT NULL OR completed_at - started_at >= interval '100 milliseconds')`;
const slow = (slowMs: string): string =>
  `${indexedSlow} AND (plan IS NOT NULL OR (status IN ('COMPLETED', 'FAILED') AND result_of IS NULL
     AND completed_at - started_at > ${slowMs} * interval '1 millisecond'))`;

/** For how long an alert's cause has to be away before the alert is over. */
const quietSeconds = 120;

/** What is written down of an alert that begins. */
export interface NoticedAlert {
  kind: string;
  severity: string;
  message: string;
  value: number;
  threshold: number;
}

const aboutAlert = (kind: string) =>
  ({ module: 'jobs', class: 'queue', instanceId: kind, priority: 'WARN', remoteIp: null }) as const;

export class StatsStore {
  constructor(readonly postgres: Postgres) {}

  /** The queue now, and the jobs that ended in the last `periodSeconds`. */
  async figures(identity: Identity, periodSeconds: number): Promise<QueueFigures> {
    return readQueueFigures(this.postgres, identity, periodSeconds, startWithinMs);
  }

  /** The live workers of all pools. */
  async pools(): Promise<PoolSlots[]> {
    return readPoolSlots(this.postgres);
  }

  /** Since when alerts are on, by kind, as far as the watch has noticed them. */
  async alertsSince(identity: Identity): Promise<Map<string, string>> {
    const rows = await this.#read(identity, (tx) =>
      tx.query<{ kind: string; since: string }>('SELECT kind, since FROM queue_alerts'),
    );
    return new Map(rows.map(({ kind, since }) => [kind, since]));
  }

  /** An alert is on. @returns whether it was not on before: then that is an entry of the audit log */
  async beginAlert(identity: Identity, alert: NoticedAlert): Promise<boolean> {
    const { kind, message, ...data } = alert;
    return this.postgres.withOrg(identity, async (tx) => {
      await tx.query('UPDATE queue_alerts SET quiet_since = NULL WHERE kind = $1 AND quiet_since IS NOT NULL', [kind]);
      const begun = await tx.query(
        'INSERT INTO queue_alerts (org_id, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1',
        [identity.orgId, kind],
      );
      if (begun.length === 0) return false;
      await recordAct(tx, identity, {
        op: 'queue.degraded',
        ...aboutAlert(kind),
        message,
        data: { ...data },
      });
      return true;
    });
  }

  /**
   * What an alert was about is well. The alert is over when that has been so for a while: a queue that goes back and forth
   * over a threshold is one alert, and not one a minute.
   * @returns whether it was on, and is over now: then that is an entry of the audit log
   */
  async endAlert(identity: Identity, kind: string): Promise<boolean> {
    return this.postgres.withOrg(identity, async (tx) => {
      await tx.query('UPDATE queue_alerts SET quiet_since = now() WHERE kind = $1 AND quiet_since IS NULL', [kind]);
      const [ended] = await tx.query<{ since: string }>(
        "DELETE FROM queue_alerts WHERE kind = $1 AND quiet_since <= now() - $2 * interval '1 second' RETURNING since",
        [kind, quietSeconds],
      );
      if (!ended) return false;
      const { since } = ended;
      await recordAct(tx, identity, {
        op: 'queue.recovered',
        ...aboutAlert(kind),
        message: `${kind} is over; it was on since ${since}.`,
        data: { since },
      });
      return true;
    });
  }

  /** Newest end first; BACKWARD reads the other way. @param slowMs jobs that took longer, beside those with a plan */
  async slowJobs(identity: Identity, slowMs: number, page: PageRequest): Promise<SlowJob[]> {
    const [comparison, order] = page.direction === 'FORWARD' ? ['<', 'DESC'] : ['>', 'ASC'];
    const [completedAt, id] = page.position ?? [null, null];
    return this.#read(identity, (tx) =>
      tx.query<SlowJob>(
        `SELECT ${jobColumns}, plan FROM jobs WHERE ${slow('$1')}
            AND ($2::timestamptz IS NULL OR (completed_at, id) ${comparison} ($2::timestamptz, $3::uuid))
          ORDER BY completed_at ${order}, id ${order} LIMIT $4`,
        [slowMs, completedAt, id, page.limit + 1],
      ),
    );
  }

  async countSlowJobs(identity: Identity, slowMs: number): Promise<CappedCount> {
    return this.#read(identity, (tx) => countRows(tx, `jobs WHERE ${slow('$1')}`, [slowMs]));
  }

  /** The last `days` days with today, oldest first, those without a job too. */
  async days(identity: Identity, days: number): Promise<JobDay[]> {
    return this.#read(identity, (tx) =>
      tx.query<JobDay>(
        `SELECT day, count(*) FILTER (WHERE status = 'COMPLETED')::int AS completed,
                count(*) FILTER (WHERE status = 'FAILED')::int AS failed,
                count(*) FILTER (WHERE status = 'CANCELLED')::int AS cancelled,
                count(*) FILTER (WHERE is_cache_hit)::int AS "cacheHits",
                coalesce(round(sum(execution_us) / 1000), 0)::text AS "executionMs", coalesce(sum(row_count), 0)::text AS rows
           FROM (SELECT ${today} - back AS day FROM generate_series(0, $1::int - 1) AS back) AS calendar
           LEFT JOIN (
             SELECT (completed_at AT TIME ZONE 'UTC')::date AS day, status, is_cache_hit, execution_us, row_count FROM job_ends
              WHERE completed_at >= (${today} - ($1::int - 1))::timestamp AT TIME ZONE 'UTC'
           ) AS job USING (day)
          GROUP BY day ORDER BY day`,
        [days],
      ),
    );
  }

  /** Writes down that all waiting jobs are cancelled. @returns when: those that are submitted later stay */
  async beginFlush(identity: Identity): Promise<string> {
    return this.postgres.withOrg(identity, async (tx) => {
      const [now] = await tx.query<{ moment: string; waiting: number }>(
        `SELECT clock_timestamp() AS moment, (SELECT count(*)::int FROM jobs WHERE status = 'PENDING') AS waiting`,
      );
      const { moment, waiting } = now!;
      await recordAct(tx, identity, {
        op: 'queue.flush',
        module: 'jobs',
        class: 'queue',
        instanceId: null,
        message: `All waiting jobs are cancelled; ${waiting} wait.`,
        remoteIp: null,
        data: { waiting },
      });
      return moment;
    });
  }

  /**
   * Cancels the next `limit` jobs that wait since before the moment. Whoever claims one of them at the same time either
   * has it already, and it stays, or finds it cancelled.
   * @returns their ids, none where others work on all that wait at the moment; undefined when none waits any more
   */
  async cancelWaiting(identity: Identity, before: string, limit: number): Promise<string[] | undefined> {
    const waiting = `status = 'PENDING' AND created_at <= $1`;
    return this.postgres.withOrg(identity, async (tx) => {
      const rows = await tx.query<{ id: string }>(
        // Waits for no lock: who claims several waits for ours, and two who wait for each other would not go on.
        `WITH next AS (
           SELECT org_id, id FROM jobs WHERE ${waiting} ORDER BY ${mostUrgentFirst} LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE jobs j SET status = ${step('cancel').to}, completed_at = clock_timestamp(), updated_at = clock_timestamp()
           FROM next WHERE j.org_id = next.org_id AND j.id = next.id RETURNING j.id`,
        [before, limit],
      );
      const left = rows.length > 0 ? rows : await tx.query(`SELECT FROM jobs WHERE ${waiting} LIMIT 1`, [before]);
      return left.length > 0 ? rows.map(({ id }) => id) : undefined;
    });
  }

  #read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }
}
