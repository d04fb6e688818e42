/**
 * Slows the guessing of passwords down, and locks nobody out: an attempt waits for its turn, and is never refused because
 * others failed. What is counted says nothing about whether an account exists.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { fail } from '../../platform/errors.js';
import { networkOf } from '../../platform/rate-limit/network.js';
import type { RedisConnections } from '../../platform/redis.js';
import { within } from '../../platform/within.js';

/** How long a count is kept after the last attempt. */
const rememberedSeconds = 15 * 60;
/** How long Redis may take before this process counts by itself. */
const redisWaitMs = 500;
/** How many counts this process keeps while Redis is away. */
const maxLocalCounts = 10_000;

/** How many attempts of one source address wait or are verified at once in this process. */
const maxAtOnceOfAddress = 20;
/** How many attempts do so altogether; each holds a connection, and the 19 MiB of its verification for 30 ms. */
const maxAtOnce = 1_000;
/** By then an attempt that is under way now has ended. */
const retryAfterSeconds = 6;

/**
 * How long an attempt waits after so many failures of its account: the first three are free, then 250 ms, 500 ms, 1 s,
 * and 2 s for every further one.
 */
export const waitForAccountMs = (failures: number): number =>
  failures < 3 ? 0 : Math.min(2_000, 250 * 2 ** (failures - 3));

/**
 * How long an attempt waits after so many failures from its source address, whatever the accounts: the first ten are
 * free, since many people may sit behind one address; each further one adds 100 ms, up to 5 s.
 */
export const waitForAddressMs = (failures: number): number => Math.min(5_000, 100 * Math.max(0, failures - 9));

/** Counts an attempt under each key before it is known how it ends, so that attempts at once see each other. */
const countScript = `
local earlier = {}
for i, key in ipairs(KEYS) do
  earlier[i] = redis.call('INCR', key) - 1
  redis.call('EXPIRE', key, ARGV[1])
end
return earlier`;

/** The account's and the pair's failures are forgotten; the address keeps those of other accounts. */
const forgetScript = `
local own = tonumber(redis.call('GET', KEYS[3]) or '0')
redis.call('DEL', KEYS[1], KEYS[3])
if redis.call('DECRBY', KEYS[2], own) <= 0 then redis.call('DEL', KEYS[2]) end`;

type Keys = [account: string, address: string, pair: string];

export interface Attempt {
  /** Whom it is about, as typed. */
  account: readonly (string | undefined)[];
  remoteIp: string | null;
}

export class SignInPace {
  readonly #underWay = new Map<string, number>();
  #allUnderWay = 0;
  readonly #local = new LRUCache<string, number>({ max: maxLocalCounts, ttl: rememberedSeconds * 1_000 });

  /** @param wait answers after so many milliseconds */
  constructor(
    private readonly redis: RedisConnections,
    private readonly wait: (ms: number) => Promise<unknown>,
  ) {}

  /**
   * Makes an attempt when its turn has come: after the longer one of the account's and the address's waits.
   * @param attempt answers undefined where it failed
   * @throws TOO_MANY_SIGN_INS where too many are under way, before anything is looked up
   */
  async run<Result>(
    { account, remoteIp }: Attempt,
    attempt: () => Promise<Result | undefined>,
  ): Promise<Result | undefined> {
    const source = networkOf(remoteIp ?? 'nowhere');
    this.#enter(source);
    try {
      const keys = this.#keysOf(JSON.stringify(account), source);
      const [ofAccount, ofAddress] = await this.#count(keys);
      const waitMs = Math.max(waitForAccountMs(ofAccount), waitForAddressMs(ofAddress));
      if (waitMs > 0) await this.wait(waitMs);
      const result = await attempt();
      if (result !== undefined) await this.#forget(keys);
      return result;
    } finally {
      this.#leave(source);
    }
  }

  #enter(source: string): void {
    const already = this.#underWay.get(source) ?? 0;
    if (already >= maxAtOnceOfAddress || this.#allUnderWay >= maxAtOnce) {
      const whose = already >= maxAtOnceOfAddress ? ' from your address' : '';
      fail(
        'TOO_MANY_SIGN_INS',
        `Too many attempts to sign in wait for their turn${whose}. Try again in a few seconds.`,
        {
          retryAfterSeconds,
        },
      );
    }
    this.#underWay.set(source, already + 1);
    this.#allUnderWay += 1;
  }

  #leave(source: string): void {
    const left = this.#underWay.get(source)! - 1;
    if (left === 0) this.#underWay.delete(source);
    else this.#underWay.set(source, left);
    this.#allUnderWay -= 1;
  }

  #keysOf(account: string, source: string): Keys {
    const { keys } = this.redis;
    return [
      keys.signIns('account', hashOf(account)),
      keys.signIns('address', hashOf(source)),
      keys.signIns('pair', hashOf(`${source} ${account}`)),
    ];
  }

  /** @returns the earlier failures of the account and of the address */
  async #count(keys: Keys): Promise<[ofAccount: number, ofAddress: number]> {
    const counted = this.redis.commands.eval(countScript, keys.length, ...keys, rememberedSeconds);
    const earlier = (await within(redisWaitMs, counted, undefined)) as number[] | undefined;
    if (earlier) return [earlier[0]!, earlier[1]!];
    const [account, address] = keys.map((key) => {
      const failures = this.#local.get(key) ?? 0;
      this.#local.set(key, failures + 1);
      return failures;
    });
    return [account!, address!];
  }

  async #forget(keys: Keys): Promise<void> {
    const [account, address, pair] = keys;
    this.#local.set(address, Math.max(0, (this.#local.get(address) ?? 0) - (this.#local.get(pair) ?? 0)));
    for (const key of [account, pair]) this.#local.delete(key);
    await within(redisWaitMs, this.redis.commands.eval(forgetScript, keys.length, ...keys), undefined);
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');
