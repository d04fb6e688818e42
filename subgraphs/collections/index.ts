/** collections: the last event of each key of a query, kept in Redis. */
import { datasets } from '../../datasets/index.js';
import { usageReferences } from '../../platform/graphql/quota-use.js';
import type { Subgraph } from '../../platform/subgraph.js';
import { checkQuery, type Engines, enginesAnswer, enginesOf, prepareQuery, runQuery } from '../../query/index.js';
import type { QueryEngine } from './definition.js';
import { Entries } from './entries.js';
import { CollectionsResolver } from './resolver.js';
import { CollectionsService } from './service.js';
import { CollectionsStore } from './store.js';
import { CollectionsUsageResolver, Usage } from './usage.js';
import { type CollectionsWorker, startCollectionsWorker } from './worker.js';

/** The query engine as collections use it. */
export const queryEngine = (engines: Engines): QueryEngine => ({
  prepare: (text) => prepareQuery({ language: 'SQL', text, datasets }),
  columns: async (query, orgId) => (await checkQuery(engines, query, { orgId })).columns,
  run: (query, options) => runQuery(engines, query, options),
});

export const collections: Subgraph = {
  name: 'collections',
  resolvers: [CollectionsResolver, CollectionsUsageResolver],
  types: [Usage],
  create(platform) {
    const { postgres, redis, pubsub, cursors, clock, logger } = platform;
    const store = new CollectionsStore(postgres);
    const entries = new Entries(redis, logger);
    const engines = enginesOf(platform);
    const engine = queryEngine(engines);
    const service = new CollectionsService(store, entries, engine, pubsub, clock);
    const resolver = new CollectionsResolver(service, cursors, pubsub);
    let worker: CollectionsWorker | undefined;
    return {
      resolvers: [resolver, new CollectionsUsageResolver(service)],
      references: {
        Usage: usageReferences,
        Collection: async (identity, references) => {
          const ids = references.map(({ id }) => String(id).toLowerCase());
          const rows = await service.findMany(identity, ids);
          return ids.map((id) => {
            const row = rows.get(id);
            return row ? resolver.toCollection(row) : null;
          });
        },
      },
      subscriptions: { collectionProgress: (args, context) => resolver.watch(args, context) },
      startWorkers: async () => {
        worker = startCollectionsWorker(postgres, { store, entries, engine, pubsub, clock, logger });
        return [worker];
      },
      events: { 'collections.changed': async () => worker?.wake() },
      health: async () => (await postgres.ping()) && enginesAnswer(engines),
      close: async () => entries.close(),
    };
  },
};
