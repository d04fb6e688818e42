import { describe, expect, test } from 'vitest';
import {
  agg,
  by,
  col,
  cols,
  count,
  logs,
  long,
  only,
  table,
  text,
  withPlanRows,
} from '../../../../tests/setup/plan-rows.js';
import {
  distinct,
  extend,
  filter,
  join,
  lateral,
  limit,
  project,
  sort,
  summarize,
  union,
  unnest,
  window,
} from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Plan } from '../../../plan/types.js';
import { compilePlan } from './compile.js';

const { run, set } = withPlanRows();

describe('join', () => {
  const left = table({ a: 'long', x: 'string' }, [1, 'l1'], [2, 'l2'], [null, 'l3']);
  const right = table({ b: 'long', y: 'string' }, [2, 'r2'], [2, 'r2b'], [3, 'r3'], [null, 'r4']);
  const on = [{ left: col(left, 'a'), right: col(right, 'b') }];
  test.each([
    [
      'INNER',
      [
        [2, 'l2', 2, 'r2'],
        [2, 'l2', 2, 'r2b'],
      ],
    ],
    [
      'LEFT',
      [
        [1, 'l1', null, null],
        [2, 'l2', 2, 'r2'],
        [2, 'l2', 2, 'r2b'],
        [null, 'l3', null, null],
      ],
    ],
    [
      'RIGHT',
      [
        [2, 'l2', 2, 'r2'],
        [2, 'l2', 2, 'r2b'],
        [null, null, 3, 'r3'],
        [null, null, null, 'r4'],
      ],
    ],
    ['LEFT_SEMI', [[2, 'l2']]],
    [
      'LEFT_ANTI',
      [
        [1, 'l1'],
        [null, 'l3'],
      ],
    ],
  ] as const)('%s', async (kind, expected) => {
    expect(await set(join(kind, left, right, on))).toEqual(expected);
  });
  test('FULL and CROSS', async () => {
    expect(await set(join('FULL', left, right, on))).toHaveLength(6);
    expect(await run(join('CROSS', left, right, []))).toHaveLength(12);
  });
  test('FULL by keys of which one or both are the same for all rows', async () => {
    const key = { name: 'two', value: call('*', [long(1), long(2)]) };
    const both = [{ left: long(2), right: col(right, 'b') }, ...on];
    expect(await set(join('FULL', left, right, both))).toHaveLength(6);
    expect(await set(join('FULL', left, right, [{ left: long(2), right: long(2) }]))).toHaveLength(12);
    expect(await set(join('FULL', left, right, [{ left: long(1), right: long(2) }]))).toHaveLength(7);
    const keyed = extend(left, [key]);
    const pair = { left: col(keyed, 'two'), right: col(right, 'b') };
    expect(await set(join('FULL', keyed, right, [pair]))).toHaveLength(8);
  });
  test('what has no match is null, in strings of events too, and what has one is empty', async () => {
    const events = project(filter(logs(), call('<=', [col(logs(), 'bytes_in'), long(4)])), [
      { name: 'n', value: col(logs(), 'bytes_in') },
      { name: 'severity', value: col(logs(), 'severity') },
      { name: 'ip', value: col(logs(), 'source_ip') },
      { name: 'port', value: col(logs(), 'source_port') },
    ]);
    const keys = table({ k: 'long' }, [1], [3], [99]);
    expect(await set(join('LEFT', keys, events, [{ left: col(keys, 'k'), right: col(events, 'n') }]))).toEqual([
      [1, 1, '', '10.0.0.1', 1],
      [3, 3, 'high', '', 3],
      [99, null, null, null, null],
    ]);
  });
  test('empty strings of events agree with each other', async () => {
    const events = limit(sort(logs(), [by(col(logs(), 'timestamp'))]), 4);
    const one = project(events, [
      { name: 's', value: col(events, 'severity') },
      { name: 'n', value: col(events, 'bytes_in') },
    ]);
    const texts = table({ t: 'string' }, ['']);
    expect(await set(only(join('INNER', one, texts, [{ left: col(one, 's'), right: col(texts, 't') }]), 'n'))).toEqual([
      [1],
      [4],
    ]);
  });
});

describe('union, distinct', () => {
  test('rows of all inputs, stored alike or not', async () => {
    const events = limit(sort(logs(), [by(col(logs(), 'timestamp'))]), 2);
    const one = only(events, 'source_ip', 'severity', 'source_port');
    const two = table({ source_ip: 'string', severity: 'string', source_port: 'long' }, ['x', null, null]);
    expect(await set(union([one, two, one]))).toEqual([
      ['10.0.0.1', '', 1],
      ['10.0.0.1', '', 1],
      ['10.0.0.2', 'high', 2],
      ['10.0.0.2', 'high', 2],
      ['x', null, null],
    ]);
    expect(await run(count(union([one, two])))).toEqual([[3]]);
    expect(await set(distinct(union([one, two, one])))).toHaveLength(3);
  });
  test('distinct holds nulls and missing texts alike', async () => {
    expect(await set(distinct(only(logs(), 'severity')))).toEqual([[''], ['high']]);
    expect(await set(distinct(table({ a: 'long', b: 'dynamic' }, [null, [1]], [null, [1]], [1, null])))).toEqual([
      [1, null],
      [null, [1]],
    ]);
  });
});

