/** What an organisation may take: by its tier, and by what an operator set for it alone. */
import type { Tier } from './identity.js';

/** How fast it may ask. */
export interface RateLimits {
  /** Request units a minute; a request costs its operation's cost / 1,000, rounded up. Infinity for no limit. */
  requestsPerMinute: number;
  /** Request units at once. */
  burstCapacity: number;
  /** Open WebSockets and event streams, over all gateways. */
  concurrentConnections: number;
}

/** How much it may keep and do. */
export interface Quotas {
  /** Events and log entries that are accepted in a day (UTC). */
  eventsPerDay: number;
  /** Bytes of accepted events and log entries, as the JSON that came. */
  storedBytes: number;
  /** Query jobs that run at the same time; others wait. */
  runningJobs: number;
  /** Bytes of kept job results, as JSON. */
  resultBytes: number;
  /** Collections that are not removed. */
  collections: number;
}

export type OrgLimits = RateLimits & Quotas;

const GiB = 2 ** 30;

export const tierLimits: Record<Tier, OrgLimits> = {
  BASIC: {
    requestsPerMinute: 60,
    burstCapacity: 10,
    concurrentConnections: 5,
    eventsPerDay: 1_000_000,
    storedBytes: 10 * GiB,
    runningJobs: 2,
    resultBytes: GiB,
    collections: 5,
  },
  PRO: {
    requestsPerMinute: 300,
    burstCapacity: 50,
    concurrentConnections: 20,
    eventsPerDay: 50_000_000,
    storedBytes: 500 * GiB,
    runningJobs: 10,
    resultBytes: 10 * GiB,
    collections: 50,
  },
  ENTERPRISE: {
    requestsPerMinute: 1_000,
    burstCapacity: 200,
    concurrentConnections: 100,
    eventsPerDay: 2_000_000_000,
    storedBytes: 20_480 * GiB,
    runningJobs: 50,
    resultBytes: 200 * GiB,
    collections: 1_000,
  },
};

/** What the column `orgs.limits` holds: names of limits with their value; null for no limit. */
export type LimitOverrides = { [Name in keyof OrgLimits]?: number | null };

/** No limit at all, for installations that serve one organisation, and for benches and tests. */
export const unlimited: LimitOverrides = Object.fromEntries(Object.keys(tierLimits.BASIC).map((name) => [name, null]));

/** The limits of an organisation; what has none is Infinity. */
export function limitsOf(tier: Tier, overrides: LimitOverrides): OrgLimits {
  const own = Object.entries(overrides).map(([name, value]) => [name, value ?? Number.POSITIVE_INFINITY]);
  return { ...tierLimits[tier], ...Object.fromEntries(own) };
}
