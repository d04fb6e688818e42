import { describe, expect, test } from 'vitest';
import { HarborwatchError } from '../../../platform/errors.js';
import { printExpr, printPlan } from '../../plan/print.js';
import type { PlanQuery, QueryableDataset } from '../../prepared-query.js';
import { completeKql } from './completions.js';
import { loadKusto } from './kusto.js';
import { prepareKql } from './prepare.js';
import { kustoGlobals } from './symbols.js';

const events: QueryableDataset = {
  name: 'events',
  aliases: ['Event'],
  timeColumn: 'Time',
  columns: [
    { name: 'Time', type: 'DATETIME', description: 'When it happened.' },
    { name: 'Id', type: 'INT', description: 'Its number.' },
    { name: 'Account', type: 'STRING', description: 'Who did it.' },
    { name: 'Ratio', type: 'REAL', description: 'A share.' },
    { name: 'Ip', type: 'IP', description: 'From where.' },
  ],
};
const datasets = [events];
const prepare = (text: string): PlanQuery => prepareKql(text, datasets);
const scan = 'scan events [Time, Id, Account, Ratio, Ip, attributes]';

/** The steps of a plan from the outside in, without the scan at its end. */
const steps = (text: string): string[] =>
  printPlan(prepare(text).plan)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== scan);

/** A scalar as the plan has it. */
function scalar(text: string): string {
  const { plan } = prepare(`Event | project x = ${text}`);
  if (plan.op !== 'project') throw new Error(`Not projected: ${plan.op}`);
  return printExpr(plan.kept[0]!.value);
}

function refusal(text: string): HarborwatchError {
  try {
    prepare(text);
  } catch (error) {
    if (error instanceof HarborwatchError) return error;
    throw error;
  }
  throw new Error(`Not refused: ${text}`);
}

