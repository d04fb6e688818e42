/** What was used of a quota a moment ago, so that what is far from its limit is not counted again at each taking. */
import { LRUCache } from 'lru-cache';
import type { QuotaUse } from './quotas.js';

/** How long a reading stands: others may take as much meanwhile. */
const freshMs = 1_000;
/** Up to this share of the limit nobody is told or refused anything: the first entry is written at 80 %. */
const farShare = 0.5;
/**
 * And up to this share is taken at one reading: other processes take as much at the same time, and all that do not see
 * each other shall stay below the limit together.
 */
const unseenShare = 0.02;
const maxOrgs = 10_000;

export class RecentUse {
  readonly #readings = new LRUCache<string, { used: number; upTo: number }>({ max: maxOrgs, ttl: freshMs });

  /** Keeps what was counted just now. */
  note(orgId: string, { used, limit }: Pick<QuotaUse, 'used' | 'limit'>): void {
    this.#readings.set(orgId, { used, upTo: Math.min(farShare * limit, used + unseenShare * limit) });
  }

  /** Takes of the quota without a count. @returns false where it has to be counted */
  take(orgId: string, adding: number): boolean {
    const reading = this.#readings.get(orgId);
    if (reading === undefined || reading.used + adding > reading.upTo) return false;
    reading.used += adding;
    return true;
  }
}