describe('unnest', () => {
  const plan = table(
    { k: 'long', a: 'dynamic', b: 'dynamic' },
    [1, [10, '20', null], ['x']],
    [2, { p: 1, q: 2 }, null],
    [3, [], null],
    [4, null, null],
    [5, 7, null],
  );
  const elements = [{ name: 'e', value: col(plan, 'a'), type: 'dynamic' as const }];
  const of = (unnested: Plan) => set(only(unnested, 'k', 'e'));
  test('one row an element; a bag has one a property, a plain value is its own', async () => {
    expect(await of(unnest(plan, elements, { keepEmpty: false }))).toEqual([
      [1, '20'],
      [1, 10],
      [1, null],
      [2, { p: 1 }],
      [2, { q: 2 }],
      [5, 7],
    ]);
  });
  test('rows without elements are kept where that is asked for', async () => {
    expect((await of(unnest(plan, elements, { keepEmpty: true }))).filter(([k]) => (k as number) > 2)).toEqual([
      [3, null],
      [4, null],
      [5, 7],
    ]);
  });
  test('the longest array decides, elements are converted and numbered, and a limit holds for each row', async () => {
    const both = [
      { name: 'e', value: col(plan, 'a'), type: 'long' as const },
      { name: 'f', value: col(plan, 'b'), type: 'string' as const },
    ];
    const unnested = unnest(filter(plan, call('==', [col(plan, 'k'), long(1)])), both, {
      index: 'i',
      keepEmpty: false,
      limit: 2,
    });
    expect(await set(only(unnested, 'e', 'i'))).toEqual([
      [10, 0],
      [20, 1],
    ]);
  });
  test('keeps the order of the rows and, within a row, of the array', async () => {
    const numbers = table({ k: 'long', a: 'dynamic' }, [1, [3, 1, 2]], [2, [9, 8]]);
    const sorted = sort(numbers, [by(col(numbers, 'k'), true)]);
    const unnested = unnest(sorted, [{ name: 'e', value: col(sorted, 'a'), type: 'long' }], { keepEmpty: false });
    expect(await run(only(unnested, 'e'))).toEqual([[9], [8], [3], [1], [2]]);
  });
});

describe('lateral', () => {
  test('the body sees the row that it is for', async () => {
    const plan = table({ k: 'long', a: 'dynamic' }, [1, [3, 1, 2]], [2, [9, 8]], [3, []]);
    const row: Plan = { op: 'outer', columns: plan.columns };
    const each = unnest(row, [{ name: 'e', value: col(row, 'a'), type: 'long' }], { keepEmpty: false });
    const more = filter(each, call('>', [col(each, 'e'), col(each, 'k')]));
    const body = summarize(more, [], [agg('s', 'sum', [col(more, 'e')])]);
    expect(await set(lateral(plan, ['k'], body))).toEqual([
      [1, 5],
      [2, 17],
      [3, 0],
    ]);
    const top = limit(sort(project(each, cols(each, 'e')), [by(col(each, 'e'), true)]), 1);
    expect(await set(lateral(plan, ['k'], top))).toEqual([
      [1, 3],
      [2, 9],
    ]);
  });
});

