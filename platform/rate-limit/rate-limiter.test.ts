import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { toolchainDir } from '../../tests/setup/toolchain.js';
import { eventually } from '../../tests/setup/until.js';
import { type RunningRedis, startRedis } from '../embedded/redis.js';
import { createLogger } from '../logging.js';
import { connectRedis, type RedisConnections } from '../redis.js';
import { describeTaken, emissionIntervalUs, gcraScript, type RateLimit, takeUnits, waitMs } from './gcra.js';
import type { HammerOrder, HammerResult } from './hammer.js';
import { RateLimiter } from './rate-limiter.js';

const logger = createLogger('test', 'silent');
const url = process.env.HARBORWATCH_TEST_REDIS!;
const isDeep = process.env.HARBORWATCH_DEEP === '1';
const freshKey = () => `t${randomBytes(6).toString('hex')}`;

const limits = fc.record({
  requestsPerMinute: fc.oneof(fc.integer({ min: 1, max: 6_000 }), fc.constantFrom(7, 60, 300, 1_000)),
  burstCapacity: fc.integer({ min: 1, max: 200 }),
});

describe('the script', () => {
  let redis: Redis;
  beforeAll(() => {
    redis = new Redis(url);
  });
  afterAll(() => redis.disconnect());

  /** With the time as ARGV[4] and ARGV[5]; keys end by it alone. */
  const timedScript = gcraScript
    .replace("redis.call('TIME')", '{ ARGV[4], ARGV[5] }')
    .replace(/, 'PX', math.ceil\(wanted \/ 1000\)/, '');

  const steps = fc.array(
    fc.record({ afterUs: fc.integer({ min: 0, max: 90_000_000 }), units: fc.integer({ min: 1, max: 250 }) }),
    { minLength: 1, maxLength: 40 },
  );

  it('admits what the function admits, at every moment and of every limit', async () => {
    expect(timedScript).not.toContain('TIME');
    expect(timedScript).not.toContain('PX');
    await fc.assert(
      fc.asyncProperty(limits, steps, async (limit, all) => {
        const key = freshKey();
        let nowUs = 1_800_000_000_000_000;
        let takenUntilUs = 0;
        for (const { afterUs, units } of all) {
          nowUs += afterUs;
          const time = [Math.floor(nowUs / 1_000_000), nowUs % 1_000_000];
          const interval = emissionIntervalUs(limit);
          const answer = await redis.eval(timedScript, 1, key, interval, limit.burstCapacity, units, ...time);
          const expected = takeUnits(takenUntilUs, nowUs, limit, units);
          expect(answer).toEqual([expected.allowed ? 1 : 0, expect.any(String)]);
          expect(Number((answer as [number, string])[1])).toBe(expected.aheadUs);
          // Both keep the sum alone, so that they round alike; a refusal of Redis changes nothing.
          if (expected.allowed) takenUntilUs = expected.takenUntilUs;
        }
        await redis.del(key);
      }),
      { numRuns: isDeep ? 1_000 : 60 },
    );
  }, 300_000);

  it('leaves nothing behind once the full burst is there again', async () => {
    const key = freshKey();
    const limit = { requestsPerMinute: 600, burstCapacity: 10 };
    await redis.eval(gcraScript, 1, key, emissionIntervalUs(limit), limit.burstCapacity, 3);
    expect(await redis.pttl(key)).toBeLessThanOrEqual(300);
    await eventually(async () => expect(await redis.exists(key)).toBe(0), 5_000);
  });
});

