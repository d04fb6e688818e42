/** The change feed: one row for every ingested batch, written in the batch's own transaction. */
import type { Logger } from './logging.js';
import {
  Follower,
  type FollowOptions,
  type LogPosition,
  type LogRow,
  type LogSource,
  logEnd,
  readLog,
} from './postgres/follower.js';
import type { Postgres, Tx } from './postgres/postgres.js';

export interface FeedRow extends LogRow {
  dataset: string;
  /** Every row of the batch carries it in `batch_no`. */
  batchNo: string;
  /** The range of event times, RFC 3339. */
  minTime: string;
  maxTime: string;
  /** The distinct event-time minutes that the batch touched, RFC 3339. */
  minutes: string[];
  rowCount: number;
  /** The size of the accepted items, as the JSON that came; a figure of 64 bits. */
  bytes: string;
  /** When it was accepted, RFC 3339. */
  committedAt: string;
}

/** The log as a follower reads it. */
export const feedSource: LogSource<FeedRow> = {
  table: 'change_feed',
  columns:
    'dataset, batch_no::text AS "batchNo", min_time AS "minTime", max_time AS "maxTime", minutes, row_count AS "rowCount", bytes, ' +
    'committed_at AS "committedAt"',
  channel: 'harborwatch_feed',
  map: (row) => row as unknown as FeedRow,
};

/** Writes the feed row of a batch; call it in the transaction that writes the batch. */
export async function appendToFeed(
  tx: Tx,
  orgId: string,
  row: Omit<FeedRow, keyof LogRow | 'bytes' | 'committedAt'> & { bytes: number },
): Promise<void> {
  await tx.query(
    `WITH written AS (
       INSERT INTO change_feed (org_id, dataset, batch_no, min_time, max_time, minutes, row_count, bytes)
       VALUES ($1, $2, $3, $4, $5, $6::timestamptz[], $7, $8) RETURNING 1
     ) SELECT pg_notify('harborwatch_feed', '') FROM written`,
    [orgId, row.dataset, row.batchNo, row.minTime, row.maxTime, row.minutes, row.rowCount, row.bytes],
  );
}

/** Follows the feed with a checkpoint of its own (see Follower). Without `consumer` it starts at the present end. */
export function followFeed(
  postgres: Postgres,
  options: Omit<FollowOptions<FeedRow>, 'source'> & { logger: Logger },
): Follower<FeedRow> {
  return new Follower(postgres, { ...options, source: feedSource });
}

/** Reads the feed rows of one dataset of the transaction's organisation after a position, in commit order. */
export async function readDatasetFeed(tx: Tx, dataset: string, after: LogPosition, limit: number): Promise<FeedRow[]> {
  return readLog(tx.query, feedSource, after, limit, { sql: 'dataset = $4', parameters: [dataset] });
}

/** The position behind everything that can be read of the feed now. */
export async function feedEnd(tx: Tx): Promise<LogPosition> {
  return logEnd(tx.query);
}
