/** A whole installation in processes of its own: PostgreSQL, Redis, a gateway, two workers. Each may be killed at any time. */

import { chmodSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { loadConfig } from '../../../platform/config.js';
import { startPostgres } from '../../../platform/embedded/postgres.js';
import { endPostmaster } from '../../../platform/embedded/postmaster.js';
import { freePort, waitUntilGone } from '../../../platform/embedded/processes.js';
import { endRedis, startRedis } from '../../../platform/embedded/redis.js';
import { createPlatform, type Platform } from '../../../platform/platform.js';
import { databaseName } from '../../../platform/postgres/roles.js';
import { prepare } from '../../../scripts/supervisor/prepare.js';
import { toolchainDir } from '../../setup/toolchain.js';
import { Program } from './program.js';

export interface JobsSystem {
  /** The gateway's address. */
  url: string;
  /** For setting the scene: organisations, access tokens. */
  platform: Platform;
  gateway: Program;
  workers: [Program, Program];
  /** Any statement as the superuser, on a connection of its own. @throws while PostgreSQL is away */
  asSuperuser<Row>(sql: string, parameters?: unknown[]): Promise<Row[]>;
  /** kill -9 of the server and its sessions; back after `downMs` at the earliest, with what was committed. */
  killPostgres(downMs: number): Promise<void>;
  killRedis(downMs: number): Promise<void>;
  /** Redis forgets everything. */
  flushRedis(): Promise<void>;
  /** What the processes printed last. */
  output(): string;
  close(): Promise<void>;
}

export async function startJobsSystem(settings: Record<string, string> = {}): Promise<JobsSystem> {
  const dir = await mkdtemp(path.join(tmpdir(), 'harborwatch-crash-'));
  chmodSync(dir, 0o755); // Under root PostgreSQL runs as another user, who has to enter it.
  // As an installation has them: what was committed outlives a kill.
  const runPostgres = () => startPostgres({ dataDir: path.join(dir, 'postgres') });
  const runRedis = () => startRedis({ dataDir: path.join(dir, 'redis'), toolchainDir });
  let [postgres, redis] = await Promise.all([runPostgres(), runRedis()]);
  const { superuserUrl } = postgres;
  const prepared = await prepare({ superuserUrl, redisUrl: redis.url, dataDir: dir, demo: false });
  const port = await freePort();
  const env = {
    ...prepared.env,
    PORT: String(port),
    LOG_LEVEL: process.env.HARBORWATCH_TEST_LOG_LEVEL ?? 'error',
    ANONYMOUS_REQUESTS_PER_MINUTE: '1000000',
    ANONYMOUS_BURST: '1000000',
    ...settings,
  };
  const platform = createPlatform(loadConfig(env), 'test');
  const gateway = new Program('gateway', 'gateway/main.ts', [], env);
  const worker = (number: number) => new Program(`worker ${number}`, 'subgraphs/work.ts', [], env);
  const workers: [Program, Program] = [worker(1), worker(2)];
  const programs = [gateway, ...workers];
  const database = new URL(superuserUrl);
  database.pathname = `/${databaseName(superuserUrl)}`;
  let repair: Promise<unknown> = Promise.resolve();
  const close = async () => {
    await Promise.all([...programs.map((program) => program.end()), repair]);
    await platform.close();
    await endPostmaster(path.join(dir, 'postgres/cluster'));
    await endRedis(path.join(dir, 'redis'));
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await Promise.all(programs.map((program) => program.keep()));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    platform,
    gateway,
    workers,
    asSuperuser: async <Row>(sql: string, parameters?: unknown[]) => {
      const client = new pg.Client({ connectionString: database.href, connectionTimeoutMillis: 5_000 });
      client.on('error', () => {});
      await client.connect();
      try {
        return (await client.query(sql, parameters)).rows as Row[];
      } finally {
        await client.end().catch(() => {});
      }
    },
    killPostgres: async (downMs) => {
      await killAll([postgres.pid, ...(await childrenOf(postgres.pid))]);
      repair = delay(downMs).then(async () => {
        postgres = await runPostgres();
      });
      await repair;
    },
    killRedis: async (downMs) => {
      await killAll([redis.pid!]);
      repair = delay(downMs).then(async () => {
        redis = await runRedis();
      });
      await repair;
    },
    flushRedis: async () => {
      const client = new Redis(redis.url);
      client.on('error', () => {});
      await client.flushall();
      client.disconnect();
    },
    output: () => programs.map(({ name, output }) => `${name}:\n${output}`).join('\n'),
    close,
  };
}

async function killAll(pids: number[]): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone by itself.
    }
  }
  await Promise.all(pids.map((pid) => waitUntilGone(pid, 10_000)));
}

/** A session of a killed postmaster goes on with its statement: a crash of the whole server takes them along. */
async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return pids.flatMap((pid, index) => {
    const stat = stats[index]!;
    const [, parentPid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(parentPid) === parent ? [Number(pid)] : [];
  });
}
