/** What an organisation has sent: counted by a follower of the change feed, and from the feed itself behind it. */
import type { Tx } from './postgres/postgres.js';
import { dayStart, type QuotaRow, type QuotaUse, quotaColumns, today, toUse } from './quotas.js';

/** What was accepted on a day (UTC). */
export interface DayUsage {
  /** Such as 2026-01-31. */
  day: string;
  events: string;
  bytes: string;
}

/**
 * Whether a row of the feed is not counted yet. The sub-selects run once a query; a COALESCE in the comparison itself
 * would not count as leakproof, and under row security the index would not be used.
 */
const isBehind = `(tx, seq) > ((SELECT coalesce(max(tx), '0') FROM org_usage_totals),
                      (SELECT coalesce(max(seq), 0) FROM org_usage_totals))`;

/** The columns of `usageTables` that toIngestUses reads. */
export const usageColumns = `${quotaColumns},
  (coalesce(counted.events, 0) + behind.events)::float8 AS "eventsToday",
  (coalesce(total.bytes, 0) + behind.bytes)::float8 AS "storedBytes"`;

/**
 * What the transaction's organisation has used up to this moment. The follower's tables and the rows that it has not
 * counted are read in one statement, so every row counts once, also while no follower runs.
 * @param unless an SQL condition on `orgs` under which the feed is not read
 */
export const usageTables = (unless = 'false'): string => `orgs
  LEFT JOIN org_usage_totals AS total ON total.org_id = orgs.id
  LEFT JOIN org_usage AS counted ON counted.org_id = orgs.id AND counted.day = ${today}
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(row_count) FILTER (WHERE committed_at >= ${dayStart}), 0) AS events, coalesce(sum(bytes), 0) AS bytes
      FROM change_feed AS feed
     WHERE feed.org_id = orgs.id AND ${isBehind}
       AND NOT (${unless})
  ) AS behind`;

/** A row with the usageColumns. */
export interface UsageRow extends QuotaRow {
  eventsToday: number;
  storedBytes: number;
}

/** The quotas that ingest takes of. */
export interface IngestUses {
  eventsToday: QuotaUse;
  storedBytes: QuotaUse;
}

export const toIngestUses = (row: UsageRow): IngestUses => ({
  eventsToday: toUse(row, 'eventsPerDay', row.eventsToday),
  storedBytes: toUse(row, 'storedBytes', row.storedBytes),
});

/** What the transaction's organisation uses of the quotas of ingest. */
export async function readIngestUses(tx: Tx): Promise<IngestUses> {
  const [row] = await tx.query<UsageRow>(`SELECT ${usageColumns} FROM ${usageTables()}`);
  return toIngestUses(row!);
}

/** The last `days` days with today, oldest first, those without anything too. */
export async function readUsageDays(tx: Tx, days: number): Promise<DayUsage[]> {
  return tx.query<DayUsage>(
    `WITH accepted AS (
       SELECT day, events, bytes FROM org_usage WHERE day > ${today} - $1::int
       UNION ALL
       SELECT (committed_at AT TIME ZONE 'UTC')::date, row_count, bytes FROM change_feed
        WHERE ${isBehind}
     )
     SELECT day, coalesce(sum(events), 0)::text AS events, coalesce(sum(bytes), 0)::text AS bytes
       FROM (SELECT ${today} - back AS day FROM generate_series(0, $1::int - 1) AS back) AS calendar
       LEFT JOIN accepted USING (day) GROUP BY day ORDER BY day`,
    [days],
  );
}
