/** What BullMQ's keys take in Redis. */
import { LRUCache } from 'lru-cache';
import type { RedisConnections } from './redis.js';
import { within } from './within.js';

/** BullMQ's own keys of a queue; each ring has one of its own beside them. */
const ownKeys = ['meta', 'id', 'pc', 'marker', 'events', 'delayed', 'completed', 'failed', 'stalled'];
/** Where rings wait or are answered; what is asked is how many are there, and for some of them. */
const ringKeys = [
  ['wait', 'LLEN', 'LRANGE'],
  ['active', 'LLEN', 'LRANGE'],
  ['prioritized', 'ZCARD', 'ZRANGE'],
] as const;
/** So many rings of each tell how much one takes: all of them carry the same fields. */
const sampled = 20;
const keptMs = 10_000;
const maxKept = 100;
const timeoutMs = 1_000;

/** Measures by some hundred commands at most, however many rings wait, and remembers the answer for ten seconds. */
export class QueueMemory {
  readonly #redis: Pick<RedisConnections, 'commands' | 'keys'>;
  readonly #kept = new LRUCache<string, Promise<number | null>>({ max: maxKept, ttl: keptMs });

  constructor(redis: Pick<RedisConnections, 'commands' | 'keys'>) {
    this.#redis = redis;
  }

  /** Bytes of a queue; null while Redis does not answer. */
  bytesOf(queue: string): Promise<number | null> {
    const kept = this.#kept.get(queue);
    if (kept) return kept;
    const measured = within<number | null>(timeoutMs, this.#measure(queue), null);
    this.#kept.set(queue, measured);
    return measured;
  }

  async #measure(queue: string): Promise<number> {
    const key = (name: string) => `${this.#redis.keys.queues}:${queue}:${name}`;
    const { commands } = this.#redis;
    const usage = async (names: readonly string[]): Promise<number[]> => {
      const answers = names.map((name) => commands.call('MEMORY', 'USAGE', key(name)));
      return (await Promise.all(answers)).map(Number);
    };
    const rings = await Promise.all(
      ringKeys.map(async ([name, count, range]) => ({
        count: Number(await commands.call(count, key(name))),
        some: (await commands.call(range, key(name), 0, sampled - 1)) as string[],
      })),
    );
    const own = await usage([...ownKeys, ...ringKeys.map(([name]) => name)]);
    const samples = (await usage(rings.flatMap(({ some }) => some))).filter((bytes) => bytes > 0);
    const perRing = samples.length === 0 ? 0 : sum(samples) / samples.length;
    return Math.round(sum(own) + perRing * sum(rings.map(({ count }) => count)));
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