describe('window', () => {
  const plan = table({ g: 'string', n: 'long' }, ['a', 3], ['a', 1], ['a', 2], ['b', 5], ['b', 5]);
  const [g, n] = [col(plan, 'g'), col(plan, 'n')];
  test('numbers, ranks, neighbours and sums', async () => {
    const windowed = window(plan, { partitionBy: [g], orderBy: [by(n)] }, [
      { name: 'row', fn: 'row_number', args: [long(10)], type: 'long' },
      { name: 'rank', fn: 'rank', args: [], type: 'long' },
      { name: 'before', fn: 'prev', args: [n], type: 'long' },
      { name: 'after', fn: 'next', args: [n, long(1), long(-1)], type: 'long' },
      { name: 'running', fn: 'row_cumsum', args: [n], type: 'long' },
      { name: 'all', fn: 'sum', args: [n], type: 'long' },
    ]);
    expect(await set(windowed)).toEqual([
      ['a', 1, 10, 1, null, 2, 1, 6],
      ['a', 2, 11, 2, 1, 3, 3, 6],
      ['a', 3, 12, 3, 2, -1, 6, 6],
      ['b', 5, 10, 1, null, 5, 5, 10],
      ['b', 5, 11, 1, 5, -1, 10, 10],
    ]);
  });
  test('the order is the input’s where the step has none, and stays', async () => {
    const sorted = sort(plan, [by(n, true), by(g)]);
    const numbered = window(sorted, { partitionBy: [], orderBy: [] }, [
      { name: 'i', fn: 'row_number', args: [], type: 'long' },
    ]);
    expect((await run(only(numbered, 'i'))).flat()).toEqual([1, 2, 3, 4, 5]);
  });
  test('an order by a made key stands over one by a column that is gone, which stays the order of the rows', async () => {
    const sorted = only(sort(plan, [by(n), by(g)]), 'g');
    const made = by(call('strcat', [col(sorted, 'g'), text('x')]), true);
    const numbered = window(sorted, { partitionBy: [], orderBy: [made] }, [
      { name: 'rank', fn: 'rank', args: [], type: 'long' },
    ]);
    expect(await run(numbered)).toEqual([
      ['a', 3],
      ['a', 3],
      ['a', 3],
      ['b', 1],
      ['b', 1],
    ]);
  });
  test('is not worked out where nobody needs its columns', () => {
    const sum = { name: 'sum', fn: 'row_cumsum', args: [call('+', [n, long(1)])], type: 'long' as const };
    const by5 = { partitionBy: [call('%', [n, long(5)])], orderBy: [by(call('-', [n, long(7)]))] };
    const { text: sql, values } = compilePlan(only(window(plan, by5, [sum]), 'g'));
    expect(sql).not.toContain('OVER');
    expect(values).toHaveLength(1);
  });
});

describe('with', () => {
  const events = logs();
  const bound = (materialized: boolean): Plan => {
    const ref: Plan = { op: 'ref', name: 'x', columns: events.columns };
    const counted = summarize(ref, cols(ref, 'host'), [agg('c', 'count', [])]);
    const other = project(ref, [
      { name: 'h', value: col(ref, 'host') },
      { name: 'n', value: col(ref, 'bytes_in') },
    ]);
    const joined = join('INNER', counted, filter(other, call('<', [col(other, 'n'), long(3)])), [
      { left: col(counted, 'host'), right: col(other, 'h') },
    ]);
    return { op: 'with', columns: joined.columns, bindings: [{ name: 'x', plan: events, materialized }], body: joined };
  };
  test.each([true, false])('a relation is used twice, materialized: %s', async (materialized) => {
    expect(await set(bound(materialized))).toEqual([
      ['mine0', 40, 'mine0', 2],
      ['mine1', 40, 'mine1', 1],
    ]);
    expect(compilePlan(bound(materialized)).text).toContain(materialized ? ' AS MATERIALIZED' : ' AS NOT MATERIALIZED');
  });
  test('a later relation is made of an earlier one; one that is not used is not worked out', async () => {
    const a = table({ n: 'long' }, [1], [2]);
    const refA: Plan = { op: 'ref', name: 'a', columns: a.columns };
    const b = filter(refA, call('>', [col(refA, 'n'), long(1)]));
    const refB: Plan = { op: 'ref', name: 'b', columns: b.columns };
    const unused = extend(a, [{ name: 'z', value: call('neg', [long('-9223372036854775808')]) }]);
    const plan: Plan = {
      op: 'with',
      columns: b.columns,
      bindings: [
        { name: 'a', plan: a, materialized: true },
        { name: 'b', plan: b, materialized: false },
        { name: 'c', plan: unused, materialized: true },
      ],
      body: union([refA, refB]),
    };
    expect(await set(plan)).toEqual([[1], [2], [2]]);
  });
  test('scalars and memberships see it', async () => {
    const a = table({ n: 'long', s: 'string' }, [2, 'B'], [3, 'c'], [null, null]);
    const refA: Plan = { op: 'ref', name: 'a', columns: a.columns };
    const highest = summarize(refA, [], [agg('m', 'max', [col(refA, 'n')])]);
    const input = table({ v: 'long', t: 'string' }, [1, 'b'], [2, 'B'], [null, 'x']);
    const body = project(input, [
      { name: 'v', value: col(input, 'v') },
      { name: 'm', value: { kind: 'scalar', plan: highest, type: 'long' } },
      {
        name: 'i',
        value: { kind: 'membership', value: col(input, 'v'), plan: only(refA, 'n'), ignoreCase: false, type: 'bool' },
      },
      {
        name: 'j',
        value: { kind: 'membership', value: col(input, 't'), plan: only(refA, 's'), ignoreCase: true, type: 'bool' },
      },
    ]);
    const plan: Plan = {
      op: 'with',
      columns: body.columns,
      bindings: [{ name: 'a', plan: a, materialized: true }],
      body,
    };
    expect(await set(plan)).toEqual([
      [1, 3, false, true],
      [2, 3, true, true],
      [null, 3, false, false],
    ]);
  });
});
