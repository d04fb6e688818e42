/** Organisations by what operators call them: settings name slugs, and rows name ids. */
import type { Tier } from '../identity.js';
import type { Postgres } from '../postgres/postgres.js';

/** The organisations that there are of those that are named, by slug. */
export async function findOrgs(
  postgres: Postgres,
  slugs: readonly string[],
): Promise<Map<string, { orgId: string; tier: Tier }>> {
  const rows = await postgres.asSystem((tx) =>
    tx.query<{ slug: string; orgId: string; tier: Tier }>(
      'SELECT slug, id AS "orgId", tier FROM orgs WHERE slug = ANY($1)',
      [slugs],
    ),
  );
  return new Map(rows.map(({ slug, ...org }) => [slug, org]));
}
