/** One statement, one round trip: the same rows, scope and errors as in a transaction of several. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { Postgres } from './postgres.js';

let t: TestPlatform;
beforeAll(async () => {
  t = await createTestPlatform();
});
afterAll(() => t.close());

const ask = <Row>(sql: string, parameters: unknown[] = [], options = {}) =>
  t.platform.postgres.queryAsOrg<Row>(t.orgs[0], sql, parameters, options);

test('a statement sees its organisation alone, one after the other on the same connections', async () => {
  const { postgres } = t.platform;
  const asked = Array.from({ length: 60 }, async (_, n) => {
    const identity = t.orgs[n % 2]!;
    const rows = await postgres.queryAsOrg<{ id: string }>(identity, 'SELECT id FROM orgs', []);
    expect(rows).toEqual([{ id: identity.orgId }]);
  });
  await Promise.all(asked);
  const [row] = await postgres.withOrg(t.orgs[1], (tx) => tx.query<{ id: string }>('SELECT id FROM orgs'));
  expect(row).toEqual({ id: t.orgs[1].orgId });
});

test('parameters and results are those of a transaction, whatever the values', async () => {
  const sql =
    'SELECT $1::text AS a, $2::int AS b, $3::text[] AS c, $4::jsonb AS d, $5::bytea AS e, $6::timestamptz AS f, $7::bool AS g';
  const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0') && value.isWellFormed());
  const values = fc.tuple(
    fc.option(text),
    fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
    fc.array(fc.option(text)),
    fc.record({ text, list: fc.array(fc.integer()) }).map((value) => JSON.stringify(value)),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-01-01') }).map((date) => date.toISOString()),
    fc.option(fc.boolean()),
  );
  await fc.assert(
    fc.asyncProperty(values, async (parameters) => {
      const inTransaction = await t.platform.postgres.withOrg(t.orgs[0], (tx) => tx.query(sql, parameters));
      expect(await ask(sql, parameters)).toEqual(inTransaction);
    }),
    { numRuns: 60 },
  );
});

test('what the server refuses is undone, told, and leaves the connection of use', async () => {
  const insert = `WITH made AS (
    INSERT INTO outbox (org_id, type, payload) VALUES ($1, 'test', '{}')
  ) SELECT 1 / count(*) FROM generate_series(1, $2::int)`;
  const count = async () =>
    (await t.database.asSuperuser<{ n: number }>(`SELECT count(*)::int AS n FROM app.outbox WHERE type = 'test'`))[0]!
      .n;
  for (let n = 0; n < 30; n++) {
    await expect(ask(insert, [t.orgs[0].orgId, 0])).rejects.toMatchObject({ code: '22012' });
    await expect(ask('SELECT nothing')).rejects.toMatchObject({ code: '42703' });
  }
  expect(await count()).toBe(0);
  for (let n = 0; n < 30; n++) await expect(ask(insert, [t.orgs[0].orgId, 1])).resolves.toHaveLength(1);
  expect(await count()).toBe(30);
});

test('read-only ones write nothing', async () => {
  const insert = `INSERT INTO outbox (org_id, type, payload) VALUES ($1, 'test', '{}')`;
  await expect(ask(insert, [t.orgs[0].orgId], { readOnly: true })).rejects.toMatchObject({ code: '25006' });
  await expect(ask(insert, [t.orgs[0].orgId])).resolves.toEqual([]);
});

test('a locked statement sees what was committed while it waited for the lock', async () => {
  const { postgres } = t.platform;
  const read = `SELECT count(*)::int AS n FROM orgs WHERE slug LIKE 'lock-%'`;
  const release = await t.database.hold(`SELECT pg_advisory_xact_lock(hashtextextended('a lock', 0))`);
  const waiting = postgres.queryAsSystem<{ n: number }>(read, [], { lock: 'a lock' });
  await t.database.asSuperuser(`INSERT INTO app.orgs (slug, name) VALUES ('lock-1', 'Lock')`);
  await release();
  expect(await waiting).toEqual([{ n: 1 }]);
});

test('a server that was lost without a word costs a statement its time, and not for ever', async () => {
  const real = new URL(t.database.url('app'));
  let isLost = false;
  const sockets: Socket[] = [];
  const proxy = createServer((client) => {
    const server = connect(Number(real.port), real.hostname);
    sockets.push(client, server);
    for (const socket of [client, server]) socket.on('error', () => {});
    client.on('data', (bytes) => isLost || server.write(bytes));
    server.on('data', (bytes) => isLost || client.write(bytes));
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const throughProxy = new URL(real);
  throughProxy.port = String((proxy.address() as AddressInfo).port);
  const urls = { app: throughProxy.href, query: throughProxy.href, system: throughProxy.href };
  const postgres = new Postgres(urls);
  try {
    const read = () => postgres.queryAsOrg(t.orgs[0], 'SELECT id FROM orgs', [], { timeoutMs: 200 });
    await expect(read()).resolves.toHaveLength(1);
    isLost = true;
    await expect(read()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    isLost = false;
    await expect(read()).resolves.toHaveLength(1);
  } finally {
    for (const socket of sockets) socket.destroy();
    await postgres.close();
    proxy.close();
  }
});
