/** Applies the numbered SQL files of `schema/postgres/` in order, each once, each in a transaction of its own. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

export interface Migration {
  /** The file's name, such as `0001_core.sql`. */
  name: string;
  sql: string;
  sha256: string;
}

/** Reads the migrations in order. @throws when a number is missing or double, since they are append-only */
export async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  names.forEach((name, index) => {
    if (Number(name.slice(0, 4)) !== index + 1)
      throw new Error(`Migration ${name} is out of order: expected number ${index + 1}.`);
  });
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(directory, name), 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * Brings the database up to date as its owner.
 * @returns the names of the migrations that ran now
 * @throws when an applied migration's file has changed since, or the database is newer than the code
 */
export async function migrate(ownerUrl: string, migrations: Migration[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: ownerUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  const applied: string[] = [];
  try {
    await client.query(`SELECT pg_advisory_lock(hashtextextended('harborwatch:migrate', 0))`);
    await client.query('CREATE SCHEMA IF NOT EXISTS migration');
    await client.query(`CREATE TABLE IF NOT EXISTS migration.applied
      (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
    const done = await client.query<{ name: string; sha256: string }>('SELECT name, sha256 FROM migration.applied');
    const known = new Map(done.rows.map((row) => [row.name, row.sha256]));
    const files = new Set(migrations.map(({ name }) => name));
    const unknown = [...known.keys()].find((name) => !files.has(name));
    if (unknown)
      throw new Error(
        `The database has the migration ${unknown}, which this version does not know. Use a newer version.`,
      );
    for (const migration of migrations) {
      const sha256 = known.get(migration.name);
      if (sha256 === migration.sha256) continue;
      if (sha256 !== undefined)
        throw new Error(`The migration ${migration.name} was changed after it was applied. Add a new one instead.`);
      await client.query('BEGIN');
      await client.query(migration.sql);
      await client.query('INSERT INTO migration.applied (name, sha256) VALUES ($1, $2)', [
        migration.name,
        migration.sha256,
      ]);
      await client.query('COMMIT');
      applied.push(migration.name);
    }
    return applied;
  } finally {
    await client.end();
  }
}
