/** What the organisation has sent, by day and against its quotas. */
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import { type DayUsage, type IngestUses, readIngestUses, readUsageDays } from '../../../platform/usage.js';

export const defaultUsageDays = 30;
export const maxUsageDays = 366;

export class UsageService {
  constructor(private readonly postgres: Postgres) {}

  /** The caller's organisation's. @throws BAD_USER_INPUT for a number of days out of range */
  async own(identity: Identity, days: number): Promise<IngestUses & { days: DayUsage[] }> {
    if (days < 1 || days > maxUsageDays) {
      const argument = 'days';
      fail('BAD_USER_INPUT', `"${argument}" is ${days}; it takes 1 to ${maxUsageDays}.`, {
        argument,
        limit: maxUsageDays,
      });
    }
    return this.postgres.withOrg(
      identity,
      async (tx) => ({ ...(await readIngestUses(tx)), days: await readUsageDays(tx, days) }),
      { readOnly: true },
    );
  }
}
