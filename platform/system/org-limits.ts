/** What an organisation's gateway has to know before anybody's rights are looked at: its tier, and its limits. */
import type { Tier } from '../identity.js';
import type { LimitOverrides } from '../org-limits.js';
import type { Postgres } from '../postgres/postgres.js';

/** Where gateways listen: each notification is the id of an organisation whose tier or limits were changed. */
export const limitsChangedChannel = 'harborwatch_limits_changed';

/** Undefined for an organisation that does not exist. */
export async function readOrgLimits(
  postgres: Postgres,
  orgId: string,
): Promise<{ tier: Tier; limits: LimitOverrides } | undefined> {
  const rows = await postgres.asSystem((tx) =>
    tx.query<{ tier: Tier; limits: LimitOverrides }>('SELECT tier, limits FROM orgs WHERE id = $1', [orgId]),
  );
  return rows[0];
}