describe('literals become their values, in every spelling', () => {
  test.each([
    ['0x1F', '31'],
    ['-5', '-5'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['long(null)', 'long(null)'],
    ['1e3', '1000.0'],
    ['real(-inf)', 'real(-Infinity)'],
    ['real(nan)', 'real(NaN)'],
    ['decimal(1.50)', 'decimal(1.5)'],
    ['decimal(-2e3)', 'decimal(-2000)'],
    ['decimal(1e-3)', 'decimal(0.001)'],
    ['true', 'true'],
    ['bool(0)', 'false'],
    ['guid(74BE27DE-1E4E-49D9-B579-FE0B331D3642)', 'guid(74be27de-1e4e-49d9-b579-fe0b331d3642)'],
    ['"a\\tb\\u00e9"', '"a\\tbé"'],
    ["'it' 's'", '"its"'],
    ['@"c:\\d"', '"c:\\\\d"'],
    ['h"secret"', '"secret"'],
    ['```two\nlines```', '"two\\nlines"'],
    ['1.5h', '90m'],
    ['time(15 seconds)', '15s'],
    ['time(2)', '2d'],
    ['timespan(1.02:03:04.5)', '93784500ms'],
    ['10ticks', '1microsecond'],
    ['datetime(2014)', 'datetime(2014-01-01T00:00:00Z)'],
    ['datetime(2014-05-25T08:20:03.123456Z)', 'datetime(2014-05-25T08:20:03.123456Z)'],
    ['datetime(2014-11-08 15:55)', 'datetime(2014-11-08T15:55:00Z)'],
    ['datetime(2014-11-08 15:55:55+02:00)', 'datetime(2014-11-08T13:55:55Z)'],
    ['datetime(Sat, 8 Nov 14 15:05:02 GMT)', 'datetime(2014-11-08T15:05:02Z)'],
    ['datetime(Saturday, 08-Nov-14 15:05:02 UTC)', 'datetime(2014-11-08T15:05:02Z)'],
    ['datetime(null)', 'datetime(null)'],
    ['datetime()', 'now()'],
    [
      'dynamic({"a":[1,-2.5,null,true],"b":datetime(2020-01-01)})',
      'dynamic({"a":[1,-2.5,null,true],"b":"2020-01-01T00:00:00Z"})',
    ],
  ])('%s', (text, expected) => {
    expect(scalar(text)).toBe(expected);
  });

  test.each([
    ['QUERY_NOT_SUPPORTED', '1tick', 'finer than a microsecond'],
    ['QUERY_NOT_SUPPORTED', 'datetime(2020-01-01 00:00:00.1234567)', 'finer than a microsecond'],
    ['QUERY_SYNTAX', 'datetime(2020-02-30)', 'is not a date'],
    ['QUERY_SYNTAX', 'datetime(0000-01-01)', 'is not a date'],
    ['QUERY_SYNTAX', '9223372036854775808', '64 bits'],
    ['QUERY_NOT_SUPPORTED', 'dynamic([9007199254740993])', 'beyond what JSON keeps'],
  ])('%s: %s', (code, text, message) => {
    expect(refusal(`print ${text}`)).toMatchObject({
      code,
      details: { argument: 'query', line: 1, column: expect.any(Number) },
    });
    expect(refusal(`print ${text}`).message).toContain(message);
  });
});

describe('expressions', () => {
  test.each([
    [
      'Id == 1 and Account has "x" and Ratio > 0.5 or Id <> 2',
      'Id == 1 and Account has "x" and Ratio > 0.5 or Id != 2',
    ],
    ['Account in ("a", "b")', 'Account in ("a", "b")'],
    ['Account !in~ (dynamic(["a", "b"]))', 'Account !in~ ("a", "b")'],
    ['Account has_any ("a", "b")', 'Account has_any ("a", "b")'],
    ['Account matches regex @"^\\d+$"', 'Account matches regex "^\\\\d+$"'],
    ['Id between (1 .. 5)', 'Id between (1 .. 5)'],
    ['Time !between (datetime(2020-01-01) .. 7d)', 'Time !between (datetime(2020-01-01T00:00:00Z) .. 7d)'],
    ['attributes.a["b c"][0].d', 'attributes.a["b c"][0].d'],
    ['parse_json(Account).x', 'parse_json(Account).x'],
    ['["Account"]', 'Account'],
    ['-Id', '-Id'],
    ['Id + 1.5', 'todouble(Id) + 1.5'],
    ['iff(Id == 1, "a", "b")', 'iff(Id == 1, "a", "b")'],
    ['column_ifexists("Nope", "none")', '"none"'],
    ['column_ifexists("Id", 0)', 'Id'],
    ['bag_pack_columns(Id, Account)', 'bag_pack("Id", Id, "Account", Account)'],
  ])('%s', (text, expected) => {
    expect(scalar(text)).toBe(expected);
  });

  test('a list in a table is a membership, of its first column', () => {
    expect(steps('Event | where Id in ((Event | project Ratio, Account, Id | project Id, Account))')[0]).toBe(
      'filter Id in ($1)',
    );
    expect(steps('let ids = Event | project Id; Event | where Id !in (ids)')[0]).toBe('filter not(Id in ($1))');
  });

  test('10,000 conditions are one flat call', () => {
    const text = Array.from({ length: 10_000 }, (_, n) => `Id == ${n}`).join(' or ');
    const { plan } = prepare(`Event | where ${text}`);
    expect(plan).toMatchObject({ op: 'filter', predicate: { kind: 'call', fn: 'or' } });
    expect(plan.op === 'filter' && plan.predicate.kind === 'call' && plan.predicate.args.length).toBe(10_000);
  });
});

describe('steps', () => {
  test.each<[string, string[]]>([
    ['Event | where Id == 1 | extend A = tolower(Account)', ['extend A = tolower(Account)', 'filter Id == 1']],
    ['Event | extend Id = 2', ['project Time, Id = 2, Account, Ratio, Ip, attributes']],
    ['Event | project Id, B = Ratio * 2', ['project Id, B = Ratio * 2.0']],
    ['Event | project-away R*, attributes, Ip', ['project Time, Id, Account']],
    ['Event | project-keep Account, Id', ['project Id, Account']],
    ['Event | project-rename Who = Account', ['project Time, Id, Who = Account, Ratio, Ip, attributes']],
    ['Event | project-reorder I* desc, Account', ['project Ip, Id, Account, Time, Ratio, attributes']],
    ['Event | sort by Id', ['sort by Id desc nulls last']],
    ['Event | order by Id asc, Ratio desc nulls first', ['sort by Id asc nulls first, Ratio desc nulls first']],
    ['Event | top 3 by Ratio', ['limit 3', 'sort by Ratio desc nulls last']],
    ['let n = 3; Event | limit n', ['limit 3']],
    ['Event | distinct *', ['distinct']],
    ['Event | distinct Id, Account', ['distinct', 'project Id, Account']],
    ['Event | count', ['summarize Count = count()']],
    ['Event | count as N', ['summarize N = count()']],
    [
      'Event | summarize count() by Account, bin(Time, 1h)',
      ['summarize count_ = count() by Account, Time = bin(Time, 1h)'],
    ],
    [
      'Event | summarize countif(Id == 1), sumif(Ratio, Id > 1)',
      ['summarize countif_ = count() where Id == 1, sumif_Ratio = sum(Ratio) where Id > 1'],
    ],
    ['Event | summarize make_set_if(Id, Ratio > 1, 5)', ['summarize set_Id = make_set(Id, 5) where Ratio > 1.0']],
    [
      'Event | summarize arg_max(Time, *) by Account',
      ['summarize arg_max(Time, Time, Id, Ratio, Ip, attributes) by Account'],
    ],
    ['Event | summarize A = arg_min(Time, Id)', ['summarize arg_min(Time, A = Time, Id)']],
    ['Event | summarize take_any(Id), dcount(Ip, 2)', ['summarize take_any(Id), dcount_Ip = dcount(Ip)']],
    [
      'Event | summarize round(sum(Ratio) / count(), 2) by Id',
      [
        "project Id, Column1 = round(['$aggregate_1'] / todouble(['$aggregate_2']), 2)",
        "summarize ['$aggregate_1'] = sum(Ratio), ['$aggregate_2'] = count() by Id",
      ],
    ],
  ])('%s', (text, expected) => {
    expect(steps(text)).toEqual(expected);
  });

  test('a table that is named once stands where it is named, one that is named twice is bound, another is left out', () => {
    expect(steps('let T = Event | take 1; let Unused = Event | take 2; T | count')).toEqual([
      'summarize Count = count()',
      'limit 1',
    ]);
    expect(prepare('let T = Event | take 1; union T, T').plan).toMatchObject({
      op: 'with',
      bindings: [{ name: 'T', materialized: false }],
    });
  });

  test('the time range is in the scan', () => {
    const { plan } = prepareKql('Event', datasets, { from: '2024-01-01T00:00:00Z' });
    expect(plan).toMatchObject({ op: 'scan', dataset: 'events', from: '2024-01-01T00:00:00Z', nullStrings: false });
  });
});

describe('columns have the names that Kusto gives them', () => {
  const { language, toArray } = loadKusto();
  test.each([
    'Event | extend strlen(Account), tostring(Id), Id + 1, attributes.a.b[0]',
    'Event | project toint(Id), Id, tolower(Account), 1, attributes["x y"]',
    'Event | extend 1, 2 | extend 3',
    'Event | project Column2 = 1, 2, 3',
    'Event | summarize count(), dcount(Account), sum(Id), sum(Id + 1), avg(Ratio), min(Id), max(Id), stdev(Id)',
    'Event | summarize make_set(Account), make_list(attributes.z), make_bag(attributes), count_distinct(Id)',
    'Event | summarize percentile(Id, 95), percentiles(Id, 5, 99.9), countif(Id > 1), dcountif(Id, true)',
    'Event | summarize arg_max(Time, *), arg_min(Ratio, Account), take_any(*) by Id',
    'Event | summarize arg_max(Time, *) by X = Account, bin(Time, 1h)',
    'Event | summarize arg_max(strlen(Account), *), any(Id)',
    'Event | summarize (a, b) = arg_max(Time, Id), c = percentiles(Id, 5, 50)',
    'Event | summarize count() + 1, max(Id) - min(Id) by Account, strlen(Account), Id % 2',
    'Event | summarize max(Id), max(Id) by tostring(attributes.x)',
    'Event | summarize x = 1, count_ = 2, count()',
    'Event | distinct Id, toint(Id)',
    'Event | project-reorder A*, *, Time',
    'print 1, x = 2, strcat("a")',
  ])('%s', (text) => {
    const code = language.KustoCode.ParseAndAnalyze(text, kustoGlobals(datasets));
    const names = toArray(code.ResultType!.Columns!).map(({ Name }) => Name);
    expect(prepare(text).plan.columns.map(({ name }) => name)).toEqual(names);
  });
});

describe('what cannot be answered is refused by name, at its place', () => {
  test.each([
    ['QUERY_UNKNOWN_COLUMN', 'Event | where id == 1', 15, 'There is no column "id". Did you mean "Id"?'],
    ['QUERY_UNKNOWN_COLUMN', 'Event | where Severity == 1', 15, 'attributes["Severity"]'],
    ['QUERY_UNKNOWN_TABLE', 'Evnt | count', 1, 'There is no table "Evnt". Did you mean "Event"?'],
    ['QUERY_FUNCTION_NOT_ALLOWED', 'print tolowr("A")', 7, 'There is no function tolowr(). Did you mean tolower()?'],
    ['QUERY_FUNCTION_NOT_ALLOWED', 'print geo_angle(1)', 7, 'The function geo_angle() is not supported here.'],
    ['QUERY_FUNCTION_NOT_ALLOWED', 'Event | summarize hll(Id)', 19, 'The aggregate hll() is not supported here.'],
    [
      'QUERY_NOT_SUPPORTED',
      'externaldata(a:string)["https://x"] | count',
      1,
      'externaldata is not supported here: it reaches outside',
    ],
    [
      'QUERY_NOT_SUPPORTED',
      'union Event, cluster("c").database("d").T',
      14,
      'cluster() is not supported here: it reaches outside',
    ],
    ['QUERY_NOT_SUPPORTED', 'database("d").T', 1, 'database() is not supported'],
    ['QUERY_NOT_SUPPORTED', 'let x = toscalar(table("Event") | count); print x', 18, 'table() is not supported'],
    [
      'QUERY_NOT_SUPPORTED',
      'Event | evaluate http_request("https://x")',
      9,
      'evaluate http_request is not supported here: it reaches outside',
    ],
    ['QUERY_NOT_SUPPORTED', 'Event | evaluate bag_unpack(attributes)', 9, 'evaluate bag_unpack is not supported here.'],
    ['QUERY_NOT_SUPPORTED', 'Event | invoke f()', 9, 'The operator invoke is not supported here.'],
    ['QUERY_NOT_SUPPORTED', 'Event | reduce by Account', 9, 'The operator reduce is not supported here.'],
    ['QUERY_NOT_SUPPORTED', 'set notruncation; Event', 1, 'set is not supported here.'],
    ['QUERY_NOT_SUPPORTED', 'Event | where Account like "x"', 15, 'not supported here: like'],
    ['QUERY_NOT_READ_ONLY', '// x\n .drop table Event', 2, 'Queries only read.'],
    ['QUERY_MULTIPLE_STATEMENTS', 'Event | count; Event', 16, 'more than one query'],
    ['QUERY_SYNTAX', '', 1, 'The text has no query.'],
    ['QUERY_SYNTAX', 'let x = 1', 10, 'a query is missing'],
    ['QUERY_SYNTAX', 'Event | wher Id == 1', 9, '"wher" is no operator.'],
    ['QUERY_SYNTAX', 'Event | where (Id == 1', 23, '")" is expected here, before the end of the text.'],
    ['QUERY_SYNTAX', 'Event | where Id ==', 20, 'A value or a name is missing here, before the end of the text.'],
    ['QUERY_SYNTAX', 'Event | where "abc', 19, 'is expected here'],
    ['QUERY_SYNTAX', 'Event where Id', 7, '"where" is not expected here.'],
    ['QUERY_SYNTAX', 'Event | where Account == 5', 15, 'string, long'],
    ['QUERY_SYNTAX', 'Event | where strlen(Id) == 5', 22, 'must be string'],
    ['QUERY_SYNTAX', 'Event | where Id', 15, 'A condition is true or false'],
    ['QUERY_SYNTAX', 'Event | extend n = count()', 20, 'count() is an aggregate'],
    ['QUERY_SYNTAX', 'Event | summarize Id + count()', 19, '"Id" stands neither in an aggregate nor behind "by".'],
    ['QUERY_SYNTAX', 'Event | summarize count() by attributes.x', 30, 'Rows are not grouped by a dynamic.'],
    ['QUERY_SYNTAX', 'Event | sort by attributes.x', 17, 'A dynamic has no order.'],
    ['QUERY_SYNTAX', 'Event | project Id, Id', 21, 'made twice'],
    ['QUERY_SYNTAX', 'Event | take -1', 14, 'The number of rows'],
    ['QUERY_SYNTAX', 'let T = Event; print T', 22, '"T" is a table, and a value is expected.'],
    ['QUERY_SYNTAX', 'let f = () { f() }; print f()', 14, ''],
    ['QUERY_NOT_SUPPORTED', `print ${'('.repeat(200)}1${')'.repeat(200)}`, 107, 'more than 100 brackets are open'],
    ['QUERY_NOT_SUPPORTED', `Event${' | take 1'.repeat(301)}`, expect.any(Number), 'more than 300 steps'],
    ['QUERY_NOT_SUPPORTED', `print ${'1 + '.repeat(400)}1`, expect.any(Number), 'nested too deeply'],
    ['QUERY_NOT_SUPPORTED', 'x'.repeat(1_000_000), 1, '1000000 characters'],
    [
      'QUERY_NOT_SUPPORTED',
      `let a0 = now();${Array.from({ length: 40 }, (_, n) => `let a${n + 1} = iff(true, a${n}, a${n});`).join('')}print a40`,
      expect.any(Number),
      'names unfolded',
    ],
  ])('%s: %s', (code, text, column, message) => {
    const error = refusal(text);
    expect(error.message).toContain(message);
    if (message !== '') expect(error.code).toBe(code);
    expect(error.details).toMatchObject({ argument: 'query', line: expect.any(Number), column });
  });
});

describe('whether a query is row-wise', () => {
  test.each([
    'Event',
    'Event | where Id == 1 | extend a = strlen(Account) | project a, Id | project-away Id',
    'let limit_ = 5; let f = (x: long) { x + 1 }; Event | where f(Id) > limit_',
  ])('%s is', (text) => {
    expect(prepare(text).rowWise).toEqual({ ok: true });
  });

  test.each([
    ['Event | summarize count()', 'the operator summarize', 9],
    ['Event | where Time > ago(1h)', 'the time-dependent or volatile function ago()', 22],
    ['Event | where Id in ((Event | project Id))', 'a second table', 23],
    ['Event | where Id > 1 | take 5', 'the operator take', 24],
    ['print 1', 'the operator print', 1],
  ])('%s is not: %s', (text, reason, column) => {
    expect(prepare(text).rowWise).toEqual({ ok: false, reason, line: 1, column });
  });
});

describe('completions', () => {
  const at = (text: string) => completeKql(text, text.length, datasets);

  test('columns come with what they are, functions and operators with what they do', () => {
    expect(at('Event | where Acc')).toContainEqual({
      ...{ label: 'Account', kind: 'COLUMN', description: 'Who did it.', insert: 'Account', start: 14, end: 17 },
    });
    expect(at('Event | where ')).toContainEqual(expect.objectContaining({ insert: 'tolower(', kind: 'FUNCTION' }));
    expect(at('Event | where Account ')).toContainEqual(expect.objectContaining({ label: 'has', kind: 'OPERATOR' }));
    expect(at('Event | summarize ')).toContainEqual(expect.objectContaining({ insert: 'count()', kind: 'AGGREGATE' }));
    expect(at('Ev')).toContainEqual(
      expect.objectContaining({ label: 'Event', kind: 'TABLE', description: 'The dataset events.' }),
    );
    for (const { description, kind } of at('Event | ')) if (kind === 'OPERATOR') expect(description).not.toBe('');
  });

  test('what is refused is not offered', () => {
    const labels = ['', 'Event | ', 'Event | where ', 'Event | summarize '].flatMap((text) =>
      at(text).map(({ label }) => label),
    );
    for (const refused of ['cluster', 'database', 'externaldata', 'evaluate', 'invoke', 'hll', 'geo_angle', 'reduce']) {
      expect(labels.filter((label) => label === refused || label.startsWith(`${refused}(`))).toEqual([]);
    }
  });
});
