/** accounts: organisations, users, sessions and API keys. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Subgraph } from '../../platform/subgraph.js';
import { verifyPassword } from './passwords.js';
import { ApiKeysResolver } from './resolver/api-keys.js';
import { OrgsResolver } from './resolver/orgs.js';
import { SessionsResolver } from './resolver/sessions.js';
import { toOrg, toUser } from './resolver/shapes.js';
import { UsageResolver } from './resolver/usage.js';
import { UsersResolver } from './resolver/users.js';
import { ApiKeysService } from './service/api-keys.js';
import { OrgsService } from './service/orgs.js';
import { SessionsService } from './service/sessions.js';
import { UsageService } from './service/usage.js';
import { UsersService } from './service/users.js';
import { SignInPace } from './sign-in-pace.js';
import { startUsageFollower } from './worker.js';

export const accounts: Subgraph = {
  name: 'accounts',
  resolvers: [SessionsResolver, OrgsResolver, UsersResolver, ApiKeysResolver, UsageResolver],
  create({ postgres, redis, tokens, clock, config, cursors, logger }) {
    const orgs = new OrgsService(postgres);
    const users = new UsersService(postgres);
    const keys = new ApiKeysService(postgres, clock, config.apiKeySecret);
    const pace = new SignInPace(redis, wait);
    const sessions = new SessionsService({ postgres, tokens, clock, config, pace, verifyPassword });
    return {
      resolvers: [
        new SessionsResolver(sessions, users, orgs),
        new OrgsResolver(orgs),
        new UsersResolver(users, cursors),
        new ApiKeysResolver(keys),
        new UsageResolver(new UsageService(postgres)),
      ],
      references: {
        User: async (identity, references) => {
          const ids = references.map(({ id }) => String(id).toLowerCase());
          const rows = await users.byId(identity, ids);
          return ids.map((id) => {
            const row = rows.get(id);
            return row ? toUser(row) : null;
          });
        },
        Org: async (identity, references) => {
          const own = toOrg(await orgs.own(identity));
          return references.map(({ id }) => (String(id).toLowerCase() === own.id ? own : null));
        },
      },
      startWorkers: async () => [startUsageFollower(postgres, logger)],
      health: () => postgres.ping(),
    };
  },
};
