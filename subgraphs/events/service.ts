/** The rules of ingest: a batch is stored once, whole but for the events that do not fit, together with its feed row. */
import { datasets, findDataset } from '../../datasets/index.js';
import type { Dataset } from '../../datasets/types.js';
import type { Config } from '../../platform/config.js';
import { fail } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import { BatchWriter, type Receipt, type RejectedItem } from '../../platform/ingest.js';
import type { CappedCount } from '../../platform/paging.js';
import { isStorableText } from '../../platform/storable.js';
import type { EventsStore } from './store.js';
import { type EventRow, toEventRow } from './validation.js';

export class EventsService {
  readonly #batches: BatchWriter;

  constructor(
    private readonly store: EventsStore,
    private readonly config: Pick<Config, 'eventBytes'>,
  ) {
    this.#batches = new BatchWriter(store.postgres, 'events');
  }

  /** @throws UNKNOWN_DATASET that lists the names */
  dataset(name: string, argument: string): Dataset {
    const known = datasets.map((dataset) => dataset.name).join(', ');
    return (
      findDataset(name) ??
      fail('UNKNOWN_DATASET', `There is no dataset "${name.slice(0, 80)}". There are: ${known}.`, { argument })
    );
  }

  /**
   * Stores the events that fit, once for a batch id.
   * @throws UNKNOWN_DATASET, BAD_USER_INPUT for a batch id that is none, QUOTA_EXCEEDED; nothing is stored then
   */
  async ingest(
    identity: Identity,
    input: { dataset: string; events: unknown[]; batchId?: string | null | undefined },
  ): Promise<Receipt> {
    const dataset = this.dataset(input.dataset, 'input.dataset');
    const batchId = input.batchId ?? crypto.randomUUID();
    if (batchId.length < 1 || batchId.length > 200 || !isStorableText(batchId)) {
      fail('BAD_USER_INPUT', '"input.batchId" takes 1 to 200 characters.', { argument: 'input.batchId' });
    }
    const rows: EventRow[] = [];
    const rejected: RejectedItem[] = [];
    input.events.forEach((event, index) => {
      const row = toEventRow(dataset, event, this.config.eventBytes);
      if ('code' in row) rejected.push({ index, ...row });
      else rows.push(row);
    });
    const timesMs = rows.map(({ timeMs }) => timeMs);
    const bytes = rows.reduce((total, row) => total + row.bytes, 0);
    const batch = { dataset: dataset.name, batchId, timesMs, bytes, rejected };
    return this.#batches.store(identity, batch, (tx, batchNo) =>
      this.store.insertEvents(tx, identity.orgId, dataset, batchNo, rows),
    );
  }

  async count(identity: Identity, dataset: Dataset): Promise<CappedCount> {
    return this.store.countEvents(identity, dataset);
  }

  async edgeTime(identity: Identity, dataset: Dataset, edge: 'FIRST' | 'LAST'): Promise<string | null> {
    return this.store.edgeTime(identity, dataset, edge);
  }
}