describe('the rule', () => {
  /** A leaky bucket: another way to say the same. */
  it('admits in every window no more than the burst and what the rate gives in that time', () => {
    fc.assert(
      fc.property(limits, fc.array(fc.integer({ min: 0, max: 30_000_000 }), { maxLength: 60 }), (limit, waits) => {
        const admitted: { atUs: number; units: number }[] = [];
        let atUs = 0;
        let takenUntilUs = 0;
        for (const [index, wait] of waits.entries()) {
          atUs += wait;
          const units = 1 + (index % 5);
          const taken = takeUnits(takenUntilUs, atUs, limit, units);
          takenUntilUs = taken.takenUntilUs;
          if (taken.allowed) admitted.push({ atUs, units });
        }
        for (const [from, first] of admitted.entries()) {
          let sum = 0;
          for (const { atUs: end, units } of admitted.slice(from)) {
            sum += units;
            const most = limit.burstCapacity + (end - first.atUs) / emissionIntervalUs(limit);
            expect(sum).toBeLessThanOrEqual(most + 0.001);
          }
        }
      }),
    );
  });

  it('admits after exactly the wait that it told, and not before', () => {
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 }), (limit, first, then) => {
        fc.pre(first <= limit.burstCapacity && then <= limit.burstCapacity);
        const { takenUntilUs, aheadUs } = takeUnits(0, 1_000_000, limit, first);
        const wait = waitMs(limit, aheadUs, then) * 1_000;
        expect(takeUnits(takenUntilUs, 1_000_000 + wait + 1, limit, then).allowed).toBe(true);
        if (wait > 10) expect(takeUnits(takenUntilUs, 1_000_000 + wait - 10, limit, then).allowed).toBe(false);
      }),
    );
  });

  it('tells what is left, when all of it is there again, and that more than the burst is never there', () => {
    const limit = { requestsPerMinute: 60, burstCapacity: 10 };
    expect(describeTaken(limit, true, 3_000_000, 3)).toEqual({
      allowed: true,
      remaining: 7,
      resetMs: 3_000,
      retryAfterMs: 0,
    });
    expect(describeTaken(limit, false, 8_500_000, 3)).toEqual({
      allowed: false,
      remaining: 1,
      resetMs: 8_500,
      retryAfterMs: 1_500,
    });
    expect(describeTaken(limit, false, 0, 11).retryAfterMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('forgets what was taken ahead under a higher limit, or by a clock that was put back', () => {
    const high = { requestsPerMinute: 1, burstCapacity: 100 };
    const { takenUntilUs } = takeUnits(0, 0, high, 100);
    const low = { requestsPerMinute: 60, burstCapacity: 10 };
    expect(takeUnits(takenUntilUs, 0, low, 1)).toMatchObject({ allowed: false, aheadUs: 10_000_000 });
  });
});

describe('four processes over one Redis', () => {
  const hammers: ChildProcess[] = [];
  afterEach(() => {
    for (const child of hammers.splice(0)) child.kill('SIGKILL');
  });

  const startHammer = async (): Promise<ChildProcess> => {
    const child = fork('platform/rate-limit/hammer.ts', [], {
      execArgv: ['--no-warnings', '--import', './tests/support/run-typescript.mjs'],
      env: { PATH: process.env.PATH, REDIS_URL: url },
    });
    hammers.push(child);
    await once(child, 'message');
    return child;
  };

  it('admit within +1 % and -3 % of the limit together', async () => {
    const limit: RateLimit = { requestsPerMinute: 12_000, burstCapacity: 40 };
    const seconds = isDeep ? 20 : 6;
    const children = await Promise.all(Array.from({ length: 4 }, startHammer));
    const order: HammerOrder = { key: freshKey(), limit, endsAtMs: Date.now() + seconds * 1_000 };
    const results = await Promise.all(
      children.map(async (child) => {
        child.send(order);
        const [result] = await once(child, 'message');
        return result as HammerResult;
      }),
    );
    const all = results.flatMap(({ admittedAtMs }) => admittedAtMs).sort((one, other) => one - other);
    const admitted = all.length;
    const measuredSeconds = (all.at(-1)! - all[0]!) / 1_000;
    const expected = limit.burstCapacity + (limit.requestsPerMinute / 60) * measuredSeconds;
    expect(admitted / expected).toBeLessThanOrEqual(1.01);
    expect(admitted / expected).toBeGreaterThanOrEqual(0.97);
    for (const { attempts, admittedAtMs } of results) expect(attempts).toBeGreaterThan(admittedAtMs.length);
  }, 120_000);
});

describe('without Redis', () => {
  let directory: string;
  let server: RunningRedis;
  let redis: RedisConnections;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'harborwatch-rate-'));
    server = await startRedis({ dataDir: directory, toolchainDir });
    redis = connectRedis(server.url, 'hw', logger);
    await once(redis.commands, 'ready');
  });
  afterAll(async () => {
    await redis.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const admittedOf = async (limiter: RateLimiter, key: string, limit: RateLimit, tries: number) => {
    const taken = await Promise.all(Array.from({ length: tries }, () => limiter.take(key, limit, 1)));
    return taken.filter(({ allowed }) => allowed).length;
  };
  const slow = { requestsPerMinute: 1, burstCapacity: 5 };

  it('a process that Redis does not answer in time goes on by itself, and nobody waits for it again', async () => {
    const limiter = new RateLimiter(redis);
    process.kill(server.pid!, 'SIGSTOP');
    try {
      const started = performance.now();
      expect(await admittedOf(limiter, freshKey(), slow, 20)).toBe(5);
      expect(performance.now() - started).toBeLessThan(1_000);
      const again = performance.now();
      await limiter.take(freshKey(), slow, 1);
      expect(performance.now() - again).toBeLessThan(40);
    } finally {
      process.kill(server.pid!, 'SIGCONT');
    }
    const shared = freshKey();
    await eventually(async () => {
      await limiter.take(shared, slow, 1);
      expect(await redis.commands.exists(shared)).toBe(1);
    }, 10_000);
  });

  it('requests go on within the limit while it is gone, and are counted there again once it is back', async () => {
    const limiter = new RateLimiter(redis);
    const key = freshKey();
    expect(await admittedOf(limiter, key, slow, 3)).toBe(3);
    expect(await redis.commands.exists(key)).toBe(1);
    process.kill(server.pid!, 'SIGKILL');
    await eventually(() => expect(redis.commands.status).not.toBe('ready'));
    expect(await admittedOf(limiter, key, slow, 20)).toBe(5);
    expect(limiter.refusal(key, slow)).toMatchObject({ allowed: false, remaining: 0 });

    server = await startRedis({ dataDir: directory, toolchainDir, port: Number(new URL(server.url).port) });
    const other = freshKey();
    await eventually(async () => {
      await limiter.take(other, slow, 1);
      expect(await redis.commands.exists(other)).toBe(1);
    });
  }, 60_000);
});

