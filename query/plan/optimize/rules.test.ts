/** The rules that are told in a few examples each; push-down has its own files. */
import { describe, expect, test } from 'vitest';
import { distinct, extend, filter, limit, project, sort, summarize, union, values } from '../build.js';
import type { Expr, Plan } from '../types.js';
import { splitAggregates } from './aggregates.js';
import { inlineBindings } from './bindings.js';
import { foldConstants } from './constants.js';
import { dropEmpty } from './emptiness.js';
import { simplifyFilters } from './filters.js';
import { mergeProjections } from './projections.js';
import { bool, col, count, descending, fn, is, keep, logs, long, moment, named, of, printed, text } from './samples.js';
import { dropDeadSorts } from './sorts.js';
import { liftTimeBounds } from './time-bounds.js';

const onHost = is(col('host'), text('a'));
const where = (predicate: Expr) => filter(logs('host'), predicate);
const foldedFilter = (predicate: Expr) => printed(foldConstants(where(predicate))).split('\n')[1];

describe('constants', () => {
  test.each<[string, Expr, string]>([
    ['a call of literals', is(long(1), long(2)), 'filter false'],
    [
      'whole figures beyond 2^53',
      is(fn('+', long('9007199254740993'), long(1)), long('9007199254740994')),
      'filter true',
    ],
    [
      'nested and, and true in it',
      fn('and', onHost, fn('and', bool(true), fn('isempty', col('host')))),
      'filter host == "a" and isempty(host)',
    ],
    ['null, which counts as false', fn('and', onHost, bool(null)), 'filter false'],
    ['x or null', fn('or', fn('isempty', col('host')), bool(null)), 'filter isempty(host)'],
    ['SQL’s true and x', fn('sql_and', bool(true), fn('=', col('host'), text('a'))), 'filter host = "a"'],
    ['true or x', fn('or', onHost, bool(true)), 'filter true'],
    ['not not', fn('not', fn('not', onHost)), 'filter host == "a"'],
  ])('%s', (_what, predicate, expected) => {
    expect(foldedFilter(predicate)).toBe(expected);
  });

  test.each<[string, Expr]>([
    ['SQL’s null and x, which is null or false', fn('sql_and', bool(null), onHost)],
    ['true and x, where x may be null', fn('and', bool(true), is(col('bytes_in'), long(1)))],
    ['an overflow, which is the engine’s to tell', is(fn('+', long('9223372036854775807'), long(1)), long(0))],
    ['the order of texts, which is the engine’s', fn('<', text('a'), text('B'))],
    ['a comparison with null, whose rule is the function’s', is(long(null), long(1))],
  ])('are left alone: %s', (_what, predicate) => {
    const plan = where(predicate);
    expect(foldConstants(plan)).toBe(plan);
  });
});

test('a filter that is true goes, and one that is never true gives no rows', () => {
  expect(simplifyFilters(where(bool(true)))).toEqual(logs('host'));
  expect(simplifyFilters(where(fn('and', onHost, bool(null))))).toEqual(values(logs('host').columns, []));
  const either = where(fn('or', onHost, bool(null)));
  expect(simplifyFilters(either)).toBe(either);
  expect(simplifyFilters(where(fn('sql_and', onHost, bool(true))))).toEqual(where(onHost));
});

test('steps over no rows go, but not a count of them', () => {
  const none = values(logs('host').columns, []);
  expect(dropEmpty(union([sort(none, [descending(col('host'))]), logs('host')]))).toEqual(logs('host'));
  const counted = summarize(none, [], [count('n')]);
  expect(dropEmpty(counted)).toBe(counted);
});

describe('time bounds', () => {
  const at = (hour: string) => moment(`2024-01-01T${hour}:00:00Z`);
  const lifted = (predicate: Expr) => printed(liftTimeBounds(filter(logs('timestamp', 'host'), predicate)));

  test('become bounds of the scan, the narrowest of each', () => {
    const range = fn('and', fn('>=', col('timestamp'), at('01')), fn('<', at('00'), col('timestamp')));
    expect(lifted(fn('and', range, fn('<=', col('timestamp'), at('05')), onHost))).toBe(`
filter host == "a"
  scan logs from 2024-01-01T01:00:00Z to 2024-01-01T05:00:00.000001Z [timestamp, host]
`);
    expect(lifted(fn('between', col('timestamp'), at('01'), at('02')))).toBe(`
scan logs from 2024-01-01T01:00:00Z to 2024-01-01T02:00:00.000001Z [timestamp, host]
`);
  });

  test('stay where the scan is as narrow already, and in alternatives', () => {
    const bounded = { ...logs('timestamp'), from: '2024-01-01T03:00:00+01:00' } as Plan;
    expect(printed(liftTimeBounds(filter(bounded, fn('>', col('timestamp'), at('01')))))).toContain(
      'from 2024-01-01T02:00:00Z',
    );
    const either = filter(logs(), fn('or', fn('>', col('timestamp'), at('01')), onHost));
    expect(liftTimeBounds(either)).toBe(either);
  });

  test('stay at the end of time, where there is no next microsecond', () => {
    const plan = filter(logs(), fn('<=', col('timestamp'), moment('9999-12-31T23:59:59.999999Z')));
    expect(liftTimeBounds(plan)).toBe(plan);
  });
});

