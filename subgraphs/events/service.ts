/** The rules of ingest: a batch is stored once, whole but for the events that do not fit, together with its feed row. */
import { datasets, findDataset } from '../../datasets/index.js';
import type { Dataset } from '../../datasets/types.js';
import type { Config } from '../../platform/config.js';
import { fail } from '../../platform/errors.js';
import { appendToFeed } from '../../platform/feed.js';
import type { Identity } from '../../platform/identity.js';
import { type CappedCount, toCappedCount } from '../../platform/paging.js';
import type { EventsStore, IndexedRejection } from './store.js';
import { type EventRow, toEventRow } from './validation.js';

export interface Receipt {
  accepted: number;
  rejected: IndexedRejection[];
  batchId: string;
  duplicate: boolean;
}

const minuteMs = 60_000;

export class EventsService {
  constructor(
    private readonly store: EventsStore,
    private readonly config: Pick<Config, 'eventBytes'>,
  ) {}

  /** @throws UNKNOWN_DATASET that lists the names */
  dataset(name: string, argument: string): Dataset {
    const known = datasets.map((dataset) => dataset.name).join(', ');
    return (
      findDataset(name) ??
      fail('UNKNOWN_DATASET', `There is no dataset "${name.slice(0, 80)}". There are: ${known}.`, { argument })
    );
  }

  async ingest(
    identity: Identity,
    input: { dataset: string; events: unknown[]; batchId?: string | null | undefined },
  ): Promise<Receipt> {
    const dataset = this.dataset(input.dataset, 'input.dataset');
    const batchId = input.batchId ?? crypto.randomUUID();
    if (batchId.length < 1 || batchId.length > 200 || batchId.includes('\u0000')) {
      fail('BAD_USER_INPUT', '"input.batchId" takes 1 to 200 characters.', { argument: 'input.batchId' });
    }
    const rows: EventRow[] = [];
    const rejected: IndexedRejection[] = [];
    input.events.forEach((event, index) => {
      const row = toEventRow(dataset, event, this.config.eventBytes);
      if ('code' in row) rejected.push({ index, ...row });
      else rows.push(row);
    });
    const months = new Set(rows.map((row) => `${new Date(row.timeMs).toISOString().slice(0, 7)}-01`));
    await this.#ensurePartitions(identity, dataset, [...months]);
    return this.store.postgres.withOrg(identity, async (tx) => {
      const batch = { dataset: dataset.name, batchId, accepted: rows.length, rejected };
      const batchNo = await this.store.insertBatch(tx, identity.orgId, batch);
      if (batchNo === undefined) {
        const stored = await this.store.findBatch(tx, dataset.name, batchId);
        return { accepted: stored!.accepted, rejected: stored!.rejected, batchId, duplicate: true };
      }
      if (rows.length > 0) {
        await this.store.insertEvents(tx, identity.orgId, dataset, batchNo, rows);
        await appendToFeed(tx, identity.orgId, {
          dataset: dataset.name,
          batchNo,
          ...timeRange(rows),
          rowCount: rows.length,
        });
      }
      return { accepted: rows.length, rejected, batchId, duplicate: false };
    });
  }

  async count(identity: Identity, dataset: Dataset): Promise<CappedCount> {
    return toCappedCount(await this.store.countEvents(identity, dataset));
  }

  async edgeTime(identity: Identity, dataset: Dataset, edge: 'FIRST' | 'LAST'): Promise<string | null> {
    return this.store.edgeTime(identity, dataset, edge);
  }

  async #ensurePartitions(identity: Identity, dataset: Dataset, months: string[]): Promise<void> {
    const missing = months.filter((month) => !this.#partitions.has(`${dataset.name}/${month}`));
    if (missing.length === 0) return;
    await this.store.ensurePartitions(identity, dataset, missing);
    for (const month of missing) this.#partitions.add(`${dataset.name}/${month}`);
  }

  /** Partitions that this process knows to exist; they are dropped only after all of their events have expired. */
  readonly #partitions = new Set<string>();
}

function timeRange(rows: EventRow[]): { minTime: string; maxTime: string; minutes: string[] } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  const minutes = new Set<number>();
  for (const { timeMs } of rows) {
    min = Math.min(min, timeMs);
    max = Math.max(max, timeMs);
    minutes.add(Math.floor(timeMs / minuteMs) * minuteMs);
  }
  const iso = (ms: number) => new Date(ms).toISOString();
  // Event times have microseconds and `timeMs` does not: the range's end is rounded up.
  return { minTime: iso(min), maxTime: iso(max + 1), minutes: [...minutes].sort((a, b) => a - b).map(iso) };
}
