/** What of users from an outside issuer looks across organisations: the token names the organisation by its slug. */
import type { Capability, Role, Tier } from '../identity.js';
import type { Postgres } from '../postgres/postgres.js';

export interface OutsideUserPlace {
  orgId: string;
  tier: Tier;
  /** Null where the user was never seen here. */
  user: OutsideUser | null;
}

export interface OutsideUser {
  id: string;
  /** Given here, beside what the issuer says. */
  roles: Role[];
  capabilities: Capability[];
  accessVersion: number;
  isDisabled: boolean;
}

/** @returns undefined where no organisation has the slug */
export async function findOutsideUser(
  postgres: Postgres,
  orgSlug: string,
  externalId: string,
): Promise<OutsideUserPlace | undefined> {
  const [place] = await postgres.asSystem((tx) =>
    tx.query<OutsideUserPlace>(
      `SELECT o.id AS "orgId", o.tier,
              CASE WHEN u.id IS NOT NULL THEN jsonb_build_object(
                'id', u.id, 'roles', u.roles, 'capabilities', u.capabilities, 'accessVersion', u.access_version,
                'isDisabled', u.disabled_at IS NOT NULL) END AS user
         FROM orgs o LEFT JOIN users u ON u.org_id = o.id AND u.external_id = $2 WHERE o.slug = $1`,
      [orgSlug, externalId],
    ),
  );
  return place;
}
