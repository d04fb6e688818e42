/** The background of analytics: counts what the change feed tells of. */
import { followFeed } from '../../platform/feed.js';
import type { Logger } from '../../platform/logging.js';
import type { Postgres } from '../../platform/postgres/postgres.js';
import type { Worker } from '../../platform/subgraph.js';
import type { Rollup } from './rollup.js';
import { rollupConsumer } from './store.js';

/** Starts following the feed; a new installation, or a new consumer, starts with its first row. */
export async function startRollup(postgres: Postgres, rollup: Rollup, logger: Logger): Promise<Worker> {
  const follower = followFeed(postgres, { consumer: rollupConsumer, logger, handle: (rows) => rollup.apply(rows) });
  return { name: rollupConsumer, stop: () => follower.stop() };
}
