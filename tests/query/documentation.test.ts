/** What docs/queries.md shows is what the engine runs. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { datasets } from '../../datasets/index.js';
import { type Batch, prepareQuery, type QueryLanguage, runQuery } from '../../query/index.js';
import { createTestPlatform, type TestPlatform } from '../setup/database.js';

const languages: Record<string, QueryLanguage> = { kql: 'KQL', sql: 'SQL', linq: 'LINQ', json: 'OPENSEARCH' };
const blocks = [...readFileSync('docs/queries.md', 'utf8').matchAll(/```(kql|sql|linq|json)\n([\s\S]*?)```/g)].map(
  ([, language, text]) => [languages[language!]!, text!] as const,
);

let platform: TestPlatform;
beforeAll(async () => {
  platform = await createTestPlatform();
});
afterAll(() => platform?.close());

test('every language has an example', () => {
  expect(new Set(blocks.map(([language]) => language))).toEqual(new Set(Object.values(languages)));
});

test.each(blocks)('%s\n%s', async (language, text) => {
  const engines = { postgres: platform.platform.postgres.queryPool };
  const query = await prepareQuery({ language, text, datasets });
  const batches: Batch[] = [];
  for await (const batch of runQuery(engines, query, { orgId: platform.orgs[0].orgId, timeoutMs: 20_000 })) {
    batches.push(batch);
  }
  expect(batches[0]!.columns.length).toBeGreaterThan(0);
});
