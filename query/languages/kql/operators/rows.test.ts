/** mv-expand, mv-apply, make-series, parse and the window functions, as their pages under https://learn.microsoft.com/kusto/query/ have them. */
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

async function rows(text: string): Promise<string[]> {
  const { rows: found } = await database.run(prepareKql(text, datasets));
  return found.map((row) => JSON.stringify(row)).sort();
}
const inOrder = async (text: string) => (await database.run(prepareKql(text, datasets))).rows;
const texts = (...wanted: JsonValue[][]): string[] => wanted.map((row) => JSON.stringify(row)).sort();
const columns = (text: string): string[] =>
  prepareKql(text, datasets).plan.columns.map(({ name, type }) => `${name}:${type}`);
const refusal = (text: string): unknown => {
  try {
    prepareKql(text, datasets);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('mv-expand', () => {
  test('gives a row an element, and one of a bag’s properties', async () => {
    expect(await rows("datatable(a:long, b:dynamic)[1, dynamic([10, 20]), 2, dynamic(['a'])] | mv-expand b")).toEqual(
      texts([1, 10], [1, 20], [2, 'a']),
    );
    const bag = "datatable(a:long, b:dynamic)[1, dynamic({'p':'x', 'q':'y'})]";
    expect(await rows(`${bag} | mv-expand b`)).toEqual(texts([1, { p: 'x' }], [1, { q: 'y' }]));
    expect(await rows(`${bag} | mv-expand kind=array b`)).toEqual(texts([1, ['p', 'x']], [1, ['q', 'y']]));
    expect(await rows(`${bag} | mv-expand bagexpansion=array b`)).toEqual(texts([1, ['p', 'x']], [1, ['q', 'y']]));
  });

  test('gives one row for null and none for what is empty', async () => {
    const text =
      'datatable(a:long, b:dynamic)[1, dynamic(null), 2, dynamic([]), 3, dynamic({}), 4, dynamic("s")] | mv-expand b';
    expect(await rows(text)).toEqual(texts([1, null], [4, 's']));
  });

  test('goes through several columns side by side, the shorter ones filled up with null', async () => {
    const text = (b: string, c: string) =>
      `datatable(b:dynamic, c:dynamic)[dynamic(${b}), dynamic(${c})] | mv-expand b, c`;
    expect(await rows(text("{'p':'a', 'q':'b'}", '[5, 4, 3]'))).toEqual(
      texts([{ p: 'a' }, 5], [{ q: 'b' }, 4], [null, 3]),
    );
    expect(await rows(text('[]', '["p"]'))).toEqual(texts([null, 'p']));
    expect(await rows(text('null', '["p","q"]'))).toEqual(texts([null, 'p'], [null, 'q']));
    expect(await rows(text('[]', '[]'))).toEqual([]);
  });

  test('takes elements as a type without parsing them', async () => {
    const text = `datatable(b:dynamic)[dynamic([1, 2.5, -2.5, '2', true, null])]
| mv-expand l=b to typeof(long), r=b to typeof(real), o=b to typeof(bool), s=b to typeof(string) | project-away b`;
    expect(await rows(text)).toEqual(
      texts(
        [1, 1, true, '1'],
        [2, 2.5, null, '2.5'],
        [-2, -2.5, null, '-2.5'],
        [null, null, null, '2'],
        [null, null, true, 'true'],
        [null, null, null, ''],
      ),
    );
    expect(await rows("print b=dynamic(['2024-01-01', 1]) | mv-expand b to typeof(datetime)")).toEqual(
      texts(['2024-01-01T00:00:00Z'], [null]),
    );
    expect(refusal('print b=dynamic([1]) | mv-expand b to typeof(timespan)')).toBe('QUERY_NOT_SUPPORTED');
  });

  test('puts a new name at the end, a known one in its place, and the number last', () => {
    const table = 'datatable(id:long, a:dynamic, b:dynamic)[]';
    expect(columns(`${table} | mv-expand a`)).toEqual(['id:long', 'a:dynamic', 'b:dynamic']);
    expect(columns(`${table} | mv-expand x=a`)).toEqual(['id:long', 'a:dynamic', 'b:dynamic', 'x:dynamic']);
    expect(columns(`${table} | mv-expand a.p`)).toEqual(['id:long', 'a:dynamic', 'b:dynamic', 'a_p:dynamic']);
    expect(columns(`${table} | mv-expand with_itemindex=b a to typeof(int)`)).toEqual([
      'id:long',
      'a:long',
      'b:dynamic',
      'b1:long',
    ]);
  });

  test('numbers elements from 0 and gives at most as many as the limit', async () => {
    expect(await rows("print a=dynamic(['x', 'y', 'z']) | mv-expand with_itemindex=i a limit 2")).toEqual(
      texts(['x', 0], ['y', 1]),
    );
    expect(await rows('print a=range(1, 200, 1) | mvexpand a | count')).toEqual(texts([128]));
    expect(await rows('print a=range(1, 200, 1) | mv-expand a | count')).toEqual(texts([200]));
  });

  test('is for dynamics alone', () => {
    expect(refusal('logs | mv-expand host')).toBe('QUERY_SYNTAX');
  });
});

describe('mv-apply', () => {
  test('runs its subquery over the elements of each row', async () => {
    const data = 'datatable(i:long, Arr:dynamic)[0, dynamic([5, 1, 3]), 1, dynamic([4, 10, 8, 7])]';
    expect(
      await rows(`${data} | mv-apply Arr2=Arr to typeof(long) on (top 2 by Arr2 | summarize Top2=make_list(Arr2))`),
    ).toEqual(texts([0, [5, 1, 3], [5, 3]], [1, [4, 10, 8, 7], [10, 8]]));
    expect(
      await rows(`${data} | mv-apply with_itemindex=n v=Arr to typeof(long) on (where n >= 2) | project i, v, n`),
    ).toEqual(texts([0, 3, 2], [1, 8, 2], [1, 7, 3]));
  });

  test('goes through two arrays, and sees the other columns', async () => {
    const text = `datatable(Val:long, A:dynamic, B:dynamic)[1, dynamic(['A1','A2']), dynamic(['B1','B2','B3']), 5, dynamic(['C1']), dynamic(['D1'])]
| mv-apply T1=A, T2=B on (extend Out = strcat(T1, '_', T2, Val) | summarize Out=make_list(Out)) | project Val, Out`;
    expect(await rows(text)).toEqual(texts([1, ['A1_B11', 'A2_B21', '_B31']], [5, ['C1_D15']]));
  });

  test('gives nothing for a row without elements, and one subtable for null', async () => {
    const text = `datatable(i:long, a:dynamic)[1, dynamic([]), 2, dynamic(null), 3, dynamic([1, 2])]
| mv-apply a on (summarize n=count()) | project i, n`;
    expect(await rows(text)).toEqual(texts([2, 1], [3, 2]));
  });

  test('takes an mv-expand inside, and refuses a subquery that changes the row’s own columns', async () => {
    const text = `print Pack=dynamic({'a':'555', 'b':'1'})
| mv-apply P = Pack on (mv-expand kind=array P | where P[1] !startswith '555' | summarize keys=make_set(P[0]))
| project keys`;
    expect(await rows(text)).toEqual(texts([['b']]));
    expect(
      await rows(
        'print a=7, d=dynamic([[1, 2], [3]]) | mv-apply e=d on (mv-apply f=e on (summarize n=count())) | project a, n',
      ),
    ).toEqual(texts([7, 2], [7, 1]));
    expect(refusal('print a=1, d=dynamic([1]) | mv-apply d on (extend a = 2)')).toBe('QUERY_NOT_SUPPORTED');
    expect(columns('print a=1, d=dynamic([1]) | mv-apply x=d on (summarize n=count() by a)')).toEqual([
      'a:long',
      'd:dynamic',
      'n:long',
    ]);
  });
});

describe('make-series', () => {
  const data = `let data = datatable(timestamp:datetime, metric:real)[
  datetime(2016-12-31T06:00), 50, datetime(2017-01-01), 4, datetime(2017-01-02), 3, datetime(2017-01-03), 4,
  datetime(2017-01-03T03:00), 6, datetime(2017-01-05), 8, datetime(2017-01-05T13:40), 13, datetime(2017-01-06), 4,
  datetime(2017-01-07), 3, datetime(2017-01-08), 8, datetime(2017-01-08T21:00), 8, datetime(2017-01-09), 2,
  datetime(2017-01-09T12:00), 11, datetime(2017-01-10T05:00), 5];
`;
  const days = 'from datetime(2017-01-01) to datetime(2017-01-10) step 1d';

  test('aggregates each bin and fills the others with the default', async () => {
    expect(await inOrder(`${data}data | make-series avg(metric) on timestamp ${days} | project avg_metric`)).toEqual([
      [[4, 3, 5, 0, 10.5, 4, 3, 8, 6.5]],
    ]);
    expect(columns(`${data}data | make-series avg(metric) on timestamp ${days}`)).toEqual([
      'avg_metric:dynamic',
      'timestamp:dynamic',
    ]);
  });

  test('has the moments of its elements beside them', async () => {
    const text = `${data}data | make-series n=count() on timestamp ${days} | mv-expand n to typeof(long), timestamp to typeof(datetime) | where n != 1`;
    expect(await rows(text)).toEqual(
      texts(
        [2, '2017-01-03T00:00:00Z'],
        [0, '2017-01-04T00:00:00Z'],
        [2, '2017-01-05T00:00:00Z'],
        [2, '2017-01-08T00:00:00Z'],
        [2, '2017-01-09T00:00:00Z'],
      ),
    );
  });

  test('gives nothing over no rows, but with kind=nonempty the defaults', async () => {
    expect(
      await rows(`${data}data | take 0 | make-series avg(metric) default=1.0 on timestamp ${days} | count`),
    ).toEqual(texts([0]));
    expect(
      await rows(
        `${data}data | take 0 | make-series kind=nonempty avg(metric) default=1.0 on timestamp ${days} | project avg_metric`,
      ),
    ).toEqual(texts([[1, 1, 1, 1, 1, 1, 1, 1, 1]]));
  });

  test('makes a series for each group, null groups too, with nulls where the default is null', async () => {
    const text = `datatable(k:long, x:long, v:long)[1, 0, 5, long(null), 2, 7, 1, 3, 1]
| make-series s=sum(v) default=long(null), n=count() on x from 0 to 4 step 2 by k`;
    expect(await rows(text)).toEqual(texts([1, [5, 1], [1, 1], [0, 2]], [null, [null, 7], [0, 1], [0, 2]]));
  });

  test('goes from the first to the last bin of each series where the text gives no ends', async () => {
    const text = `datatable(k:string, x:long)['a', 3, 'a', 9, 'b', 4] | make-series n=count() on x step 2 by k`;
    expect(await rows(text)).toEqual(texts(['a', [1, 0, 0, 1], [2, 4, 6, 8]], ['b', [1], [4]]));
  });

  test('refuses what the documentation leaves open', () => {
    const series = 'logs | make-series count() on timestamp';
    expect(refusal(`${series} in range(datetime(2024-01-01), datetime(2024-02-01), 1d)`)).toBe('QUERY_NOT_SUPPORTED');
    expect(refusal(`${series} from datetime(2024-01-01) to datetime(2024-02-01) step 1s`)).toBe('QUERY_NOT_SUPPORTED');
    expect(refusal(`${series} from datetime(2024-01-01) to datetime(2024-02-01) step 0s`)).toBe('QUERY_SYNTAX');
    expect(refusal('logs | make-series make_list(host) on timestamp step 1d')).toBe('QUERY_SYNTAX');
  });
});

describe('parse', () => {
  const trace = `let Traces = datatable(EventText:string)["Event: NotifySliceRelease (resourceName=PipelineScheduler, totalSlices=27, sliceNumber=23, lockTime=02/17/2016 08:40:01, releaseTime=02/17/2016 08:40:01, previousLockTime=02/17/2016 08:39:01)"];
Traces | `;
  const one = (value: string, step: string) => inOrder(`datatable(s:string)['${value}'] | ${step} | project-away s`);

  test('takes columns out of a text by what stands between them', async () => {
    const pattern = `* "resourceName=" resourceName ", totalSlices=" totalSlices: long * "sliceNumber=" sliceNumber: long * "lockTime=" lockTime ", releaseTime=" releaseTime: date "," * "previousLockTime=" previousLockTime: date ")" *`;
    expect(await inOrder(`${trace}parse EventText with ${pattern} | project-away EventText`)).toEqual([
      ['PipelineScheduler', 27, 23, '02/17/2016 08:40:01', '2016-02-17T08:40:01Z', '2016-02-17T08:39:01Z'],
    ]);
  });

  test('takes nothing where one column is not of its type, and relaxed leaves out that one alone', async () => {
    const pattern = 's with "a=" a: long ",b=" b ",c=" c: long ",d=" d';
    expect(await one('a=1,b=2,c=zz,d=4', `parse ${pattern}`)).toEqual([[null, '', null, '']]);
    expect(await one('a=1,b=2,c=3,d=4', `parse ${pattern}`)).toEqual([[1, '2', 3, '4']]);
    expect(await one('a=1,b=2,c=zz,d=4', `parse kind=relaxed ${pattern}`)).toEqual([[1, '2', null, '4']]);
    expect(await one('a=,b=2', 'parse s with "a=" a: long ",b=" b')).toEqual([[null, '']]);
  });

  test('is about the whole text, its columns as short as can be; regex takes them as long as can be', async () => {
    expect(await one('aXcYc', 'parse s with "a" v "c" *')).toEqual([['X']]);
    expect(await one('aXcYc', 'parse s with "a" v "c"')).toEqual([['XcY']]);
    expect(await one('abcbd', 'parse s with "a" v "b"')).toEqual([['']]);
    expect(await one('abcbd', 'parse kind=regex s with "a" v "b"')).toEqual([['bc']]);
    expect(await one('aXcYc', 'parse kind=regex flags=U s with "a" v "c"')).toEqual([['X']]);
    expect(await one('axbZ', 'parse s with "a.b" v')).toEqual([['']]);
    expect(await one('axbZ', 'parse kind=regex s with "a.b" v')).toEqual([['Z']]);
  });

  test('takes a type’s own characters before a star', async () => {
    expect(await one('n=27 junk m=23', 'parse s with "n=" n: long * "m=" m: long')).toEqual([[27, 23]]);
    expect(await one('n=xx junk m=23', 'parse s with "n=" n: long * "m=" m: long')).toEqual([[null, null]]);
    expect(await one('p|1-q|xx', 'parse kind=relaxed s with "p|" a: string "-q|" b: long *')).toEqual([['1', null]]);
    expect(refusal('logs | parse message with "a" x: datetime * "b"')).toBe('QUERY_NOT_SUPPORTED');
  });

  test('of kind regex has groups of its own, and flags', async () => {
    const pattern = String.raw`"(.*?)[a-zA-Z]*=" resourceName @", totalSlices=\s*\d+\s*.*?sliceNumber=" sliceNumber: long ".*?(previous)?lockTime=" lockTime ".*?releaseTime=" releaseTime ".*?previousLockTime=" previousLockTime: date "\\)"`;
    expect(await inOrder(`${trace}parse kind=regex EventText with ${pattern} | project-away EventText`)).toEqual([
      ['PipelineScheduler', 23, '02/17/2016 08:40:01, ', '02/17/2016 08:40:01, ', '2016-02-17T08:39:01Z'],
    ]);
    const flags = `${trace}parse kind=regex flags=Ui EventText with * "RESOURCENAME=" resourceName ',' * | project resourceName`;
    expect(await inOrder(flags)).toEqual([['PipelineScheduler']]);
    expect(await one('foo=9,bar=8', 'parse kind=regex s with "(foo)=" v "," "(bar)=" w')).toEqual([['9', '8']]);
    expect(refusal('logs | parse kind=regex flags=x message with "a" x')).toBe('QUERY_NOT_SUPPORTED');
    expect(refusal('logs | parse kind=regex message with "(?=a)" x')).toBe('QUERY_NOT_SUPPORTED');
  });

  test('parse-where keeps what was parsed alone', async () => {
    const text = "datatable(s:string)['a=1,b=2', 'a=zz,b=2', 'nope'] | ";
    expect(await rows(`${text}parse-where s with "a=" a: long ",b=" b | project a, b`)).toEqual(texts([1, '2']));
    expect(refusal('logs | parse-where kind=relaxed message with "a" x')).toBe('QUERY_SYNTAX');
  });

  test('puts a column in the place of one of its name', () => {
    expect(columns("datatable(s:string, a:string, z:long)[] | parse s with 'a=' a 'b=' b")).toEqual([
      's:string',
      'a:string',
      'z:long',
      'b:string',
    ]);
  });
});

describe('window functions', () => {
  const sorted = 'range a from 1 to 4 step 1 | sort by a desc';
  test('see the rows before and after, in their order', async () => {
    expect(
      await inOrder(`${sorted} | extend rn=row_number(7), p=prev(a), q=prev(a, 2, 0), n=next(a), c=row_cumsum(a)`),
    ).toEqual([
      [4, 7, null, 0, 3, 4],
      [3, 8, 4, 0, 2, 7],
      [2, 9, 3, 4, 1, 9],
      [1, 10, 2, 3, null, 10],
    ]);
  });

  test('start again where they are told to', async () => {
    const salaries = `datatable(name:string, month:int, salary:long)['Alice',1,1000, 'Bob',1,1000, 'Alice',2,2000, 'Bob',2,1950, 'Alice',3,1400, 'Bob',3,1450]
| order by name asc, month asc`;
    const text = `${salaries} | extend total=row_cumsum(salary, name != prev(name)), n=row_number(1, prev(name) != name) | project name, total, n`;
    expect(await inOrder(text)).toEqual([
      ['Alice', 1000, 1],
      ['Alice', 3000, 2],
      ['Alice', 4400, 3],
      ['Bob', 1000, 1],
      ['Bob', 2950, 2],
      ['Bob', 4400, 3],
    ]);
  });

  test('rank rows by a term', async () => {
    const text = `datatable(Airport:string, Airline:string, Departures:long)['SEA','LH',3, 'SEA','LY',100, 'SEA','UA',3, 'SEA','BA',2, 'SEA','EL',3]
| sort by Departures asc, Airline asc | extend d=row_rank_dense(Departures), m=row_rank_min(Departures) | project Airline, d, m`;
    expect(await inOrder(text)).toEqual([
      ['BA', 1, 1],
      ['EL', 2, 2],
      ['LH', 2, 2],
      ['UA', 2, 2],
      ['LY', 3, 5],
    ]);
  });

  test('keep the order of a table whose sorted column is gone, and of one that has a name', async () => {
    const text = 'logs | where host != "" | sort by timestamp asc | project host';
    const wanted = [
      ['web-1', ''],
      ['WEB-1', 'web-1'],
      ['web-2', 'WEB-1'],
      ['web-2', 'web-2'],
      ['db', 'web-2'],
    ];
    expect(await inOrder(`${text} | extend p=prev(host)`)).toEqual(wanted);
    expect(await inOrder(`let S = ${text}; S | extend p=prev(host)`)).toEqual(wanted);
    expect(await inOrder(`${text} | where prev(host) == "WEB-1"`)).toEqual([['web-2']]);
  });

  test('need rows in an order', async () => {
    expect(refusal('logs | extend p=prev(host)')).toBe('QUERY_SYNTAX');
    expect(refusal('logs | sort by host asc | summarize n=count() by host | extend p=prev(n)')).toBe('QUERY_SYNTAX');
    expect(await rows('logs | serialize n=row_number() | summarize max(n)')).toEqual(texts([6]));
    expect(await inOrder('datatable(x:long)[5] | serialize | extend n=row_number()')).toEqual([[5, 1]]);
  });
});
