/** What of usage looks across organisations: the follower of the change feed that counts what each one sent. */
import type { FeedRow } from '../feed.js';
import type { Postgres } from '../postgres/postgres.js';

/**
 * Counts rows of the change feed, in their order. Rows that were counted before change nothing: how far an organisation's
 * rows are counted stands beside the figures and is written with them. A follower that lost its leadership may still be
 * at work, so one counts after the other.
 */
export async function countFeedRows(postgres: Postgres, rows: readonly FeedRow[]): Promise<void> {
  await postgres.asSystem(async (tx) => {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('usage', 0))`);
    await tx.query(
      `WITH fresh AS (
         SELECT row.* FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::xid8[], $6::bigint[])
                AS row (org_id, committed_at, events, bytes, tx, seq)
           LEFT JOIN org_usage_totals AS total ON total.org_id = row.org_id
          WHERE total.org_id IS NULL OR (row.tx, row.seq) > (total.tx, total.seq)
       ), counted AS (
         INSERT INTO org_usage AS old (org_id, day, events, bytes)
         SELECT org_id, (committed_at AT TIME ZONE 'UTC')::date AS day, sum(events), sum(bytes) FROM fresh GROUP BY 1, 2
         ON CONFLICT (org_id, day) DO UPDATE SET events = old.events + excluded.events, bytes = old.bytes + excluded.bytes
       )
       INSERT INTO org_usage_totals AS old (org_id, events, bytes, tx, seq)
       SELECT org_id, sum(events), sum(bytes), max(tx), (array_agg(seq ORDER BY tx DESC, seq DESC))[1]
         FROM fresh GROUP BY org_id
       ON CONFLICT (org_id) DO UPDATE
          SET events = old.events + excluded.events, bytes = old.bytes + excluded.bytes, tx = excluded.tx, seq = excluded.seq`,
      [
        rows.map(({ orgId }) => orgId),
        rows.map(({ committedAt }) => committedAt),
        rows.map(({ rowCount }) => rowCount),
        rows.map(({ bytes }) => bytes),
        rows.map(({ tx: rowTx }) => rowTx),
        rows.map(({ seq }) => seq),
      ],
    );
  });
}
