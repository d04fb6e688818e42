/** What every kind of ingest shares: a batch is stored once, whole but for the items that do not fit, with its feed row. */
import { appendToFeed } from './feed.js';
import type { Identity } from './identity.js';
import type { Postgres, Tx } from './postgres/postgres.js';
import { isUnlimited, noteUse, requireRoom, withQuotas } from './quotas.js';
import { toIngestUses, type UsageRow, usageColumns, usageTables } from './usage.js';

/** An item of a batch that was not stored. */
export interface RejectedItem {
  /** Its place in the batch, from 0. */
  index: number;
  /** A code of the error registry. */
  code: string;
  message: string;
  /** The field that it is about. */
  field?: string;
}

interface StoredBatch {
  accepted: number;
  rejected: RejectedItem[];
}

/** What became of a batch. */
export interface Receipt extends StoredBatch {
  batchId: string;
  /** Whether the batch was stored before; the receipt is then the first one. */
  duplicate: boolean;
}

export interface NewBatch {
  /** The dataset's name, which is also its table's. */
  dataset: string;
  batchId: string;
  /** The time of each accepted item in milliseconds since the epoch, with what is finer cut off. */
  timesMs: readonly number[];
  /** The size of the accepted items together, as the JSON that came. */
  bytes: number;
  rejected: RejectedItem[];
}

const minuteMs = 60_000;

/**
 * Writes batches, each in one transaction.
 *
 * A batch that would pass the quota of events a day or of stored bytes is refused whole, so that the same batch id can be
 * sent again later. What is in flight at the same time does not see each other: the quota is passed by as much at most.
 * What parts of Harborwatch write themselves counts, and is never refused.
 */
export class BatchWriter {
  readonly #postgres: Postgres;
  /** The domain, as entries about its quotas name it. */
  readonly #module: string;
  /** Partitions that this process knows to exist; they are dropped only after all of their items have expired. */
  readonly #partitions = new Set<string>();

  constructor(postgres: Postgres, module: string) {
    this.#postgres = postgres;
    this.#module = module;
  }

  /**
   * Stores a batch; one whose id was stored before answers its first receipt and changes nothing.
   * @param insert writes the accepted items; called only where there are any
   * @throws QUOTA_EXCEEDED; nothing is stored then
   */
  async store(
    identity: Identity,
    { dataset, batchId, timesMs, bytes, rejected }: NewBatch,
    insert: (tx: Tx, batchNo: string) => Promise<void>,
  ): Promise<Receipt> {
    const minutes = minutesOf(timesMs);
    await this.#ensurePartitions(identity, dataset, minutes);
    return withQuotas(this.#postgres, identity, async (tx) => {
      const batch = { accepted: timesMs.length, rejected };
      const isLimited = batch.accepted > 0 && identity.subject.kind !== 'SYSTEM';
      const claimed = await claimBatch(tx, identity.orgId, dataset, batchId, batch, isLimited);
      if (claimed.batchNo === null) return { ...(await findBatch(tx, dataset, batchId)), batchId, duplicate: true };
      if (batch.accepted > 0) {
        const { eventsToday, storedBytes } = toIngestUses(claimed);
        if (isLimited) {
          requireRoom(this.#module, eventsToday, batch.accepted);
          requireRoom(this.#module, storedBytes, bytes);
        }
        const { batchNo } = claimed;
        await insert(tx, batchNo);
        const feedRow = { dataset, batchNo, ...rangeOf(timesMs), minutes, rowCount: batch.accepted, bytes };
        await appendToFeed(tx, identity.orgId, feedRow);
        if (isLimited) {
          await noteUse(tx, identity, this.#module, eventsToday, batch.accepted);
          await noteUse(tx, identity, this.#module, storedBytes, bytes);
        }
      }
      return { ...batch, batchId, duplicate: false };
    });
  }

  /** Makes the monthly partitions, in a transaction of its own so that no reader ever waits for an ingest. */
  async #ensurePartitions(identity: Identity, dataset: string, minutes: readonly string[]): Promise<void> {
    const months = [...new Set(minutes.map((minute) => `${minute.slice(0, 7)}-01`))];
    const missing = months.filter((month) => !this.#partitions.has(`${dataset}/${month}`));
    if (missing.length === 0) return;
    await this.#postgres.withOrg(identity, (tx) =>
      tx.query('SELECT ensure_partition($1, month) FROM unnest($2::date[]) AS month', [dataset, missing]),
    );
    for (const month of missing) this.#partitions.add(`${dataset}/${month}`);
  }
}

const isUnlimitedIngest = `${isUnlimited('eventsPerDay')} AND ${isUnlimited('storedBytes')}`;

/**
 * Takes a batch's id, and reads in the same round trip what is used of the quotas.
 * @returns a number of null when the id is stored already
 */
async function claimBatch(
  tx: Tx,
  orgId: string,
  dataset: string,
  batchId: string,
  batch: StoredBatch,
  isLimited: boolean,
): Promise<UsageRow & { batchNo: string | null }> {
  const [row] = await tx.query<UsageRow & { batchNo: string | null }>(
    `WITH claimed AS (
       INSERT INTO ingest_batches (org_id, dataset, batch_id, accepted, rejected) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING RETURNING batch_no
     )
     SELECT (SELECT batch_no FROM claimed) AS "batchNo", ${usageColumns}
       FROM ${usageTables(isLimited ? isUnlimitedIngest : 'true')}`,
    [orgId, dataset, batchId, batch.accepted, JSON.stringify(batch.rejected)],
  );
  return row!;
}

async function findBatch(tx: Tx, dataset: string, batchId: string): Promise<StoredBatch> {
  const [row] = await tx.query<StoredBatch>(
    'SELECT accepted, rejected FROM ingest_batches WHERE dataset = $1 AND batch_id = $2',
    [dataset, batchId],
  );
  return row!;
}

const iso = (ms: number): string => new Date(ms).toISOString();

function minutesOf(timesMs: readonly number[]): string[] {
  const minutes = new Set(timesMs.map((timeMs) => Math.floor(timeMs / minuteMs) * minuteMs));
  return [...minutes].sort((a, b) => a - b).map(iso);
}

function rangeOf(timesMs: readonly number[]): { minTime: string; maxTime: string } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const timeMs of timesMs) {
    min = Math.min(min, timeMs);
    max = Math.max(max, timeMs);
  }
  // What is finer than milliseconds was cut off: the range's end is rounded up.
  return { minTime: iso(min), maxTime: iso(max + 1) };
}
