/** The event tables. Column names come from the datasets' declarations, never from a caller. */
import { columnTypes, type Dataset } from '../../datasets/types.js';
import { type FeedRow, feedEnd, readDatasetFeed } from '../../platform/feed.js';
import type { Identity } from '../../platform/identity.js';
import type { CappedCount } from '../../platform/paging.js';
import { countRows } from '../../platform/postgres/count.js';
import type { LogPosition } from '../../platform/postgres/follower.js';
import type { Postgres, Tx } from '../../platform/postgres/postgres.js';
import type { EventRow } from './validation.js';

/** An event as the tail shows it: its id and its filled columns. */
export interface StoredEvent {
  id: string;
  event: Record<string, unknown>;
}

const rowsPerStatement = 5_000;
const quote = (name: string): string => `"${name}"`;

export class EventsStore {
  constructor(readonly postgres: Postgres) {}

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

  async countEvents(identity: Identity, dataset: Dataset): Promise<CappedCount> {
    return this.#read(identity, (tx) => countRows(tx, dataset.name));
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
    return this.#read(identity, (tx) => readDatasetFeed(tx, dataset, after, limit));
  }

  /** The end of the feed, as far as it can be read. */
  async feedEnd(identity: Identity): Promise<LogPosition> {
    return this.#read(identity, feedEnd);
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
