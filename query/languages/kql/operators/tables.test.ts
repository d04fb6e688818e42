/** join, lookup, union, search and sources, each as its page under https://learn.microsoft.com/kusto/query/ has it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../../../../datasets/index.js';
import { createQueryRows, type QueryRows } from '../../../../tests/setup/query-rows.js';
import type { JsonValue } from '../../../result.js';
import { prepareKql } from '../prepare.js';

let database: QueryRows;
beforeAll(async () => {
  database = await createQueryRows();
});
afterAll(() => database?.drop());

const answer = (text: string) => database.run(prepareKql(text, datasets));
/** Rows in no order, as texts that can be compared. */
async function rows(text: string): Promise<string[]> {
  const { rows: found } = await answer(text);
  return found.map((row) => JSON.stringify(row)).sort();
}
const texts = (...wanted: JsonValue[][]): string[] => wanted.map((row) => JSON.stringify(row)).sort();
const columns = (text: string): string[] => prepareKql(text, datasets).plan.columns.map(({ name }) => name);
const refusal = (text: string): unknown => {
  try {
    prepareKql(text, datasets);
    return undefined;
  } catch (error) {
    const { code, details } = error as { code: string; details: { line: number; column: number } };
    return `${code} ${details.line}:${details.column}`;
  }
};

const X = `let X = datatable(Key:string, Value1:long)['a',1, 'b',2, 'b',3, 'c',4];
let Y = datatable(Key:string, Value2:long)['b',10, 'c',20, 'c',30, 'd',40];
`;

describe('join', () => {
  test('without a kind keeps one left row a key', async () => {
    const found = await rows(`${X}X | join Y on Key | project Key, Value2`);
    expect(found).toEqual(texts(['b', 10], ['c', 20], ['c', 30]));
  });

  test.each([
    [
      'inner',
      [
        ['b', 2, 'b', 10],
        ['b', 3, 'b', 10],
        ['c', 4, 'c', 20],
        ['c', 4, 'c', 30],
      ],
    ],
    [
      'leftouter',
      [
        ['a', 1, '', null],
        ['b', 2, 'b', 10],
        ['b', 3, 'b', 10],
        ['c', 4, 'c', 20],
        ['c', 4, 'c', 30],
      ],
    ],
    [
      'rightouter',
      [
        ['b', 2, 'b', 10],
        ['b', 3, 'b', 10],
        ['c', 4, 'c', 20],
        ['c', 4, 'c', 30],
        ['', null, 'd', 40],
      ],
    ],
    [
      'fullouter',
      [
        ['a', 1, '', null],
        ['b', 2, 'b', 10],
        ['b', 3, 'b', 10],
        ['c', 4, 'c', 20],
        ['c', 4, 'c', 30],
        ['', null, 'd', 40],
      ],
    ],
    [
      'leftsemi',
      [
        ['b', 2],
        ['b', 3],
        ['c', 4],
      ],
    ],
    ['leftanti', [['a', 1]]],
    ['anti', [['a', 1]]],
    ['leftantisemi', [['a', 1]]],
    [
      'rightsemi',
      [
        ['b', 10],
        ['c', 20],
        ['c', 30],
      ],
    ],
    ['rightanti', [['d', 40]]],
    ['rightantisemi', [['d', 40]]],
  ])('of kind %s gives the documented rows, with empty strings where a side is missing', async (kind, wanted) => {
    expect(await rows(`${X}X | join kind=${kind} Y on Key`)).toEqual(texts(...(wanted as JsonValue[][])));
  });

  test('takes hints and changes nothing by them', async () => {
    const found = await rows(`${X}X | join hint.strategy=broadcast kind=leftsemi (Y) on $left.Key == $right.Key`);
    expect(found).toEqual(texts(['b', 2], ['b', 3], ['c', 4]));
  });

  test('numbers a repeated name past every name of both sides', () => {
    const left = 'datatable(a:long, a1:long)[]';
    expect(columns(`${left} | join kind=inner (datatable(a:long)[]) on a`)).toEqual(['a', 'a1', 'a2']);
    expect(columns(`datatable(a:long)[] | join kind=inner (${left}) on a`)).toEqual(['a', 'a2', 'a1']);
    expect(columns(`${left} | join kind=inner (datatable(a:long, a1:long, a2:long)[]) on a`)).toEqual([
      'a',
      'a1',
      'a3',
      'a11',
      'a2',
    ]);
  });

  test('finds no match for null, as == is not true for it', async () => {
    const keys = 'let T = datatable(k:long)[1, long(null)]; T | join kind=';
    expect(await rows(`${keys}inner T on k`)).toEqual(texts([1, 1]));
    expect(await rows(`${keys}leftanti T on k`)).toEqual(texts([null]));
  });

  test('wants columns of one type, and no dynamic', () => {
    expect(refusal('logs | join website_logs on host')).toBe('QUERY_UNKNOWN_COLUMN 1:29');
    expect(refusal('logs | join website_logs on $left.host == $right.status_code')).toBe('QUERY_SYNTAX 1:29');
    expect(refusal('logs | join website_logs on attributes')).toBe('QUERY_SYNTAX 1:29');
    expect(refusal('logs | join website_logs')).toMatch(/^QUERY_SYNTAX/);
    expect(refusal('logs | join website_logs on $left.source_port > $right.status_code')).toBe('QUERY_SYNTAX 1:29');
  });
});

