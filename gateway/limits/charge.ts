/** What one request is charged, and what its answer tells of the limit. */
import type { ServerResponse } from 'node:http';
import { HarborwatchError } from '../../platform/errors.js';
import type { RateLimit, Taken } from '../../platform/rate-limit/gcra.js';
import type { RateLimiter } from '../../platform/rate-limit/rate-limiter.js';

/** How much cost one unit pays for. */
const costPerUnit = 1_000;

/** What an operation of this cost is charged. */
export const unitsOf = (cost: number): number => Math.max(1, Math.ceil(cost / costPerUnit));

/** Who pays: an organisation, or the address of a caller without a token. */
export interface Payer {
  /** Where its limit stands in Redis. */
  key: string;
  /** In lower case; `anonymous` for an address. */
  tier: string;
  limit: RateLimit;
}

export class Charge {
  #charged = 0;
  #refusal: HarborwatchError | undefined;

  /** @param response gets the headers that tell of the limit; undefined for operations of a connection */
  constructor(
    private readonly limiter: RateLimiter,
    private readonly payer: Payer,
    private readonly response: ServerResponse | undefined,
  ) {
    if (!this.isLimited) this.#tell('unlimited', 'unlimited', 0);
  }

  /** False for those who may ask as much as they like: nothing has to be counted. */
  get isLimited(): boolean {
    const { requestsPerMinute, burstCapacity } = this.payer.limit;
    return requestsPerMinute !== Number.POSITIVE_INFINITY && burstCapacity !== Number.POSITIVE_INFINITY;
  }

  /** Why the request was refused, where it was. */
  get refusal(): HarborwatchError | undefined {
    return this.#refusal;
  }

  /** Refuses where this process knows already that not even one unit is left; asks nobody. @throws RATE_LIMITED */
  check(): void {
    const known = this.isLimited ? this.limiter.refusal(this.payer.key, this.payer.limit) : undefined;
    if (known) this.#settle(known, 1);
  }

  /**
   * Charges so many units for the request in all: what it was charged before counts. Returns at once where nobody has to be
   * asked.
   * @throws RATE_LIMITED
   */
  take(units: number): void | Promise<void> {
    if (this.isLimited && units > this.#charged) return this.#take(units);
  }

  async #take(units: number): Promise<void> {
    const { key, limit } = this.payer;
    // What can never be paid costs as much as finding that out.
    const isPayable = units <= limit.burstCapacity;
    const more = isPayable ? units - this.#charged : 1 - this.#charged;
    if (more > 0) {
      this.check();
      this.#settle(await this.limiter.take(key, limit, more), units);
      this.#charged += more;
    }
    if (!isPayable) throw this.#refuse(neverPaid(this.payer, units));
  }

  #settle(taken: Taken, units: number): void {
    this.#tell(this.payer.limit.requestsPerMinute, taken.remaining, Math.ceil(taken.resetMs / 1_000));
    if (!taken.allowed) throw this.#refuse(usedUp(this.payer, units, taken));
  }

  #refuse(error: HarborwatchError): HarborwatchError {
    this.#refusal = error;
    return error;
  }

  #tell(limit: number | string, remaining: number | string, resetSeconds: number): void {
    const { response } = this;
    if (!response || response.headersSent) return;
    response.setHeader('x-ratelimit-limit', limit);
    response.setHeader('x-ratelimit-remaining', remaining);
    response.setHeader('x-ratelimit-reset', resetSeconds);
    response.setHeader('x-ratelimit-tier', this.payer.tier);
  }
}

const figures = (count: number, unit: string) => `${count.toLocaleString('en')} ${unit}${count === 1 ? '' : 's'}`;

const detailsOf = ({ limit, tier }: Payer, units: number) => ({
  limit: limit.requestsPerMinute,
  burst: limit.burstCapacity,
  tier,
  units,
});

function usedUp(payer: Payer, units: number, { retryAfterMs }: Taken): HarborwatchError {
  const { limit, tier } = payer;
  const retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  const message =
    `The limit of ${figures(limit.requestsPerMinute, 'unit')} a minute, ${limit.burstCapacity.toLocaleString('en')} at once ` +
    `(tier ${tier}) is used up; this request costs ${figures(units, 'unit')}. ` +
    `Try again in ${figures(retryAfterSeconds, 'second')}.`;
  return new HarborwatchError('RATE_LIMITED', message, { ...detailsOf(payer, units), retryAfterSeconds });
}

function neverPaid(payer: Payer, units: number): HarborwatchError {
  const { burstCapacity } = payer.limit;
  const message =
    `This request costs ${figures(units, 'unit')}, and no more than ${burstCapacity.toLocaleString('en')} are admitted at once ` +
    `(tier ${payer.tier}): it can never pass. Ask for smaller pages or fewer nested lists, or split it.`;
  return new HarborwatchError('RATE_LIMITED', message, detailsOf(payer, units));
}
