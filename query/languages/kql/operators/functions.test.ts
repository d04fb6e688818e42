/** Functions that a text defines, and values and tables that it names. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../../../../datasets/index.js';
import { createQueryRows, type QueryRows } from '../../../../tests/setup/query-rows.js';
import { prepareKql } from '../prepare.js';

let database: QueryRows;
beforeAll(async () => {
  database = await createQueryRows();
});
afterAll(() => database?.drop());

const rows = async (text: string) => (await database.run(prepareKql(text, datasets))).rows;
const refusal = (text: string): unknown => {
  try {
    prepareKql(text, datasets);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('functions', () => {
  test('take arguments in their order or by name, and defaults for the rest', async () => {
    const f = "let f = (a:long, b:string = 'b.default', c:long = 0) { strcat(a, '-', b, '-', c) };";
    expect(await rows(`${f} print f(c=7, a=12), f(12, c=7), f(1)`)).toEqual([
      ['12-b.default-7', '12-b.default-7', '1-b.default-0'],
    ]);
  });

  test('take tables with the columns that they declare, or any', async () => {
    const f = 'let MyFilter = (T:(x:long), v:long) { T | where x >= v };';
    expect(await rows(`${f} MyFilter((range x from 1 to 10 step 1), 9) | sort by x asc`)).toEqual([[9], [10]]);
    expect(refusal(`${f} MyFilter((print y=1), 9)`)).toBeDefined();
    expect(await rows('let d = (T:(*)) { T | distinct * }; d((range x from 1 to 3 step 1)) | count')).toEqual([[3]]);
  });

  test('see the names before them, and have names of their own', async () => {
    const text = `let Test1 = (id:int) {
  let Test2 = 10;
  let Test3 = 10 + Test2 + id;
  let Test4 = (arg:int) { let Test5 = 20; Test2 + Test3 + Test5 + arg };
  Test4(10)
};
range x from 1 to Test1(10) step 1 | count`;
    expect(await rows(text)).toEqual([[70]]);
  });

  test('are unfolded over the row that they are called for', async () => {
    expect(
      await rows(
        'let f = (x:long) { let y = x + 1; y * 2 }; range a from 1 to 2 step 1 | extend b = f(a), c = f(f(a))',
      ),
    ).toEqual([
      [1, 4, 10],
      [2, 6, 14],
    ]);
  });

  test('cannot let a table depend on that row, and can do so on constants', async () => {
    const f = 'let f = (x:long) { toscalar(logs | where source_port == x | count) };';
    expect(refusal(`${f} logs | extend n = f(source_port)`)).toBe('QUERY_SYNTAX');
    expect(await rows(`${f} print f(443)`)).toEqual([[2]]);
    const g = 'let g = (x:long) { let T = range z from 1 to x step 1; toscalar(T | count) };';
    expect(refusal(`${g} range a from 1 to 2 step 1 | extend b = g(a)`)).toBe('QUERY_SYNTAX');
  });

  test('cannot call themselves, nor see what is defined after them', () => {
    expect(refusal('let f = (x:long) { x * n }; let n = 2; print f(1)')).toBeDefined();
    expect(refusal('let f = (x:long) { f(x) }; print f(1)')).toBeDefined();
  });

  test('that grow without bound are refused within a moment', () => {
    const doubled = Array.from({ length: 30 }, (_, n) => `let f${n + 1} = (x:long) { f${n}(x) + f${n}(x) };`);
    const text = `let f0 = (x:long) { x };\n${doubled.join('\n')}\n`;
    const start = performance.now();
    expect(refusal(`${text}range y from 1 to 1 step 1 | extend z = f30(y)`)).toBe('QUERY_NOT_SUPPORTED');
    expect(refusal(`${text}print f30(1)`)).toBe('QUERY_NOT_SUPPORTED');
    const tables = Array.from({ length: 30 }, (_, n) => `let t${n + 1} = () { union t${n}, (t${n}()) };`);
    expect(refusal(`let t0 = () { print x=1 };\n${tables.join('\n')}\nt30 | count`)).toBe('QUERY_NOT_SUPPORTED');
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test('a table that is named often is written once', () => {
    const text = 'let f = (T:(a:long)) { union T, T }; f(f(f(f(f(f(f((print a=1)))))))) | count';
    expect(JSON.stringify(prepareKql(text, datasets).plan).length).toBeLessThan(10_000);
  });
});

describe('names of a text', () => {
  test('materialize and toscalar are worked out once and seen everywhere', async () => {
    const text = `let m = materialize(range x from 1 to 3 step 1);
let t = toscalar(m | summarize max(x));
m | where x < t | extend t | sort by x asc`;
    expect(await rows(text)).toEqual([
      [1, 3],
      [2, 3],
    ]);
    expect(await rows('print x = toscalar(logs | where false | project host), y = toscalar(3)')).toEqual([['', 3]]);
  });

  test('as names a table for the steps that follow', async () => {
    const text = 'range x from 1 to 3 step 1 | as T | where x > 1 | join kind=inner (T | where x < 3) on x';
    expect(await rows(text)).toEqual([[2, 2]]);
  });
});
