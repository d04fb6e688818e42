/** The indexes of the datasets: made as they are needed, found by their aliases, switched from generation to generation. */
import type { Dataset } from '../../../datasets/types.js';
import { type Search, SearchRefusal } from '../../../platform/search.js';
import { anchorName, indexName, indexPatterns, monthAlias, parseIndexName, readAlias } from './index-names.js';
import { mappingOf, templateOf } from './mapping.js';

/** An index of a dataset that exists. */
interface ExistingIndex {
  name: string;
  generation: number;
  /** Undefined for the anchor. */
  month: string | undefined;
  /** Whether readers see it. */
  isLive: boolean;
}

export class Indexes {
  /** The aliases of months that this process has seen. */
  readonly #months = new Set<string>();

  constructor(readonly search: Search) {}

  /**
   * Tells OpenSearch what the dataset's next indexes look like, and those that are there of new columns.
   * @returns whether readers' indexes are as they should be; those that are missing or have other types want a rebuild
   */
  async describe(dataset: Dataset): Promise<boolean> {
    const { search } = this;
    const alias = readAlias(search.prefix, dataset.name);
    await search.request({
      method: 'PUT',
      path: `/_index_template/${alias}`,
      body: templateOf(dataset, search.prefix),
    });
    if ((await this.generation(dataset)) === undefined) return false;
    const { properties } = mappingOf(dataset);
    try {
      await search.request({ method: 'PUT', path: `/${alias}/_mapping`, body: { properties } });
      return true;
    } catch (error) {
      if (error instanceof SearchRefusal && error.status === 400) return false;
      throw error;
    }
  }

  /** The generation that readers see; undefined before the dataset's first one. */
  async generation(dataset: Dataset): Promise<number | undefined> {
    return (await this.list(dataset)).find(({ isLive }) => isLive)?.generation;
  }

  /** The dataset's indexes of every generation. */
  async list(dataset: Dataset): Promise<ExistingIndex[]> {
    const { prefix } = this.search;
    const { body } = await this.search.request<Record<string, { aliases: Record<string, unknown> }>>({
      method: 'GET',
      path: `/${indexPatterns(prefix, dataset.name).join(',')}/_alias`,
      query: { allow_no_indices: true, ignore_unavailable: true },
    });
    return Object.entries(body).flatMap(([name, { aliases }]) => {
      const parsed = parseIndexName(prefix, dataset.name, name);
      return parsed ? [{ name, ...parsed, isLive: readAlias(prefix, dataset.name) in aliases }] : [];
    });
  }

  /** Makes the indexes of months that readers' generation lacks. */
  async ensureMonths(dataset: Dataset, months: Iterable<string>): Promise<void> {
    for (const month of months) {
      const alias = monthAlias(this.search.prefix, dataset.name, month);
      if (this.#months.has(alias)) continue;
      const existing = await this.list(dataset);
      const generation = existing.find(({ isLive }) => isLive)?.generation;
      if (generation === undefined) throw new Error(`The dataset ${dataset.name} has no indexes yet.`);
      if (!existing.some((index) => index.isLive && index.month === month)) {
        await this.make(indexName(this.search.prefix, dataset.name, month, generation), [
          alias,
          readAlias(this.search.prefix, dataset.name),
        ]);
      }
      this.#months.add(alias);
    }
  }

  /** What was known of months holds no more: an index was dropped behind our back. */
  forgetMonths(): void {
    this.#months.clear();
  }

  /** Makes an index; one that is there already is as good. */
  async make(name: string, aliases: readonly string[]): Promise<void> {
    await this.search
      .request({
        method: 'PUT',
        path: `/${name}`,
        query: { wait_for_active_shards: 1 },
        body: { aliases: Object.fromEntries(aliases.map((alias) => [alias, {}])) },
      })
      .catch((error: unknown) => {
        if (!(error instanceof SearchRefusal) || error.type !== 'resource_already_exists_exception') throw error;
      });
  }

  /** Shows readers and writers the indexes of a generation and no others, all at once. */
  async switchTo(dataset: Dataset, generation: number): Promise<void> {
    const { prefix } = this.search;
    const read = readAlias(prefix, dataset.name);
    const aliasesOf = ({ month }: ExistingIndex) =>
      month === undefined ? [read] : [read, monthAlias(prefix, dataset.name, month)];
    const actions = (await this.list(dataset)).flatMap((index) => {
      const action = index.generation === generation ? 'add' : index.isLive ? 'remove' : undefined;
      if (action === undefined) return [];
      return aliasesOf(index).map((alias) => ({ [action]: { index: index.name, alias } }));
    });
    await this.search.request({ method: 'POST', path: '/_aliases', body: { actions } });
  }

  /** Makes what was written visible to searches. */
  async refresh(names: string): Promise<void> {
    await this.search.request({ method: 'POST', path: `/${names}/_refresh` });
  }

  /** How many searches still read indexes. @param names with commas between them */
  async openSearches(names: string): Promise<number> {
    const { body } = await this.search.request<{ _all: { total: { search: { open_contexts: number } } } }>({
      method: 'GET',
      path: `/${names}/_stats/search`,
    });
    return body._all.total.search.open_contexts;
  }

  /** @param names with commas between them */
  async drop(names: string): Promise<void> {
    await this.search.request({ method: 'DELETE', path: `/${names}`, query: { ignore_unavailable: true } });
  }

  /** Makes the anchor of a generation, unseen by readers. */
  async makeAnchor(dataset: Dataset, generation: number): Promise<void> {
    await this.make(anchorName(this.search.prefix, dataset.name, generation), []);
  }
}
