import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Entries, type Entry } from './entries.js';
import { type Bench, openBench, redisEntries } from './testing.js';

let bench: Bench;
let entries: Entries;

beforeAll(async () => {
  bench = await openBench();
  entries = new Entries(bench.platform.redis, bench.platform.logger);
});

beforeEach(async () => {
  await bench.platform.redis.commands.flushall();
});

afterAll(() => bench?.close());

const nowMicros = () => Date.now() * 1000;
const collectionAt = (id: string, run: string) => ({ orgId: bench.orgs[0].orgId, id, run, redisKeyBase: 'one#base' });
const entry = (key: string, value = 'v', inSeconds = 60): Entry => ({
  key,
  value,
  expiryMicros: nowMicros() + inSeconds * 1_000_000,
});

test('a write for an older run, for another collection of the name, or after FLUSHALL has no effect', async () => {
  const first = collectionAt('a', '1');
  expect(await entries.apply(first, [entry('x')])).toBe('LOST');
  await entries.claim(first);
  expect(await entries.apply(first, [entry('x')])).toEqual({ sent: 1, keyCount: 1 });
  await entries.claim(collectionAt('a', '2'));
  expect(await entries.apply(first, [entry('y')])).toBe('LOST');
  await bench.platform.redis.commands.flushall();
  expect(await entries.apply(collectionAt('a', '2'), [entry('y')])).toBe('LOST');
  await entries.claim(collectionAt('b', '1'));
  expect(await entries.apply(collectionAt('a', '2'), [entry('y')])).toBe('LOST');
  expect((await redisEntries(bench, 'one#base')).size).toBe(0);
});

test('a new run keeps the collection’s entries; another collection of the name clears them all first', async () => {
  await entries.claim(collectionAt('a', '1'));
  const many = Array.from({ length: 2_500 }, (_, index) => entry(`key ${index}`));
  expect(await entries.apply(collectionAt('a', '1'), many)).toEqual({ sent: 2_500, keyCount: 2_500 });
  await entries.claim(collectionAt('a', '2'));
  expect((await redisEntries(bench, 'one#base')).size).toBe(2_500);
  await entries.claim(collectionAt('b', '1'));
  expect((await redisEntries(bench, 'one#base')).size).toBe(0);
});

test('a removed collection leaves nothing, and leaves alone what another of its name has put there', async () => {
  await entries.claim(collectionAt('a', '1'));
  await entries.apply(collectionAt('a', '1'), [entry('x'), entry('y')]);
  await entries.release(collectionAt('a', '1'));
  expect(await bench.platform.redis.commands.keys(`${bench.platform.redis.keys.prefix}:*one#base*`)).toEqual([]);
  await entries.claim(collectionAt('b', '1'));
  await entries.apply(collectionAt('b', '1'), [entry('x')]);
  await entries.release(collectionAt('a', '1'));
  expect((await redisEntries(bench, 'one#base')).size).toBe(1);
});

test('an expired event is not sent, and an older or smaller one changes nothing', async () => {
  const collection = collectionAt('a', '1');
  await entries.claim(collection);
  expect(await entries.apply(collection, [entry('old', 'v', -1), entry('new')])).toEqual({ sent: 1, keyCount: 1 });
  const known = entry('x', 'b');
  await entries.apply(collection, [known]);
  const values = async (...others: Partial<Entry>[]) => {
    await entries.apply(
      collection,
      others.map((other) => ({ ...known, ...other })),
    );
    return (await entries.find(collection, 'x')).entry;
  };
  expect(await values({ expiryMicros: known.expiryMicros - 1, value: 'z' })).toEqual(known);
  expect(await values({ value: 'a' }, { value: '' })).toEqual(known);
  expect(await values({ value: 'ba' }, { value: 'bä' }, { value: 'B' })).toEqual({ ...known, value: 'bä' });
  const later = { expiryMicros: known.expiryMicros + 1, value: 'a' };
  expect(await values(later)).toEqual({ ...known, ...later });
});

test('a page goes on behind an entry that has gone or moved since', async () => {
  const collection = collectionAt('a', '1');
  await entries.claim(collection);
  const expiryMicros = nowMicros() + 60_000_000;
  const sameTime = ['a', 'b', 'c', 'd', 'e'].map((key) => ({ key, value: 'v', expiryMicros }));
  await entries.apply(collection, sameTime);
  const after = { expiryMicros: String(expiryMicros), key: 'b' };
  const keysAfter = async (limit = 10) =>
    (await entries.list(collection, nowMicros(), limit, after)).map(({ key }) => key);
  expect(await keysAfter(2)).toEqual(['c', 'd']);
  await entries.apply(collection, [{ key: 'b', value: 'v', expiryMicros: expiryMicros + 1 }]);
  expect(await keysAfter()).toEqual(['c', 'd', 'e', 'b']);
  const { commands, keys } = bench.platform.redis;
  await commands.zrem(keys.collection(collection.orgId, collection.redisKeyBase, 'index'), 'b');
  expect(await keysAfter()).toEqual(['c', 'd', 'e']);
  expect(await entries.count(collection, nowMicros())).toBe(4);
});
