/** How much callers may ask, and how many connections their organisations may hold, over all processes. */
import type { ServerResponse } from 'node:http';
import type { Config } from '../../platform/config.js';
import { fail } from '../../platform/errors.js';
import { type Identity, isSignedIn } from '../../platform/identity.js';
import type { Logger } from '../../platform/logging.js';
import { ConnectionLeases } from '../../platform/rate-limit/connection-leases.js';
import type { RateLimit } from '../../platform/rate-limit/gcra.js';
import { networkOf } from '../../platform/rate-limit/network.js';
import { RateLimiter } from '../../platform/rate-limit/rate-limiter.js';
import type { RedisConnections } from '../../platform/redis.js';
import { Charge } from './charge.js';
import { OrgLimits, type OrgRates, type ReadOrgLimits } from './org-limits.js';

export interface CallerLimitsOptions {
  config: Pick<Config, 'anonymousRequestsPerMinute' | 'anonymousBurst'>;
  redis: RedisConnections;
  logger: Logger;
  /** What is known of organisations beside their tokens. */
  read?: ReadOrgLimits;
}

export interface Caller {
  identity: Identity | undefined;
  remoteIp: string | null;
}

export class CallerLimits {
  readonly #redis: RedisConnections;
  readonly #limiter: RateLimiter;
  readonly #leases: ConnectionLeases;
  readonly #orgs: OrgLimits;
  readonly #anonymous: RateLimit;

  constructor({ config, redis, logger, read }: CallerLimitsOptions) {
    this.#redis = redis;
    this.#limiter = new RateLimiter(redis);
    this.#leases = new ConnectionLeases(redis, logger);
    this.#orgs = new OrgLimits(read, logger);
    this.#anonymous = {
      requestsPerMinute: config.anonymousRequestsPerMinute,
      burstCapacity: config.anonymousBurst,
    };
  }

  /** Begins the charge of one request. @param response gets the headers that tell of the limit */
  charge({ identity, remoteIp }: Caller, response?: ServerResponse): Charge | Promise<Charge> {
    if (!isSignedIn(identity)) {
      const key = this.#redis.keys.rate(addressOf(remoteIp));
      return new Charge(this.#limiter, { key, tier: 'anonymous', limit: this.#anonymous }, response);
    }
    const chargeOrg = ({ tier, limits }: OrgRates) => {
      const key = this.#redis.keys.rate(identity.orgId);
      return new Charge(this.#limiter, { key, tier: tier.toLowerCase(), limit: limits }, response);
    };
    const rates = this.#orgs.of(identity);
    return rates instanceof Promise ? rates.then(chargeOrg) : chargeOrg(rates);
  }

  /**
   * Counts a connection of an organisation, or of the address of a caller without a token: nobody may hold all that the
   * gateway has. @returns what to call once when it is closed. @throws TOO_MANY_CONNECTIONS
   */
  async connect({ identity, remoteIp }: Caller): Promise<() => void> {
    if (!isSignedIn(identity)) {
      const limit = this.#anonymous.burstCapacity;
      const whose = `Your address has the ${limit} connections that it may have without a token`;
      return this.#enter(addressOf(remoteIp), limit, whose);
    }
    const { tier, limits } = await this.#orgs.of(identity);
    const { concurrentConnections: limit } = limits;
    if (limit === Number.POSITIVE_INFINITY) return () => {};
    const whose = `Your organisation has the ${limit} connections of its tier (${tier.toLowerCase()})`;
    return this.#enter(identity.orgId, limit, whose);
  }

  async #enter(who: string, limit: number, whose: string): Promise<() => void> {
    const leave = await this.#leases.enter(this.#redis.keys.connections(who), limit);
    return leave ?? fail('TOO_MANY_CONNECTIONS', `${whose} open already. Close one first.`, { limit });
  }

  /** The tier or the limits of an organisation were changed, or nobody knows of which. */
  forget(orgId?: string): void {
    this.#orgs.forget(orgId);
  }

  async close(): Promise<void> {
    await this.#leases.close();
  }
}

/** What stands for callers without a token in Redis. */
const addressOf = (remoteIp: string | null): string => `address/${networkOf(remoteIp ?? 'unknown')}`;
