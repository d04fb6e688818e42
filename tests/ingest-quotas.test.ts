/** Quotas of events a day and of stored bytes, at every way that events and entries come in. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Identity, systemIdentity } from '../platform/identity.js';
import type { LimitOverrides } from '../platform/org-limits.js';
import { createExecutor, type SubgraphExecutor, type Worker } from '../platform/subgraph.js';
import { readIngestUses } from '../platform/usage.js';
import { startUsageFollower } from '../subgraphs/accounts/worker.js';
import { audit } from '../subgraphs/audit/index.js';
import { createTestPlatform, makeOrg, type TestPlatform } from './setup/database.js';
import { ingest } from './setup/events.js';
import { quotaEntries, setLimits } from './setup/quotas.js';
import { eventually } from './setup/until.js';

let t: TestPlatform;
let org: Identity;
let follower: Worker | undefined;
beforeEach(async () => {
  t = await createTestPlatform();
  [org] = t.orgs;
});
afterEach(async () => {
  await follower?.stop(1_000);
  follower = undefined;
  await t.close();
});

const at = '2026-01-15T10:00:00Z';
const events = (count: number) => Array.from({ length: count }, (_, n) => ({ timestamp: at, message: `event ${n}` }));
const send = (count: number, batchId?: string, identity = org) =>
  ingest(t.platform, identity, 'logs', events(count), batchId);
const limit = (limits: LimitOverrides) => setLimits(t, org, limits);
const uses = (identity = org) => t.platform.postgres.withOrg(identity, readIngestUses);

const stored = async (identity = org): Promise<number> => {
  const [row] = await t.database.asSuperuser<{ count: number }>(
    'SELECT count(*)::int AS count FROM app.logs WHERE org_id = $1',
    [identity.orgId],
  );
  return row!.count;
};

const startFollower = () => {
  follower = startUsageFollower(t.platform.postgres, t.platform.logger);
};
const followerIsThrough = () =>
  eventually(async () => {
    const [row] = await t.database.asSuperuser<{ behind: number }>(
      `SELECT count(*)::int AS behind FROM app.change_feed f LEFT JOIN app.org_usage_totals u USING (org_id)
        WHERE u.org_id IS NULL OR (f.tx, f.seq) > (u.tx, u.seq)`,
    );
    expect(row!.behind).toBe(0);
  });

describe('events a day', () => {
  test('a batch over the quota is refused whole with the figures, and is accepted under the same id once the quota is raised', async () => {
    await limit({ eventsPerDay: 100 });
    expect(await send(60, 'first')).toMatchObject({ accepted: 60, duplicate: false });
    const refused = send(41, 'second');
    await expect(refused).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      details: { quota: 'eventsPerDay', used: 60, limit: 100, adding: 41 },
      message: expect.stringMatching(
        /^The quota eventsPerDay is 100 events and log entries a day; 60 are used, and 41 more do not fit\. The day ends at \d{4}-\d\d-\d\dT00:00:00\.000Z\./,
      ),
    });
    const { details } = await refused.catch((error) => error);
    expect(details.retryAfterSeconds).toBeGreaterThan(0);
    expect(details.retryAfterSeconds).toBeLessThanOrEqual(86_400);
    expect(await stored()).toBe(60);
    expect(await send(40, 'third')).toMatchObject({ accepted: 40 });
    expect(await send(60, 'first')).toMatchObject({ accepted: 60, duplicate: true });
    await limit({ eventsPerDay: 141 });
    expect(await send(41, 'second')).toMatchObject({ accepted: 41, duplicate: false });
    expect(await stored()).toBe(141);
  });

  test('yesterday’s events leave today’s quota alone', async () => {
    await limit({ eventsPerDay: 10 });
    await send(10);
    await t.database.asSuperuser(
      `UPDATE app.change_feed SET committed_at = date_trunc('day', now(), 'UTC') - interval '1 second'`,
    );
    expect((await uses()).eventsToday.used).toBe(0);
    await send(10);
    startFollower();
    await followerIsThrough();
    expect((await uses()).eventsToday.used).toBe(10);
    await expect(send(1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });

  test('the figure is exact while no follower runs, while it catches up, and afterwards', async () => {
    await limit({ eventsPerDay: 1_000 });
    for (let batch = 0; batch < 10; batch++) await send(7);
    expect((await uses()).eventsToday.used).toBe(70);
    startFollower();
    for (let batch = 0; batch < 30; batch++) {
      await send(3);
      expect((await uses()).eventsToday.used).toBe(70 + 3 * (batch + 1));
    }
    await followerIsThrough();
    expect((await uses()).eventsToday.used).toBe(160);
    await follower!.stop(1_000);
    await send(800);
    await expect(send(41)).rejects.toMatchObject({ details: { used: 960 } });
    await send(40);
  });

  test('of 50 batches at once no more than those in flight pass the quota', async () => {
    await limit({ eventsPerDay: 100 });
    const answers = await Promise.allSettled(Array.from({ length: 50 }, () => send(10)));
    const accepted = answers.filter(({ status }) => status === 'fulfilled').length;
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    }
    // A process has 20 connections, so as many batches are in flight at most.
    expect(accepted).toBeGreaterThanOrEqual(10);
    expect(accepted).toBeLessThanOrEqual(10 + 20);
    expect(await stored()).toBe(accepted * 10);
    expect((await uses()).eventsToday.used).toBe(accepted * 10);
    await expect(send(1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });

  test('what Harborwatch writes itself counts and is never refused', async () => {
    await limit({ eventsPerDay: 5, storedBytes: 1 });
    const gateway = systemIdentity(org.orgId, 'gateway');
    const activity = Array.from({ length: 6 }, () => ({ eventdate: at, action: 'query' }));
    expect(await ingest(t.platform, gateway, 'web_activity', activity)).toMatchObject({ accepted: 6 });
    expect((await uses()).eventsToday.used).toBe(6);
    await expect(send(1)).rejects.toMatchObject({ details: { quota: 'eventsPerDay', used: 6 } });
  });

  test('a batch of which nothing fits its dataset is answered at the quota too', async () => {
    await limit({ eventsPerDay: 0 });
    const receipt = await ingest(t.platform, org, 'logs', [{ message: 'without a time' }], 'broken');
    expect(receipt).toMatchObject({ accepted: 0, rejected: [{ index: 0 }] });
    await expect(send(1)).rejects.toMatchObject({ details: { used: 0, limit: 0 } });
  });
});

describe('stored bytes', () => {
  const size = (count: number) =>
    events(count).reduce((total, event) => total + Buffer.byteLength(JSON.stringify(event)), 0);

  test('count the JSON that came, over all days, without what was rejected', async () => {
    await limit({ storedBytes: size(3) + size(4) });
    await ingest(t.platform, org, 'logs', [...events(3), { message: 'x'.repeat(1_000) }]);
    await t.database.asSuperuser(`UPDATE app.change_feed SET committed_at = now() - interval '40 days'`);
    expect((await uses()).storedBytes.used).toBe(size(3));
    startFollower();
    await followerIsThrough();
    await expect(send(5)).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      details: { quota: 'storedBytes', used: size(3), adding: size(5) },
    });
    await send(4);
    await expect(send(1)).rejects.toMatchObject({ details: { used: size(3) + size(4) } });
  });

  test('entries of the audit log count by the same rules', async () => {
    const entry = { type: 'A', when: at, who: 'ada', msg: 'looked' };
    const bytes = Buffer.byteLength(JSON.stringify(entry));
    await limit({ storedBytes: 2 * bytes });
    const write = writerOf(createExecutor(audit, audit.create(t.platform), t.platform.logger));
    expect(await write([entry, entry])).toMatchObject({ data: { writeLogEntries: { accepted: 2 } } });
    expect((await uses()).storedBytes.used).toBe(2 * bytes);
    const refused = await write([entry]);
    expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'QUOTA_EXCEEDED', quota: 'storedBytes' });
    expect((await quotaEntries(t, org)).map(({ module }) => module)).toEqual(['audit', 'audit']);
  });

  const writerOf = (executor: SubgraphExecutor) => async (entries: object[]) =>
    executor.execute(
      {
        query: 'mutation ($input: WriteLogEntriesInput!) { writeLogEntries(input: $input) { accepted } }',
        variables: { input: { app: 'shop', entries } },
      },
      { identity: org, remoteIp: null },
    );
});

describe('entries about quotas', () => {
  const told = async () =>
    (await quotaEntries(t, org)).map(({ priority, data }) => [data.quota, data.threshold, priority, data.used]);

  test('are written once a day at 80 % and at 100 %, with what is used', async () => {
    await limit({ eventsPerDay: 100 });
    await send(79);
    expect(await told()).toEqual([]);
    await send(1);
    await send(5);
    expect(await told()).toEqual([['eventsPerDay', 80, 'WARN', 80]]);
    await send(15);
    await expect(send(1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(await told()).toEqual([
      ['eventsPerDay', 80, 'WARN', 80],
      ['eventsPerDay', 100, 'SEC', 100],
    ]);
    const [first] = await quotaEntries(t, org);
    expect(first).toMatchObject({ module: 'events', outcome: 'SUCCESS', data: { limit: 100, percent: 80 } });
    await t.database.asSuperuser(`UPDATE app.change_feed SET committed_at = committed_at - interval '1 day'`);
    await t.database.asSuperuser('UPDATE app.quota_notices SET period = period - 1');
    await send(90);
    expect(await told()).toHaveLength(3);
  });

  test('tell of a refusal too, though the batch is undone; 80 % is told when it is reached', async () => {
    await limit({ eventsPerDay: 100 });
    const tooLarge = await send(500).catch((error) => error);
    expect(tooLarge).toMatchObject({ code: 'QUOTA_EXCEEDED', message: expect.stringContaining('less at once') });
    expect(tooLarge.details).not.toHaveProperty('retryAfterSeconds');
    await expect(send(400)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(await told()).toEqual([['eventsPerDay', 100, 'SEC', 0]]);
    await send(85);
    await send(15);
    expect(await told()).toEqual([
      ['eventsPerDay', 100, 'SEC', 0],
      ['eventsPerDay', 80, 'WARN', 85],
    ]);
    expect((await quotaEntries(t, org)).map(({ outcome }) => outcome)).toEqual(['FAILURE', 'SUCCESS']);
  });

  test('are written once when many batches reach the threshold together', async () => {
    await limit({ eventsPerDay: 400, storedBytes: 1_000_000 });
    await Promise.allSettled(Array.from({ length: 50 }, () => send(10)));
    await Promise.allSettled(Array.from({ length: 20 }, () => send(10)));
    expect((await told()).map(([quota, threshold]) => `${quota} ${threshold}`)).toEqual([
      'eventsPerDay 80',
      'eventsPerDay 100',
    ]);
  });
});

test('organisations without limits, and others’ figures, are not touched', async () => {
  const [, other] = t.orgs;
  const third = await makeOrg(t.platform, 'three');
  await limit({ eventsPerDay: 1 });
  await send(1);
  await send(2_000, undefined, other);
  await send(3, undefined, third);
  await expect(send(1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  expect(await quotaEntries(t, other)).toEqual([]);
  expect((await uses(other)).eventsToday).toMatchObject({ used: 2_000, limit: Number.POSITIVE_INFINITY });
  expect((await uses(third)).eventsToday.used).toBe(3);
});
