/**
 * Rate limits that all processes share through Redis. While Redis is away each process goes on by itself, by the same
 * rule: it neither lets everything through nor stops everything.
 */
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { RedisConnections } from '../redis.js';
import {
  describeTaken,
  emissionIntervalUs,
  gcraScript,
  type RateLimit,
  type Taken,
  takeUnits,
  waitMs,
} from './gcra.js';

/** How many limits a process keeps by itself. One that is forgotten is full again. */
const maxKept = 50_000;
/** How long a request waits for Redis. */
const patienceMs = 50;
/** For how long nobody waits for a Redis that did not answer. */
const restMs = 1_000;

type Script = (key: string, intervalUs: number, burst: number, units: number) => Promise<[0 | 1, string]>;

interface Refusal {
  /** When one unit may be taken again, by `performance.now()`. */
  untilMs: number;
  limit: RateLimit;
}

export class RateLimiter {
  readonly #redis: Redis;
  readonly #script: Script;
  readonly #patienceMs: number;
  readonly #own = new LRUCache<string, number>({ max: maxKept });
  readonly #refusals = new LRUCache<string, Refusal>({ max: maxKept });
  #restsUntilMs = 0;

  /** @param options.patienceMs how long a request waits for Redis. Default 50 */
  constructor({ commands }: Pick<RedisConnections, 'commands'>, options: { patienceMs?: number } = {}) {
    this.#redis = commands;
    this.#patienceMs = options.patienceMs ?? patienceMs;
    commands.defineCommand('harborwatchTake', { numberOfKeys: 1, lua: gcraScript });
    this.#script = (commands as unknown as { harborwatchTake: Script }).harborwatchTake.bind(commands);
  }

  /** Takes units, all or none. @param key of RedisKeys. @param limit with a finite rate */
  async take(key: string, limit: RateLimit, units: number): Promise<Taken> {
    const { allowed, aheadUs } = (await this.#takeShared(key, limit, units)) ?? this.#takeOwn(key, limit, units);
    const wait = allowed ? 0 : waitMs(limit, aheadUs, 1);
    if (wait > 0) this.#refusals.set(key, { untilMs: performance.now() + wait, limit });
    return describeTaken(limit, allowed, aheadUs, units);
  }

  /** The refusal of even one unit, where this process knows of it without asking anybody. */
  refusal(key: string, limit: RateLimit): Taken | undefined {
    const known = this.#refusals.get(key);
    if (!known) return undefined;
    const retryAfterMs = known.untilMs - performance.now();
    const isSame =
      known.limit.requestsPerMinute === limit.requestsPerMinute && known.limit.burstCapacity === limit.burstCapacity;
    if (retryAfterMs <= 0 || !isSame) {
      this.#refusals.delete(key);
      return undefined;
    }
    const aheadUs = retryAfterMs * 1_000 + (limit.burstCapacity - 1) * emissionIntervalUs(limit);
    return describeTaken(limit, false, aheadUs, 1);
  }

  /** Undefined where Redis is away. */
  async #takeShared(key: string, limit: RateLimit, units: number) {
    if (this.#redis.status !== 'ready' || performance.now() < this.#restsUntilMs) return undefined;
    const answer = this.#script(key, emissionIntervalUs(limit), limit.burstCapacity, units);
    const answered = await withPatience(this.#patienceMs, answer);
    if (!answered) {
      this.#restsUntilMs = performance.now() + restMs;
      return undefined;
    }
    return { allowed: answered[0] === 1, aheadUs: Number(answered[1]) };
  }

  #takeOwn(key: string, limit: RateLimit, units: number) {
    const taken = takeUnits(this.#own.get(key) ?? 0, performance.now() * 1_000, limit, units);
    this.#own.set(key, taken.takenUntilUs);
    return taken;
  }
}

/** What `work` answers; undefined where it fails or takes longer, the time in which this process stood still apart. */
function withPatience<T>(timeoutMs: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const nothing = () => resolve(undefined);
    // An answer that lies in the socket already is read before that.
    const timer = setTimeout(() => setImmediate(nothing), timeoutMs);
    work.then(resolve, nothing).finally(() => clearTimeout(timer));
  });
}
