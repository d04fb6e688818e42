/** Runs a query and streams its rows: bounded memory whatever the size, and it stops when it is told to. */
import pg, { type Pool, type PoolClient } from 'pg';
import { fail } from '../../../platform/errors.js';
import type { Plan } from '../../plan/types.js';
import type { PlanQuery, SqlQuery } from '../../prepared-query.js';
import type { JsonValue, ResultColumn } from '../../result.js';
import type { Batch, RunOptions } from '../engine.js';
import { planError } from './errors.js';
import { type Around, type RowField, RowStream } from './row-stream.js';
import { beginReadOnly, beginStatements } from './session.js';
import { planStatement, type Statement, textStatement } from './statement.js';
import { resultColumns } from './values.js';

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
export const runQuery = (pool: Pool, query: SqlQuery | PlanQuery, options: RunOptions): AsyncGenerator<Batch, void> =>
  query.form === 'SQL' ? runStatement(pool, () => textStatement(query), options) : runPlan(pool, query.plan, options);

/** The same for a plan alone. `now()` in it is `options.now`, or the moment at which the run begins. */
export const runPlan = (pool: Pool, plan: Plan, options: RunOptions): AsyncGenerator<Batch, void> =>
  runStatement(pool, () => planStatement(plan, options), options);

/** The same for plans that belong together: `work` runs them one after the other, and all of them see the same rows. */
export async function* runPlans<Answer>(
  pool: Pool,
  options: RunOptions,
  work: (run: (plan: Plan) => AsyncGenerator<Batch, void>) => AsyncGenerator<Answer, void>,
): AsyncGenerator<Answer, void> {
  const run = new Run(pool, options);
  try {
    await run.connect();
    await run.begin();
    yield* work((plan) => batchesOf(run, planStatement(plan, options)));
    await run.end();
  } catch (error) {
    throw run.stopError() ?? planError(error);
  } finally {
    await run.close();
  }
}

async function* runStatement(
  pool: Pool,
  makeStatement: () => Statement,
  options: RunOptions,
): AsyncGenerator<Batch, void> {
  const statement = makeStatement();
  const run = new Run(pool, options);
  try {
    await run.connect();
    // Begin, statement and end go in one message: of a trivial query, round trips are most of the time.
    yield* batchesOf(run, statement, { before: beginStatements(options), after: ['ROLLBACK'] });
    run.hasEnded();
  } catch (error) {
    throw run.stopError() ?? statement.errorOf(error);
  } finally {
    await run.close();
  }
}

async function* batchesOf(run: Run, statement: Statement, around?: Around): AsyncGenerator<Batch, void> {
  run.start(statement, around);
  let size = Math.min(firstBatchRows, run.batchRows);
  let columns: ResultColumn[] | undefined;
  while (true) {
    const { rows, fields, bytes, isLast } = await run.fetch(size);
    const isFirst = columns === undefined;
    columns ??= statement.columns ?? resultColumns(fields);
    if (rows.length > 0 || isFirst) yield { columns, rows };
    if (isLast) break;
    size = Math.max(1, Math.min(run.batchRows, Math.floor((targetBatchBytes * rows.length) / Math.max(1, bytes))));
  }
}

interface Fetched {
  rows: JsonValue[][];
  fields: RowField[];
  bytes: number;
  isLast: boolean;
}

type StopReason = 'CANCELLED' | 'TIMEOUT' | 'TOO_LARGE';

class Run {
  readonly batchRows: number;
  #client: PoolClient | undefined;
  #stream: RowStream | undefined;
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

  async connect(): Promise<void> {
    const { signal, timeoutMs } = this.options;
    if (signal?.aborted === true) this.#stop('CANCELLED');
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer = setTimeout(() => this.#stop('TIMEOUT'), timeoutMs);
    const connecting = this.pool.connect();
    connecting.then(
      (client) => {
        // Stopped while it waited for a connection: nothing has run on this one.
        if (this.#stopped !== undefined) client.release();
        else this.#client = client.on('error', this.#onError);
      },
      () => {},
    );
    const client = await this.#orStopped(connecting);
    client.connection.stream.on('data', this.#onData);
  }

  async begin(): Promise<void> {
    await this.#orStopped(beginReadOnly(this.#client!, this.options));
  }

  /** Asks the next statement, after the last row of the one before. */
  start(statement: Statement, around?: Around): void {
    this.#stream = this.#client!.query(new RowStream(statement, around));
  }

  async fetch(size: number): Promise<Fetched> {
    this.#receivedBytes = 0;
    const stream = this.#stream!;
    const rows = await this.#orStopped(stream.read(size));
    return { rows, fields: stream.fields, bytes: this.#receivedBytes, isLast: stream.isOver };
  }

  /** After the last row: ends the transaction, so that the connection can be used again. */
  async end(): Promise<void> {
    await this.#orStopped(this.#client!.query('ROLLBACK'));
    this.hasEnded();
  }

  /** The transaction has ended. Where a stop came after the last row, the connection is being cut all the same. */
  hasEnded(): void {
    this.#isClean = this.#stopped === undefined;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.options.signal?.removeEventListener('abort', this.#onAbort);
    const client = this.#client;
    if (client === undefined) {
      this.#stopped ??= 'CANCELLED'; // a connection that still comes is given back
      return;
    }
    // What was left early goes on working until it is told to stop. The cancel request goes first: it must not reach
    // whoever has the connection next.
    if (!this.#isClean && this.#stream !== undefined) this.#stopping ??= cancelBackend(this.pool, client);
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
    if (this.#client !== undefined) this.#stopping = this.#cut(this.#client);
    this.#interrupt(stoppedError);
  }

  /** A server that waits for a slow consumer to take rows hears no cancel request; it notices that nobody is there. */
  async #cut(client: PoolClient): Promise<void> {
    await cancelBackend(this.pool, client);
    client.connection.stream.destroy();
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
