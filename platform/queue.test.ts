/** Rings for jobs, against a real Redis. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestPlatform, type TestPlatform } from '../tests/setup/database.js';
import { eventually } from '../tests/setup/until.js';
import { answerDoorbell, Doorbell } from './queue.js';

let t: TestPlatform;
beforeAll(async () => {
  t = await createTestPlatform();
});
afterAll(() => t.close());

test('a queue that nobody answers takes some thousand rings at most, and rings again once they are answered', async () => {
  const { redis, logger } = t.platform;
  const name = 'jobs-nobody';
  const doorbell = new Doorbell(name, redis);
  const ring = () => doorbell.ring({ orgId: t.orgs[0].orgId, jobId: crypto.randomUUID() });
  const waiting = () => redis.commands.llen(`${redis.keys.queues}:${name}:wait`);
  for (let n = 0; n < 3_000; n++) expect(await ring()).toBe(true);
  expect(await waiting()).toBeGreaterThanOrEqual(1_000);
  expect(await waiting()).toBeLessThan(1_200);

  let answered = 0;
  const handle = async () => {
    answered += 1;
  };
  const answering = answerDoorbell(name, redis, { concurrency: 50, handle, logger });
  await eventually(async () => expect(await waiting()).toBe(0), 60_000);
  const before = answered;
  await eventually(async () => {
    await ring();
    expect(answered).toBeGreaterThan(before + 50);
  });
  await answering.close(1_000);
  await doorbell.close();
}, 120_000);
