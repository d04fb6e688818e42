/** Jobs as their runs leave them, whatever runs write: rows of any number without a query that makes them. */
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { TestDatabase } from './database.js';

export const columnsOf = (...columns: [name: string, type: string][]) =>
  columns.map(([name, type]) => ({ name, type }));

/** What is set of a job that runs, and of one that has completed. */
export const running = `status = 'RUNNING', attempt = 1, started_at = now(), lease_until = now() + interval '1 hour'`;
export const completed = `status = 'COMPLETED', attempt = 1, started_at = now(), completed_at = now(), percent = 100,
  lease_until = NULL, expires_at = now() + interval '1 hour'`;

export interface StoredResult {
  database: TestDatabase;
  orgId: string;
  /** What the job's row has, as `column = value, …`. */
  set: string;
  columns?: { name: string; type: string }[];
  /** The rows, chunk by chunk. */
  chunks?: Iterable<unknown[][]>;
}

/** Makes a job. @returns its id */
export async function storeResult({ database, orgId, set, columns, chunks = [] }: StoredResult): Promise<string> {
  const id = randomUUID();
  await database.asSuperuser(
    `INSERT INTO app.jobs (org_id, id, language, query, priority, timeout_ms, fingerprint, columns)
     VALUES ($1, $2, 'SQL', 'SELECT 1', 'NORMAL', 1000, '\\x00', $3)`,
    [orgId, id, JSON.stringify(columns ?? columnsOf(['n', 'LONG']))],
  );
  await database.asSuperuser(`UPDATE app.jobs SET ${set} WHERE id = $1`, [id]);
  let firstRow = 0;
  for (const rows of chunks) {
    await storeChunk(database, id, firstRow, rows);
    firstRow += rows.length;
  }
  await database.asSuperuser('UPDATE app.jobs SET rows_fetched = $2 WHERE id = $1', [id, firstRow]);
  return id;
}

/** Adds rows to the present attempt of a job. */
export async function storeChunk(
  database: TestDatabase,
  id: string,
  firstRow: number,
  rows: unknown[][],
): Promise<void> {
  const json = JSON.stringify(rows);
  await database.asSuperuser(
    `INSERT INTO app.job_results (org_id, job_id, attempt, first_row, row_count, json_bytes, data)
     SELECT org_id, id, attempt, $2, $3, $4, $5 FROM app.jobs WHERE id = $1`,
    [id, firstRow, rows.length, Buffer.byteLength(json), gzipSync(json, { level: 1 })],
  );
}

/** So many rows in chunks of 1,000. */
export function* chunksOf(count: number, row: (index: number) => unknown[]): Generator<unknown[][]> {
  for (let first = 0; first < count; first += 1_000) {
    yield Array.from({ length: Math.min(1_000, count - first) }, (_, index) => row(first + index));
  }
}
