/** What the domains do beside answering: their workers, and the followers that bring them others' domain events. */
import { followOutbox } from './outbox.js';
import type { Platform } from './platform.js';
import type { Subgraph } from './subgraph.js';
import { sharedPool } from './worker-pools.js';

export interface Background {
  /** Lets the work in hand end within `deadlineMs`, or hands it back. */
  stop(deadlineMs: number): Promise<void>;
}

/**
 * Starts the background work of domains in this process: all of it in the shared worker pool, and in a dedicated one
 * what its organisations wait for.
 */
export async function startBackground(platform: Platform, subgraphs: readonly Subgraph[]): Promise<Background> {
  const { postgres, logger, config } = platform;
  const isShared = config.workerPool === sharedPool;
  const domains = subgraphs.map((subgraph) => ({ name: subgraph.name, parts: subgraph.create(platform) }));
  const outboxes = domains.flatMap(({ name, parts }) =>
    isShared && parts.events ? [followOutbox(postgres, name, parts.events, logger)] : [],
  );
  const starts = domains.map(({ parts }) => (isShared ? parts.startWorkers : parts.startPoolWorkers)?.() ?? []);
  const workers = (await Promise.all(starts)).flat();
  return {
    stop: async (deadlineMs) => {
      await Promise.all([
        ...workers.map((worker) => worker.stop(deadlineMs)),
        ...outboxes.map((outbox) => outbox.stop()),
      ]);
      await Promise.all(domains.map(({ parts }) => parts.close?.()));
    },
  };
}
