/** audit: what people and programs did, entry by entry, for ever. */
import type { Subgraph } from '../../platform/subgraph.js';
import { toAddress } from './address.js';
import { ActorResolver, AuditResolver } from './resolver.js';
import { AuditService } from './service.js';
import { AuditStore } from './store.js';
import { ActivityLogEntry, DataChangeLogEntry, DebugLogEntry } from './types.js';
import { AuditViews, toIpAddress } from './views.js';

export const audit: Subgraph = {
  name: 'audit',
  resolvers: [AuditResolver, ActorResolver],
  types: [ActivityLogEntry, DataChangeLogEntry, DebugLogEntry],
  create({ postgres, cursors, clock, config, logger }) {
    const service = new AuditService(new AuditStore(postgres), cursors, clock, config, logger);
    return {
      resolvers: [new AuditResolver(service), new ActorResolver(service)],
      references: {
        App: async (identity, references) => {
          const views = new AuditViews(service, identity);
          const apps = await service.apps(
            identity,
            references.map(({ name }) => String(name)),
          );
          const byName = new Map(apps.map((app) => [app.name, app]));
          return references.map(({ name }) => {
            const app = byName.get(String(name));
            return app ? views.app(app) : null;
          });
        },
        Actor: async (identity, references) => {
          const views = new AuditViews(service, identity);
          const actors = references.map(({ app, who }) => ({ app: String(app), who: String(who) }));
          const known = await views.knownActors(actors);
          return actors.map(({ app, who }, place) => (known[place] ? views.actor(app, who) : null));
        },
        IpAddress: async (_identity, references) =>
          references.map(({ address }) => {
            const known = toAddress(String(address)) === address;
            return known ? toIpAddress(String(address)) : null;
          }),
      },
      events: { 'audit.entry': (event) => service.recordSelf(event) },
      health: () => postgres.ping(),
    };
  },
};
