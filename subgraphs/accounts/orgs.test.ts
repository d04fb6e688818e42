import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';
import { OrgsService } from './service/orgs.js';
import { accountsOf, codeOf, refusalOf } from './testing.js';

let gateway: TestGateway;
let accounts: ReturnType<typeof accountsOf>;
beforeAll(async () => {
  gateway = await startTestGateway();
  accounts = accountsOf(gateway);
});
afterAll(() => gateway.close());

const fields = 'id slug name tier limits { requestsPerMinute burstCapacity concurrentConnections }';
const create = (change: object, by = gateway.orgs[0]) =>
  gateway.query<any>(by, `mutation ($input: CreateOrgInput!) { createOrg(input: $input) { ${fields} } }`, {
    input: {
      slug: 'bank',
      name: 'Bank',
      tier: 'PRO',
      adminEmail: 'ada@bank.example',
      adminPassword: 'long enough 1',
      ...change,
    },
  });
const update = (input: object, by = gateway.orgs[0]) =>
  gateway.query<any>(by, `mutation ($input: UpdateOrgInput!) { updateOrg(input: $input) { ${fields} } }`, { input });
const stored = async (id: string) =>
  (await gateway.database.asSuperuser<any>('SELECT tier, limits FROM app.orgs WHERE id = $1', [id]))[0];

describe('organisations', () => {
  it('are made with limits of their own, whose administrator signs in', async () => {
    const limits = { requestsPerMinute: 5, burstCapacity: null, storedBytes: '9007199254740991', runningJobs: 1 };
    const { createOrg } = (await create({ limits })).data;
    expect(createOrg).toMatchObject({
      tier: 'PRO',
      limits: { requestsPerMinute: 5, burstCapacity: 2_147_483_647, concurrentConnections: 20 },
    });
    expect(await stored(createOrg.id)).toEqual({
      tier: 'PRO',
      limits: { requestsPerMinute: 5, burstCapacity: null, storedBytes: 9_007_199_254_740_991, runningJobs: 1 },
    });
    const { accessToken } = await accounts.signIn({ email: 'ada@bank.example', password: 'long enough 1' });
    const { data } = await accounts.ask(
      accessToken,
      '{ viewer { org { slug limits { requestsPerMinute } } user { roles } } }',
    );
    expect(data.viewer).toEqual({
      org: { slug: 'bank', limits: { requestsPerMinute: 5 } },
      user: { roles: ['ADMIN'] },
    });
    const entries = await accounts.entries('org.create', createOrg.id);
    expect(entries.map(({ org, payload }) => [org, payload.who]).toSorted()).toEqual([
      ['bank', 'admin@one.example'],
      ['one', 'admin@one.example'],
    ]);
  });

  it('are made whatever the length of the address', async () => {
    const adminEmail = `${'a'.repeat(240)}@long.example`;
    expect((await create({ slug: 'long', adminEmail })).data.createOrg.slug).toBe('long');
  });

  it('are changed by platform administrators, who then see them no further', async () => {
    const { id } = (await create({ slug: 'shop', adminEmail: 'a@shop.example', limits: { collections: 1 } })).data
      .createOrg;
    const changed = await update({ id, name: 'Shop & Co', tier: 'BASIC', limits: { concurrentConnections: null } });
    expect(changed.data.updateOrg).toEqual({
      id,
      slug: 'shop',
      name: 'Shop & Co',
      tier: 'BASIC',
      limits: { requestsPerMinute: 60, burstCapacity: 10, concurrentConnections: 2_147_483_647 },
    });
    expect(await stored(id)).toEqual({ tier: 'BASIC', limits: { concurrentConnections: null } });
    expect((await update({ id, name: 'Shop' })).data.updateOrg.limits.concurrentConnections).toBe(2_147_483_647);
    expect((await update({ id, limits: null })).data.updateOrg.limits.concurrentConnections).toBe(5);
    expect((await accounts.entries('org.update', id)).map(({ org }) => org)).toEqual([
      'one',
      'shop',
      'one',
      'shop',
      'one',
      'shop',
    ]);
    expect((await gateway.query<any>(gateway.orgs[0], `{ org(id: "${id}") { slug } }`)).data.org).toBeNull();
  });

  it('are made at the first start by nobody, and that is written down as well', async () => {
    const input = { slug: 'first', name: 'First', tier: 'BASIC' as const };
    const admin = { adminEmail: 'a@first.example', adminPassword: 'long enough 1' };
    const { id } = await new OrgsService(gateway.platform.postgres).create(undefined, { ...input, ...admin }, [
      'ADMIN',
    ]);
    expect(await accounts.entries('org.create', id)).toMatchObject([{ org: 'first', payload: { who: 'setup' } }]);
  });

  it('are nobody else’s to make or change', async () => {
    const [one, two] = gateway.orgs;
    const admin = { ...one, capabilities: one.capabilities.filter(({ action }) => action !== 'platform:admin') };
    expect(codeOf(await create({ slug: 'mine' }, admin))).toBe('FORBIDDEN');
    expect(codeOf(await update({ id: one.orgId, tier: 'ENTERPRISE' }, admin))).toBe('FORBIDDEN');
    expect((await update({ id: two.orgId, name: 'Org two' })).data.updateOrg.slug).toBe('two');
  });

  it('refuse bad input by name', async () => {
    const refused = async (change: object) => refusalOf(await create({ slug: 'free', ...change }));
    expect(await refused({ slug: 'Not A Slug' })).toEqual(['BAD_USER_INPUT', 'input.slug']);
    expect(await refused({ slug: 'one' })).toEqual(['CONFLICT', 'input.slug']);
    expect(await refused({ name: '' })).toEqual(['BAD_USER_INPUT', 'input.name']);
    expect(await refused({ adminEmail: 'nobody' })).toEqual(['BAD_USER_INPUT', 'input.adminEmail']);
    expect(await refused({ adminPassword: 'short' })).toEqual(['BAD_USER_INPUT', 'input.adminPassword']);
    for (const [name, value] of Object.entries({
      requestsPerMinute: 0,
      burstCapacity: -1,
      concurrentConnections: 0,
      runningJobs: 0,
    })) {
      expect(await refused({ limits: { [name]: value } })).toEqual(['BAD_USER_INPUT', `input.limits.${name}`]);
    }
    for (const value of ['-1', '9007199254740992', '9'.repeat(38)]) {
      expect(await refused({ limits: { storedBytes: value } })).toEqual(['BAD_USER_INPUT', 'input.limits.storedBytes']);
    }
    const id = gateway.orgs[1].orgId;
    expect(refusalOf(await update({ id }))).toEqual(['BAD_USER_INPUT', 'input']);
    expect(refusalOf(await update({ id, name: ' ' }))).toEqual(['BAD_USER_INPUT', 'input.name']);
    expect(refusalOf(await update({ id, limits: { collections: -1 } }))).toEqual([
      'BAD_USER_INPUT',
      'input.limits.collections',
    ]);
    expect(refusalOf(await update({ id: crypto.randomUUID(), name: 'N' }))).toEqual(['NOT_FOUND', 'input.id']);
    expect(refusalOf(await update({ id: 'x', name: 'N' }))).toEqual(['NOT_FOUND', 'input.id']);
  });
});
