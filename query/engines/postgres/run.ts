/** Runs a guarded query and streams its rows: bounded memory whatever the size, and it stops when it is told to. */
import pg, { type Pool, type PoolClient } from 'pg';
import Cursor from 'pg-cursor';
import { fail } from '../../../platform/errors.js';
import type { GuardedQuery } from '../../guarded-query.js';
import type { JsonValue, ResultColumn } from '../../result.js';
import { queryError } from './errors.js';
import { beginReadOnly, type SessionOptions } from './session.js';
import { resultColumns, resultTypes } from './values.js';

export interface RunOptions extends SessionOptions {
  /** Aborting it ends the run with QUERY_CANCELLED, here and in the database, within a second. */
  signal?: AbortSignal;
  /** The most rows that a batch may have. Default 1,000; wide rows come in smaller batches. */
  batchRows?: number;
}

/** A piece of the result. The first one comes even where there are no rows, so that the columns are known. */
export interface Batch {
  /** The same in every batch. */
  columns: ResultColumn[];
  /** One array a row, with a value for each column. */
  rows: JsonValue[][];
}

const mebibyte = 1024 * 1024;
/** What a batch should weigh on the wire; the number of rows follows from those that came before. */
const targetBatchBytes = 4 * mebibyte;
/** What a batch may weigh: a few rows of giant values end the query instead of this process. */
const maxBatchBytes = 64 * mebibyte;
const firstBatchRows = 50;
/** How long a cancel request may take before the connection is cut. */
const cancelMs = 500;

/**
 * Runs the query in a read-only transaction of its own. `timeoutMs` bounds the whole run, the consumer's time included.
 * Leaving the loop early frees the connection.
 */
export async function* runQuery(pool: Pool, query: GuardedQuery, options: RunOptions): AsyncGenerator<Batch, void> {
  const run = new Run(pool, options);
  try {
    await run.open(query.text);
    let size = Math.min(firstBatchRows, run.batchRows);
    let columns: ResultColumn[] | undefined;
    while (true) {
      const { rows, fields, bytes } = await run.fetch(size);
      const isFirst = columns === undefined;
      columns ??= resultColumns(fields);
      if (rows.length > 0 || isFirst) yield { columns, rows };
      if (rows.length < size) break;
      size = Math.max(1, Math.min(run.batchRows, Math.floor((targetBatchBytes * rows.length) / Math.max(1, bytes))));
    }
    await run.end();
  } catch (error) {
    throw run.stopError() ?? queryError(error, query);
  } finally {
    await run.close();
  }
}

interface Fetched {
  rows: JsonValue[][];
  fields: { name: string; dataTypeID: number }[];
  bytes: number;
}

type StopReason = 'CANCELLED' | 'TIMEOUT' | 'TOO_LARGE';

class Run {
  readonly batchRows: number;
  #client: PoolClient | undefined;
  #cursor: Cursor<JsonValue[]> | undefined;
  #stopped: StopReason | undefined;
  #stopping: Promise<void> | undefined;
  /** Ends the wait in hand, if there is one. */
  #interrupt: (error: Error) => void = () => {};
  #isClean = false;
  #receivedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = () => this.#stop('CANCELLED');
  readonly #onData = (chunk: Buffer) => {
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > maxBatchBytes) this.#stop('TOO_LARGE');
  };
  /** A connection that breaks between two fetches is noticed at the next one. */
  readonly #onError = () => {};

  constructor(
    readonly pool: Pool,
    readonly options: RunOptions,
  ) {
    this.batchRows = Math.max(1, options.batchRows ?? 1_000);
  }

  async open(text: string): Promise<void> {
    const { signal, timeoutMs } = this.options;
    if (signal?.aborted === true) this.#stop('CANCELLED');
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer = setTimeout(() => this.#stop('TIMEOUT'), timeoutMs);
    const connecting = this.pool.connect();
    connecting.then(
      (client) => {
        // Stopped while it waited for a connection: nothing has run on this one.
        if (this.#stopped !== undefined) client.release();
        else this.#client = client;
      },
      () => {},
    );
    const client = await this.#orStopped(connecting);
    client.on('error', this.#onError);
    await this.#orStopped(beginReadOnly(client, this.options));
    client.connection.stream.on('data', this.#onData);
    this.#cursor = client.query(new Cursor<JsonValue[]>(text, [], { rowMode: 'array', types: resultTypes }));
  }

  async fetch(size: number): Promise<Fetched> {
    this.#receivedBytes = 0;
    const fetched = new Promise<Fetched>((resolve, reject) => {
      this.#cursor?.read(size, (error, rows, result) => {
        if (error) reject(error);
        else resolve({ rows, fields: result?.fields ?? [], bytes: this.#receivedBytes });
      });
    });
    return this.#orStopped(fetched);
  }

  /** After the last row: ends the transaction, so that the connection can be used again. */
  async end(): Promise<void> {
    await this.#orStopped(this.#client!.query('ROLLBACK'));
    this.#isClean = true;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.options.signal?.removeEventListener('abort', this.#onAbort);
    const client = this.#client;
    if (client === undefined) {
      this.#stopped ??= 'CANCELLED'; // a connection that still comes is given back
      return;
    }
    // The cancel request goes first: it must not reach whoever has the connection next.
    await this.#stopping;
    client.connection.stream.off('data', this.#onData);
    if (this.#isClean) client.off('error', this.#onError);
    client.release(!this.#isClean);
  }

  /** Why the run was stopped, as the caller hears it. */
  stopError(): Error | undefined {
    if (this.#stopped === undefined) return undefined;
    const [code, message] = stopErrors[this.#stopped];
    try {
      fail(code, message);
    } catch (error) {
      return error as Error;
    }
  }

  #stop(reason: StopReason): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    if (this.#client !== undefined) this.#stopping = cancelBackend(this.pool, this.#client);
    this.#interrupt(stoppedError);
  }

  /**
   * Waits, but not past a stop. One long-lived promise in a Promise.race would be shorter, and would keep every batch
   * in memory until the end of the run.
   */
  #orStopped<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      if (this.#stopped !== undefined) reject(stoppedError);
      work.then(resolve, reject);
    });
  }
}

/** Never seen by the caller: `stopError` says it in the product's words. */
const stoppedError = new Error('The run was stopped.');

const stopErrors = {
  CANCELLED: ['QUERY_CANCELLED', 'The query was cancelled.'],
  TIMEOUT: ['QUERY_TIMEOUT', 'The query ran past its timeout. Narrow the time range, or allow it more time.'],
  TOO_LARGE: ['RESULT_TOO_LARGE', 'A few rows of the result weigh more than 64 MB. Select shorter values.'],
} as const;

/**
 * Ends what the connection runs in the database. It uses a connection of its own, since the pool may be full of the very
 * queries that are to be cancelled; a role may cancel its own backends. Never fails: the caller cuts the connection next.
 */
async function cancelBackend(pool: Pool, client: PoolClient): Promise<void> {
  const { processID } = client as unknown as { processID: number };
  const canceller = new pg.Client({
    ...pool.options,
    password: pool.options.password, // pg hides it from the spread
    connectionTimeoutMillis: cancelMs,
    query_timeout: cancelMs,
  });
  canceller.on('error', () => {});
  try {
    await canceller.connect();
    await canceller.query('SELECT pg_catalog.pg_cancel_backend($1)', [processID]);
  } catch {
    // The server cannot be reached, or is slow: cutting the connection and the statement timeout do the rest.
  } finally {
    canceller.end().catch(() => {});
  }
}
