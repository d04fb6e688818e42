/** From rows to what the graph shows. */
import { publicPart } from '../../../platform/authentication/api-keys.js';
import { capabilitiesOf } from '../../../platform/identity.js';
import { limitsOf } from '../../../platform/org-limits.js';
import { type GraphQLContext, identityOf } from '../../../platform/subgraph.js';
import type { ApiKeyRow, MadeApiKey } from '../service/api-keys.js';
import type { Caller } from '../service/input.js';
import type { OrgRow } from '../service/orgs.js';
import type { UserRow } from '../service/users.js';
import type { ApiKey, NewApiKey } from '../types/api-key.js';
import type { Org } from '../types/org.js';
import type { User } from '../types/user.js';

/** What stands for no limit: the largest Int. */
const noLimit = 2_147_483_647;

export function toOrg({ id, slug, name, tier, limits, workerPool }: OrgRow): Org {
  const { requestsPerMinute, burstCapacity, concurrentConnections } = limitsOf(tier, limits);
  return {
    id,
    slug,
    name,
    tier,
    limits: {
      requestsPerMinute: Math.min(requestsPerMinute, noLimit),
      burstCapacity: Math.min(burstCapacity, noLimit),
      concurrentConnections: Math.min(concurrentConnections, noLimit),
    },
    workerPool,
  };
}

export const toUser = ({ id, email, name, roles, capabilities, isService, disabledAt }: UserRow): User => ({
  id,
  email,
  name,
  roles,
  capabilities: capabilitiesOf(roles, capabilities),
  isService,
  disabledAt,
});

export const toApiKey = ({ orgId, user, ...row }: ApiKeyRow): ApiKey => ({
  ...row,
  key: publicPart(orgId, row.id),
  user: toUser(user),
});

export function toNewApiKey({ row, secret }: MadeApiKey): NewApiKey {
  const apiKey = toApiKey(row);
  return { apiKey, key: apiKey.key, secret };
}

/** Who asks a service, from where. */
export const toCaller = (context: GraphQLContext): Caller => ({
  identity: identityOf(context),
  remoteIp: context.remoteIp,
});
