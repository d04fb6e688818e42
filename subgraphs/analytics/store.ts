/** The rollup's rows. Names and expressions in the statements come from the declarations, never from a caller. */
import type { Identity } from '../../platform/identity.js';
import type { Postgres, Tx } from '../../platform/postgres/postgres.js';
import type { MeasuredDataset, Severity } from './measures.js';

/** Whole minutes in milliseconds since the epoch, the end excluded. */
export interface Range {
  startMs: number;
  endMs: number;
}

/** The events of one severity in the present and in the previous period. */
export interface SeverityTotals {
  severity: Severity;
  events: string;
  errors: string;
  previousEvents: string;
}

/** The rollup's name among the followers of the change feed. */
export const rollupConsumer = 'analytics-rollup';

const iso = (ms: number): string => new Date(ms).toISOString();

export class AnalyticsStore {
  constructor(readonly postgres: Postgres) {}

  /** Keeps every other recomputation of the organisation's dataset out until the transaction ends. */
  async lockRollup(tx: Tx, orgId: string, dataset: string): Promise<void> {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`rollup:${orgId}:${dataset}`]);
  }

  /** Counts the minutes of the ranges anew from the raw events. Needs `lockRollup`. */
  async recount(tx: Tx, orgId: string, { dataset, measure }: MeasuredDataset, ranges: readonly Range[]): Promise<void> {
    const starts = ranges.map(({ startMs }) => iso(startMs));
    const ends = ranges.map(({ endMs }) => iso(endMs));
    const bounds = [
      iso(Math.min(...ranges.map(({ startMs }) => startMs))),
      iso(Math.max(...ranges.map(({ endMs }) => endMs))),
    ];
    await tx.query(
      `DELETE FROM event_rollup_minute USING unnest($2::timestamptz[], $3::timestamptz[]) AS range (starts, ends)
        WHERE dataset = $1 AND minute >= starts AND minute < ends`,
      [dataset.name, starts, ends],
    );
    const time = `"${dataset.timeColumn}"`;
    // $5 and $6 say nothing new: as constants they let the planner leave out the other months' partitions.
    await tx.query(
      `INSERT INTO event_rollup_minute (org_id, dataset, minute, severity, event_count, error_count)
       SELECT $1, $2, minute, severity, count(*), count(*) FILTER (WHERE severity IN ('critical', 'high') OR failed)
         FROM unnest($3::timestamptz[], $4::timestamptz[]) AS range (starts, ends)
        CROSS JOIN LATERAL (
          SELECT date_trunc('minute', ${time}, 'UTC') AS minute, ${measure.severity} AS severity, ${measure.failed} AS failed
            FROM ${dataset.name}
           WHERE ${time} >= starts AND ${time} < ends AND ${time} >= $5 AND ${time} < $6) AS event
        GROUP BY minute, severity`,
      [orgId, dataset.name, starts, ends, ...bounds],
    );
  }

  /** The time of the first event or counted minute from a moment on. */
  async nextTime(tx: Tx, { dataset }: MeasuredDataset, fromMs: number): Promise<string | null> {
    const time = `"${dataset.timeColumn}"`;
    const [row] = await tx.query<{ next: string | null }>(
      `SELECT least((SELECT ${time} FROM ${dataset.name} WHERE ${time} >= $2 ORDER BY ${time} LIMIT 1),
                    (SELECT minute FROM event_rollup_minute WHERE dataset = $1 AND minute >= $2 ORDER BY minute LIMIT 1)) AS next`,
      [dataset.name, iso(fromMs)],
    );
    return row!.next;
  }

  /** When the oldest batch came that the rollup does not count yet; null when it counts all. */
  async uncountedSince(tx: Tx, datasets: readonly string[]): Promise<string | null> {
    const [row] = await tx.query<{ since: string }>(
      `SELECT committed_at AS since FROM change_feed
        WHERE (tx, seq) > (coalesce((SELECT tx FROM checkpoints WHERE log = 'change_feed' AND consumer = $2), '0'),
                           coalesce((SELECT seq FROM checkpoints WHERE log = 'change_feed' AND consumer = $2), 0))
          AND dataset = ANY ($1)
        ORDER BY tx, seq LIMIT 1`,
      [datasets, rollupConsumer],
    );
    return row?.since ?? null;
  }

  /** The events of a period and of what came before it, by severity; severities without any are left out. */
  async totals(tx: Tx, datasets: readonly string[], previous: Range, present: Range): Promise<SeverityTotals[]> {
    return tx.query<SeverityTotals>(
      `SELECT severity,
              coalesce(sum(event_count) FILTER (WHERE minute >= $3), 0)::text AS events,
              coalesce(sum(error_count) FILTER (WHERE minute >= $3), 0)::text AS errors,
              coalesce(sum(event_count) FILTER (WHERE minute < $3), 0)::text AS "previousEvents"
         FROM event_rollup_minute WHERE dataset = ANY ($1) AND minute >= $2 AND minute < $4 GROUP BY severity`,
      [datasets, iso(previous.startMs), iso(present.startMs), iso(present.endMs)],
    );
  }

  /** A transaction that only reads, ended at the latest with the caller's deadline. */
  read<T>(identity: Identity, nowMs: number, fn: (tx: Tx) => Promise<T>): Promise<T> {
    const timeoutMs = Math.min(Math.max(identity.deadline - nowMs, 1), 30_000);
    return this.postgres.withOrg(identity, fn, { readOnly: true, timeoutMs });
  }
}
