/** A result as it is kept: gzipped JSON in chunks, so that any page is found by the number of its first row. */
import { promisify } from 'node:util';
import { gunzip, gzip, gzipSync } from 'node:zlib';
import type { Identity } from '../../../platform/identity.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import type { JsonValue } from '../../../query/index.js';
import type { JobRow } from './jobs.js';
import type { Chunk } from './leases.js';

const pack = promisify<string, { level: number }, Buffer>(gzip);
const unpack = promisify<Buffer, Buffer>(gunzip);
// Level 1: a third of the time of the default for a tenth more bytes.
const packing = { level: 1 };
/** Up to this many characters, packing takes less time than a thread's answer. */
const packedAtOnce = 4_096;

/** A chunk is full with this many rows, or this many characters of JSON. */
const chunkRows = 1_000;
const chunkCharacters = 1_048_576;
/**
 * A page ends early where its rows are together over this size, so that giant rows fill neither the memory nor what a
 * gateway takes for the answer of a subgraph (SUBGRAPH_ANSWER_BYTES).
 */
const pageJsonBytes = 8_388_608;

/** Collects rows until a chunk is full. */
export class ChunkBuilder {
  #rows: string[] = [];
  #characters = 0;
  #firstRow = 0;

  /** All rows that were added so far. */
  get rowCount(): number {
    return this.#firstRow + this.#rows.length;
  }

  get isFull(): boolean {
    return this.#rows.length >= chunkRows || this.#characters >= chunkCharacters;
  }

  add(row: JsonValue[]): void {
    const json = JSON.stringify(row);
    this.#rows.push(json);
    this.#characters += json.length + 1;
  }

  /** Packs what was collected since the last time; undefined where that is nothing. */
  async take(): Promise<Chunk | undefined> {
    const rowCount = this.#rows.length;
    if (rowCount === 0) return undefined;
    const json = `[${this.#rows.join(',')}]`;
    const firstRow = this.#firstRow;
    this.#firstRow += rowCount;
    this.#rows = [];
    this.#characters = 0;
    const data = json.length > packedAtOnce ? await pack(json, packing) : gzipSync(json, packing);
    return { firstRow, rowCount, jsonBytes: Buffer.byteLength(json), data };
  }
}

/** Rows of a result as they were at one moment. */
export interface ResultRows {
  rows: JsonValue[][];
  /** How many rows the result has in all, or had so far. */
  stored: number;
}

/** Whose rows are read, and in which state of them. */
export type ResultState = Pick<JobRow, 'id' | 'attempt' | 'revision' | 'resultOf'>;

export class ResultStore {
  constructor(readonly postgres: Postgres) {}

  /**
   * At most `limit` rows from row `start` on. Fewer where the result ends, or where the rows are so large that a page of
   * them would be over 8 MB.
   * @returns undefined where the rows are not those of this state any more: the job went on, or ended without a result
   */
  async read(
    identity: Identity,
    { id, attempt, revision, resultOf }: ResultState,
    start: number,
    limit: number,
  ): Promise<ResultRows | undefined> {
    const found = await this.postgres.withOrg(
      identity,
      (tx) =>
        tx.query<{ stored: number; firstRow: number | null; data: Buffer }>(pageStatement, [
          resultOf ?? id,
          attempt,
          start,
          start + limit,
          id,
          revision,
        ]),
      { readOnly: true },
    );
    const [first] = found;
    if (first === undefined) return undefined;
    const chunks = await Promise.all(
      found.map(async ({ firstRow, data }) => {
        if (firstRow === null) return [];
        const rows: JsonValue[][] = JSON.parse((await unpack(data)).toString('utf8'));
        return rows.slice(Math.max(0, start - firstRow), start + limit - firstRow);
      }),
    );
    return { rows: chunks.length === 1 ? chunks[0]! : chunks.flat(1), stored: first.stored };
  }
}

const chunksOfAttempt = 'job_results WHERE job_id = $1 AND attempt = $2';

/**
 * The chunks that have a page's rows, found by the number of the first one. One statement, so that they are of the state
 * that was asked for: a run may replace its rows at any moment. Under row security an index takes no condition that is an
 * expression around a subquery, so `coalesce` stands inside of it.
 */
const pageStatement = `
  SELECT coalesce((SELECT first_row + row_count FROM ${chunksOfAttempt} ORDER BY first_row DESC LIMIT 1), 0) AS stored,
         page.first_row AS "firstRow", page.data
    FROM (SELECT 1 FROM jobs WHERE id = $5 AND attempt = $2 AND revision = $6 AND status IN ('PENDING', 'RUNNING', 'COMPLETED')
                               AND (expires_at IS NULL OR expires_at > now())) AS job
    LEFT JOIN (
      SELECT first_row, data, sum(json_bytes) OVER (ORDER BY first_row) - json_bytes AS bytes_before
        FROM ${chunksOfAttempt} AND first_row < $4::bigint AND first_row + row_count > $3::bigint
         AND first_row >= (SELECT coalesce(max(first_row), 0) FROM ${chunksOfAttempt} AND first_row <= $3::bigint)
    ) AS page ON page.bytes_before < ${pageJsonBytes}
   ORDER BY page.first_row`;
