/** What the domains do beside answering: their workers, and the followers that bring them others' domain events. */
import { followOutbox } from './outbox.js';
import type { Platform } from './platform.js';
import type { Subgraph } from './subgraph.js';

export interface Background {
  /** Lets the work in hand end within `deadlineMs`, or hands it back. */
  stop(deadlineMs: number): Promise<void>;
}

/** Starts the background work of domains in this process. */
export async function startBackground(platform: Platform, subgraphs: readonly Subgraph[]): Promise<Background> {
  const { postgres, logger } = platform;
  const domains = subgraphs.map((subgraph) => ({ name: subgraph.name, parts: subgraph.create(platform) }));
  const outboxes = domains.flatMap(({ name, parts }) =>
    parts.events ? [followOutbox(postgres, name, parts.events, logger)] : [],
  );
  const workers = (await Promise.all(domains.map(({ parts }) => parts.startWorkers?.() ?? []))).flat();
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
