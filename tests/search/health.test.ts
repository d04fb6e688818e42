import { describe, expect, it } from 'vitest';
import { collections } from '../../subgraphs/collections/index.js';
import { jobs } from '../../subgraphs/jobs/index.js';
import { createTestPlatform } from '../setup/database.js';
import { findOpenSearch } from '../setup/opensearch.js';

const openSearch = await findOpenSearch();
/** Nobody listens there. */
const away = 'http://127.0.0.1:9';

describe.each([jobs, collections])('$name', (subgraph) => {
  const isHealthy = async (settings: Record<string, string>): Promise<boolean> => {
    const test = await createTestPlatform(settings);
    const parts = subgraph.create(test.platform);
    try {
      return await parts.health!();
    } finally {
      await parts.close?.();
      await test.close();
    }
  };

  it('is not ready while queries run in an OpenSearch that is away', async () => {
    expect(await isHealthy({ OPENSEARCH_URL: away, QUERY_ENGINE: 'opensearch' })).toBe(false);
  });

  it('is ready without an OpenSearch that queries do not run in', async () => {
    expect(await isHealthy({ OPENSEARCH_URL: away })).toBe(true);
  });

  it.skipIf(!openSearch)('is ready where OpenSearch answers', async () => {
    expect(await isHealthy({ ...openSearch!.settings, QUERY_ENGINE: 'opensearch' })).toBe(true);
  });
});
