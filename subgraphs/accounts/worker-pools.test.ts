import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Identity, Tier } from '../../platform/identity.js';
import { createExecutor, type SubgraphExecutor } from '../../platform/subgraph.js';
import { createTestPlatform, makeOrg, type TestPlatform } from '../../tests/setup/database.js';
import { accounts } from './index.js';

let base: TestPlatform;
let executor: SubgraphExecutor;
let bank: Identity;
beforeAll(async () => {
  base = await createTestPlatform();
  executor = createExecutor(accounts, accounts.create(base.platform), base.platform.logger);
  bank = await makeOrg(base.platform, 'bank');
});
afterAll(() => base.close());

const ask = async (identity: Identity, query: string, variables?: Record<string, unknown>) => {
  const { data, errors } = await executor.execute({ query, variables }, { identity, remoteIp: null });
  return { data: data as any, refusal: errors && [errors[0]!.extensions.code, errors[0]!.extensions.argument] };
};
const assign = (input: { orgId: string; pool: string | null }, by = base.orgs[0]) =>
  ask(by, 'mutation ($input: AssignWorkerPoolInput!) { assignWorkerPool(input: $input) { slug workerPool } }', {
    input,
  });
const setTier = (tier: Tier) =>
  ask(base.orgs[0], 'mutation ($input: UpdateOrgInput!) { updateOrg(input: $input) { tier workerPool } }', {
    input: { id: bank.orgId, tier },
  });
const poolOf = async (identity: Identity) => (await ask(identity, '{ org { workerPool } }')).data.org.workerPool;

describe('a worker pool of its own', () => {
  it('is given by a platform administrator, seen by the organisation, and written down for both', async () => {
    expect(await poolOf(bank)).toBeNull();
    const { data } = await assign({ orgId: bank.orgId, pool: 'gold' });
    expect(data.assignWorkerPool).toEqual({ slug: 'bank', workerPool: 'gold' });
    expect(await poolOf(bank)).toBe('gold');
    await assign({ orgId: bank.orgId.toUpperCase(), pool: null });
    expect(await poolOf(bank)).toBeNull();
    const entries = await base.database.asSuperuser(
      `SELECT o.slug AS org, payload ->> 'instanceId' AS about, payload -> 'data' ->> 'pool' AS pool, payload ->> 'message' AS message
         FROM app.outbox b JOIN app.orgs o ON o.id = b.org_id WHERE payload ->> 'op' = 'org.worker-pool' ORDER BY b.seq`,
    );
    const given = 'Gave the jobs of the organisation bank to the worker pool gold.';
    const taken = 'Gave the jobs of the organisation bank to the worker pool shared.';
    expect(entries).toEqual([
      { org: 'one', about: bank.orgId, pool: 'gold', message: given },
      { org: 'bank', about: bank.orgId, pool: 'gold', message: given },
      { org: 'one', about: bank.orgId, pool: null, message: taken },
      { org: 'bank', about: bank.orgId, pool: null, message: taken },
    ]);
  });

  it('is given by the mutation that the page about workers shows', async () => {
    const [, mutation] = /```graphql\n([\s\S]*?)```/.exec(readFileSync('docs/workers.md', 'utf8'))!;
    const { data } = await ask(base.orgs[0], mutation!, { orgId: base.orgs[1].orgId });
    expect(data.assignWorkerPool).toEqual({ slug: 'two', workerPool: 'gold' });
  });

  it('is for the tier ENTERPRISE alone, and goes with it', async () => {
    await assign({ orgId: bank.orgId, pool: 'gold' });
    expect((await setTier('ENTERPRISE')).data.updateOrg).toEqual({ tier: 'ENTERPRISE', workerPool: 'gold' });
    expect((await setTier('PRO')).data.updateOrg).toEqual({ tier: 'PRO', workerPool: null });
    expect((await assign({ orgId: bank.orgId, pool: 'gold' })).refusal).toEqual(['TIER_REQUIRED', 'input.pool']);
    expect((await assign({ orgId: bank.orgId, pool: null })).data.assignWorkerPool.workerPool).toBeNull();
    await setTier('ENTERPRISE');
    expect(await poolOf(bank)).toBeNull();
  });

  it('is nobody else’s to give, and has a name that workers can be started with', async () => {
    const admin = { ...bank, capabilities: bank.capabilities.filter(({ action }) => action !== 'platform:admin') };
    expect((await assign({ orgId: bank.orgId, pool: 'gold' }, admin)).refusal?.[0]).toBe('FORBIDDEN');
    for (const pool of ['', 'Gold', '1st', 'a b', 'gold_1', '-', 'shared', 'g'.repeat(64)]) {
      expect((await assign({ orgId: bank.orgId, pool })).refusal).toEqual(['BAD_USER_INPUT', 'input.pool']);
    }
    expect((await assign({ orgId: bank.orgId, pool: 'g'.repeat(63) })).data.assignWorkerPool.workerPool).toHaveLength(
      63,
    );
    for (const orgId of [crypto.randomUUID(), 'x']) {
      expect((await assign({ orgId, pool: 'gold' })).refusal).toEqual(['NOT_FOUND', 'input.orgId']);
    }
  });
});
