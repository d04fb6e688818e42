/** events: datasets, ingest, the live tail and the search indexes. */
import type { Subgraph } from '../../platform/subgraph.js';
import { EventsResolver } from './resolver.js';
import { EventsService } from './service.js';
import { EventsStore } from './store.js';
import { EventTails } from './tail.js';
import { startIndexWorker } from './worker.js';

export const events: Subgraph = {
  name: 'events',
  resolvers: [EventsResolver],
  create({ postgres, search, config, cursors, logger }) {
    const store = new EventsStore(postgres);
    const tails = new EventTails(store, logger);
    const resolver = new EventsResolver(new EventsService(store, config), tails, cursors);
    return {
      resolvers: [resolver],
      subscriptions: { eventTail: (args, context) => resolver.openTail(args, context) },
      startWorkers: async () => (search === undefined ? [] : [startIndexWorker(postgres, search, logger)]),
      health: () => postgres.ping(),
      close: () => tails.close(),
    };
  },
};
