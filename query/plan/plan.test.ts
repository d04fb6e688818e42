import { describe, expect, test } from 'vitest';
import { distinct, extend, filter, limit, literal, project, scan, sort, summarize, values, window } from './build.js';
import { momentOf, momentText } from './moment.js';
import { bindNow } from './now.js';
import { optimize } from './optimize/index.js';
import { bool, col, count, descending, fn, is, keep, logs, long, moment, named, text } from './optimize/samples.js';
import { orderOf } from './order.js';
import { printExpr, printPlan } from './print.js';
import type { Expr, Plan } from './types.js';
import { rewriteExpr, rewritePlan } from './walk.js';

const h: Expr = { kind: 'column', name: 'h', type: 'string' };

describe('the order of a plan', () => {
  const sorted = sort(logs(), [descending(col('host')), descending(col('timestamp'))]);

  test('passes steps that take the rows one by one', () => {
    const numbered = window(sorted, { partitionBy: [], orderBy: [] }, [
      { name: 'n', fn: 'row_number', args: [], type: 'long' },
    ]);
    const plan = limit(filter(extend(numbered, [named('h', col('host'))]), is(col('host'), text('a'))), 5);
    expect(orderOf(plan)).toEqual([descending(col('host')), descending(col('timestamp'))]);
  });

  test('follows renamed and made columns, and ends at a key that is left out', () => {
    expect(orderOf(project(sorted, [named('h', col('host'))]))).toEqual([descending(h)]);
    expect(orderOf(project(sorted, keep('timestamp')))).toBeUndefined();
    const byMade = sort(logs(), [descending(fn('tolower', col('host')))]);
    expect(orderOf(project(byMade, [named('h', fn('tolower', col('host')))]))).toEqual([descending(h)]);
    expect(orderOf(project(byMade, keep('host')))).toEqual([descending(fn('tolower', col('host')))]);
  });

  test('is lost in a group and a distinct, and known of named relations', () => {
    expect(orderOf(distinct(sorted))).toBeUndefined();
    expect(orderOf(summarize(sorted, keep('host'), []))).toBeUndefined();
    const ref: Plan = { op: 'ref', name: 'T', columns: sorted.columns };
    const bindings = [{ name: 'T', plan: sorted, materialized: true }];
    expect(orderOf({ op: 'with', columns: ref.columns, bindings, body: limit(ref, 1) })).toHaveLength(2);
  });
});

describe('a printed plan', () => {
  test.each<[Expr, string]>([
    [
      fn('and', is(col('host'), text('a"b')), fn('or', bool(true), fn('not', bool(null)))),
      'host == "a\\"b" and (true or not(bool(null)))',
    ],
    [fn('-', long(1), fn('-', long(2), long(3))), '1 - (2 - 3)'],
    [fn('*', fn('+', long(1), long(2)), fn('neg', col('bytes_in'))), '(1 + 2) * -bytes_in'],
    [
      fn('path', { kind: 'column', name: 'attributes', type: 'dynamic' }, text('a'), long(0), text('b c')),
      'attributes.a[0]["b c"]',
    ],
    [fn('in', col('host'), text('a'), text('b')), 'host in ("a", "b")'],
    [fn('between', col('bytes_in'), long(1), fn('+', long(2), long(3))), 'bytes_in between (1 .. 2 + 3)'],
    [literal('timespan', 5_400_000_000), '90m'],
    [literal('timespan', -1), '-1microsecond'],
    [literal('datetime', '2024-01-01T00:00:00Z'), 'datetime(2024-01-01T00:00:00Z)'],
    [literal('real', 2), '2.0'],
    [literal('real', 'NaN'), 'real(NaN)'],
    [{ kind: 'column', name: "it's", type: 'long' }, "['it\\'s']"],
  ])('writes %j as KQL does', (expr, expected) => {
    expect(printExpr(expr)).toBe(expected);
  });

  test('has one step a line, its inputs below it, and plans inside expressions under a number', () => {
    const known = project(logs('host'), keep('host'));
    const plan = summarize(
      filter(logs('host', 'bytes_in'), {
        kind: 'membership',
        value: col('host'),
        plan: known,
        ignoreCase: false,
        type: 'bool',
      }),
      keep('host'),
      [
        {
          ...count('n'),
          where: fn('>', col('bytes_in'), {
            kind: 'scalar',
            plan: values([{ name: 'v', type: 'long' }], [[1]]),
            type: 'long',
          }),
        },
      ],
    );
    expect(printPlan(plan)).toBe(
      `
summarize n = count() where bytes_in > toscalar($1) by host
  filter host in ($2)
    scan logs [host, bytes_in]
    $2: project host
      scan logs [host]
  $1: values [v] [1]
`.trim(),
    );
  });
});

