/** The background work: follows the change feed, and looks after fills and losses every few seconds. */
import { Bell } from '../../platform/bell.js';
import { followFeed } from '../../platform/feed.js';
import type { Postgres } from '../../platform/postgres/postgres.js';
import type { Worker } from '../../platform/subgraph.js';
import { Upkeep, type UpkeepParts } from './upkeep.js';

/** How often Redis is asked whether it still holds what it should. */
const reconcileIntervalMs = 2_000;

export interface CollectionsWorker extends Worker {
  /** Looks at once: a collection was created, started, stopped or removed. */
  wake(): void;
}

/** Starts the work. Any number of processes may: one follows the feed, and no two fill one collection. */
export function startCollectionsWorker(postgres: Postgres, parts: UpkeepParts): CollectionsWorker {
  let isStopped = false;
  const bell = new Bell();
  const wake = () => bell.ring();
  const upkeep = new Upkeep(parts, wake);
  const follower = followFeed(postgres, {
    consumer: 'collections',
    logger: parts.logger,
    handle: (rows) => upkeep.follow(rows),
  });
  const reconcileForever = async () => {
    while (!isStopped) {
      await upkeep
        .reconcile()
        .catch((error) => parts.logger.warn({ error: String(error) }, 'collections are looked at again later'));
      if (!isStopped) await bell.wait(reconcileIntervalMs);
    }
  };
  const reconciling = reconcileForever();
  return {
    name: 'collections',
    wake,
    stop: async () => {
      isStopped = true;
      wake();
      await Promise.all([upkeep.stop(), follower.stop(), reconciling]);
    },
  };
}
