/** docs/queue.md: what it shows runs, and the settings that it names have the defaults that it tells. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settings } from '../../platform/settings.js';
import { createJobsTest, type JobsTest } from '../../subgraphs/jobs/testing.js';

let t: JobsTest;
let page: string;
beforeAll(async () => {
  page = await readFile('docs/queue.md', 'utf8');
  t = await createJobsTest();
});
afterAll(() => t.close());

test('every operation of the page is answered', async () => {
  const operations = [...page.matchAll(/```graphql\n([\s\S]*?)```/g)].map(([, text]) => text!);
  expect(operations).toHaveLength(3);
  for (const operation of operations) expect(Object.values(await t.ask(t.orgs[0], operation))[0]).not.toBeNull();
});

test('every setting of the page has the default that stands beside it', () => {
  const told = [...page.matchAll(/\| `(JOBS_\w+)` \| (\d+) \|/g)].map(([, env, value]) => [env, Number(value)]);
  expect(told).toHaveLength(5);
  for (const [env, value] of [...told, ['JOBS_ALERT_LEAST_JOBS', 20]]) {
    expect([env, Object.values(settings).find((setting) => setting.env === env)?.fallback]).toEqual([env, value]);
  }
});
