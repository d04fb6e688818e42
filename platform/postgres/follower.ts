/**
 * Follows an append-only log table (change feed, outbox) in commit order, exactly from where it stopped.
 *
 * Sequence order is not commit order: a row becomes readable when its transaction lies below the snapshot's xmin, and
 * rows are read by (tx, seq). One process at a time follows a log for a consumer (an advisory lock that the connection
 * holds), so a consumer's effects run in order; they must be idempotent, since a crash after the effect and before the
 * checkpoint repeats the last batch.
 */
import type pg from 'pg';
import { Bell } from '../bell.js';
import type { Logger } from '../logging.js';
import type { Postgres } from './postgres.js';

/** A place in a log: everything up to and with it has been seen. Both are decimal strings of 64-bit figures. */
export interface LogPosition {
  tx: string;
  seq: string;
}

export interface LogRow extends LogPosition {
  orgId: string;
}

export interface Log<Row extends LogRow> {
  /** The table in schema `app`, and the columns to read beside tx, seq and org_id. */
  table: string;
  columns: string;
  map(row: Record<string, unknown>): Row;
}

export interface LogSource<Row extends LogRow> extends Log<Row> {
  /** The NOTIFY channel that rings when rows were committed. */
  channel: string;
}

export interface FollowOptions<Row extends LogRow> {
  source: LogSource<Row>;
  /** The checkpoint's name. Without one the follower starts at the end, alone for this process, and keeps nothing. */
  consumer?: string;
  /** Called with at most `batchSize` rows in commit order; repeated with backoff until it succeeds. */
  handle(rows: Row[]): Promise<void>;
  logger: Logger;
  /** Default 200. */
  batchSize?: number;
}

const idlePollMs = 5_000;
const lockRetryMs = 2_000;
const minBackoffMs = 100;
const maxBackoffMs = 10_000;
/** How soon to look again while a committed row still waits for an older transaction to end. */
export const horizonRetryMs = 25;

/** Runs a statement and answers its rows: what a pooled connection and a transaction have in common. */
export type Query = (sql: string, parameters: unknown[]) => Promise<Record<string, unknown>[]>;

/** Reads the rows after a position that can no longer be overtaken. `where` narrows them, with parameters from $4 on. */
export async function readLog<Row extends LogRow>(
  query: Query,
  source: Log<Row>,
  after: LogPosition,
  limit: number,
  where: { sql: string; parameters: unknown[] } = { sql: 'true', parameters: [] },
): Promise<Row[]> {
  // Qualified in ORDER BY: a bare name would be the text of the output, where 10 comes before 9.
  const rows = await query(
    `SELECT tx::text, seq::text, org_id::text AS "orgId", ${source.columns} FROM app.${source.table} AS log
      WHERE (tx, seq) > ($1::xid8, $2::bigint) AND tx < pg_snapshot_xmin(pg_current_snapshot()) AND ${where.sql}
      ORDER BY log.tx, log.seq LIMIT $3`,
    [after.tx, after.seq, limit, ...where.parameters],
  );
  return rows.map((row) => source.map(row));
}

/** Whether rows after a position are committed: where `readLog` does not answer them, they wait for an older transaction. */
export async function hasRows(
  query: Query,
  { table }: Pick<Log<LogRow>, 'table'>,
  after: LogPosition,
): Promise<boolean> {
  const rows = await query(`SELECT 1 FROM app.${table} WHERE (tx, seq) > ($1::xid8, $2::bigint) LIMIT 1`, [
    after.tx,
    after.seq,
  ]);
  return rows.length > 0;
}

/** The end of every log, as far as it can be read: behind all transactions below the snapshot's xmin. */
export async function logEnd(query: Query): Promise<LogPosition> {
  const [end] = await query(
    `SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text AS tx, '9223372036854775807' AS seq`,
    [],
  );
  return end as unknown as LogPosition;
}

