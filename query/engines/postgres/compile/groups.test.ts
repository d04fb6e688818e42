import { describe, expect, test } from 'vitest';
import { agg, by, col, cols, count, logs, long, table, text, withPlanRows } from '../../../../tests/setup/plan-rows.js';
import { filter, literal, sort, summarize } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr, Pick, Plan } from '../../../plan/types.js';

const { run, set } = withPlanRows();

describe('summarize', () => {
  const plan = table(
    { k: 'string', n: 'long', r: 'real' },
    ['a', 1, 0.5],
    ['a', 2, 1.5],
    ['b', null, null],
    ['b', 4, 2.5],
    ['b', 4, 2.5],
  );
  const [k, n, r] = [col(plan, 'k'), col(plan, 'n'), col(plan, 'r')];
  const key = [{ name: 'k', value: k }];
  test('one row a group', async () => {
    expect(
      await set(
        summarize(plan, key, [
          agg('c', 'count', []),
          agg('cn', 'count', [n]),
          agg('s', 'sum', [n]),
          agg('m', 'avg', [n]),
          agg('lo', 'min', [n]),
          agg('hi', 'max', [r]),
          agg('d', 'dcount', [n]),
          agg('l', 'make_set', [n]),
          agg('p', 'percentile', [n, long(50)]),
          agg('w', 'sum', [r], call('>', [n, long(1)])),
        ]),
      ),
    ).toEqual([
      ['a', 2, 2, 3, 1.5, 1, 1.5, 2, [1, 2], 1, 1.5],
      ['b', 3, 2, 8, 4, 4, 2.5, 1, [4], 4, 5],
    ]);
  });
  test('one row without keys, also over nothing', async () => {
    const none = filter(plan, call('==', [k, text('none')]));
    expect(
      await run(
        summarize(none, [], [agg('c', 'count', []), agg('s', 'sum', [n]), agg('a', 'avg', [n]), agg('x', 'max', [n])]),
      ),
    ).toEqual([[0, 0, 'NaN', null]]);
    expect(await run(summarize(none, key, [agg('c', 'count', [])]))).toEqual([]);
    expect(await run(count(summarize(none, [], [agg('c', 'count', [])])))).toEqual([[1]]);
  });
  test('a sum of longs that overflows is an error, and not another figure', async () => {
    const large = table({ n: 'long' }, ['9223372036854775807'], ['1']);
    await expect(run(summarize(large, [], [agg('s', 'sum', [col(large, 'n')])]))).rejects.toMatchObject({
      code: 'QUERY_FAILED',
      details: { argument: 'query' },
    });
    const back = table({ n: 'long' }, ['9223372036854775807'], ['1'], ['-2']);
    expect(await run(summarize(back, [], [agg('s', 'sum', [col(back, 'n')])]))).toEqual([['9223372036854775806']]);
  });
  test('null keys make a group, literal keys one', async () => {
    expect(await set(summarize(plan, [{ name: 'n', value: n }], [agg('c', 'count', [])]))).toEqual([
      [1, 1],
      [2, 1],
      [4, 2],
      [null, 1],
    ]);
    expect(await run(summarize(plan, [{ name: 'one', value: long(1) }], [agg('c', 'count', [])]))).toEqual([[1, 5]]);
    expect(await set(summarize(plan, key, []))).toEqual([['a'], ['b']]);
  });
  test('a set of texts may be one of a text that is always the same', async () => {
    const empty = call('tostring', [literal('long', null)]);
    expect(await run(summarize(plan, [], [agg('s', 'make_set', [empty])]))).toEqual([[['']]]);
  });
  test('lists keep the order of the rows', async () => {
    const sorted = sort(plan, [by(r, true, false)]);
    expect(
      await run(summarize(sorted, [], [agg('l', 'make_list', [n]), agg('two', 'make_list', [n, long(2)])])),
    ).toEqual([
      [
        [4, 4, 2, 1],
        [4, 4],
      ],
    ]);
  });
  describe('picks', () => {
    const picked = (which: 'GREATEST' | 'LEAST' | 'ANY', value: Expr, ...columns: string[]): Plan =>
      summarize(plan, key, [{ kind: 'pick', by: value, which, columns: cols(plan, ...columns) }]);
    test('give columns of the row with the greatest or the least value', async () => {
      expect(await set(picked('GREATEST', n, 'n', 'r'))).toEqual([
        ['a', 2, 1.5],
        ['b', 4, 2.5],
      ]);
      expect(await set(picked('LEAST', n, 'n', 'r'))).toEqual([
        ['a', 1, 0.5],
        ['b', 4, 2.5],
      ]);
      expect((await set(picked('ANY', n, 'n')))[1]).toEqual(['b', 4]);
    });
    test('take a null only where there is nothing else, and give one row over nothing', async () => {
      const nulls = filter(plan, call('==', [r, literal('real', 9)]));
      const pick = { kind: 'pick', by: n, which: 'GREATEST', columns: cols(plan, 'n', 'k') } as const;
      expect(await run(summarize(nulls, [], [pick]))).toEqual([[null, null]]);
      const sum = call('+', [long(1), long(2)]);
      const made = { ...pick, by: sum, columns: [{ name: 'made', value: sum }] };
      const noEvents = filter(logs(), call('<', [col(logs(), 'bytes_in'), long(0)]));
      expect(await run(summarize(noEvents, [], [made]))).toEqual([[null]]);
      expect(await run(summarize(logs(), [], [made]))).toEqual([[3]]);
      const onlyNulls = table({ n: 'long', s: 'string' }, [null, 'x']);
      const any = { kind: 'pick', by: col(onlyNulls, 'n'), which: 'LEAST', columns: cols(onlyNulls, 's') } as const;
      expect(await run(summarize(onlyNulls, [], [any]))).toEqual([['x']]);
    });
    test('stand beside aggregates and each other, and bring every type back', async () => {
      const events = logs();
      const columns = ['timestamp', 'severity', 'source_ip', 'source_port', 'host', 'attributes'];
      const by = col(events, 'timestamp');
      const newest: Pick = { kind: 'pick', by, which: 'GREATEST', columns: cols(events, ...columns) };
      const first = [{ name: 'first', value: col(events, 'bytes_in') }];
      const oldest: Pick = { kind: 'pick', by, which: 'LEAST', columns: first };
      expect(await run(summarize(events, [], [newest, agg('c', 'count', [])]))).toEqual([
        ['2024-03-21T00:00:00Z', '', '10.0.0.2', 0, 'mine0', { n: 80, tags: ['a', 80] }, 80],
      ]);
      expect(await set(summarize(events, cols(events, 'source_port'), [oldest, agg('c', 'count', [])]))).toEqual([
        [0, 5, 16],
        [1, 1, 16],
        [2, 2, 16],
        [3, 3, 16],
        [4, 4, 16],
      ]);
      expect(await run(summarize(events, [], [newest, agg('c', 'count', []), oldest]))).toEqual([
        ['2024-03-21T00:00:00Z', '', '10.0.0.2', 0, 'mine0', { n: 80, tags: ['a', 80] }, 80, 1],
      ]);
    });
  });
});
