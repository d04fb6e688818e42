/** A process of the limiter's test: takes units as fast as it is refused, and tells when it was given some. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '../logging.js';
import { connectRedis } from '../redis.js';
import type { RateLimit } from './gcra.js';
import { RateLimiter } from './rate-limiter.js';

export interface HammerOrder {
  key: string;
  limit: RateLimit;
  /** Milliseconds since the epoch. */
  endsAtMs: number;
}

export interface HammerResult {
  attempts: number;
  admittedAtMs: number[];
}

const redis = connectRedis(process.env.REDIS_URL!, 'hw', createLogger('hammer', 'silent'));
await once(redis.commands, 'ready');
// Nobody goes on alone here: what is measured is what they do together, on a machine that may stand still for a while.
const limiter = new RateLimiter(redis, { patienceMs: 5_000 });

process.on('message', async ({ key, limit, endsAtMs }: HammerOrder) => {
  const result: HammerResult = { attempts: 0, admittedAtMs: [] };
  while (Date.now() < endsAtMs) {
    result.attempts += 1;
    const { allowed, retryAfterMs } = limiter.refusal(key, limit) ?? (await limiter.take(key, limit, 1));
    if (allowed) result.admittedAtMs.push(Date.now());
    else await delay(Math.min(retryAfterMs, 5));
  }
  process.send!(result);
});
process.once('disconnect', () => process.exit());
process.send!('ready');
