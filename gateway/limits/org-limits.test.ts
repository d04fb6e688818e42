import { expect, it } from 'vitest';
import { createLogger } from '../../platform/logging.js';
import { readOrgLimits } from '../../platform/system/org-limits.js';
import { createTestPlatform } from '../../tests/setup/database.js';
import { OrgLimits, type ReadOrgLimits } from './org-limits.js';

const logger = createLogger('test', 'silent');
const caller = { orgId: '0199d2a4-0000-7000-8000-000000000001', tier: 'PRO' } as const;

it('limits are known at once after the first time, and read again when they were changed', async () => {
  let burstCapacity = 5;
  const orgs = new OrgLimits(async () => ({ tier: 'BASIC', limits: { burstCapacity } }), logger);
  const expected = (burst: number) => ({ tier: 'BASIC', limits: { requestsPerMinute: 60, burstCapacity: burst } });
  expect(await orgs.of(caller)).toMatchObject(expected(5));
  burstCapacity = 6;
  expect(orgs.of(caller)).toMatchObject(expected(5));
  orgs.forget(caller.orgId);
  expect(await orgs.of(caller)).toMatchObject(expected(6));
});

it('a change while they are read is not missed', async () => {
  const answer = () => Promise.withResolvers<Awaited<ReturnType<ReadOrgLimits>>>();
  const answers = [answer(), answer()];
  let asked = 0;
  const orgs = new OrgLimits(() => answers[asked++]!.promise, logger);
  const first = orgs.of(caller);
  orgs.forget(caller.orgId);
  answers[0]!.resolve({ tier: 'BASIC', limits: {} });
  expect(await first).toMatchObject({ tier: 'BASIC' });
  answers[1]!.resolve(undefined);
  expect(await orgs.of(caller)).toMatchObject({ tier: 'PRO' });
  expect(asked).toBe(2);
});

it('while the database is away, an organisation has what the tier of its token gives', async () => {
  const { platform, orgs: made, database } = await createTestPlatform();
  const orgs = new OrgLimits((orgId) => readOrgLimits(platform.postgres, orgId), logger);
  const [known, unknown] = made;
  expect(await orgs.of(known)).toMatchObject({ limits: { requestsPerMinute: Number.POSITIVE_INFINITY } });
  await platform.close();
  await database.drop();
  expect(await orgs.of(unknown)).toMatchObject({ tier: 'ENTERPRISE', limits: { requestsPerMinute: 1_000 } });
  expect(orgs.of(known)).toMatchObject({ limits: { requestsPerMinute: Number.POSITIVE_INFINITY } });
});
