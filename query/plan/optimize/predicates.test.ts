import { describe, expect, test } from 'vitest';
import { distinct, extend, filter, join, limit, project, sort, summarize, union, unnest, window } from '../build.js';
import type { Expr, Plan } from '../types.js';
import { pushPredicates } from './predicates.js';
import { bool, col, count, descending, fn, is, keep, logs, long, named, printed, risky, text } from './samples.js';

const onHost = is(col('host'), text('a'));
const pushed = (input: Plan, predicate: Expr) => printed(pushPredicates(filter(input, predicate)));
const stays = (input: Plan, predicate: Expr) => {
  const plan = filter(input, predicate);
  expect(pushPredicates(plan)).toBe(plan);
};
const right = project(logs(), [named('other', col('host')), named('n', col('bytes_in'))]);

describe('a term goes below', () => {
  test('an extend, over what that makes as well', () => {
    const extended = extend(logs('host'), [named('h', fn('tolower', col('host')))]);
    expect(pushed(extended, fn('and', onHost, is({ kind: 'column', name: 'h', type: 'string' }, text('b'))))).toBe(`
extend h = tolower(host)
  filter host == "a" and tolower(host) == "b"
    scan logs [host]
`);
  });

  test('a projection under another name, a sort, and into every input of a union', () => {
    const renamed = project(sort(logs('host'), [descending(col('host'))]), [named('severity', col('host'))]);
    expect(pushed(union([renamed, logs('severity')]), is(col('severity'), text('a')))).toBe(`
union
  project severity = host
    sort by host desc nulls last
      filter host == "a"
        scan logs [host]
  filter severity == "a"
    scan logs [severity]
`);
  });

  test('a group, where it is about keys alone', () => {
    const grouped = summarize(logs(), keep('host', 'severity'), [count('n')]);
    expect(pushed(grouped, fn('and', onHost, is(col('n'), long(1))))).toBe(`
filter n == 1
  summarize n = count() by host, severity
    filter host == "a"
      scan logs [timestamp, severity, host, bytes_in]
`);
  });

  test('a join, into the side whose rows all stay', () => {
    const on = [{ left: col('host'), right: { ...col('host'), name: 'other' } as Expr }];
    const sides = fn('and', onHost, is(col('n'), long(1)));
    expect(pushed(join('INNER', logs('host'), right, on), sides)).toContain(`
  filter host == "a"
    scan logs [host]
  project other = host, n = bytes_in
    filter bytes_in == 1
`);
    expect(pushed(join('LEFT', logs('host'), right, on), sides)).toBe(`
filter n == 1
  join left on host == other
    filter host == "a"
      scan logs [host]
    project other = host, n = bytes_in
      scan logs [timestamp, severity, host, bytes_in]
`);
  });

  test('another filter, as one with it', () => {
    expect(pushed(filter(logs('host'), bool(null)), onHost)).toBe(`
filter bool(null) and host == "a"
  scan logs [host]
`);
  });

  test('an unnest, a distinct and the body of a with', () => {
    const array = named('e', { kind: 'literal', type: 'dynamic', value: [1] });
    const bindings = [{ name: 'T', plan: logs('host'), materialized: true }];
    const ref: Plan = { op: 'ref', name: 'T', columns: logs('host').columns };
    const taken = unnest(distinct(ref), [{ ...array, type: 'long' }], { keepEmpty: false });
    expect(pushed({ op: 'with', columns: taken.columns, bindings, body: taken }, onHost)).toBe(`
with materialized T
  T: scan logs [host]
  unnest e = dynamic([1]) to long
    distinct
      filter host == "a"
        ref T
`);
  });
});

describe('a term stays above', () => {
  test('a limit and a window, which would see other rows', () => {
    stays(limit(logs(), 5), onHost);
    stays(
      window(logs(), { partitionBy: [], orderBy: [] }, [{ name: 'n', fn: 'row_number', args: [], type: 'long' }]),
      onHost,
    );
  });

  test('a group without keys, which gives a row over no rows', () => {
    stays(summarize(logs(), [], [count('n')]), is(long(1), long(2)));
  });

  test('a group by reals, of which 0.0 and -0.0 are one', () => {
    const real: Expr = { kind: 'column', name: 'r', type: 'real' };
    stays(summarize(logs(), [named('r', fn('todouble', col('bytes_in')))], []), is(real, real));
  });

  test('a step that loses rows, where it can give an error', () => {
    const term = is(risky(col('bytes_in')), long(2));
    stays(join('INNER', logs(), project(logs(), [named('other', col('host'))]), []), term);
    stays(filter(logs(), onHost), term);
  });

  test('the side of an outer join that gives nulls', () => {
    const on = [{ left: col('host'), right: { ...col('host'), name: 'other' } as Expr }];
    stays(join('FULL', logs(), right, on), onHost);
    stays(join('RIGHT', logs(), right, on), onHost);
  });

  test('what is random', () => {
    const random: Expr = { kind: 'call', fn: 'rand', args: [], type: 'real' };
    stays(extend(logs(), [named('r', random)]), fn('<', { kind: 'column', name: 'r', type: 'real' }, random));
  });
});
