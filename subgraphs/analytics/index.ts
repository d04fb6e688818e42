/** analytics: figures for dashboards, from events counted by minute. */
import type { Subgraph } from '../../platform/subgraph.js';
import { WidgetCache } from './cache.js';
import { AnalyticsResolver } from './resolver.js';
import { Rollup } from './rollup.js';
import { AnalyticsService } from './service.js';
import { AnalyticsStore } from './store.js';
import { startRollup } from './worker.js';

export const analytics: Subgraph = {
  name: 'analytics',
  resolvers: [AnalyticsResolver],
  create({ postgres, redis, clock, logger }) {
    const store = new AnalyticsStore(postgres);
    const cache = new WidgetCache(redis, clock);
    return {
      resolvers: [new AnalyticsResolver(new AnalyticsService(store, cache, clock))],
      startWorkers: async () => [await startRollup(postgres, new Rollup(store, cache), logger)],
      health: () => postgres.ping(),
    };
  },
};
