/** PostgreSQL and Redis: those that the settings name, or our own, watched and started again when they die. */
import path from 'node:path';
import pg from 'pg';
import type { Config } from '../../platform/config.js';
import { type EmbeddedPostgres, startPostgres } from '../../platform/embedded/postgres.js';
import { isRunning } from '../../platform/embedded/processes.js';
import { type RunningRedis, startRedis } from '../../platform/embedded/redis.js';
import { StartError } from '../../platform/embedded/start-error.js';
import { usualRedis } from '../installation.js';
import { boundLog } from './logs.js';
import type { Shutdown } from './shutdown.js';
import { say, warn } from './terminal.js';

/** Where the servers answer. */
export interface Servers {
  superuserUrl: string;
  redisUrl: string;
}

interface Input {
  dataDir: string;
  /** The checkout. */
  root: string;
  config: Config;
  shutdown: Shutdown;
}

const watchEveryMs = 1_000;
/** With the drain of our own processes, all of a stop fits in 10 s. */
const redisGraceMs = 1_200;
const postgresGraceMs = 2_000;
const hastenedGraceMs = 300;

/** Starts or finds both, side by side, and says of each in one line what it is. */
export async function startServers({ dataDir, root, config, shutdown }: Input): Promise<Servers> {
  const postgres = async () => {
    if (config.databaseUrl)
      return { ...(await givenPostgres(config.databaseUrl)), stop: async (_hasten: AbortSignal) => {} };
    const logFile = await boundLog(dataDir, 'postgres');
    const begin = () => startPostgres({ dataDir: path.join(dataDir, 'postgres'), logFile, log: say });
    return watched('PostgreSQL', begin, (server) => server.superuserUrl, shutdown, postgresGraceMs);
  };
  const redis = async () => {
    const logFile = await boundLog(dataDir, 'redis');
    const begin = () =>
      startRedis({
        dataDir: path.join(dataDir, 'redis'),
        toolchainDir: path.join(root, '.harborwatch/toolchain'),
        url: config.redisUrl,
        running: usualRedis,
        logFile,
        log: say,
      });
    return watched('Redis', begin, (server) => server.url, shutdown, redisGraceMs);
  };
  const starting = [postgres(), redis()] as const;
  // Registered before they are up: a Ctrl-C in between stops them too. PostgreSQL first in, so last out.
  for (const server of starting) {
    server.catch(() => {});
    shutdown.add(async (hasten) => (await server.catch(() => undefined))?.stop(hasten));
  }
  const [{ url: superuserUrl }, { url: redisUrl }] = await shutdown.unlessStopped(Promise.all(starting));
  return { superuserUrl, redisUrl };
}

interface Watched {
  url: string;
  stop(hasten: AbortSignal): Promise<void>;
}

/** A server that is started again, at the same address, when it dies under us. */
async function watched<S extends EmbeddedPostgres | RunningRedis>(
  name: string,
  begin: () => Promise<S>,
  urlOf: (server: S) => string,
  shutdown: Shutdown,
  graceMs: number,
): Promise<Watched> {
  let server = await begin();
  say(server.source);
  const url = urlOf(server);
  let restarting: Promise<void> | undefined;
  const restart = async () => {
    warn(`${name} (process ${server.pid}) ended by itself: starting it again.`);
    try {
      server = await begin();
      if (urlOf(server) !== url) shutdown.fail(`${name}'s port was taken meanwhile: start Harborwatch again.`);
    } catch (error) {
      shutdown.fail((error as Error).message);
    }
  };
  const timer = setInterval(() => {
    if (restarting || shutdown.stopping || server.pid === undefined || isRunning(server.pid)) return;
    restarting = restart().finally(() => {
      restarting = undefined;
    });
  }, watchEveryMs);
  return {
    url,
    stop: async (hasten) => {
      clearInterval(timer);
      await restarting;
      await server.stop(hasten.aborted ? hastenedGraceMs : graceMs);
    },
  };
}

/** Looks at the server that DATABASE_URL names. It is the user's: it is never stopped. */
async function givenPostgres(url: string): Promise<{ url: string }> {
  const where = new URL(url).host;
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query('SHOW server_version_num');
    const version = Number(rows[0]?.server_version_num);
    if (version < 180_000) {
      throw new StartError(
        `DATABASE_URL: PostgreSQL at ${where} is version ${Math.floor(version / 10_000)}: it needs 18.`,
      );
    }
    say(`PostgreSQL at ${where} is used (DATABASE_URL)`);
    return { url };
  } catch (error) {
    if (error instanceof StartError) throw error;
    const reason = (error as Error).message || (error as NodeJS.ErrnoException).code;
    throw new StartError(
      `DATABASE_URL: PostgreSQL at ${where} does not answer (${reason}): start it or correct the URL.`,
    );
  } finally {
    await client.end().catch(() => {});
  }
}
