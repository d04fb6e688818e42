import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Migration, migrate, readMigrations } from '../platform/postgres/migrate.js';
import { roleNames } from '../platform/postgres/roles.js';
import { createTestDatabase, type TestDatabase } from './setup/database.js';
import { dumpSchema } from './setup/schema-dump.js';

const goldenFile = 'schema/postgres/golden.txt';

let database: TestDatabase;
let migrations: Migration[];

beforeAll(async () => {
  database = await createTestDatabase();
  // Privileges on the database itself are not part of the template that it was cloned from.
  await database.asSuperuser(`GRANT CREATE ON DATABASE ${database.name} TO ${roleNames.owner}`);
  migrations = await readMigrations('schema/postgres');
});
afterAll(() => database.drop());

const dump = (): Promise<string> => dumpSchema((sql, parameters) => database.asSuperuser(sql, parameters));

test('the migrations make the schema of the golden dump; UPDATE_GOLDEN=1 writes it anew', async () => {
  const actual = await dump();
  if (process.env.UPDATE_GOLDEN === '1') await writeFile(goldenFile, actual);
  expect(actual).toBe(await readFile(goldenFile, 'utf8'));
});

test('migrating a second time, or twice at once, does nothing', async () => {
  const before = await dump();
  const owner = database.url('owner');
  expect(await migrate(owner, migrations)).toEqual([]);
  expect(await Promise.all([migrate(owner, migrations), migrate(owner, migrations)])).toEqual([[], []]);
  expect(await dump()).toBe(before);
});

test('a migration that was changed after it was applied is refused by name', async () => {
  const changed = migrations.map((migration, index) => (index === 1 ? { ...migration, sha256: 'another' } : migration));
  await expect(migrate(database.url('owner'), changed)).rejects.toThrow(
    `The migration ${migrations[1]!.name} was changed after it was applied.`,
  );
});

test('a database that is newer than the code is refused by name', async () => {
  const last = migrations.at(-1)!;
  await expect(migrate(database.url('owner'), migrations.slice(0, -1))).rejects.toThrow(
    `The database has the migration ${last.name}, which this version does not know.`,
  );
});

test('a migration that fails leaves nothing behind, and those before it stay', async () => {
  const before = await dump();
  const good = { name: '9001_good.sql', sql: 'CREATE TABLE app.good ()', sha256: 'good' };
  const broken = { name: '9002_broken.sql', sql: 'CREATE TABLE app.broken (); SELECT 1 / 0', sha256: 'broken' };
  await expect(migrate(database.url('owner'), [...migrations, good, broken])).rejects.toThrow('division by zero');
  expect(await migrate(database.url('owner'), [...migrations, good])).toEqual([]);
  const added = (await dump()).replace(before, '').match(/^table app\.(good|broken)/gm);
  expect(added).toEqual(['table app.good']);
});

test('a missing or double number is refused', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'migrations-'));
  try {
    await writeFile(path.join(directory, '0001_one.sql'), '');
    await writeFile(path.join(directory, '0003_three.sql'), '');
    await expect(readMigrations(directory)).rejects.toThrow(
      'Migration 0003_three.sql is out of order: expected number 2.',
    );
    await writeFile(path.join(directory, '0002_two.sql'), '');
    await writeFile(path.join(directory, '0002_zwei.sql'), '');
    await expect(readMigrations(directory)).rejects.toThrow(
      'Migration 0002_zwei.sql is out of order: expected number 3.',
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('an older installation keeps its rows, and its kept results count', async () => {
  const older = await createTestDatabase();
  try {
    const { asSuperuser } = older;
    await asSuperuser(`GRANT CREATE ON DATABASE ${older.name} TO ${roleNames.owner}`);
    await asSuperuser('DROP SCHEMA app, fn, q, qb, migration CASCADE');
    await migrate(older.url('owner'), migrations.slice(0, 9));
    const [org] = await asSuperuser<{ id: string }>(
      `INSERT INTO app.orgs (slug, name) VALUES ('older', 'Older') RETURNING id`,
    );
    await asSuperuser(`INSERT INTO app.users (org_id, email, name, roles) VALUES ($1, 'a@b.example', 'A', '{ADMIN}')`, [
      org!.id,
    ]);
    await asSuperuser(
      `WITH job AS (
         INSERT INTO app.jobs (org_id, status, language, query, priority, timeout_ms, fingerprint, completed_at, columns)
         SELECT $1, 'COMPLETED', 'SQL', 'SELECT ' || n, 'NORMAL', 1000, '', now(), '[]' FROM generate_series(1, 3) AS n RETURNING *
       )
       INSERT INTO app.job_results (org_id, job_id, attempt, first_row, row_count, json_bytes, data)
       SELECT org_id, id, 1, first_row, 1, 10, '' FROM job, generate_series(0, 1) AS first_row WHERE query <> 'SELECT 3'`,
      [org!.id],
    );
    await asSuperuser(
      `INSERT INTO app.change_feed (org_id, dataset, batch_no, min_time, max_time, minutes, row_count)
       VALUES ($1, 'logs', 1, now(), now(), '{}', 7)`,
      [org!.id],
    );
    expect(await migrate(older.url('owner'), migrations)).toEqual(migrations.slice(9).map(({ name }) => name));
    expect(await asSuperuser('SELECT query, result_bytes::int AS bytes FROM app.jobs ORDER BY query')).toEqual([
      { query: 'SELECT 1', bytes: 20 },
      { query: 'SELECT 2', bytes: 20 },
      { query: 'SELECT 3', bytes: 0 },
    ]);
    expect(await asSuperuser('SELECT status, count(*)::int AS jobs FROM app.job_ends GROUP BY 1')).toEqual([
      { status: 'COMPLETED', jobs: 3 },
    ]);
    expect(await asSuperuser('SELECT roles, capabilities, access_version, disabled_at FROM app.users')).toEqual([
      { roles: ['ADMIN'], capabilities: [], access_version: 1, disabled_at: null },
    ]);
    expect(await asSuperuser('SELECT row_count, bytes::int FROM app.change_feed')).toEqual([
      { row_count: 7, bytes: 0 },
    ]);
    expect(await dumpSchema(asSuperuser)).toBe(await readFile(goldenFile, 'utf8'));
  } finally {
    await older.drop();
  }
});