describe('now()', () => {
  const time = 'timestamp';
  const at = '2026-11-21T18:00:00.25Z';

  test('is one moment throughout, and what hangs on it becomes a bound of the scan', () => {
    const day = literal('timespan', 86_400_000_000);
    const since = fn('>=', col(time), fn('startofday', fn('ago', day)));
    const until = fn('<', col(time), fn('now', literal('timespan', 1_000_000)));
    expect(printPlan(optimize(bindNow(filter(logs(time), fn('and', since, until)), at)))).toBe(
      'scan logs from 2026-11-20T00:00:00Z to 2026-11-21T18:00:01.25Z [timestamp]',
    );
  });

  test.each<[string, Expr, string]>([
    [
      'bins count from the year 1',
      fn('bin', fn('now'), literal('timespan', 604_800_000_000)),
      'datetime(2026-11-16T00:00:00Z)',
    ],
    ['weeks begin on Sunday', fn('startofweek', fn('now')), 'datetime(2026-11-15T00:00:00Z)'],
    ['months move on', fn('startofmonth', fn('now'), long(2)), 'datetime(2027-01-01T00:00:00Z)'],
    ['differences are spans', fn('-', fn('now'), moment('2026-11-21T17:00:00Z')), '3600250ms'],
    [
      'out of range stays the engine’s',
      fn('-', moment('0001-01-01T00:00:00Z'), literal('timespan', 1)),
      'datetime(0001-01-01T00:00:00Z) - 1microsecond',
    ],
  ])('%s', (_what, expr, expected) => {
    const bound = bindNow(extend(logs(time), [named('x', expr)]), at);
    expect(printPlan(bound).split('\n')[0]).toBe(`extend x = ${expected}`);
  });

  test('must be a moment', () => {
    expect(() => bindNow(logs(), 'yesterday')).toThrow('RFC 3339');
  });
});

test('moments are read and written without loss, finer ones rounded up', () => {
  for (const text of ['0001-01-01T00:00:00Z', '1969-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z']) {
    expect(momentText(momentOf(text)!)).toBe(text);
  }
  expect(momentText(momentOf('2024-01-01T01:30:00.0000001+01:30')!)).toBe('2024-01-01T00:00:00.000001Z');
  for (const text of ['2024-02-30T00:00:00Z', '2024-01-01', '2024-01-01T24:00:00Z', '10000-01-01T00:00:00Z']) {
    expect(momentOf(text)).toBeUndefined();
  }
});

test('very deep and very wide expressions are walked, printed and optimised', () => {
  let deep: Expr = is(col('host'), text('0'));
  for (let n = 1; n < 20_000; n++)
    deep = { kind: 'call', fn: 'or', args: [deep, is(col('host'), text(String(n)))], type: 'bool' };
  const plan = filter(logs('host'), deep);
  const better = optimize(bindNow(plan, '2024-01-01T00:00:00Z'));
  expect(printPlan(better).length).toBeGreaterThan(200_000);
  expect(rewriteExpr(deep, (part) => part)).toBe(deep);
});

test('a plan of thousands of steps is left as it is', () => {
  let deep = logs('host');
  for (let n = 0; n < 5_000; n++) deep = { ...filter(deep, is(col('host'), text(String(n)))) };
  expect(optimize(deep)).toBe(deep);
  expect(rewritePlan(deep, {})).toBe(deep);
  expect(printPlan(scan({ dataset: 'logs', timeColumn: 'timestamp', nullStrings: true, columns: [] }))).toBe(
    'scan logs [] null strings',
  );
});
