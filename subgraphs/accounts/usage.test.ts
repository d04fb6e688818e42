/** Usage: counted exactly from the change feed, whatever happens to the follower, and told in the graph. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FeedRow, followFeed } from '../../platform/feed.js';
import type { Identity } from '../../platform/identity.js';
import { createExecutor } from '../../platform/subgraph.js';
import { countFeedRows } from '../../platform/system/usage.js';
import { readIngestUses, readUsageDays, usageColumns, usageTables } from '../../platform/usage.js';
import { createTestPlatform, makeOrg, type TestPlatform } from '../../tests/setup/database.js';
import { ingest } from '../../tests/setup/events.js';
import { readWholeFeed } from '../../tests/setup/feed.js';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';
import { setLimits } from '../../tests/setup/quotas.js';
import { eventually } from '../../tests/setup/until.js';
import { accounts } from './index.js';

const histories = process.env.HARBORWATCH_DEEP ? 150 : 12;
const at = '2026-01-15T10:00:00Z';
const events = (count: number) => Array.from({ length: count }, (_, n) => ({ timestamp: at, message: `event ${n}` }));

describe('counting', () => {
  let t: TestPlatform;
  let made = 0;
  beforeAll(async () => {
    t = await createTestPlatform();
  });
  afterAll(() => t.close());

  const newOrg = () => {
    made += 1;
    return makeOrg(t.platform, `counted-${made}`);
  };
  const send = (org: Identity, count: number) => ingest(t.platform, org, 'logs', events(count));
  const figures = (org: Identity) =>
    t.platform.postgres.withOrg(org, async (tx) => {
      const { eventsToday, storedBytes } = await readIngestUses(tx);
      return { today: eventsToday.used, bytes: storedBytes.used, days: await readUsageDays(tx, 10) };
    });
  /** The same from the feed alone. */
  const sums = async ({ orgId }: Identity) => {
    const days = await t.database.asSuperuser<{ day: string; events: string; bytes: string }>(
      `SELECT to_char(day, 'YYYY-MM-DD') AS day, coalesce(sum(row_count), 0)::text AS events, coalesce(sum(bytes), 0)::text AS bytes
         FROM generate_series(date_trunc('day', now(), 'UTC') - interval '9 days', now(), '1 day') AS day
         LEFT JOIN app.change_feed f ON org_id = $1 AND date_trunc('day', committed_at, 'UTC') = day GROUP BY day ORDER BY day`,
      [orgId],
    );
    return {
      today: Number(days.at(-1)!.events),
      bytes: days.reduce((total, { bytes }) => total + Number(bytes), 0),
      days,
    };
  };

  test('the figures are the sums of the feed after any history of batches, counts and repeated counts', async () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('send' as const), count: fc.integer({ min: 1, max: 30 }), daysAgo: fc.nat(9) }),
      // Counts a stretch of the feed from anywhere before what is counted already: what a crash repeats.
      fc.record({ what: fc.constant('count' as const), back: fc.nat(5), rows: fc.nat(8) }),
    );
    const history = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const org = await newOrg();
      let counted = 0;
      for (const one of steps) {
        if (one.what === 'send') {
          await send(org, one.count);
          // Rows that a follower may have counted keep their day.
          await t.database.asSuperuser(
            `UPDATE app.change_feed SET committed_at = committed_at - $2 * interval '1 day'
              WHERE org_id = $1 AND seq = (SELECT max(seq) FROM app.change_feed WHERE org_id = $1)`,
            [org.orgId, one.daysAgo],
          );
        } else {
          const feed = await readWholeFeed(t.platform.postgres, org);
          const end = Math.min(counted + one.rows, feed.length);
          await countFeedRows(t.platform.postgres, feed.slice(Math.max(0, counted - one.back), end));
          counted = end;
        }
        expect(await figures(org)).toEqual(await sums(org));
      }
    });
    await fc.assert(history, { numRuns: histories });
  }, 600_000);

  test('a follower that ends after counting and before its checkpoint counts nothing twice', async () => {
    const org = await newOrg();
    for (let batch = 0; batch < 20; batch++) await send(org, 5);
    let crashes = 0;
    const handle = async (rows: FeedRow[]) => {
      await countFeedRows(t.platform.postgres, rows);
      if (crashes++ % 2 === 0) throw new Error('ended between effect and checkpoint');
    };
    const { postgres, logger } = t.platform;
    const follower = followFeed(postgres, { consumer: 'usage-crash', logger, batchSize: 3, handle });
    try {
      await eventually(async () => {
        const [row] = await t.database.asSuperuser<{ events: string }>(
          'SELECT events::text FROM app.org_usage_totals WHERE org_id = $1',
          [org.orgId],
        );
        expect(row?.events).toBe('100');
      }, 100_000);
    } finally {
      await follower.stop();
    }
    expect(crashes).toBeGreaterThan(3);
    expect(await figures(org)).toEqual(await sums(org));
  });

  test('two followers at once count every row once', async () => {
    const org = await newOrg();
    for (let batch = 0; batch < 5; batch++) await send(org, 5);
    const feed = await readWholeFeed(t.platform.postgres, org);
    await Promise.all(Array.from({ length: 8 }, () => countFeedRows(t.platform.postgres, feed)));
    expect(await figures(org)).toEqual(await sums(org));
    const [row] = await t.database.asSuperuser('SELECT events::int FROM app.org_usage_totals WHERE org_id = $1', [
      org.orgId,
    ]);
    expect(row).toEqual({ events: 25 });
  });

  test('what is read does not grow with the history that is counted', async () => {
    const org = await newOrg();
    for (let batch = 0; batch < 30; batch++) await send(org, 1);
    await countFeedRows(t.platform.postgres, await readWholeFeed(t.platform.postgres, org));
    const plan = await t.platform.postgres.withOrg(org, async (tx) => {
      // A small table would be read whole whatever its indexes.
      await tx.query('SET LOCAL enable_seqscan = off');
      const rows = await tx.query<Record<string, string>>(
        `EXPLAIN (ANALYZE, COSTS OFF) SELECT ${usageColumns} FROM ${usageTables()}`,
      );
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    });
    expect(plan).toMatch(/Index Cond: .*ROW\(tx, seq\) > ROW/);
    expect(plan).not.toMatch(/Rows Removed by Filter/);
  });

  test('of another organisation nothing is told', async () => {
    const [org, foreign] = [await newOrg(), await newOrg()];
    const executor = createExecutor(accounts, accounts.create(t.platform), t.platform.logger);
    const query = 'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Org { usage { orgId } } } }';
    const variables = { r: [org, foreign].map(({ orgId }) => ({ __typename: 'Org', id: orgId })) };
    const { data } = await executor.execute({ query, variables }, { identity: org, remoteIp: null });
    expect(data).toEqual({ _entities: [{ usage: { orgId: org.orgId } }, null] });
  });
});

