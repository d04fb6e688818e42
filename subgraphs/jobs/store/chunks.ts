/** A result as it is kept: gzipped JSON in chunks, so that any page is found by the number of its first row. */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Identity } from '../../../platform/identity.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import type { JsonValue } from '../../../query/index.js';
import type { Chunk } from './leases.js';

const pack = promisify<string, { level: number }, Buffer>(gzip);
const unpack = promisify<Buffer, Buffer>(gunzip);

/** A chunk is full with this many rows, or this many characters of JSON. */
const chunkRows = 1_000;
const chunkCharacters = 1_048_576;
/** A page ends early where its rows are together over this size, so that giant rows do not fill the memory. */
const pageJsonBytes = 33_554_432;

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
    // Level 1: a third of the time of the default for a tenth more bytes.
    return { firstRow, rowCount, jsonBytes: Buffer.byteLength(json), data: await pack(json, { level: 1 }) };
  }
}

export class ResultStore {
  constructor(readonly postgres: Postgres) {}

  /**
   * At most `limit` rows of an attempt from row `start` on. Fewer where the result ends, or where the rows are so large
   * that a page of them would be over 32 MB.
   */
  async read(
    identity: Identity,
    job: { id: string; attempt: number },
    start: number,
    limit: number,
  ): Promise<JsonValue[][]> {
    if (limit === 0) return [];
    const chunks = await this.postgres.withOrg(
      identity,
      (tx) =>
        tx.query<{ firstRow: number; data: Buffer }>(
          `SELECT first_row AS "firstRow", data FROM (
             SELECT first_row, data, sum(json_bytes) OVER (ORDER BY first_row) - json_bytes AS bytes_before
               FROM job_results
              WHERE job_id = $1 AND attempt = $2 AND first_row < $4
                AND first_row >= (SELECT max(first_row) FROM job_results
                                   WHERE job_id = $1 AND attempt = $2 AND first_row <= $3)
           ) AS page WHERE bytes_before < ${pageJsonBytes} ORDER BY first_row`,
          [job.id, job.attempt, start, start + limit],
        ),
      { readOnly: true },
    );
    const rows: JsonValue[][] = [];
    for (const { firstRow, data } of chunks) {
      const chunk: JsonValue[][] = JSON.parse((await unpack(data)).toString('utf8'));
      for (let index = Math.max(0, start - firstRow); index < chunk.length && rows.length < limit; index++) {
        rows.push(chunk[index]!);
      }
    }
    return rows;
  }
}