/** A running follower. */
export class Follower<Row extends LogRow> {
  readonly #postgres: Postgres;
  readonly #options: FollowOptions<Row>;
  #stopped = false;
  /** Grows while batch after batch fails; a batch that succeeds resets it. */
  #backoffMs = minBackoffMs;
  readonly #bell = new Bell();
  readonly #done: Promise<void>;
  readonly #started = Promise.withResolvers<void>();

  constructor(postgres: Postgres, options: FollowOptions<Row>) {
    this.#postgres = postgres;
    this.#options = options;
    this.#done = this.#run();
  }

  /** Resolves when the follower reads for the first time: what is committed after that reaches `handle`. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Lets the batch in hand end, then frees the connection. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#bell.ring();
    await this.#done;
  }

  /** Waits before the next try; rings do not cut it short, only the stop does. */
  async #backOff(): Promise<void> {
    const end = Date.now() + this.#backoffMs;
    this.#backoffMs = Math.min(this.#backoffMs * 2, maxBackoffMs);
    while (!this.#stopped && Date.now() < end) await this.#bell.wait(end - Date.now());
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let client: pg.PoolClient | undefined;
      let failure: Error | undefined;
      const onError = (error: Error) => {
        failure = error;
        this.#bell.ring();
      };
      try {
        client = await this.#postgres.systemConnection();
        client.on('error', onError);
        client.on('notification', () => this.#bell.ring());
        if (await this.#lock(client)) {
          await this.#follow(client, () => failure);
        } else {
          await this.#bell.wait(lockRetryMs);
        }
      } catch (error) {
        failure = error as Error;
        if (!this.#stopped) {
          this.#options.logger.warn(
            { consumer: this.#options.consumer, error: String(error) },
            'follower starts again',
          );
        }
      } finally {
        client?.off('error', onError);
        // The connection is closed, not returned: locks and LISTEN go with it.
        client?.release(failure ?? true);
      }
      if (failure) await this.#backOff();
    }
    this.#started.resolve();
  }

  async #lock(client: pg.PoolClient): Promise<boolean> {
    if (this.#options.consumer === undefined) return true;
    const result = await client.query('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked', [
      `harborwatch:${this.#options.source.table}:${this.#options.consumer}`,
    ]);
    return result.rows[0].locked;
  }

  async #follow(client: pg.PoolClient, failure: () => Error | undefined): Promise<void> {
    const { source, handle, batchSize = 200 } = this.#options;
    const query = queryOn(client);
    await client.query(`LISTEN ${source.channel}`);
    let position = await this.#loadCheckpoint(client);
    this.#started.resolve();
    while (!this.#stopped) {
      const broken = failure();
      if (broken) throw broken;
      const rows = await readLog(query, source, position, batchSize);
      const last = rows.at(-1);
      if (last) {
        await handle(rows);
        this.#backoffMs = minBackoffMs;
        position = { tx: last.tx, seq: last.seq };
        await this.#saveCheckpoint(client, position);
        continue;
      }
      await this.#bell.wait((await hasRows(query, source, position)) ? horizonRetryMs : idlePollMs);
    }
  }

  async #loadCheckpoint(client: pg.PoolClient): Promise<LogPosition> {
    const { consumer, source } = this.#options;
    if (consumer === undefined) return logEnd(queryOn(client));
    const result = await client.query(
      `INSERT INTO app.checkpoints (log, consumer) VALUES ($1, $2)
       ON CONFLICT (log, consumer) DO UPDATE SET consumer = excluded.consumer RETURNING tx::text, seq::text`,
      [source.table, consumer],
    );
    return result.rows[0];
  }

  async #saveCheckpoint(client: pg.PoolClient, position: LogPosition): Promise<void> {
    const { consumer, source } = this.#options;
    if (consumer === undefined) return;
    await client.query(
      'UPDATE app.checkpoints SET tx = $3::xid8, seq = $4, updated_at = now() WHERE log = $1 AND consumer = $2',
      [source.table, consumer, position.tx, position.seq],
    );
  }
}

const queryOn =
  (client: pg.PoolClient): Query =>
  async (sql, parameters) =>
    (await client.query(sql, parameters)).rows;
