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
