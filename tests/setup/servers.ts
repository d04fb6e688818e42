/**
 * One PostgreSQL and one Redis for the whole test run, and one OpenSearch where a test asks for it, in a directory that
 * goes when the run ends.
 *
 * Tests find them in the environment: HARBORWATCH_TEST_POSTGRES (the superuser's URL, for setup alone: tests connect
 * with the product's own roles) and HARBORWATCH_TEST_REDIS.
 */
import { chmodSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startPostgres } from '../../platform/embedded/postgres.js';
import { endPostmaster } from '../../platform/embedded/postmaster.js';
import { startMark } from '../../platform/embedded/processes.js';
import { endRedis, startRedis } from '../../platform/embedded/redis.js';
import { prepareTemplate } from './database.js';
import { openOpenSearchDoor } from './opensearch.js';
import { endOpenSearch } from './opensearch-server.js';
import { toolchainDir } from './toolchain.js';

const prefix = 'harborwatch-test-';

/** Called by vitest before the first test; what it returns is called after the last one, also of a failed run. */
export default async function startServers(): Promise<() => Promise<void>> {
  await endAbandonedRuns();
  const dir = await mkdtemp(path.join(tmpdir(), prefix));
  chmodSync(dir, 0o755); // Under root PostgreSQL runs as another user, who has to enter it.
  await writeFile(path.join(dir, 'owner'), JSON.stringify({ pid: process.pid, mark: startMark(process.pid) }));

  const starting = [
    startPostgres({ dataDir: path.join(dir, 'postgres'), test: true }),
    // Never a Redis that happens to run on this machine: tests empty theirs.
    startRedis({ dataDir: path.join(dir, 'redis'), toolchainDir, log: console.log }),
  ] as const;
  const closeOpenSearchDoor = await openOpenSearchDoor(path.join(dir, 'opensearch'));
  const stop = async () => {
    await closeOpenSearchDoor();
    for (const server of await Promise.allSettled(starting)) {
      if (server.status === 'fulfilled') await server.value.stop();
    }
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const [postgres, redis] = await Promise.all(starting);
    process.env.HARBORWATCH_TEST_POSTGRES = postgres.superuserUrl;
    process.env.HARBORWATCH_TEST_REDIS = redis.url;
    await prepareTemplate(postgres.superuserUrl);
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Ends what runs left that were killed before their end: their servers are detached and would stay for ever. */
async function endAbandonedRuns(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const dir = path.join(tmpdir(), name);
    const owner = JSON.parse(await readFile(path.join(dir, 'owner'), 'utf8').catch(() => 'null'));
    if (!owner || startMark(owner.pid) === owner.mark) continue;
    await endPostmaster(path.join(dir, 'postgres/cluster'));
    await endRedis(path.join(dir, 'redis')).catch(() => {});
    await endOpenSearch(path.join(dir, 'opensearch'));
    await rm(dir, { recursive: true, force: true });
  }
}
