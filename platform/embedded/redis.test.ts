import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort, isRunning } from './processes.js';
import { type RedisOptions, type RunningRedis, startRedis } from './redis.js';
import { printThenDie } from './testing.js';

const toolchainDir = fileURLToPath(new URL('../../.harborwatch/toolchain', import.meta.url));
let dataDir: string;
const started: RunningRedis[] = [];
const start = async (options: Partial<RedisOptions> = {}) => {
  const server = await startRedis({ dataDir, toolchainDir, ...options });
  started.push(server);
  return server;
};

beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'embedded-redis-'));
});

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function ask<T>(url: string, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { retryStrategy: () => null });
  client.on('error', () => {}); // The command's own rejection tells.
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}

describe('an own Redis', () => {
  test('never evicts, writes an append-only file, and leaves no process when it stops', async () => {
    const server = await start();
    await ask(server.url, async (client) => {
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
      expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    });
    await server.stop();
    expect(isRunning(server.pid!)).toBe(false);
  });

  test('keeps its data and its address from one start to the next', async () => {
    const first = await start();
    await ask(first.url, (client) => client.set('kept', 'yes'));
    await first.stop();
    const second = await start();
    expect(second).toMatchObject({ url: first.url, adopted: false });
    expect(await ask(second.url, (client) => client.get('kept'))).toBe('yes');
  });

  test('refuses whoever does not know the password, which only its owner can read', async () => {
    const server = await start();
    const open = server.url.replace(/:\/\/[^@]+@/, '://');
    await expect(ask(open, (client) => client.get('x'))).rejects.toThrow('NOAUTH');
    expect((await stat(path.join(dataDir, 'redis.conf'))).mode & 0o077).toBe(0);
    expect((await stat(path.join(dataDir, 'secret.json'))).mode & 0o077).toBe(0);
  });

  test('is adopted by the next start after a kill -9 of the process that started it', async () => {
    const left = await printThenDie<RunningRedis>(`
      const { startRedis } = await import(folder + 'redis.ts');
      const options = ${JSON.stringify({ dataDir, toolchainDir })};
      console.log(JSON.stringify(await startRedis(options)));
      setInterval(() => {}, 1000);
    `);
    const next = await start();
    expect(next).toMatchObject({ adopted: true, pid: left.pid, url: left.url });
    await next.stop();
    expect(isRunning(left.pid!)).toBe(false);
  });

  test('starts again after a kill -9 of its own', async () => {
    const first = await start();
    process.kill(first.pid!, 'SIGKILL');
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await ask(second.url, (client) => client.ping())).toBe('PONG');
  });

  test('says what is wrong when it cannot start, and where its log is', async () => {
    const server = await start();
    await ask(server.url, (client) => client.set('kept', 'yes'));
    await server.stop();
    await rm(path.join(dataDir, 'appendonlydir/appendonly.aof.1.base.rdb'));
    await expect(start()).rejects.toThrow(/^Redis does not start: .+ Its log is .+redis\.log\.$/);
    expect(await readFile(path.join(dataDir, 'redis.log'), 'utf8')).not.toBe('');
  });
});

describe('a Redis given by its URL', () => {
  test('is used and never stopped', async () => {
    const other = await start();
    const given = await startRedis({ dataDir, toolchainDir, url: other.url });
    expect(given).toMatchObject({ url: other.url, pid: undefined });
    expect(given.source).toContain('REDIS_URL');
    await given.stop();
    expect(isRunning(other.pid!)).toBe(true);
  });

  test('is refused when it may evict, with the setting to change', async () => {
    const other = await start();
    await ask(other.url, (client) => client.config('SET', 'maxmemory-policy', 'allkeys-lru'));
    const attempt = startRedis({ dataDir, toolchainDir, url: other.url });
    await expect(attempt).rejects.toThrow(/^REDIS_URL: .+ allkeys-lru.+ `CONFIG SET maxmemory-policy noeviction`/);
  });

  test('is refused when it does not answer, without its password in the message', async () => {
    const port = await freePort();
    const attempt = startRedis({ dataDir, toolchainDir, url: `redis://:hidden@127.0.0.1:${port}` });
    const error = await attempt.catch((reason: Error) => reason);
    expect(error).toMatchObject({ message: expect.stringContaining(`REDIS_URL: Redis at 127.0.0.1:${port}`) });
    expect(String(error)).not.toContain('hidden');
  });
});

describe('a Redis that runs already', () => {
  /** A server without a password, as a package manager leaves one. */
  const open = async () => {
    const other = await start();
    await ask(other.url, (client) => client.config('SET', 'requirepass', ''));
    return other.url.replace(/:\/\/[^@]+@/, '://');
  };
  const startBeside = (running: string, name: string) => start({ dataDir: path.join(dataDir, name), running });

  test('is used while it is empty, again by the same data directory, and by no other', async () => {
    const running = await open();
    expect(await startBeside(running, 'one')).toMatchObject({ url: running, pid: undefined });
    expect(await startBeside(running, 'one')).toMatchObject({ url: running, pid: undefined });
    expect((await startBeside(running, 'two')).url).not.toBe(running);
  });

  test('is left alone when it holds what others wrote', async () => {
    const running = await open();
    await ask(running, (client) => client.set('theirs', 1));
    expect((await startBeside(running, 'one')).url).not.toBe(running);
    expect(await ask(running, (client) => client.keys('*'))).toEqual(['theirs']);
  });

  test('is left alone when it may evict', async () => {
    const running = await open();
    await ask(running, (client) => client.config('SET', 'maxmemory-policy', 'allkeys-lru'));
    expect((await startBeside(running, 'one')).url).not.toBe(running);
  });
});

test('a program on the preferred port that is no Redis of ours is left alone', async () => {
  const occupant = createServer().listen(0, '127.0.0.1');
  await once(occupant, 'listening');
  const { port } = occupant.address() as { port: number };
  try {
    const server = await start({ port });
    expect(server.url).not.toContain(`:${port}`);
  } finally {
    occupant.close();
  }
});
