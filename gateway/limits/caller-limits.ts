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

interface Caller {
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
      const key = this.#redis.keys.rate(`address/${networkOf(remoteIp ?? 'unknown')}`);
      return new Charge(this.#limiter, { key, tier: 'anonymous', limit: this.#anonymous }, response);
    }
    const chargeOrg = ({ tier, limits }: OrgRates) => {
      const key = this.#redis.keys.rate(identity.orgId);
      return new Charge(this.#limiter, { key, tier: tier.toLowerCase(), limit: limits }, response);
    };
    const rates = this.#orgs.of(identity);
    return rates instanceof Promise ? rates.then(chargeOrg) : chargeOrg(rates);
  }

  /** Counts a connection of an organisation. @returns what to call once when it is closed. @throws TOO_MANY_CONNECTIONS */
  async connect(identity: Identity): Promise<() => void> {
    if (!isSignedIn(identity)) return () => {};
    const { tier, limits } = await this.#orgs.of(identity);
    const { concurrentConnections: limit } = limits;
    if (limit === Number.POSITIVE_INFINITY) return () => {};
    const leave = await this.#leases.enter(this.#redis.keys.connections(identity.orgId), limit);
    if (leave) return leave;
    const message = `Your organisation has the ${limit} connections of its tier (${tier.toLowerCase()}) open already. Close one first.`;
    fail('TOO_MANY_CONNECTIONS', message, { limit });
  }

  /** The tier or the limits of an organisation were changed. */
  forget(orgId: string): void {
    this.#orgs.forget(orgId);
  }

  async close(): Promise<void> {
    await this.#leases.close();
  }
}
