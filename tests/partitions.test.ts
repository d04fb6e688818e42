/** Making a new month's partition while others read. Whoever would have to wait for a lock gets an error instead. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestPlatform, type TestPlatform } from './setup/database.js';
import { ingest } from './setup/events.js';

let scene: TestPlatform;
const open: pg.Client[] = [];

beforeAll(async () => {
  scene = await createTestPlatform();
  await ingest(scene.platform, scene.orgs[0], 'logs', [{ timestamp: '2026-01-15T10:00:00Z' }]);
});
afterAll(async () => {
  await Promise.all(open.map((client) => client.end()));
  await scene.close();
});

/** An open transaction that soon gives up waiting for a lock; nobody here frees one in the meantime. */
async function begin(role: 'app' | 'owner'): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: scene.database.url(role) });
  await client.connect();
  open.push(client);
  await client.query(`BEGIN; SET LOCAL lock_timeout = '250ms'; SET LOCAL app.org_id = '${scene.orgs[0].orgId}'`);
  return client;
}

const countLogs = async (client: pg.Client): Promise<number> =>
  (await client.query<{ count: number }>('SELECT count(*)::int AS count FROM app.logs')).rows[0]!.count;

test('a reader in an open transaction does not hold up an ingest into a new month, and sees it when it is committed', async () => {
  const reader = await begin('app');
  expect(await countLogs(reader)).toBe(1);
  await ingest(scene.platform, scene.orgs[0], 'logs', [{ timestamp: '2026-02-15T10:00:00Z' }]);
  expect(await countLogs(reader)).toBe(2);
  await reader.query('COMMIT');
});

test('a new month’s partition during ingest blocks no reader: old and new ones read while it is made and filled', async () => {
  const earlier = await begin('app');
  const before = await countLogs(earlier);
  const writer = await begin('app');
  expect((await writer.query(`SELECT app.ensure_partition('logs', '2026-03-01') AS made`)).rows).toEqual([
    { made: true },
  ]);
  await writer.query(
    `INSERT INTO app.logs (org_id, batch_no, "timestamp") VALUES ($1, 0, '2026-03-15T10:00:00Z'), ($1, 0, '2026-01-15T10:00:00Z')`,
    [scene.orgs[0].orgId],
  );
  const later = await begin('app');
  expect([await countLogs(earlier), await countLogs(later)]).toEqual([before, before]);
  await writer.query('COMMIT');
  expect([await countLogs(earlier), await countLogs(later)]).toEqual([before + 2, before + 2]);
  await Promise.all([earlier.query('COMMIT'), later.query('COMMIT')]);
});

test('the check would see a blocked reader: CREATE TABLE ... PARTITION OF blocks', async () => {
  const owner = await begin('owner');
  await owner.query(
    `CREATE TABLE app.logs_blocking PARTITION OF app.logs FOR VALUES FROM ('2026-04-01Z') TO ('2026-05-01Z')`,
  );
  const reader = await begin('app');
  await expect(countLogs(reader)).rejects.toMatchObject({ code: '55P03' });
  await Promise.all([owner.query('ROLLBACK'), reader.query('ROLLBACK')]);
});

test('partitions of the same month that are wanted at once are made once', async () => {
  const wanted = Array.from({ length: 5 }, (_, index) =>
    ingest(scene.platform, scene.orgs[index % 2]!, 'website_logs', [
      { request_timestamp: `2027-07-0${index + 1}T00:00:00Z` },
    ]),
  );
  expect((await Promise.all(wanted)).map(({ accepted }) => accepted)).toEqual([1, 1, 1, 1, 1]);
});
