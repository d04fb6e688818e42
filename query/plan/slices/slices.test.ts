import { describe, expect, test } from 'vitest';
import { distinct, extend, filter, join, limit, project, sort, summarize, union, window } from '../build.js';
import { col, count, descending, fn, is, keep, logs, long, named, of, printed, text } from '../optimize/samples.js';
import type { Plan } from '../types.js';
import { canSlice, type Slicing } from './slices.js';

const onHost = (input: Plan) => filter(input, is(col('host'), text('a')));
const newest = (input: Plan) => sort(input, [descending(col('timestamp'))]);
const slice = { from: '2024-01-01T00:00:00Z', to: '2024-01-02T00:00:00Z' };
const sliced = (plan: Plan) => {
  const slicing = canSlice(plan);
  expect(slicing).toMatchObject({ ok: true });
  return slicing as Slicing;
};

describe('a plan runs in slices', () => {
  test('that takes each event by itself, or gives the newest first: its rows follow one another', () => {
    const { part, merge } = sliced(newest(project(onHost(logs()), keep('timestamp', 'host'))));
    expect(merge).toBeUndefined();
    expect(printed(part(slice))).toBe(`
sort by timestamp desc nulls last
  project timestamp, host
    filter host == "a"
      scan logs from 2024-01-01T00:00:00Z to 2024-01-02T00:00:00Z [timestamp, severity, host, bytes_in]
`);
  });

  test('that gives the first rows of an order: they are the first of the first ones', () => {
    const plan = project(limit(sort(onHost(logs()), [descending(col('bytes_in'))]), 5, 2), keep('host'));
    const { part, merge } = sliced(plan);
    expect(printed(part(slice))).toContain('limit 7\n  sort by bytes_in');
    expect(merge?.enoughRows).toBeUndefined();
    expect(printed(merge!.finish([]))).toBe(`
project host
  limit 5 offset 2
    sort by bytes_in desc nulls last
      values [timestamp, severity, host, bytes_in]
`);
  });

  test('that needs only the newest rows, or any: the oldest slices need not be looked at', () => {
    expect(sliced(limit(newest(logs()), 5, 2)).merge?.enoughRows).toBe(7);
    expect(sliced(limit(onHost(logs()), 5)).merge?.enoughRows).toBe(5);
  });

  test('that groups, and goes on with the groups', () => {
    const grouped = summarize(logs(), keep('host'), [count('n'), of('mean', 'avg', col('bytes_in'))]);
    const { part, merge } = sliced(limit(sort(grouped, [descending(col('n'))]), 3));
    expect(printed(part({}))).toBe(`
summarize n = count(), part_3 = sum(todecimal(bytes_in)), part_4 = count(bytes_in) by host
  scan logs [timestamp, severity, host, bytes_in]
`);
    expect(printed(merge!.finish([['a', 1, '2', 1]]))).toBe(`
limit 3
  sort by n desc nulls last
    project host, n, mean = iff(part_4 == 0, real(NaN), todouble(part_3 / todecimal(part_4)))
      summarize n = sum(n), part_3 = sum(part_3), part_4 = sum(part_4) by host
        values [host, n, part_3, part_4] ["a",1,"2",1]
`);
  });

  test('over the narrower of its own bounds and the slice’s', () => {
    const bounded = { ...logs('timestamp'), from: '2024-01-01T12:00:00Z', to: '2024-01-05T00:00:00Z' } as Plan;
    expect(printed(sliced(distinct(union([bounded, bounded]))).part(slice))).toContain(
      'scan logs from 2024-01-01T12:00:00Z to 2024-01-02T00:00:00Z',
    );
  });
});

describe('a plan does not run in slices', () => {
  const scalar = { kind: 'scalar' as const, plan: summarize(logs(), [], [count('n')]), type: 'long' as const };
  const attributes = { kind: 'column' as const, name: 'attributes', type: 'dynamic' as const };
  const open = { ...logs(), columns: [...logs().columns, { name: 'attributes', type: 'dynamic' as const }] } as Plan;
  test.each<[string, Plan]>([
    ['it sorts all rows', sort(logs(), [descending(col('host'))])],
    ['it joins two relations', join('CROSS', logs(), project(logs(), [named('x', col('host'))]), [])],
    ['a value of it depends on other rows', window(logs(), { partitionBy: [], orderBy: [] }, [])],
    [
      'percentile of the whole cannot be had from its parts',
      summarize(logs(), [], [of('p', 'percentile', col('bytes_in'), long(50))]),
    ],
    ['a part of it reads a dataset by itself', filter(logs(), is(col('bytes_in'), scalar))],
    ['it combines rows in a way that does not split', union([distinct(logs()), distinct(logs())])],
    [
      'it works with dynamic values after rows were combined',
      extend(limit(open, 3), [named('x', fn('tostring', attributes))]),
    ],
  ])('since %s', (reason, plan) => {
    expect(canSlice(plan)).toEqual({ ok: false, reason });
  });
});
