/** accounts: organisations, users and sessions. */
import type { Subgraph } from '../../platform/subgraph.js';
import { AccountsResolver, toOrg, toUser } from './resolver.js';
import { AccountsService } from './service.js';
import { AccountsStore } from './store.js';

export const accounts: Subgraph = {
  name: 'accounts',
  resolvers: [AccountsResolver],
  create({ postgres, tokens, clock, config, cursors }) {
    const service = new AccountsService(new AccountsStore(postgres), tokens, clock, config);
    return {
      resolvers: [new AccountsResolver(service, cursors)],
      references: {
        User: async (identity, references) => {
          const users = await service.usersById(
            identity,
            references.map(({ id }) => String(id)),
          );
          return references.map(({ id }) => {
            const row = users.get(String(id));
            return row ? toUser(row) : null;
          });
        },
        Org: async (identity, references) => {
          const own = toOrg(await service.org(identity));
          return references.map(({ id }) => (id === own.id ? own : null));
        },
      },
      health: () => postgres.ping(),
    };
  },
};
