/** A connection in a read-only transaction that sees one organisation's rows through the datasets' views. */
import type { Pool, PoolClient } from 'pg';
import { isUuid } from '../../../platform/uuid.js';

const maxBigint = 2n ** 63n - 1n;
const maxTimeoutMs = 24 * 60 * 60 * 1000;
/** How long after the statement's timeout the server ends a transaction whose client has stopped reading. */
const graceMs = 5_000;

export interface SessionOptions {
  /** The organisation whose rows are seen. */
  orgId: string;
  /** The statement's timeout, from 1 ms to a day. */
  timeoutMs: number;
  /** Sees the rows of one ingest batch only: its number, in decimal digits. */
  ingestBatch?: string;
}

/**
 * What opens the transaction. Every value is checked here and written as a literal: SET takes no parameters, and the query
 * role may not call set_config().
 *
 * All statements of it read of one snapshot. pg_catalog comes first in the search path, so no view can stand in for a built-in function, type or operator; the
 * guard refuses dataset names that start with `pg_`, so no catalog can stand in for a dataset. pg_temp is named, and
 * last, because PostgreSQL would otherwise search it first.
 */
export function beginStatements({ orgId, timeoutMs, ingestBatch }: SessionOptions): string[] {
  if (!isUuid(orgId)) throw new Error('The organisation of a query must be a UUID.');
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > maxTimeoutMs) {
    throw new Error(`The timeout of a query must be from 1 to ${maxTimeoutMs} ms, not ${timeoutMs}.`);
  }
  if (ingestBatch !== undefined && !(/^\d{1,19}$/.test(ingestBatch) && BigInt(ingestBatch) <= maxBigint)) {
    throw new Error('The number of an ingest batch must be a bigint in decimal digits.');
  }
  return [
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    `SET LOCAL app.org_id = '${orgId}'`,
    ...(ingestBatch === undefined ? [] : [`SET LOCAL app.batch_no = '${ingestBatch}'`]),
    `SET LOCAL search_path = pg_catalog, ${ingestBatch === undefined ? 'q' : 'qb'}, pg_temp`,
    `SET LOCAL statement_timeout = ${timeoutMs}`,
    `SET LOCAL transaction_timeout = ${timeoutMs + graceMs}`,
    `SET LOCAL lock_timeout = '5s'`,
    `SET LOCAL work_mem = '32MB'`,
    `SET LOCAL TimeZone = 'UTC'`,
    `SET LOCAL DateStyle = 'ISO, YMD'`,
    `SET LOCAL IntervalStyle = 'iso_8601'`,
    `SET LOCAL bytea_output = 'hex'`,
    'SET LOCAL extra_float_digits = 1',
  ];
}

/** Opens the transaction. */
export async function beginReadOnly(client: PoolClient, options: SessionOptions): Promise<void> {
  await client.query(beginStatements(options).join('; '));
}

/** Runs a short piece of work in such a transaction. A connection on which anything failed is closed, not reused. */
export async function inSession<T>(
  pool: Pool,
  options: SessionOptions,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  // A connection that breaks while it is idle here has told the work already, or does so at its next statement.
  const ignore = () => {};
  client.on('error', ignore);
  let isClean = false;
  try {
    await beginReadOnly(client, options);
    return await work(client).finally(async () => {
      await client.query('ROLLBACK');
      isClean = true;
    });
  } finally {
    if (isClean) client.off('error', ignore);
    client.release(!isClean);
  }
}