describe('lookup', () => {
  const facts = `let F = datatable(Row:string, P:string, F:string)['1','Bill','Gates', '2','Bill','Clinton', '3','Tim','Cook'];
let D = datatable(P:string, F:string, Row:string)['Bill','Gates','billg', 'Bill','Clinton','billc'];
`;
  test('keeps every left row and leaves the right keys out', async () => {
    expect(columns(`${facts}F | lookup D on P, F`)).toEqual(['Row', 'P', 'F', 'Row1']);
    expect(await rows(`${facts}F | lookup D on P, F`)).toEqual(
      texts(['1', 'Bill', 'Gates', 'billg'], ['2', 'Bill', 'Clinton', 'billc'], ['3', 'Tim', 'Cook', '']),
    );
  });

  test('of kind inner leaves out what has no match', async () => {
    expect(await rows(`${facts}F | lookup kind=inner D on P, F | project Row`)).toEqual(texts(['1'], ['2']));
  });

  test('has no other kind', () => {
    expect(refusal(`${facts}F | lookup kind=fullouter D on P`)).toMatch(/^QUERY_SYNTAX/);
  });
});

describe('union', () => {
  const views = `let View_1 = view () { print x=1 };
let View_2 = view () { print x='2' };
let View_3 = view () { print x_long=3 };
`;
  test('gives a name with several types a column for each, and renames it where that name is taken', async () => {
    const text = `${views}union withsource=TableName View_1, View_2, View_3`;
    expect(columns(text)).toEqual(['TableName', 'x_long1', 'x_string', 'x_long']);
    expect(await rows(text)).toEqual(
      texts(['View_1', 1, '', null], ['View_2', null, '2', null], ['View_3', null, '', 3]),
    );
  });

  test('of kind inner gives the columns that all tables have', () => {
    expect(columns('union kind=inner (print a=1, b=2), (print b=1, c=2)')).toEqual(['b']);
    expect(refusal("union kind=inner (print a=1), (print a='x')")).toBe('QUERY_NOT_SUPPORTED 1:1');
  });

  test('tells the source by the name of a table, or of as, and else by a number', async () => {
    const text = `range x from 1 to 1 step 1 | as T1 | union withsource=S (print x=2 | as T2), (print x=3), (logs | take 1 | project x=4)`;
    expect(await rows(`${text} | project S, x`)).toEqual(
      texts(['T1', 1], ['T2', 2], ['union_arg2', 3], ['union_arg3', 4]),
    );
    expect(await rows('union withsource=S logs, website_logs | summarize count() by S')).toEqual(
      texts(['logs', 6], ['website_logs', 4]),
    );
  });

  test('finds tables and views by wildcards, functions without view never', async () => {
    expect(await rows(`${views}let View_no = () { print x=9 }; union View* | count`)).toEqual(texts([3]));
    expect(await rows('union withsource=S web* | distinct S')).toEqual(texts(['website_logs'], ['web_activity']));
    expect(refusal('union logs, l*')).toMatch(/^QUERY_NOT_SUPPORTED/);
  });

  test('leaves unknown tables out where it is fuzzy, and is refused where it is not', async () => {
    expect(await rows('union isfuzzy=true logs, (nope | where x > 1) | count')).toEqual(texts([6]));
    expect(refusal('union logs, nope')).toBe('QUERY_UNKNOWN_TABLE 1:13');
    expect(refusal('union isfuzzy=true nope')).toMatch(/^QUERY_UNKNOWN_TABLE/);
  });
});

