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
  otherOrgId,
  table,
  text,
  withPlanRows,
} from '../../../../tests/setup/plan-rows.js';
import { distinct, extend, filter, limit, literal, project, rangeRows, sort, summarize } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr, Plan, ScalarType, SortKey } from '../../../plan/types.js';
import type { JsonValue } from '../../../result.js';

const { run, set } = withPlanRows();

describe('scan', () => {
  test('reads the organisation’s rows alone', async () => {
    const hosts = distinct(only(logs(), 'host'));
    expect(await set(hosts)).toEqual([['mine0'], ['mine1']]);
    expect(await set(hosts, { orgId: otherOrgId })).toEqual([['theirs0'], ['theirs1']]);
  });

  test('from is included and to is not', async () => {
    expect(await run(count(logs({ from: '2024-01-11T00:00:00Z', to: '2024-01-15T00:00:00Z' })))).toEqual([[4]]);
  });

  test('an ingest batch cuts the rows down', async () => {
    expect(await run(count(logs()), { ingestBatch: '8' })).toEqual([[20]]);
  });

  test('a string that is not stored is empty in Kusto’s scans, and null in others', async () => {
    const severities = (plan: Plan) => summarize(plan, cols(plan, 'severity'), [agg('n', 'count', [])]);
    expect(await set(severities(logs()))).toEqual([
      ['', 40],
      ['high', 40],
    ]);
    expect(await set(severities(logs({ nullStrings: true })))).toEqual([
      ['', 20],
      ['high', 40],
      [null, 20],
    ]);
  });

  test('an address is the text that PostgreSQL prints', async () => {
    const plan = logs();
    expect(await set(summarize(plan, cols(plan, 'source_ip'), [agg('n', 'count', [])]))).toEqual([
      ['', 26],
      ['10.0.0.1', 27],
      ['10.0.0.2', 27],
    ]);
    for (const [address, found] of [
      ['10.0.0.1', 27],
      ['', 26],
      ['10.0.0.1/32', 0],
      ['10.0.0.01', 0],
      ['x', 0],
    ] as const) {
      expect(await run(count(filter(plan, call('==', [col(plan, 'source_ip'), text(address)]))))).toEqual([[found]]);
      expect(await run(count(filter(plan, call('!=', [col(plan, 'source_ip'), text(address)]))))).toEqual([
        [80 - found],
      ]);
    }
  });

  test('_id finds its event', async () => {
    const [[id, bytes]] = (await run(limit(only(logs(), '_id', 'bytes_in'), 1))) as [[string, number]];
    const plan = logs();
    expect(await run(only(filter(plan, call('==', [col(plan, '_id'), text(id)])), 'bytes_in'))).toEqual([[bytes]]);
    expect(await run(count(filter(plan, call('==', [col(plan, '_id'), text('nothing')]))))).toEqual([[0]]);
  });

  test('every column and every row come as they are', async () => {
    const first = limit(sort(logs(), [by(col(logs(), 'timestamp'))]), 1);
    const [row] = await run(
      only(first, 'timestamp', 'severity', 'source_ip', 'source_port', 'bytes_in', 'host', 'message', 'attributes'),
    );
    expect(row).toEqual(['2024-01-02T00:00:00Z', '', '10.0.0.1', 1, 1, 'mine1', '', { n: 1, tags: ['a', 1] }]);
  });
});

describe('values', () => {
  test('are of every type, and null in each', async () => {
    const types: Record<string, ScalarType> = {
      b: 'bool',
      l: 'long',
      r: 'real',
      d: 'decimal',
      s: 'string',
      t: 'datetime',
      i: 'timespan',
      j: 'dynamic',
      g: 'guid',
    };
    const row: JsonValue[] = [
      true,
      '9223372036854775807',
      1.5e-7,
      '1.50',
      'é"\\😀',
      '2015-05-17T10:05:03.12Z',
      '90061000001',
      { a: [1, null] },
      '0f8fad5b-d9cb-469f-a165-70867728950e',
    ];
    expect(
      await run(
        table(
          types,
          row,
          row.map(() => null),
        ),
      ),
    ).toEqual([[...row.slice(0, 6), 'P1DT1H1M1.000001S', ...row.slice(7)], row.map(() => null)]);
    expect(await run(table({ r: 'real' }, ['NaN'], ['Infinity'], ['-Infinity'], [1e308]))).toEqual([
      ['NaN'],
      ['Infinity'],
      ['-Infinity'],
      [1e308],
    ]);
  });

  test('no rows, and many', async () => {
    expect(await run(table({ a: 'long' }))).toEqual([]);
    const many = Array.from({ length: 20_000 }, (_, i) => [i]);
    expect(await run(count(table({ a: 'long' }, ...many)))).toEqual([[20_000]]);
  });

  test('a text that PostgreSQL cannot hold is refused', async () => {
    await expect(run(table({ s: 'string' }, ['a\0b']))).rejects.toMatchObject({ code: 'QUERY_NOT_SUPPORTED' });
  });

  test('columns may have any name', async () => {
    const names = [
      'a"b',
      'é'.repeat(200),
      `${'é'.repeat(200)}x`,
      '~1',
      ' ',
      'SELECT',
      'x'.repeat(63),
      `${'x'.repeat(63)}y`,
    ];
    const plan = table(
      Object.fromEntries(names.map((name) => [name, 'long' as const])),
      names.map((_, i) => i),
    );
    expect(await run(sort(plan, [by(col(plan, names[1]!))]))).toEqual([names.map((_, i) => i)]);
  });
});

