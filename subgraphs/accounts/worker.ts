/** The background of accounts: counts what the change feed tells of. */
import { followFeed } from '../../platform/feed.js';
import type { Logger } from '../../platform/logging.js';
import type { Postgres } from '../../platform/postgres/postgres.js';
import type { Worker } from '../../platform/subgraph.js';
import { countFeedRows } from '../../platform/system/usage.js';

const consumer = 'usage';

/** Starts to count; a new installation starts with the feed's first row. */
export function startUsageFollower(postgres: Postgres, logger: Logger): Worker {
  const follower = followFeed(postgres, { consumer, logger, handle: (rows) => countFeedRows(postgres, rows) });
  return { name: consumer, stop: () => follower.stop() };
}
