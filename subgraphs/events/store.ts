/** The event tables. Column names come from the datasets' declarations, never from a caller. */
import { columnTypes, type Dataset } from '../../datasets/types.js';
import { type FeedRow, readOrgFeed } from '../../platform/feed.js';
import type { Identity } from '../../platform/identity.js';
import { countCap } from '../../platform/paging.js';
import type { LogPosition } from '../../platform/postgres/follower.js';
import type { Postgres, Tx } from '../../platform/postgres/postgres.js';
import type { EventRow, Rejection } from './validation.js';

export type IndexedRejection = Rejection & { index: number };

export interface BatchRow {
  batchNo: string;
  accepted: number;
  rejected: IndexedRejection[];
}

/** An event as the tail shows it: its id and its filled columns. */
export interface StoredEvent {
  id: string;
  event: Record<string, unknown>;
}

const rowsPerStatement = 5_000;
const quote = (name: string): string => `"${name}"`;

export class EventsStore {
  constructor(readonly postgres: Postgres) {}

  /** Makes the monthly partitions, in a transaction of its own so that no reader ever waits for an ingest. */
  async ensurePartitions(identity: Identity, dataset: Dataset, months: string[]): Promise<void> {
    await this.postgres.withOrg(identity, (tx) =>
      tx.query('SELECT ensure_partition($1, month) FROM unnest($2::date[]) AS month', [dataset.name, months]),
    );
  }

  /** Claims the batch id. @returns undefined when the batch is stored already */
  async insertBatch(
    tx: Tx,
    orgId: string,
    batch: { dataset: string; batchId: string; accepted: number; rejected: IndexedRejection[] },
  ): Promise<string | undefined> {
    const [row] = await tx.query<{ batchNo: string }>(
      `INSERT INTO ingest_batches (org_id, dataset, batch_id, accepted, rejected) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING RETURNING batch_no AS "batchNo"`,
      [orgId, batch.dataset, batch.batchId, batch.accepted, JSON.stringify(batch.rejected)],
    );
    return row?.batchNo;
  }

  async findBatch(tx: Tx, dataset: string, batchId: string): Promise<BatchRow | undefined> {
    const [row] = await tx.query<BatchRow>(
      `SELECT batch_no AS "batchNo", accepted, rejected FROM ingest_batches WHERE dataset = $1 AND batch_id = $2`,
      [dataset, batchId],
    );
    return row;
  }

  async insertEvents(tx: Tx, orgId: string, dataset: Dataset, batchNo: string, rows: EventRow[]): Promise<void> {
    const names = dataset.columns.map((column) => quote(column.name)).join(', ');
    const arrays = dataset.columns.map((column, index) => `$${index + 4}::${columnTypes[column.type]}[]`).join(', ');
    const sql = `INSERT INTO ${dataset.name} (org_id, batch_no, attributes, ${names})
      SELECT $1, $2, * FROM unnest($3::jsonb[], ${arrays})`;
    for (let start = 0; start < rows.length; start += rowsPerStatement) {
      const part = rows.slice(start, start + rowsPerStatement);
      const columns = dataset.columns.map((_, index) => part.map((row) => row.values[index]));
      await tx.query(sql, [orgId, batchNo, part.map((row) => row.attributes), ...columns]);
    }
  }

  async countEvents(identity: Identity, dataset: Dataset): Promise<number> {
    const rows = await this.#read(identity, (tx) =>
      tx.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM (SELECT FROM ${dataset.name} LIMIT ${countCap + 1}) AS capped`,
      ),
    );
    return rows[0]!.count;
  }

  async edgeTime(identity: Identity, dataset: Dataset, edge: 'FIRST' | 'LAST'): Promise<string | null> {
    const time = quote(dataset.timeColumn);
    const rows = await this.#read(identity, (tx) =>
      tx.query<{ time: string }>(
        `SELECT ${time} AS time FROM ${dataset.name} ORDER BY ${time} ${edge === 'FIRST' ? 'ASC' : 'DESC'} LIMIT 1`,
      ),
    );
    return rows[0]?.time ?? null;
  }

  /** The organisation's feed rows of one dataset after a position, in commit order. */
  async readFeed(identity: Identity, dataset: string, after: LogPosition, limit: number): Promise<FeedRow[]> {
    const rows = await this.#read(identity, (tx) => readOrgFeed(tx, after, limit));
    return rows.filter((row) => row.dataset === dataset);
  }

  /** The end of the feed, as far as it can be read. */
  async feedEnd(identity: Identity): Promise<LogPosition> {
    const rows = await this.#read(identity, (tx) =>
      tx.query<LogPosition>(
        `SELECT tx::text, seq::text FROM change_feed WHERE tx < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY tx DESC, seq DESC LIMIT 1`,
      ),
    );
    return rows[0] ?? { tx: '0', seq: '0' };
  }

  /** The events of one batch by id, after an id. */
  async readBatch(
    identity: Identity,
    dataset: Dataset,
    feedRow: FeedRow,
    afterId: string | null,
    limit: number,
  ): Promise<StoredEvent[]> {
    const names = [...dataset.columns.map((column) => column.name), 'attributes'];
    const time = quote(dataset.timeColumn);
    const rows = await this.#read(identity, (tx) =>
      tx.query<Record<string, unknown> & { _id: string }>(
        `SELECT id AS _id, ${names.map(quote).join(', ')} FROM ${dataset.name}
          WHERE batch_no = $1 AND ${time} BETWEEN $2 AND $3 AND ($4::uuid IS NULL OR id > $4::uuid) ORDER BY id LIMIT $5`,
        [feedRow.batchNo, feedRow.minTime, feedRow.maxTime, afterId, limit],
      ),
    );
    return rows.map(({ _id, ...columns }) => ({
      id: _id,
      event: Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== null)),
    }));
  }

  #read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }
}