describe('range', () => {
  test.each<[ScalarType, JsonValue, JsonValue, JsonValue, ScalarType, JsonValue[]]>([
    ['long', 1, 7, 3, 'long', [1, 4, 7]],
    ['long', 3, 1, -1, 'long', [3, 2, 1]],
    ['long', 1, 3, 0, 'long', []],
    ['long', 3, 1, 1, 'long', []],
    ['long', null, 1, 1, 'long', []],
    ['real', 0, 0.3, 0.1, 'real', [0, 0.1, 0.2]],
    [
      'datetime',
      '2024-01-01T00:00:00Z',
      '2024-01-02T00:00:00Z',
      43_200_000_000,
      'timespan',
      ['2024-01-01T00:00:00Z', '2024-01-01T12:00:00Z', '2024-01-02T00:00:00Z'],
    ],
    ['timespan', 0, 2_000_000, 1_000_000, 'timespan', ['PT0S', 'PT1S', 'PT2S']],
  ])('%s from %s to %s by %s', async (type, from, to, step, stepType, expected) => {
    const plan = rangeRows('x', literal(type, from), literal(type, to), literal(stepType, step));
    expect((await run(plan)).flat()).toEqual(expected);
  });

  test('rows are made as they are asked for', async () => {
    expect(await run(limit(rangeRows('x', long(1), long('9223372036854775807'), long(1)), 2))).toEqual([[1], [2]]);
  });
});

describe('filter, extend and project', () => {
  const plan = table({ a: 'long', s: 'string' }, [1, 'x'], [2, 'y'], [null, 'z']);
  test('only what is true is kept', async () => {
    expect(await set(filter(plan, call('>', [col(plan, 'a'), long(1)])))).toEqual([[2, 'y']]);
  });
  test('what is added stands last, and can be used by the next step', async () => {
    const twice = extend(plan, [{ name: 'b', value: call('+', [col(plan, 'a'), col(plan, 'a')]) }]);
    const plus = extend(twice, [{ name: 'c', value: call('+', [col(twice, 'b'), long(1)]) }]);
    expect(await set(plus)).toEqual([
      [1, 'x', 2, 3],
      [2, 'y', 4, 5],
      [null, 'z', null, null],
    ]);
  });
  test('a projection renames, repeats and swaps', async () => {
    const swapped = project(plan, [
      { name: 's', value: col(plan, 'a') },
      { name: 'a', value: col(plan, 's') },
      { name: 'b', value: col(plan, 'a') },
    ]);
    expect(await set(swapped)).toEqual([
      [1, 'x', 1],
      [2, 'y', 2],
      [null, 'z', null],
    ]);
  });
});

describe('the order', () => {
  const plan = table({ a: 'long', b: 'string' }, [2, 'x'], [1, 'y'], [null, 'z'], [3, 'w']);
  const a = col(plan, 'a');
  test('nulls stand where the key says', async () => {
    const order = async (key: SortKey) => (await run(sort(plan, [key]))).map(([value]) => value);
    expect(await order(by(a, false, true))).toEqual([null, 1, 2, 3]);
    expect(await order(by(a, false, false))).toEqual([1, 2, 3, null]);
    expect(await order(by(a, true, true))).toEqual([null, 3, 2, 1]);
    expect(await order(by(a, true, false))).toEqual([3, 2, 1, null]);
  });
  test('lasts through filters, new columns, and a projection that leaves the key out', async () => {
    const sorted = sort(plan, [by(call('neg', [a]), false, true)]);
    const kept = filter(sorted, call('!=', [col(sorted, 'b'), text('x')]));
    const more = extend(kept, [{ name: 'c', value: call('+', [col(kept, 'a'), long(1)]) }]);
    expect(await run(only(more, 'b'))).toEqual([['z'], ['w'], ['y']]);
    expect(await run(limit(only(more, 'b'), 1, 1))).toEqual([['w']]);
  });
  test('the last sort counts, and those that are equal in it come in any order', async () => {
    const twice = sort(sort(plan, [by(a)]), [by(col(plan, 'b'), true, false)]);
    expect(await run(only(twice, 'b'))).toEqual([['z'], ['y'], ['x'], ['w']]);
  });
  test('texts are ordered by their bytes, and a missing one is empty', async () => {
    const events = logs({ to: '2024-01-06T00:00:00Z' });
    expect(
      await run(
        only(sort(events, [by(col(events, 'severity')), by(col(events, 'bytes_in'), true)]), 'severity', 'bytes_in'),
      ),
    ).toEqual([
      ['', 4],
      ['', 1],
      ['high', 3],
      ['high', 2],
    ]);
  });
  test('a limit cuts in the order, and keeps it', async () => {
    const top = limit(sort(logs(), [by(col(logs(), 'timestamp'), true)]), 3);
    expect(await run(only(top, 'bytes_in'))).toEqual([[80], [79], [78]]);
    expect(await run(limit(plan, 0))).toEqual([]);
    // Rows that are read so often are worked out once: a limit is that by itself.
    const second = limit(sort(only(logs(), 'bytes_in'), [by(col(logs(), 'bytes_in'))]), 1, 1);
    const value = col(second, 'bytes_in');
    const sum = Array.from({ length: 60 }, () => value).reduce<Expr>(
      (total, each) => call('+', [total, each]),
      long(0),
    );
    expect(await run(project(second, [{ name: 'sum', value: sum }]))).toEqual([[120]]);
  });
});
