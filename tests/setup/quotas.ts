/** Quotas for tests: an operator's overrides, and the entries about them. */
import type { Identity } from '../../platform/identity.js';
import { type LimitOverrides, unlimited } from '../../platform/org-limits.js';
import type { TestPlatform } from './database.js';

/** Sets limits of one organisation; it has no others. */
export async function setLimits(
  { database }: Pick<TestPlatform, 'database'>,
  { orgId }: Identity,
  limits: LimitOverrides,
): Promise<void> {
  await database.asSuperuser('UPDATE app.orgs SET limits = $2 WHERE id = $1', [
    orgId,
    JSON.stringify({ ...unlimited, ...limits }),
  ]);
}

/** An entry about a quota. */
export interface QuotaEntry {
  module: string;
  priority: string;
  outcome: string;
  data: { quota: string; used: number; limit: number; percent: number; threshold: number };
}

/** The entries about the organisation's quotas, in the order of their writing. */
export async function quotaEntries(
  { database }: Pick<TestPlatform, 'database'>,
  { orgId }: Identity,
): Promise<QuotaEntry[]> {
  const rows = await database.asSuperuser<{ payload: QuotaEntry }>(
    `SELECT payload FROM app.outbox WHERE org_id = $1 AND type = 'audit.entry' AND payload ->> 'op' = 'quota' ORDER BY seq`,
    [orgId],
  );
  return rows.map(({ payload }) => payload);
}
