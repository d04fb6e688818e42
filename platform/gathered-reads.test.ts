import { expect, test } from 'vitest';
import { gatherReads } from './gathered-reads.js';
import { systemIdentity } from './identity.js';

const [one, two] = [systemIdentity('one', 'test'), systemIdentity('two', 'test')];

/** A read that the test lets end. */
function heldReads() {
  const calls: { org: string; keys: readonly string[]; end: (error?: Error) => void }[] = [];
  const load = gatherReads<string>((identity, keys) => {
    const { promise, resolve, reject } = Promise.withResolvers<Map<string, string>>();
    const values = new Map(keys.filter((key) => key !== 'missing').map((key) => [key, `${identity.orgId}/${key}`]));
    calls.push({ org: identity.orgId, keys, end: (error) => (error ? reject(error) : resolve(values)) });
    return promise;
  });
  const called = async (count: number) => {
    while (calls.length < count) await new Promise((resolve) => setImmediate(resolve));
    return calls[count - 1]!;
  };
  return { load, calls, called };
}

test('what is asked for together is one read, each key once; what is not there is undefined', async () => {
  const { load, calls, called } = heldReads();
  const answers = Promise.all(['a', 'b', 'a', 'missing'].map((key) => load(one, key)));
  const read = await called(1);
  expect(read.keys).toEqual(['a', 'b', 'missing']);
  read.end();
  expect(await answers).toEqual(['one/a', 'one/b', 'one/a', undefined]);
  expect(calls).toHaveLength(1);
});

test('what is asked for during a read goes with the next one, which begins later', async () => {
  const { load, calls, called } = heldReads();
  const first = load(one, 'a');
  const read = await called(1);
  const later = [load(one, 'a'), load(one, 'b')];
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toHaveLength(1);
  read.end();
  expect(await first).toBe('one/a');
  const next = await called(2);
  expect(next.keys).toEqual(['a', 'b']);
  next.end();
  expect(await Promise.all(later)).toEqual(['one/a', 'one/b']);
});

test('organisations never share a read, and do not wait for each other', async () => {
  const { load, called } = heldReads();
  const answers = [load(one, 'a'), load(two, 'a')];
  const reads = [await called(1), await called(2)];
  expect(reads.map(({ org }) => org).toSorted()).toEqual(['one', 'two']);
  for (const read of reads) read.end();
  expect(await Promise.all(answers)).toEqual(['one/a', 'two/a']);
});

test('a read that fails fails for those who asked, and the next one is tried', async () => {
  const { load, called } = heldReads();
  const failing = expect(load(one, 'a')).rejects.toThrow('away');
  (await called(1)).end(new Error('away'));
  await failing;
  const answer = load(one, 'a');
  (await called(2)).end();
  expect(await answer).toBe('one/a');
});
