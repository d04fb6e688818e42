/** The log of what happened to an organisation's jobs. The table's triggers write it. */
import type { Identity } from '../../../platform/identity.js';
import {
  hasRows,
  type Log,
  type LogPosition,
  type LogRow,
  logEnd,
  readLog,
} from '../../../platform/postgres/follower.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import type { JobFailure } from './jobs.js';

/** What can happen to a job, as everybody is told of it. */
export type JobEventType = 'SUBMITTED' | 'STARTED' | 'RETURNED' | 'COMPLETED' | 'FAILED' | 'CANCELLED';

export interface JobEventRow extends LogRow {
  jobId: string;
  type: JobEventType;
  /** The attempt that the job was at. */
  attempt: number;
  percent: number;
  /** Rows of the result; null for all but COMPLETED. */
  rowCount: number | null;
  isPartial: boolean;
  error: JobFailure | null;
  /** RFC 3339. */
  at: string;
}

const log: Log<JobEventRow> = {
  table: 'job_events',
  columns:
    'job_id AS "jobId", type, attempt, percent, row_count AS "rowCount", is_partial AS "isPartial", error, occurred_at AS at',
  map: (row) => row as unknown as JobEventRow,
};

/** What follows a position. */
export interface EventPage {
  events: JobEventRow[];
  /** Whether more may follow: the page is full, or what follows waits for an older transaction to end. */
  more: 'FULL' | 'HELD_BACK' | 'NONE';
}

export class JobEventStore {
  constructor(readonly postgres: Postgres) {}

  /** The pages behind positions, in commit order, each of at most `limit` events. */
  async read(identity: Identity, positions: readonly LogPosition[], limit: number): Promise<EventPage[]> {
    return this.#read(identity, async (tx) => {
      const pages: EventPage[] = [];
      for (const position of positions) {
        const events = await readLog(tx.query, log, position, limit);
        if (events.length === limit) pages.push({ events, more: 'FULL' });
        else {
          const isHeldBack = await hasRows(tx.query, log, events.at(-1) ?? position);
          pages.push({ events, more: isHeldBack ? 'HELD_BACK' : 'NONE' });
        }
      }
      return pages;
    });
  }

  /**
   * How many events follow a position, as far as they can be read, and where the one before the last of them stands.
   * @returns undefined for fewer than two
   */
  async distanceToEnd(
    identity: Identity,
    { tx: transaction, seq }: LogPosition,
  ): Promise<{ count: number; beforeLast: LogPosition } | undefined> {
    const [found] = await this.#read(identity, (tx) =>
      tx.query<LogPosition & { count: number }>(
        `WITH behind AS (
           SELECT tx, seq FROM job_events
            WHERE (tx, seq) > ($1::xid8, $2::bigint) AND tx < pg_snapshot_xmin(pg_current_snapshot())
         )
         SELECT tx::text, seq::text, (SELECT count(*) FROM behind)::int AS count
           FROM behind ORDER BY behind.tx DESC, behind.seq DESC OFFSET 1 LIMIT 1`,
        [transaction, seq],
      ),
    );
    return found && { count: found.count, beforeLast: { tx: found.tx, seq: found.seq } };
  }

  /** Whether the event at a position is still kept. */
  async has(identity: Identity, { tx: transaction, seq }: LogPosition): Promise<boolean> {
    const rows = await this.#read(identity, (tx) =>
      tx.query('SELECT 1 FROM job_events WHERE tx = $1::xid8 AND seq = $2::bigint', [transaction, seq]),
    );
    return rows.length > 0;
  }

  /** The end of the log, as far as it can be read. */
  async end(identity: Identity): Promise<LogPosition> {
    return this.#read(identity, (tx) => logEnd(tx.query));
  }

  #read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }
}
