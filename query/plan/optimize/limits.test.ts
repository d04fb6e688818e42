import { describe, expect, test } from 'vitest';
import { extend, filter, limit, project, sort, union, values } from '../build.js';
import { orderOf } from '../order.js';
import type { Plan } from '../types.js';
import { pushLimits } from './limits.js';
import { col, descending, fn, is, keep, logs, named, printed, text } from './samples.js';

const newest = (input: Plan) => sort(input, [descending(col('timestamp'))]);
const pushed = (plan: Plan) => printed(pushLimits(plan));

describe('a limit goes, with its sort,', () => {
  test('below an extend and a projection, also one that leaves the key out', () => {
    const lower = extend(logs(), [named('h', fn('tolower', col('host')))]);
    expect(pushed(limit(project(newest(lower), keep('host')), 5))).toBe(`
project host
  extend h = tolower(host)
    limit 5
      sort by timestamp desc nulls last
        scan logs [timestamp, severity, host, bytes_in]
`);
  });

  test('into the inputs of a union, with the rows that are passed over', () => {
    const plan = limit(newest(union([logs(), values(logs().columns, [])])), 5, 2);
    const expected = `
limit 5 offset 2
  sort by timestamp desc nulls last
    union
      limit 7
        sort by timestamp desc nulls last
          scan logs [timestamp, severity, host, bytes_in]
      values [timestamp, severity, host, bytes_in]
`;
    expect(pushed(plan)).toBe(expected);
    expect(pushed(pushLimits(plan))).toBe(expected);
  });

  test('into another limit, and away where there are no more rows', () => {
    expect(pushed(limit(limit(logs('host'), 10, 3), 5, 6))).toBe(`
limit 4 offset 9
  scan logs [host]
`);
    expect(pushLimits(limit(limit(logs('host'), 3), 5))).toEqual(limit(logs('host'), 3));
    expect(pushLimits(limit(logs('host'), 0))).toEqual(values(logs('host').columns, []));
  });
});

test('a limit stays above a filter', () => {
  const plan = limit(filter(newest(logs()), is(col('host'), text('a'))), 5);
  expect(pushLimits(plan)).toBe(plan);
});

test('a sort by a made value is known to be that order above the projection too', () => {
  const made = project(logs(), [named('h', fn('tolower', col('host')))]);
  const plan = limit(sort(made, [descending({ kind: 'column', name: 'h', type: 'string' })]), 5);
  expect(pushed(plan)).toContain('sort by tolower(host) desc');
  expect(orderOf(pushLimits(plan))).toEqual(orderOf(plan));
});
