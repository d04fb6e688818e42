import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../tests/setup/until.js';
import { createLogger } from '../logging.js';
import { connectRedis, type RedisConnections } from '../redis.js';
import { ConnectionLeases } from './connection-leases.js';
import type { HolderOrder } from './holder.js';

const logger = createLogger('test', 'silent');
const url = process.env.HARBORWATCH_TEST_REDIS!;
const freshKey = () => `t${randomBytes(6).toString('hex')}`;
const brief = { leaseMs: 1_500, renewEveryMs: 300 };

let redis: RedisConnections;
const open: ConnectionLeases[] = [];
const children: ChildProcess[] = [];
beforeAll(async () => {
  redis = connectRedis(url, 'hw', logger);
  await once(redis.commands, 'ready');
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((leases) => leases.close()));
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => redis.close());

const start = (times = brief) => {
  const leases = new ConnectionLeases(redis, logger, times);
  open.push(leases);
  return leases;
};

it('two processes admit as many as the limit together, however they race', async () => {
  const [one, other] = [start(), start()];
  const key = freshKey();
  const entered = await Promise.all(Array.from({ length: 40 }, (_, index) => (index % 2 ? one : other).enter(key, 7)));
  const leaving = entered.filter((leave) => leave !== undefined);
  expect(leaving).toHaveLength(7);
  leaving[0]!();
  await eventually(async () => expect(await redis.commands.zcard(key)).toBe(6));
  expect(await one.enter(key, 7)).toBeDefined();
  expect(await other.enter(key, 7)).toBeUndefined();
});

it('a connection that stays open stays counted, also through a Redis that was emptied', async () => {
  const [one, other] = [start(), start()];
  const key = freshKey();
  await one.enter(key, 1);
  await redis.commands.del(key);
  await eventually(async () => expect(await redis.commands.zcard(key)).toBe(1));
  const lease = (await redis.commands.zrange(key, '0', '-1', 'WITHSCORES')) as string[];
  await eventually(async () =>
    expect(Number(await redis.commands.zscore(key, lease[0]!))).toBeGreaterThan(Number(lease[1]) + brief.leaseMs),
  );
  expect(await other.enter(key, 1)).toBeUndefined();
});

it('those of a process that was killed are free again when their lease has run out', async () => {
  const key = freshKey();
  const child = fork('platform/rate-limit/holder.ts', [], {
    execArgv: ['--no-warnings', '--import', './tests/support/run-typescript.mjs'],
    env: { PATH: process.env.PATH, REDIS_URL: url },
  });
  children.push(child);
  await once(child, 'message');
  child.send({ key, times: brief } satisfies HolderOrder);
  expect((await once(child, 'message'))[0]).toBe('entered');
  const leases = start();
  expect(await leases.enter(key, 1)).toBeUndefined();
  child.kill('SIGKILL');
  const killedAt = performance.now();
  await eventually(async () => expect(await leases.enter(key, 1)).toBeDefined(), 10_000);
  expect(performance.now() - killedAt).toBeLessThan(brief.leaseMs + 2_000);
});

it('as they are, leases run out within a minute', async () => {
  const leases = new ConnectionLeases(redis, logger);
  open.push(leases);
  const key = freshKey();
  await leases.enter(key, 1);
  expect(await redis.commands.pttl(key)).toBeLessThanOrEqual(60_000);
  await leases.close();
  expect(await redis.commands.exists(key)).toBe(0);
});

it('without Redis each process counts its own, and Redis knows of them when it is back', async () => {
  const away = connectRedis(url, 'hw', logger);
  await once(away.commands, 'ready');
  const leases = new ConnectionLeases(away, logger, brief);
  open.push(leases);
  const key = freshKey();
  away.commands.disconnect(false);
  await eventually(() => expect(away.commands.status).not.toBe('ready'));
  const entered = [];
  for (let at = 0; at < 5; at += 1) entered.push(await leases.enter(key, 3));
  expect(entered.filter((leave) => leave !== undefined)).toHaveLength(3);
  await away.commands.connect();
  await eventually(async () => expect(await redis.commands.zcard(key)).toBe(3));
  await leases.close();
  await away.close();
});