describe('search', () => {
  test('looks for a whole term in every column, upper and lower case alike', async () => {
    expect(await rows("search 'ALICE' | summarize count() by ['$table']")).toEqual(
      texts(['logs', 3], ['website_logs', 2], ['web_activity', 2]),
    );
    expect(await rows("search kind=case_sensitive in (logs) 'bob' | count")).toEqual(texts([0]));
  });

  test('takes stars as the begin, the end and the middle of a term', async () => {
    const count = (term: string) => rows(`search in (logs) event_type:"${term}" | count`);
    expect(await count('log*')).toEqual(texts([5]));
    expect(await count('*out')).toEqual(texts([1]));
    expect(await count('*ogi*')).toEqual(texts([4]));
    expect(await count('l*in')).toEqual(texts([4]));
  });

  test('goes through the views too, and through no table without the columns that it asks for', async () => {
    const text = `let Range10 = view () { range MyColumn from 1 to 10 step 1 };
let Range20 = view () { range MyColumn from 1 to 20 step 1 };
search MyColumn == 5 | project ['$table'], MyColumn`;
    expect(await rows(text)).toEqual(texts(['Range10', 5], ['Range20', 5]));
    expect(prepareKql('search event_type == "login"', datasets).plan.columns[0]!.name).toBe('$table');
    expect(await rows('search event_type == "login" | distinct [\'$table\']')).toEqual(texts(['logs']));
  });

  test('combines terms with conditions', async () => {
    expect(await rows('logs | search "alice" and (bytes_in == 100 or severity:"low") | project bytes_in')).toEqual(
      texts([100], [-3]),
    );
  });
});

describe('sources', () => {
  test('print names what has no name by its place', async () => {
    expect(columns("print 0 + 1, x = 'Wow!', strcat('a', 'b')")).toEqual(['print_0', 'x', 'print_2']);
    expect(await rows("print 0 + 1, x = 'Wow!', strcat('a', 'b')")).toEqual(texts([1, 'Wow!', 'ab']));
  });

  test('range ends at the last value that is not past its end', async () => {
    expect(await rows('range Steps from 1 to 8 step 3')).toEqual(texts([1], [4], [7]));
    expect(await rows('range d from datetime(2024-01-01) to datetime(2024-01-02) step 1d | count')).toEqual(texts([2]));
    expect(refusal('range x from 1 to 2 step 0')).toBe('QUERY_SYNTAX 1:26');
    expect(refusal('range x from 1 to now() step 1d')).toMatch(/^QUERY_SYNTAX/);
  });

  test('datatable takes literals of its columns’ types', async () => {
    expect(await rows("datatable(a:long, b:real, c:dynamic, d:string)[-1, 2, dynamic({'x':[1]}), '']")).toEqual(
      texts([-1, 2, { x: [1] }, '']),
    );
    expect(refusal("datatable(a:long)['x']")).toBe('QUERY_SYNTAX 1:19');
    expect(refusal('datatable(a:long, b:long)[1]')).toMatch(/^QUERY_SYNTAX/);
  });

  test('getschema tells names, places and types', async () => {
    const { rows: found } = await answer("print a=1, b='x' | getschema");
    expect(found).toEqual([
      ['a', 0, 'System.Int64', 'long'],
      ['b', 1, 'System.String', 'string'],
    ]);
  });

  test('render is kept as a hint and changes no row', async () => {
    const query = prepareKql("print x=1, y=2 | render timechart with (title='T', ycolumns=x, y)", datasets);
    expect(query.render).toEqual({ kind: 'timechart', properties: { title: 'T', ycolumns: 'x, y' } });
    expect((await database.run(query)).rows).toEqual([[1, 2]]);
  });

  test('what would need chance or another cluster is refused by name', () => {
    for (const step of [
      'sample 1',
      'top-nested 1 of host by count()',
      'evaluate bag_unpack(attributes)',
      'reduce by host',
    ]) {
      expect(refusal(`logs | ${step}`)).toBe('QUERY_NOT_SUPPORTED 1:8');
    }
  });
});
