/** What every process stands on: settings, logs, clock and the connections. Made once, closed last. */
import { TokenKeys } from './authentication/token-keys.js';
import { Tokens } from './authentication/tokens.js';
import type { Clock } from './clock.js';
import { systemClock } from './clock.js';
import { type Config, requireSetting } from './config.js';
import { Cursors } from './cursor.js';
import { createLogger, type Logger } from './logging.js';
import { Postgres, postgresUrls } from './postgres/postgres.js';
import { PubSub } from './pubsub.js';
import { connectRedis, type RedisConnections } from './redis.js';
import { connectSearch, type Search } from './search.js';

export interface Platform {
  config: Config;
  logger: Logger;
  clock: Clock;
  postgres: Postgres;
  redis: RedisConnections;
  /** Undefined where the installation has no OpenSearch. */
  search: Search | undefined;
  pubsub: PubSub;
  cursors: Cursors;
  tokens: Tokens;
  close(): Promise<void>;
}

/**
 * Connects a process.
 * @param part the process's name in the logs, such as `gateway`
 * @throws ConfigError that names a missing setting
 */
export function createPlatform(config: Config, part: string): Platform {
  const redisUrl = requireSetting(config, 'redisUrl');
  const cursors = new Cursors(requireSetting(config, 'cursorKey'));
  const logger = createLogger(part, config.logLevel);
  const tokens = new Tokens(TokenKeys.fromConfig(config, logger), config.accessTokenSeconds);
  // Beside the jobs that run there are the checks and estimates of queries.
  const postgres = new Postgres(postgresUrls(config), config.workerConcurrency + 6);
  const redis = connectRedis(redisUrl, config.redisPrefix ?? 'hw', logger);
  const search = connectSearch(config);
  return {
    config,
    logger,
    clock: systemClock,
    postgres,
    redis,
    search,
    pubsub: new PubSub(redis),
    cursors,
    tokens,
    close: async () => {
      tokens.keys.close();
      await Promise.all([postgres.close(), redis.close(), search?.close()]);
    },
  };
}
