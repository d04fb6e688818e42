/** events: datasets, ingest and the live tail. */
import type { Subgraph } from '../../platform/subgraph.js';
import { EventsResolver } from './resolver.js';
import { EventsService } from './service.js';
import { EventsStore } from './store.js';
import { EventTails } from './tail.js';

export const events: Subgraph = {
  name: 'events',
  resolvers: [EventsResolver],
  create({ postgres, config, cursors, logger }) {
    const store = new EventsStore(postgres);
    const tails = new EventTails(store, logger);
    const resolver = new EventsResolver(new EventsService(store, config), tails, cursors);
    return {
      resolvers: [resolver],
      subscriptions: { eventTail: (args, context) => resolver.openTail(args, context) },
      health: () => postgres.ping(),
      close: () => tails.close(),
    };
  },
};