describe('sorts', () => {
  const sorted = sort(logs('host'), [descending(col('host'))]);

  test('go where nothing sees the order', () => {
    expect(dropDeadSorts(summarize(sorted, keep('host'), [count('n')]))).toEqual(
      summarize(logs('host'), keep('host'), [count('n')]),
    );
    expect(dropDeadSorts(distinct(sorted))).toEqual(distinct(logs('host')));
    expect(dropDeadSorts(sort(filter(sorted, onHost), [descending(col('host'))]))).toEqual(
      sort(filter(logs('host'), onHost), [descending(col('host'))]),
    );
  });

  test('stay under a limit, a list, and at the end', () => {
    for (const plan of [
      sorted,
      distinct(limit(sorted, 3)),
      summarize(sorted, [], [of('l', 'make_list', col('host'))]),
      project(sorted, [named('one', long(1))]),
    ]) {
      expect(dropDeadSorts(plan)).toBe(plan);
    }
  });
});

describe('aggregates', () => {
  test('of a union are made of each input first', () => {
    const both = union([logs('host'), where(onHost)]);
    expect(printed(splitAggregates(summarize(both, keep('host'), [count('n')])))).toBe(`
summarize n = sum(n) by host
  union
    summarize n = count() by host
      scan logs [host]
    summarize n = count() by host
      filter host == "a"
        scan logs [host]
`);
  });

  test('of groups are those of the rows', () => {
    const fine = summarize(logs(), keep('host', 'severity'), [count('n')]);
    const coarse = splitAggregates(summarize(fine, keep('host'), [of('all', 'sum', col('n'))]));
    expect(printed(coarse)).toBe(`
summarize all = count() by host
  scan logs [timestamp, severity, host, bytes_in]
`);
  });

  test('stay whole where parts may overflow, or a sum of nothing is not a count of nothing', () => {
    const sums = summarize(union([logs(), logs()]), [], [of('s', 'sum', col('bytes_in'))]);
    expect(splitAggregates(sums)).toBe(sums);
    const all = summarize(summarize(logs(), keep('host'), [count('n')]), [], [of('m', 'avg', col('n'))]);
    expect(splitAggregates(all)).toBe(all);
  });
});

describe('projections', () => {
  test('become one, and go where they change nothing', () => {
    const lower = extend(logs('host'), [named('h', fn('tolower', col('host')))]);
    const h: Expr = { kind: 'column', name: 'h', type: 'string' };
    expect(printed(mergeProjections(project(lower, [named('x', fn('strcat', h, text('!')))])))).toBe(`
project x = strcat(tolower(host), "!")
  scan logs [host]
`);
    expect(mergeProjections(project(logs('host'), keep('host')))).toEqual(logs('host'));
  });

  test('stay apart where a value would be worked out twice', () => {
    const lower = extend(logs('host'), [named('h', fn('tolower', col('host')))]);
    const h: Expr = { kind: 'column', name: 'h', type: 'string' };
    const plan = project(lower, [named('x', h), named('y', h)]);
    expect(mergeProjections(plan)).toBe(plan);
  });
});

describe('bindings', () => {
  const ref: Plan = { op: 'ref', name: 'T', columns: logs('host').columns };
  const bound = (body: Plan, materialized: boolean): Plan => ({
    op: 'with',
    columns: body.columns,
    bindings: [{ name: 'T', plan: logs('host'), materialized }],
    body,
  });

  test('that are named once, or small, are written out', () => {
    expect(inlineBindings(bound(distinct(ref), true))).toEqual(distinct(logs('host')));
    expect(inlineBindings(bound(union([ref, { ...ref }]), false))).toEqual(union([logs('host'), logs('host')]));
  });

  test('that are to be worked out once stay so, also where one ref stands in two places', () => {
    const plan = bound(union([ref, ref]), true);
    expect(inlineBindings(plan)).toBe(plan);
  });
});
