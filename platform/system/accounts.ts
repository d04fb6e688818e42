/** What of accounts has to look across organisations: sign-in by email, and the making of organisations. */
import type { Role, Tier } from '../identity.js';
import type { Postgres } from '../postgres/postgres.js';

export interface SignInAccount {
  orgId: string;
  userId: string;
  tier: Tier;
  roles: Role[];
  passwordHash: string | null;
}

/** The account of an email address; of several organisations' the one that `orgSlug` names, or the oldest. */
export async function findSignInAccount(
  postgres: Postgres,
  email: string,
  orgSlug?: string,
): Promise<SignInAccount | undefined> {
  const rows = await postgres.asSystem((tx) =>
    tx.query<SignInAccount>(
      `SELECT u.org_id AS "orgId", u.id AS "userId", o.tier, u.roles, u.password_hash AS "passwordHash"
         FROM users u JOIN orgs o ON o.id = u.org_id
        WHERE u.email = lower($1) AND ($2::text IS NULL OR o.slug = $2) ORDER BY u.created_at, u.id LIMIT 1`,
      [email, orgSlug ?? null],
    ),
  );
  return rows[0];
}

export interface NewOrg {
  slug: string;
  name: string;
  tier: Tier;
}

export interface NewAdministrator {
  email: string;
  name: string;
  passwordHash: string;
  roles: Role[];
}

/** Makes an organisation with its first administrator. @returns undefined when the slug is taken; nothing is changed then */
export async function createOrgWithAdministrator(
  postgres: Postgres,
  org: NewOrg,
  administrator: NewAdministrator,
): Promise<{ orgId: string; userId: string } | undefined> {
  return postgres.asSystem(async (tx) => {
    const [made] = await tx.query<{ id: string }>(
      'INSERT INTO orgs (slug, name, tier) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING RETURNING id',
      [org.slug, org.name, org.tier],
    );
    if (!made) return undefined;
    const [user] = await tx.query<{ id: string }>(
      'INSERT INTO users (org_id, email, name, password_hash, roles) VALUES ($1, lower($2), $3, $4, $5) RETURNING id',
      [made.id, administrator.email, administrator.name, administrator.passwordHash, administrator.roles],
    );
    return { orgId: made.id, userId: user!.id };
  });
}

/** Whether any organisation exists: false only before the first start's set-up. */
export async function anyOrgExists(postgres: Postgres): Promise<boolean> {
  const rows = await postgres.asSystem((tx) => tx.query('SELECT 1 FROM orgs LIMIT 1'));
  return rows.length > 0;
}
