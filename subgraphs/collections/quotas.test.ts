/** The quota of collections. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExecutor } from '../../platform/subgraph.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { quotaEntries, setLimits } from '../../tests/setup/quotas.js';
import { collections } from './index.js';

let t: TestPlatform;
let close: () => Promise<void>;
let create: (name: string) => Promise<{ id?: string; code?: string }>;
let remove: (id: string) => Promise<unknown>;
beforeEach(async () => {
  t = await createTestPlatform();
  const parts = collections.create(t.platform);
  const executor = createExecutor(collections, parts, t.platform.logger);
  const ask = async (query: string) => executor.execute({ query }, { identity: t.orgs[0], remoteIp: null });
  create = async (name) => {
    const input = `friendlyName: "${name}", mode: HASH, expireInSeconds: 60, keyFields: ["host"], query: "SELECT timestamp, host FROM logs"`;
    const { data, errors } = await ask(`mutation { createCollection(input: { ${input} }) { id } }`);
    return errors ? { code: String(errors[0]!.extensions.code) } : (data as any).createCollection;
  };
  remove = (id) => ask(`mutation { removeCollection(input: { id: "${id}" }) { id } }`);
  close = async () => {
    await parts.close?.();
    await t.close();
  };
});
afterEach(() => close());

test('of many creations at once as many succeed as the quota admits; removing makes room', async () => {
  await setLimits(t, t.orgs[0], { collections: 5 });
  const made = await Promise.all(Array.from({ length: 12 }, (_, n) => create(`collection ${n}`)));
  expect(made.filter(({ id }) => id !== undefined)).toHaveLength(5);
  expect(made.filter(({ code }) => code === 'QUOTA_EXCEEDED')).toHaveLength(7);
  await remove(made.find(({ id }) => id !== undefined)!.id!);
  expect(await create('one more')).toMatchObject({ id: expect.any(String) });
  expect(await create('one too many')).toEqual({ code: 'QUOTA_EXCEEDED' });
  const entries = (await quotaEntries(t, t.orgs[0])).map(({ module, data }) => [module, data.threshold, data.used]);
  expect(entries).toEqual([
    ['collections', 80, 4],
    ['collections', 100, 5],
  ]);
});
