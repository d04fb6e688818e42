/** A platform with a place on OpenSearch, and a look at what is indexed there. */

import type { Identity } from '../../platform/identity.js';
import type { Search } from '../../platform/search.js';
import { Freshness } from '../../query/engines/opensearch/freshness.js';
import { readAlias } from '../../query/engines/opensearch/index-names.js';
import { createTestPlatform, type TestPlatform } from './database.js';
import type { TestOpenSearch } from './opensearch.js';

export interface SearchScene extends TestPlatform {
  search: Search;
  openSearch: TestOpenSearch;
  /** The `_source` of every document of an organisation's dataset, as a query that begins now sees them, by id. */
  documents(identity: Identity, dataset: string): Promise<Record<string, any>[]>;
  /** What PostgreSQL has, in the same form: the ids in their order. */
  eventIds(identity: Identity, dataset: string): Promise<string[]>;
}

/** @param settings over those of the test's OpenSearch */
export async function createSearchScene(
  openSearch: TestOpenSearch,
  settings: Record<string, string> = {},
): Promise<SearchScene> {
  const test = await createTestPlatform({ ...openSearch.settings, OPENSEARCH_WAIT_MS: '60000', ...settings });
  const { platform, database } = test;
  const search = platform.search!;
  const freshness = new Freshness(platform.postgres, search, platform.config.openSearchWaitMs);
  return {
    ...test,
    search,
    openSearch,
    documents: async ({ orgId }, dataset) => {
      await freshness.reach(orgId, dataset);
      const found: Record<string, any>[] = [];
      for (let after: unknown[] | undefined; ; ) {
        const answer = await openSearch.request('POST', `/${readAlias(search.prefix, dataset)}/_search`, {
          size: 10_000,
          query: { bool: { filter: [{ term: { org_id: orgId } }] } },
          // The index too: a document that is there twice is told twice.
          sort: ['id', '_index'],
          ...(after === undefined ? {} : { search_after: after }),
        });
        if (answer._shards.failed > 0) throw new Error(JSON.stringify(answer._shards));
        const { hits } = answer.hits;
        if (hits.length === 0) return found;
        found.push(...hits.map((hit: any) => hit._source));
        after = hits.at(-1).sort;
      }
    },
    eventIds: async ({ orgId }, dataset) => {
      const rows = await database.asSuperuser<{ id: string }>(
        `SELECT id FROM app.${dataset} WHERE org_id = $1 ORDER BY id`,
        [orgId],
      );
      return rows.map(({ id }) => id);
    },
    close: async () => {
      await test.close();
      await openSearch.drop();
    },
  };
}
