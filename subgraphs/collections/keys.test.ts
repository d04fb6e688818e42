import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { RedisKeys } from '../../platform/redis.js';
import { canonicalKey, keyHash, keyOfCaller, redisKeyBaseOf } from './keys.js';
import { fromMicros, toMicros } from './moments.js';

test('the example of SPEC.md is what the code makes', async () => {
  const spec = await readFile('subgraphs/collections/SPEC.md', 'utf8');
  const key = canonicalKey(['10.0.0.1', 443]);
  const base = redisKeyBaseOf('demo', 'last seen');
  expect(key).toBe('["10.0.0.1",443]');
  expect(base).toBe(`demo#${createHash('md5').update('demolast seen').digest('hex')}`);
  expect(spec).toContain(new RedisKeys('hw').collectionEntry(base, keyHash(key)));
});

describe('a caller’s key has one canonical form', () => {
  const fields = [
    { name: 'n', type: 'LONG' },
    { name: 'at', type: 'DATETIME' },
    { name: 'data', type: 'DYNAMIC' },
  ];
  test.each([
    [[1, '2026-01-01T00:00:00Z', { b: 1, a: [2] }]],
    [['1', '2026-01-01T01:00:00.000+01:00', { a: [2], b: 1 }]],
    [{ data: { b: 1, a: [2] }, at: '2026-01-01T00:00:00.0Z', n: 1 }],
  ])('%j', (key) => {
    expect(keyOfCaller(fields, key)).toBe('[1,"2026-01-01T00:00:00Z",{"a":[2],"b":1}]');
  });

  test('large integers keep every digit', () => {
    expect(keyOfCaller([fields[0]!], ['9007199254740993'])).toBe('["9007199254740993"]');
    expect(() => keyOfCaller([fields[0]!], [9007199254740992])).toThrow('takes a whole number');
  });
});

test('moments keep their microseconds', () => {
  for (const text of [
    '2026-01-31T12:00:00.123456Z',
    '1969-12-31T23:59:59.999999Z',
    '2199-01-01T00:00:00.000001Z',
    '2026-01-01T00:00:00Z',
  ]) {
    expect(fromMicros(toMicros(text)!)).toBe(text);
  }
  expect([toMicros('infinity'), toMicros(null), toMicros('+012026-01-01T00:00:00Z')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
