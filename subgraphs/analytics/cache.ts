/**
 * Widget answers in Redis, for a few seconds each. A key holds everything that the answer depends on: organisation, what
 * the caller may see, arguments, and a generation number for each dataset that it counts; the rollup raises the number when
 * it counted anew, so that new events show at once. Without Redis every answer is computed.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../platform/clock.js';
import type { Identity } from '../../platform/identity.js';
import type { RedisConnections } from '../../platform/redis.js';
import { within } from '../../platform/within.js';

/** What is kept of an answer; its own fields come on top. */
export interface Generated {
  /** When it was computed, RFC 3339. */
  generatedAt: string;
}

export interface CacheRequest {
  identity: Identity;
  /** The widget's name. */
  widget: string;
  /** Its arguments, as far as they change the answer. */
  args: Record<string, unknown>;
  /** The datasets whose events it counts. */
  datasets: readonly string[];
  ttlSeconds: number;
  /** Computes in any case. */
  refresh: boolean;
  /** Takes no answer that is older. Default: any that the cache still has. */
  maxAgeSeconds?: number | undefined;
}

/** Redis answers within a millisecond; when it hangs, computing is faster than waiting. */
const redisWaitMs = 250;
/** Longer than any answer lives: a generation that is forgotten and starts again at 1 meets no answer of its first life. */
const generationSeconds = 3_600;

export class WidgetCache {
  readonly #redis: RedisConnections;
  readonly #clock: Clock;
  /** What this process is computing now, by key: of many callers at once, one computes. */
  readonly #inFlight = new Map<string, Promise<Generated>>();

  constructor(redis: RedisConnections, clock: Clock) {
    this.#redis = redis;
    this.#clock = clock;
  }

  /** The cached answer, or a new one from `compute`. Never fails because of Redis. */
  async answer<T extends Generated>(
    request: CacheRequest,
    compute: () => Promise<T>,
  ): Promise<T & { cached: boolean }> {
    const key = await this.#key(request);
    if (key !== undefined && !request.refresh) {
      const found = await this.#read<T>(key);
      if (found && this.#isYoungEnough(found, request)) return { ...found, cached: true };
    }
    // A refreshed answer must not have begun before it was asked for, so it joins no other computation.
    const shared = request.refresh ? undefined : (key ?? this.#keyOf(request, []));
    const running = shared === undefined ? undefined : (this.#inFlight.get(shared) as Promise<T> | undefined);
    const computed = running ?? compute();
    if (shared !== undefined && !running) {
      this.#inFlight.set(shared, computed);
      const forget = () => this.#inFlight.delete(shared);
      computed.then(forget, forget);
    }
    const answer = await computed;
    if (key !== undefined && !running) this.#write(key, answer, request.ttlSeconds);
    return { ...answer, cached: false };
  }

  /** Makes the organisation's answers that count the dataset unfindable. Where Redis is away they end by themselves. */
  invalidate(orgId: string, dataset: string): void {
    const key = this.#generationKey(orgId, dataset);
    this.#redis.commands
      .multi()
      .incr(key)
      .expire(key, generationSeconds)
      .exec()
      .catch(() => {});
  }

  #isYoungEnough(answer: Generated, { maxAgeSeconds }: CacheRequest): boolean {
    return maxAgeSeconds === undefined || this.#clock.now() - Date.parse(answer.generatedAt) <= maxAgeSeconds * 1_000;
  }

  /** @returns undefined when Redis does not answer */
  async #key(request: CacheRequest): Promise<string | undefined> {
    const { orgId } = request.identity;
    const keys = request.datasets.map((dataset) => this.#generationKey(orgId, dataset));
    const generations = await orUndefined(this.#redis.commands.mget(keys));
    return generations && this.#keyOf(request, generations);
  }

  #keyOf({ identity, widget, args, datasets }: CacheRequest, generations: (string | null)[]): string {
    const scope = identity.capabilities.filter(({ action }) => action === 'analytics:read');
    const variant = createHash('sha256')
      .update(JSON.stringify([scope, args, datasets, generations]))
      .digest('base64url');
    return this.#redis.keys.widget(identity.orgId, widget, variant);
  }

  #generationKey(orgId: string, dataset: string): string {
    return this.#redis.keys.widget(orgId, 'generation', dataset);
  }

  async #read<T>(key: string): Promise<T | undefined> {
    const kept = this.#redis.commands.get(key).then((text) => (text === null ? undefined : (JSON.parse(text) as T)));
    return orUndefined(kept);
  }

  #write(key: string, answer: Generated, ttlSeconds: number): void {
    this.#redis.commands.set(key, JSON.stringify(answer), 'EX', ttlSeconds).catch(() => {});
  }
}

/** What Redis answers in time; undefined when it is away or slow. */
const orUndefined = <T>(command: Promise<T>): Promise<T | undefined> =>
  within<T | undefined>(redisWaitMs, command, undefined);
