/** Gathers records into batches that the server takes, each with a name of its own. */
import { createHash } from 'node:crypto';
import type { EventRecord, RecordReader, Unreadable } from './format.js';

export interface Batch {
  records: EventRecord[];
  /** The records as NDJSON. */
  body: string;
  /**
   * The same for the same content at the same place of a file, whatever the file's name: a run that is repeated, also
   * after it was broken off, sends the same batches under the same names, and the server stores each once.
   */
  id: string;
}

export interface BatchLimits {
  rows: number;
  bytes: number;
}

/** Batches well below the server's 16 MB, of as many rows as it writes in one statement. */
export const batchLimits: BatchLimits = { rows: 5_000, bytes: 4_000_000 };

/** What has been read: a batch that is full, or records that cannot be sent. */
export type Reading = { batch: Batch } | { unreadable: Unreadable[] };

export async function* readBatches(
  text: AsyncIterable<string>,
  reader: RecordReader,
  limits = batchLimits,
): AsyncGenerator<Reading> {
  let records: EventRecord[] = [];
  let bytes = 0;
  let index = 0;
  const take = (): Reading => {
    const body = `${records.map((record) => record.json).join('\n')}\n`;
    const id = createHash('sha256').update(`${index}\n`).update(body).digest('hex').slice(0, 40);
    const batch = { records, body, id: `cli-${id}` };
    records = [];
    bytes = 0;
    index += 1;
    return { batch };
  };
  function* gather(entries: Iterable<EventRecord | Unreadable>): Iterable<Reading> {
    const unreadable: Unreadable[] = [];
    for (const entry of entries) {
      if ('code' in entry) {
        unreadable.push(entry);
        continue;
      }
      const size = Buffer.byteLength(entry.json) + 1;
      if (records.length > 0 && bytes + size > limits.bytes) yield take();
      records.push(entry);
      bytes += size;
      if (records.length === limits.rows) yield take();
    }
    if (unreadable.length > 0) yield { unreadable };
  }
  for await (const piece of text) yield* gather(reader.push(piece));
  yield* gather(reader.end());
  if (records.length > 0) yield take();
}
