import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestPlatform, type TestPlatform } from '../tests/setup/database.js';
import { eventually } from '../tests/setup/until.js';
import { loadConfig } from './config.js';
import { createPlatform, type Platform } from './platform.js';
import { watchState } from './pubsub.js';

let t: TestPlatform;
/** Another process on the same Redis. */
let other: Platform;
beforeAll(async () => {
  t = await createTestPlatform();
  other = createPlatform(loadConfig(t.env), 'other');
});
afterAll(async () => {
  await other.close();
  await t.close();
});

const freshTopic = () => ({ orgId: t.orgs[0].orgId, name: `test:${crypto.randomUUID()}` });
/** Counts what another process hears; the first call says that it listens. */
async function listening(topic: ReturnType<typeof freshTopic>) {
  let heard = 0;
  const stop = other.pubsub.follow(topic, () => {
    heard += 1;
  });
  await eventually(() => expect(heard).toBe(1));
  return { heard: () => heard - 1, stop };
}

test('a topic that is rung thousands of times rings at once, then now and then, and once more behind the last one', async () => {
  const topic = freshTopic();
  const { heard, stop } = await listening(topic);
  const began = performance.now();
  t.platform.pubsub.ringAtMostEvery(50, topic);
  await eventually(() => expect(heard()).toBe(1));
  for (let count = 0; count < 20_000; count += 1) {
    t.platform.pubsub.ringAtMostEvery(50, topic);
    if (count % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const before = heard();
  await eventually(() => expect(heard()).toBeGreaterThan(before));
  expect(heard()).toBeLessThanOrEqual(2 + (performance.now() - began) / 50);
  stop();
});

test('a state that changes while its watcher is being connected is seen at once', async () => {
  for (let round = 0; round < 20; round += 1) {
    const topic = freshTopic();
    let state = 1;
    const watched = watchState({
      pubsub: other.pubsub,
      topic,
      read: async () => state,
      version: String,
      isTerminal: (value) => value === 2,
    });
    const began = performance.now();
    expect((await watched.next()).value).toBe(1);
    // Nobody hears this ring: Redis knows of no listener yet, or the state was read before.
    state = 2;
    t.platform.pubsub.ring(topic);
    expect((await watched.next()).value).toBe(2);
    expect(performance.now() - began).toBeLessThan(1_900);
    expect((await watched.next()).done).toBe(true);
  }
});
