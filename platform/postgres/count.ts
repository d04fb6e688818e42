/** Counts that stop at a cap, so that they cost the same for any list. */
import { type CappedCount, countCap, toCappedCount } from '../paging.js';
import type { Tx } from './postgres.js';

/** @param rows what follows FROM: a table, and the condition where there is one */
export async function countRows(tx: Tx, rows: string, parameters: unknown[] = []): Promise<CappedCount> {
  const [row] = await tx.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM (SELECT FROM ${rows} LIMIT ${countCap + 1}) AS capped`,
    parameters,
  );
  return toCappedCount(row!.count);
}