describe('after a refusal', () => {
  let redis: RedisConnections;
  beforeAll(async () => {
    redis = connectRedis(url, 'hw', logger);
    await once(redis.commands, 'ready');
  });
  afterAll(() => redis.close());

  it('the process knows without asking until when nothing is left, and no longer', async () => {
    const limiter = new RateLimiter(redis);
    const key = freshKey();
    const limit = { requestsPerMinute: 300, burstCapacity: 2 };
    expect(await limiter.take(key, limit, 2)).toMatchObject({ allowed: true, remaining: 0 });
    expect(limiter.refusal(key, limit)).toBeUndefined();
    const refused = await limiter.take(key, limit, 1);
    expect(refused).toMatchObject({ allowed: false, remaining: 0 });
    const known = limiter.refusal(key, limit)!;
    expect(known.retryAfterMs).toBeLessThanOrEqual(refused.retryAfterMs);
    expect(known.retryAfterMs).toBeGreaterThan(0);
    await eventually(() => expect(limiter.refusal(key, limit)).toBeUndefined(), 5_000);
    expect((await limiter.take(key, limit, 1)).allowed).toBe(true);
  });

  it('of more than is left, fewer may still be taken', async () => {
    const limiter = new RateLimiter(redis);
    const key = freshKey();
    const limit = { requestsPerMinute: 60, burstCapacity: 5 };
    await limiter.take(key, limit, 3);
    expect((await limiter.take(key, limit, 4)).allowed).toBe(false);
    expect(limiter.refusal(key, limit)).toBeUndefined();
    expect((await limiter.take(key, limit, 2)).allowed).toBe(true);
  });

  it('a limit that was raised holds at once', async () => {
    const limiter = new RateLimiter(redis);
    const key = freshKey();
    const limit = { requestsPerMinute: 1, burstCapacity: 1 };
    await limiter.take(key, limit, 1);
    await limiter.take(key, limit, 1);
    expect(limiter.refusal(key, limit)).toBeDefined();
    const raised = { requestsPerMinute: 6_000, burstCapacity: 200 };
    expect(limiter.refusal(key, raised)).toBeUndefined();
  });
});