describe('in the graph', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({ workers: true });
  });
  afterAll(() => gateway.close());

  const usage = `query ($days: Int) { viewer { org { usage(days: $days) {
    days { day events bytes } eventsToday { ...use } storedBytes { ...use }
    runningJobs { ...use } resultBytes { ...use } collections { ...use } } } } } fragment use on QuotaUse { used limit percent }`;
  const ask = async (org: Identity, days?: number | null) => gateway.query<any>(org, usage, { days });

  test('each domain tells its own figures, with the limit and the share of it', async () => {
    const [org] = gateway.orgs;
    await setLimits(gateway, org, { storedBytes: 1_000, runningJobs: 2, resultBytes: 100, collections: null });
    // An ingest below the quota; the figure of bytes is what came as JSON.
    const bytes = events(4).reduce((total, event) => total + JSON.stringify(event).length, 0);
    await ingest(gateway.platform, org, 'logs', events(4));
    const job = 'mutation { submitJob(input: { query: "SELECT 1 AS n", waitMs: 20000 }) { status } }';
    expect((await gateway.query<any>(org, job)).data.submitJob.status).toBe('COMPLETED');
    await eventually(async () => {
      const { data, errors } = await ask(org, 2);
      expect(errors).toBeUndefined();
      const { days, ...quotas } = data.viewer.org.usage;
      expect(days).toHaveLength(2);
      expect(quotas).toMatchObject({
        storedBytes: { limit: '1000' },
        runningJobs: { used: '0', limit: '2', percent: 0 },
        resultBytes: { used: '5', limit: '100', percent: 5 },
        collections: { used: '0', limit: null, percent: null },
        eventsToday: { limit: null, percent: null },
      });
      // The gateway writes down its own requests meanwhile.
      expect(Number(quotas.eventsToday.used)).toBeGreaterThanOrEqual(4);
      expect(Number(days[1].bytes)).toBeGreaterThanOrEqual(bytes);
      expect(days[1].events).toBe(quotas.eventsToday.used);
    });
  });

  test('a limit that was lowered to next to nothing is told as it is passed', async () => {
    const [, org] = gateway.orgs;
    await setLimits(gateway, org, { storedBytes: 1 });
    await gateway.database.asSuperuser(
      `INSERT INTO app.org_usage_totals (org_id, events, bytes, tx, seq) VALUES ($1, 1, 10::numeric ^ 12, '0', 0)
       ON CONFLICT (org_id) DO UPDATE SET bytes = excluded.bytes`,
      [org.orgId],
    );
    const { data, errors } = await ask(org, 1);
    expect(errors).toBeUndefined();
    expect(data.viewer.org.usage.storedBytes).toMatchObject({ limit: '1', percent: 2_147_483_647 });
  });

  test('the days are 30 without an argument, and bad numbers are refused by name', async () => {
    const [org] = gateway.orgs;
    expect((await ask(org)).data.viewer.org.usage.days).toHaveLength(30);
    expect((await ask(org, null)).data.viewer.org.usage.days).toHaveLength(30);
    expect((await ask(org, 366)).data.viewer.org.usage.days).toHaveLength(366);
    for (const days of [0, -1, 367]) {
      const { errors } = await ask(org, days);
      expect(errors?.[0]).toMatchObject({
        message: `"days" is ${days}; it takes 1 to 366.`,
        extensions: { code: 'BAD_USER_INPUT', argument: 'days', limit: 366 },
      });
    }
  });
});
