import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, startPostgres } from './postgres.js';
import { isRunning } from './processes.js';
import { printThenDie } from './testing.js';

let dataDir: string;
let base: string;
const started: EmbeddedPostgres[] = [];
const start = async (options: Partial<Parameters<typeof startPostgres>[0]> = {}) => {
  const server = await startPostgres({ dataDir, test: true, ...options });
  started.push(server);
  return server;
};

/** A cluster to copy: making one takes longer than all that a test does with it. */
let seed: string;

beforeAll(async () => {
  seed = await mkdtemp(path.join(tmpdir(), 'embedded-seed-'));
  await chmod(seed, 0o755);
  await (await startPostgres({ dataDir: path.join(seed, 'postgres'), test: true })).stop();
});

afterAll(() => rm(seed, { recursive: true, force: true }));

beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'embedded-'));
  await chmod(base, 0o755);
  dataDir = path.join(base, 'postgres');
});

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
  const elsewhere = await readFile(path.join(dataDir, 'location'), 'utf8').catch(() => '');
  if (elsewhere) await rm(path.dirname(elsewhere.trim()), { recursive: true, force: true });
  await rm(base, { recursive: true, force: true });
});

async function query(url: string, text: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

describe('an embedded PostgreSQL', () => {
  beforeEach(() => {
    execFileSync('cp', ['-a', path.join(seed, 'postgres'), dataDir]); // With its owner, unlike fs.cp.
  });

  test('answers on a port of 127.0.0.1 in UTF-8, UTC and the builtin locale, and leaves no process when it stops', async () => {
    const server = await start();
    const [row] = await query(
      server.superuserUrl,
      `SELECT current_setting('timezone') AS timezone, current_setting('server_version') AS version,
              datlocprovider AS provider, datlocale AS locale, pg_encoding_to_char(encoding) AS encoding
         FROM pg_database WHERE datname = 'template1'`,
    );
    expect(row).toMatchObject({ timezone: 'UTC', provider: 'b', locale: 'C.UTF-8', encoding: 'UTF8' });
    expect(row.version).toMatch(/^18\./);
    await server.stop();
    expect(isRunning(server.pid)).toBe(false);
  });

  test('keeps its data, its port and its password from one start to the next', async () => {
    const first = await start();
    await query(first.superuserUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    const second = await start();
    expect(second).toMatchObject({ superuserUrl: first.superuserUrl, adopted: false });
    expect(await query(second.superuserUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  test('takes another port when its own is taken meanwhile', async () => {
    const first = await start();
    await first.stop();
    const occupant = createServer().listen(first.port, '127.0.0.1');
    await once(occupant, 'listening');
    try {
      const second = await start();
      expect(second.port).not.toBe(first.port);
      expect(await query(second.superuserUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    } finally {
      occupant.close();
    }
  });

  test('refuses whoever does not know the password, and lets only superusers call set_config, also in databases to come', async () => {
    const server = await start();
    const wrong = server.superuserUrl.replace(/:[^:@]+@/, ':guess@');
    await expect(query(wrong, 'SELECT 1')).rejects.toThrow('password authentication failed');
    const file = await stat(path.join(dataDir, 'superuser-password'));
    expect(file.mode & 0o077).toBe(0);

    await query(server.superuserUrl, `CREATE ROLE plain LOGIN PASSWORD 'plain'`);
    await query(server.superuserUrl, 'CREATE DATABASE later');
    for (const database of ['later', 'postgres']) {
      const url = new URL(server.superuserUrl);
      Object.assign(url, { username: 'plain', password: 'plain', pathname: `/${database}` });
      const attempt = query(url.href, `SELECT set_config('app.org_id', 'x', false)`);
      await expect(attempt).rejects.toThrow('permission denied for function set_config');
    }
  });

  test('is adopted by the next start after a kill -9 of the process that started it', async () => {
    const left = await printThenDie<EmbeddedPostgres>(`
      const { startPostgres } = await import(folder + 'postgres.ts');
      const server = await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, test: true });
      console.log(JSON.stringify(server));
      setInterval(() => {}, 1000);
    `);
    expect(isRunning(left.pid)).toBe(true);
    const next = await start();
    expect(next).toMatchObject({ adopted: true, pid: left.pid, superuserUrl: left.superuserUrl });
    await next.stop();
    expect(isRunning(left.pid)).toBe(false);
  });

  test('starts again after a kill -9 of its own, with what was committed', async () => {
    const first = await start({ test: false });
    await query(first.superuserUrl, 'CREATE TABLE committed AS SELECT 1 AS one');
    process.kill(first.pid, 'SIGKILL');
    const second = await start({ test: false });
    expect(second.adopted).toBe(false);
    expect(await query(second.superuserUrl, 'SELECT one FROM committed')).toEqual([{ one: 1 }]);
  });

  test('says what is wrong when it cannot start', async () => {
    const server = await start();
    await server.stop();
    await rm(path.join(dataDir, 'cluster/global'), { recursive: true });
    await expect(start()).rejects.toThrow(/^PostgreSQL does not start: .+ Its log is .+postgres\.log\.$/);
  });

  test('tells which file to restore when the password of an existing cluster is missing', async () => {
    await (await start()).stop();
    await rm(path.join(dataDir, 'superuser-password'));
    await expect(start()).rejects.toThrow(/restore .+superuser-password/);
  });
});

describe.runIf(process.getuid?.() === 0)('as root, with a data directory in a closed home', () => {
  test('the data lives in the state directory, which is said in one line and found again', async () => {
    await chmod(base, 0o700);
    await mkdir(dataDir);
    const lines: string[] = [];
    const log = (line: string) => lines.push(line);
    const first = await start({ log });
    await query(first.superuserUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    expect(lines).toEqual([expect.stringMatching(/cannot enter .+ keeps its data in \/var\/lib\/harborwatch\//)]);
    const second = await start({ log });
    expect(lines[1]).toMatch(/^PostgreSQL keeps its data in \/var\/lib\/harborwatch\//);
    expect(await query(second.superuserUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  test('the data moves there when the home is closed later', async () => {
    const first = await start();
    await query(first.superuserUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    await chmod(base, 0o700);
    const second = await start();
    expect(await readFile(path.join(dataDir, 'location'), 'utf8')).toMatch(/^\/var\/lib\/harborwatch\//);
    expect(await query(second.superuserUrl, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  test('a data directory that was deleted gets a new database, and the old one is kept aside', async () => {
    await chmod(base, 0o700);
    const first = await start();
    const location = (await readFile(path.join(dataDir, 'location'), 'utf8')).trim();
    await rm(dataDir, { recursive: true });
    const lines: string[] = [];
    const second = await start({ log: (line) => lines.push(line) });
    expect(isRunning(first.pid)).toBe(false);
    expect(second.superuserUrl).not.toBe(first.superuserUrl);
    const aside = /kept in (\S+)\.$/.exec(lines[0] ?? '')?.[1];
    expect((await stat(path.join(aside!, path.basename(location)))).isDirectory()).toBe(true);
    await rm(aside!, { recursive: true });
  });
});
