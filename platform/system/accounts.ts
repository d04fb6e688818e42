/** What of accounts has to look across organisations: sign-in by email, and the making and changing of organisations. */
import type { Capability, Role, Tier } from '../identity.js';
import type { LimitOverrides } from '../org-limits.js';
import type { Postgres, Tx } from '../postgres/postgres.js';
import { limitsChangedChannel } from './org-limits.js';

/** Whom an attempt to sign in is about. */
export interface SignInTarget {
  /** The account's organisation; without an account the one that was named, or else the installation's oldest. */
  orgId: string;
  account: SignInAccount | null;
}

export interface SignInAccount {
  userId: string;
  tier: Tier;
  roles: Role[];
  /** Granted beside the roles. */
  capabilities: Capability[];
  accessVersion: number;
  /** Null where the user signs in elsewhere, or never. */
  passwordHash: string | null;
  disabled: boolean;
}

/**
 * Finds the account of an email address; of several organisations' the one that `orgSlug` names, or the oldest that is
 * not disabled and has a password. One statement, whether there is an account or not.
 * @returns undefined only where there is no organisation at all
 */
export async function findSignInTarget(
  postgres: Postgres,
  email: string,
  orgSlug?: string,
): Promise<SignInTarget | undefined> {
  const [row] = await postgres.asSystem((tx) =>
    tx.query<SignInTarget>(
      `SELECT place.org_id AS "orgId", account.found AS account
         FROM (SELECT coalesce((SELECT id FROM orgs WHERE slug = $2), (SELECT id FROM orgs ORDER BY id LIMIT 1)) AS id) named
         LEFT JOIN LATERAL (
           SELECT u.org_id, jsonb_build_object(
                    'userId', u.id, 'tier', o.tier, 'roles', u.roles, 'capabilities', u.capabilities,
                    'accessVersion', u.access_version, 'passwordHash', u.password_hash,
                    'disabled', u.disabled_at IS NOT NULL) AS found
             FROM users u JOIN orgs o ON o.id = u.org_id
            WHERE u.email = $1 AND ($2::text IS NULL OR o.slug = $2)
            ORDER BY u.disabled_at IS NOT NULL, u.password_hash IS NULL, u.created_at, u.id LIMIT 1
         ) account ON true
         CROSS JOIN LATERAL (SELECT coalesce(account.org_id, named.id) AS org_id) place
        WHERE place.org_id IS NOT NULL`,
      [email, orgSlug ?? null],
    ),
  );
  return row;
}

export interface OrgRow {
  id: string;
  slug: string;
  name: string;
  tier: Tier;
  /** What differs from the tier's limits. */
  limits: LimitOverrides;
  /** The worker pool of its own that runs its jobs; null for the shared one. */
  workerPool: string | null;
}

/** An organisation as a statement answers it. */
export const orgColumns = 'id, slug, name, tier, limits, worker_pool AS "workerPool"';

/** The tier whose organisations may have a worker pool of their own. */
export const workerPoolTier: Tier = 'ENTERPRISE';

export type NewOrg = Omit<OrgRow, 'id' | 'limits' | 'workerPool'> & { limits?: LimitOverrides };

export interface NewAdministrator {
  email: string;
  name: string;
  passwordHash: string;
  roles: Role[];
}

/** What else belongs to the transaction of a change. */
type AlongWith<Result> = (tx: Tx, result: Result) => Promise<void>;

/** Makes an organisation with its first administrator. @returns undefined when the slug is taken; nothing is changed then */
export async function createOrgWithAdministrator(
  postgres: Postgres,
  org: NewOrg,
  administrator: NewAdministrator,
  alongWith: AlongWith<{ orgId: string; userId: string }> = async () => {},
): Promise<{ orgId: string; userId: string } | undefined> {
  return postgres.asSystem(async (tx) => {
    const [made] = await tx.query<{ id: string }>(
      'INSERT INTO orgs (slug, name, tier, limits) VALUES ($1, $2, $3, $4) ON CONFLICT (slug) DO NOTHING RETURNING id',
      [org.slug, org.name, org.tier, JSON.stringify(org.limits ?? {})],
    );
    if (!made) return undefined;
    const [user] = await tx.query<{ id: string }>(
      'INSERT INTO users (org_id, email, name, password_hash, roles) VALUES ($1, lower($2), $3, $4, $5) RETURNING id',
      [made.id, administrator.email, administrator.name, administrator.passwordHash, administrator.roles],
    );
    const result = { orgId: made.id, userId: user!.id };
    await alongWith(tx, result);
    return result;
  });
}

/** Changes what is given of an organisation; a lower tier has no worker pool of its own. @returns undefined where there is none */
export async function updateOrg(
  postgres: Postgres,
  id: string,
  change: { name?: string | undefined; tier?: Tier | undefined; limits?: LimitOverrides | undefined },
  alongWith: AlongWith<OrgRow>,
): Promise<OrgRow | undefined> {
  return postgres.asSystem(async (tx) => {
    const [row] = await tx.query<OrgRow>(
      `UPDATE orgs SET name = coalesce($2, name), tier = coalesce($3, tier), limits = coalesce($4, limits),
                       worker_pool = CASE WHEN coalesce($3, tier) = $5 THEN worker_pool END
        WHERE id = $1 RETURNING ${orgColumns}`,
      [
        id,
        change.name ?? null,
        change.tier ?? null,
        change.limits ? JSON.stringify(change.limits) : null,
        workerPoolTier,
      ],
    );
    if (row) {
      await tx.query('SELECT pg_notify($1, $2)', [limitsChangedChannel, id]);
      await alongWith(tx, row);
    }
    return row;
  });
}

/**
 * Gives an organisation a worker pool of its own, or takes it away.
 * @returns undefined where there is no such organisation, 'LOWER_TIER' where its tier has none
 */
export async function assignWorkerPool(
  postgres: Postgres,
  id: string,
  pool: string | null,
  alongWith: AlongWith<OrgRow>,
): Promise<OrgRow | 'LOWER_TIER' | undefined> {
  return postgres.asSystem(async (tx) => {
    const [org] = await tx.query<{ tier: Tier }>('SELECT tier FROM orgs WHERE id = $1 FOR UPDATE', [id]);
    if (!org) return undefined;
    if (pool !== null && org.tier !== workerPoolTier) return 'LOWER_TIER';
    const [row] = await tx.query<OrgRow>(`UPDATE orgs SET worker_pool = $2 WHERE id = $1 RETURNING ${orgColumns}`, [
      id,
      pool,
    ]);
    await alongWith(tx, row!);
    return row;
  });
}

/** Whether somebody else than the user, of any organisation, can run the installation. */
export async function otherPlatformAdministratorExists(postgres: Postgres, userId: string): Promise<boolean> {
  const rows = await postgres.asSystem((tx) =>
    tx.query(
      `SELECT FROM users
        WHERE 'PLATFORM_ADMIN' = ANY (roles) AND disabled_at IS NULL AND NOT is_service AND id <> $1 LIMIT 1`,
      [userId],
    ),
  );
  return rows.length > 0;
}

/** Whether any organisation exists: false only before the first start's set-up. */
export async function anyOrgExists(postgres: Postgres): Promise<boolean> {
  const rows = await postgres.asSystem((tx) => tx.query('SELECT 1 FROM orgs LIMIT 1'));
  return rows.length > 0;
}
