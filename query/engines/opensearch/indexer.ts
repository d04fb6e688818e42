/**
 * Feeds OpenSearch from PostgreSQL: follows the change feed, reads each batch's rows and writes them as documents under
 * their events' ids. A crash of either side repeats the last batches, which changes nothing.
 */
import { findDataset } from '../../../datasets/index.js';
import type { Dataset } from '../../../datasets/types.js';
import type { FeedRow } from '../../../platform/feed.js';
import { systemIdentity } from '../../../platform/identity.js';
import type { Logger } from '../../../platform/logging.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import type { Search } from '../../../platform/search.js';
import { holdIndexes, noteSearchGap } from '../../../platform/system/search.js';
import { writeDocuments } from './bulk.js';
import { type BatchGroup, type EventDocument, readDocuments } from './documents.js';
import { indexName, monthAlias } from './index-names.js';
import { Indexes } from './indexes.js';

/** The indexer's name among the followers of the change feed. */
export const indexConsumer = 'search-index';

/** What one bulk request holds at most, but for a single larger event. */
const bulkBytes = 4 * 1024 * 1024;
const bulkDocuments = 2_000;
/** A transaction lasts as long as OpenSearch takes the rows that it reads. It writes nothing, so it holds nobody back. */
const readTimeoutMs = 600_000;

/** What the indexer has done since the process began. */
export interface IndexerFigures {
  documents: number;
  /** Events that OpenSearch will never take; their ids are in the log. */
  dead: number;
}

/** Where the documents of a dataset go, month by month. */
interface Target {
  /** Called in the transaction that reads the rows. */
  prepare(tx: Tx): Promise<void>;
  ensure(months: Iterable<string>): Promise<void>;
  nameOf(document: EventDocument): string;
  areAliases: boolean;
  onMissing?: () => void;
  /** The generation of its indexes, called while they cannot be switched. */
  generation(): Promise<number>;
}

export class Indexer {
  readonly indexes: Indexes;
  readonly figures: IndexerFigures = { documents: 0, dead: 0 };
  readonly #abort = new AbortController();

  constructor(
    readonly postgres: Postgres,
    readonly search: Search,
    readonly logger: Logger,
  ) {
    this.indexes = new Indexes(search);
  }

  /** Ends what is in hand. */
  stop(): void {
    this.#abort.abort();
  }

  /** Indexes batches where readers see them. May be repeated. */
  async apply(rows: readonly FeedRow[]): Promise<void> {
    for (const group of toGroups(rows)) await this.#write(group, this.#live(group.dataset));
  }

  /** What indexes batches of a dataset in a generation that readers do not see yet. */
  writerTo(dataset: Dataset, generation: number): (rows: readonly FeedRow[]) => Promise<void> {
    const target = this.#fresh(dataset, generation);
    return async (rows) => {
      for (const group of toGroups(rows)) await this.#write(group, target);
    };
  }

  #live(dataset: Dataset): Target {
    const { indexes } = this;
    return {
      prepare: (tx) => holdIndexes(tx, dataset.name),
      ensure: (months) => indexes.ensureMonths(dataset, months),
      nameOf: ({ month }) => monthAlias(this.search.prefix, dataset.name, month),
      areAliases: true,
      onMissing: () => indexes.forgetMonths(),
      generation: async () => (await indexes.generation(dataset)) ?? 0,
    };
  }

  #fresh(dataset: Dataset, generation: number): Target {
    const name = (month: string) => indexName(this.search.prefix, dataset.name, month, generation);
    const made = new Set<string>();
    return {
      prepare: async () => {},
      ensure: async (months) => {
        for (const month of months) {
          if (made.has(month)) continue;
          await this.indexes.make(name(month), []);
          made.add(month);
        }
      },
      nameOf: ({ month }) => name(month),
      areAliases: false,
      generation: async () => generation,
    };
  }

  async #write(group: BatchGroup, target: Target): Promise<void> {
    await this.postgres.withOrg(
      systemIdentity(group.orgId, indexConsumer),
      async (tx) => {
        await target.prepare(tx);
        let waiting: EventDocument[] = [];
        let bytes = 0;
        const flush = async () => {
          if (waiting.length > 0) await this.#send(group, waiting, target);
          waiting = [];
          bytes = 0;
        };
        for await (const documents of readDocuments(tx, group)) {
          for (const document of documents) {
            if (bytes + document.json.length > bulkBytes || waiting.length === bulkDocuments) await flush();
            waiting.push(document);
            bytes += document.json.length;
          }
        }
        await flush();
      },
      { readOnly: true, timeoutMs: readTimeoutMs },
    );
  }

  async #send({ orgId, dataset }: BatchGroup, documents: readonly EventDocument[], target: Target): Promise<void> {
    const months = new Set(documents.map(({ month }) => month));
    await target.ensure(months);
    const dead = await writeDocuments(this.search, documents, {
      nameOf: target.nameOf,
      areAliases: target.areAliases,
      onMissing: async () => {
        target.onMissing?.();
        await target.ensure(months);
      },
      signal: this.#abort.signal,
      logger: this.logger,
    });
    this.figures.documents += documents.length - dead.length;
    this.figures.dead += dead.length;
    const [eventId] = dead;
    if (eventId === undefined) return;
    // Before the feed goes on: from then on queries rely on what is indexed.
    await noteSearchGap(this.postgres, {
      orgId,
      dataset: dataset.name,
      generation: await target.generation(),
      eventId,
    });
  }
}

/** Feed rows by organisation and dataset; what is no dataset, such as the audit log, is not indexed. */
function toGroups(rows: readonly FeedRow[]): BatchGroup[] {
  const groups = new Map<string, BatchGroup & { rows: FeedRow[] }>();
  for (const row of rows) {
    const dataset = findDataset(row.dataset);
    if (!dataset) continue;
    const key = `${row.orgId}/${row.dataset}`;
    const group = groups.get(key) ?? { orgId: row.orgId, dataset, rows: [] };
    group.rows.push(row);
    groups.set(key, group);
  }
  return [...groups.values()];
}
