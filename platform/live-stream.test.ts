import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { liveStream } from './live-stream.js';

/** A stream of what a test puts into a list; it never looks without a ring. */
function streamOf(options: { onTake?: () => void; isLast?: (value: number) => boolean } = {}) {
  const values: number[] = [];
  const listeners = new Set<() => void>();
  const stream = liveStream({
    take: async () => {
      const value = values.shift();
      await nextTurn();
      options.onTake?.();
      return value;
    },
    listen: (ring) => {
      listeners.add(ring);
      return () => listeners.delete(ring);
    },
    recheckInMs: () => 1_000_000,
    ...(options.isLast ? { isLast: options.isLast } : {}),
  });
  const ring = () => {
    for (const listener of listeners) listener();
  };
  return { stream, values, listeners, ring };
}

test('a ring during a look is not lost: the stream looks again', async () => {
  let isFirst = true;
  const { stream, values, ring } = streamOf({
    onTake: () => {
      if (!isFirst) return;
      isFirst = false;
      values.push(1);
      ring();
    },
  });
  expect(await stream.next()).toEqual({ done: false, value: 1 });
  await stream.return?.();
});

test('a stream that waits ends at once when its reader leaves, and listens no more', async () => {
  const { stream, listeners } = streamOf();
  const waiting = stream.next();
  await nextTurn();
  await stream.return?.();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(listeners.size).toBe(0);
  expect(await stream.next()).toEqual({ done: true, value: undefined });
});

test('a stream ends behind its last value, and with the first error, and listens no more', async () => {
  const last = streamOf({ isLast: (value) => value === 2 });
  last.values.push(1, 2, 3);
  const seen: number[] = [];
  for await (const value of last.stream) seen.push(value);
  expect([seen, last.listeners.size]).toEqual([[1, 2], 0]);
  const broken = streamOf({
    onTake: () => {
      throw new Error('away');
    },
  });
  await expect(broken.stream.next()).rejects.toThrow('away');
  expect([await broken.stream.next(), broken.listeners.size]).toEqual([{ done: true, value: undefined }, 0]);
});

test('a stream looks without a ring when the time is over', async () => {
  let looks = 0;
  const stream = liveStream({
    take: async () => {
      looks += 1;
      return looks > 2 ? looks : undefined;
    },
    listen: () => () => {},
    recheckInMs: () => 5,
  });
  expect(await stream.next()).toEqual({ done: false, value: 3 });
  await stream.return?.();
});
