/** The tiers and limits of organisations as this process knows them. */
import { LRUCache } from 'lru-cache';
import type { Identity, Tier } from '../../platform/identity.js';
import type { Logger } from '../../platform/logging.js';
import { type LimitOverrides, limitsOf, type RateLimits } from '../../platform/org-limits.js';
import { inTime } from '../../platform/within.js';

const maxOrgs = 10_000;
/** How long limits hold that nobody said were changed. */
const freshMs = 30_000;
/** How long a request waits for them, and how soon they are read again after that failed. */
const readTimeoutMs = 1_000;
const retryMs = 1_000;

/** Undefined for an organisation that is not known. */
export type ReadOrgLimits = (orgId: string) => Promise<{ tier: Tier; limits: LimitOverrides } | undefined>;

export interface OrgRates {
  tier: Tier;
  limits: RateLimits;
}

interface Known {
  rates: OrgRates;
  freshUntilMs: number;
}

export class OrgLimits {
  readonly #known = new LRUCache<string, Known>({ max: maxOrgs });
  readonly #reading = new Map<string, Promise<OrgRates>>();

  /** @param read undefined where nobody knows more than the token says */
  constructor(
    private readonly read: ReadOrgLimits | undefined,
    private readonly logger: Logger,
  ) {}

  /** At once where they are known. While the database is away: as last known, or as the token's tier has them. */
  of({ orgId, tier }: Pick<Identity, 'orgId' | 'tier'>): OrgRates | Promise<OrgRates> {
    const known = this.#known.get(orgId);
    if (!known) return this.#readOnce(orgId, { tier, limits: limitsOf(tier, {}) });
    if (known.freshUntilMs <= performance.now()) void this.#readOnce(orgId, known.rates);
    return known.rates;
  }

  /** They were changed: of one organisation, or nobody knows of which. */
  forget(orgId?: string): void {
    if (orgId === undefined) {
      this.#known.clear();
      this.#reading.clear();
      return;
    }
    this.#known.delete(orgId);
    this.#reading.delete(orgId);
  }

  #readOnce(orgId: string, otherwise: OrgRates): Promise<OrgRates> {
    const reading = this.#reading.get(orgId);
    if (reading) return reading;
    const started: Promise<OrgRates> = this.#readNow(orgId, otherwise).then((known) => {
      // What was changed in the meantime is read again by whoever asks next.
      if (this.#reading.get(orgId) !== started) return known.rates;
      this.#reading.delete(orgId);
      this.#known.set(orgId, known);
      return known.rates;
    });
    this.#reading.set(orgId, started);
    return started;
  }

  async #readNow(orgId: string, otherwise: OrgRates): Promise<Known> {
    try {
      const found = this.read && (await inTime(readTimeoutMs, this.read(orgId)));
      const rates = found ? { tier: found.tier, limits: limitsOf(found.tier, found.limits) } : otherwise;
      return { rates, freshUntilMs: performance.now() + freshMs };
    } catch (error) {
      this.logger.warn({ orgId, error: String(error) }, 'the limits of an organisation could not be read');
      return { rates: otherwise, freshUntilMs: performance.now() + retryMs };
    }
  }
}
