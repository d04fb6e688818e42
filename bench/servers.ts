/** The servers of an installation, for a benchmark alone: PostgreSQL and Redis, migrated, with roles and keys. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startPostgres } from '../platform/embedded/postgres.js';
import { startRedis } from '../platform/embedded/redis.js';
import { prepare } from '../scripts/supervisor/prepare.js';

export interface BenchServers {
  /** An empty directory that goes at the end. */
  directory: string;
  /** What a process of the product needs. */
  env: Record<string, string>;
}

/** Starts them, and stops and removes them in the end, whatever happens. @param demo makes the demo organisation */
export async function withServers<T>(demo: boolean, use: (servers: BenchServers) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'harborwatch-bench-'));
  // Under root PostgreSQL runs as another user, who has to enter it.
  await chmod(directory, 0o755);
  const starting = [
    startPostgres({ dataDir: join(directory, 'postgres') }),
    startRedis({ dataDir: join(directory, 'redis'), toolchainDir: resolve('.harborwatch/toolchain') }),
  ] as const;
  try {
    const [{ superuserUrl }, { url: redisUrl }] = await Promise.all(starting);
    const { env } = await prepare({ superuserUrl, redisUrl, dataDir: directory, demo });
    return await use({ directory, env });
  } finally {
    for (const server of await Promise.allSettled(starting)) {
      if (server.status === 'fulfilled') await server.value.stop();
    }
    await rm(directory, { recursive: true, force: true });
  }
}
