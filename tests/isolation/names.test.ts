/**
 * Names that mean something to JavaScript, wherever a query can have a name: each is a name like any other, and nothing
 * that one caller writes changes what the language thread answers the next.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../../datasets/index.js';
import { HarborwatchError } from '../../platform/errors.js';
import { completeQuery, prepareQuery, type QueryLanguage, runQuery } from '../../query/index.js';
import type { JsonValue } from '../../query/result.js';
import { createQueryRows, type QueryRows } from '../setup/query-rows.js';

const orgId = '00000000-0000-4000-8000-000000000001';
const names = ['__proto__', 'constructor', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', 'prototype'];

/** What is refused for reasons of its own: no place for a free name. */
const refusal =
  /^(QUERY_(SYNTAX|UNKNOWN_TABLE|UNKNOWN_COLUMN|FUNCTION_NOT_ALLOWED|NOT_SUPPORTED|FAILED)|UNKNOWN_DATASET)$/;

/** Texts in which the name is free: each gives one row, which has the value under the name. */
const giving: Record<string, [QueryLanguage, (name: string) => string, (name: string) => JsonValue]> = {
  'a column of KQL': ['KQL', (n) => `print ['${n}'] = 7 | where ['${n}'] == 7`, () => 7],
  'a column that is extended': ['KQL', (n) => `logs | take 1 | extend ['${n}'] = 7 | project ['${n}']`, () => 7],
  'a column of datatable': ['KQL', (n) => `datatable(['${n}']: long) [7]`, () => 7],
  'an aggregate': ['KQL', (n) => `logs | summarize ['${n}'] = count()`, () => 6],
  'a key of groups': ['KQL', (n) => `logs | summarize by ['${n}'] = 7`, () => 7],
  'a range': ['KQL', (n) => `range ['${n}'] from 7 to 7 step 1`, () => 7],
  'a let': ['KQL', (n) => `let ['${n}'] = 7; print ['${n}'] = ['${n}']`, () => 7],
  'a function of a let': ['KQL', (n) => `let ['${n}'] = (x: long) { x + 1 }; print ['${n}'] = ['${n}'](6)`, () => 7],
  'a parameter of a function': [
    'KQL',
    (n) => `let f = (['${n}']: long) { ['${n}'] + 1 }; print ['${n}'] = f(6)`,
    () => 7,
  ],
  'a key of a bag': ['KQL', (n) => `print ['${n}'] = dynamic({"${n}": 7})["${n}"]`, () => 7],
  'a key of a bag, read by a dot': [
    'KQL',
    (n) => `print x = dynamic({"${n}": 7}) | project ['${n}'] = x.${n}`,
    () => 7,
  ],
  'a bag with the name': [
    'KQL',
    (n) => `print ['${n}'] = dynamic({"${n}": 7})`,
    (n) => JSON.parse(`{"${n}":7}`) as JsonValue,
  ],
  'a bag that is packed': [
    'KQL',
    (n) => `print ['${n}'] = pack("${n}", 7)`,
    (n) => JSON.parse(`{"${n}":7}`) as JsonValue,
  ],
  'a bag that is merged': [
    'KQL',
    (n) => `print x = pack("${n}", 7) | summarize ['${n}'] = make_bag(x)`,
    (n) => JSON.parse(`{"${n}":7}`) as JsonValue,
  ],
  'a piece of a text': ['KQL', (n) => `print t = "a=7" | parse t with "a=" ['${n}']: long`, () => 7],
  'an attribute': ['KQL', (n) => `logs | summarize ['${n}'] = countif(isnull(attributes["${n}"]))`, () => 6],
  'an attribute, read by a dot': [
    'KQL',
    (n) => `logs | summarize ['${n}'] = countif(isnull(attributes.${n}))`,
    () => 6,
  ],
  'a column of SQL': ['SQL', (n) => `SELECT 7 AS "${n}" FROM logs LIMIT 1`, () => 7],
  'a table of SQL': ['SQL', (n) => `WITH "${n}" AS (SELECT 7 AS "${n}") SELECT "${n}"."${n}" FROM "${n}"`, () => 7],
  'an attribute in SQL': [
    'SQL',
    (n) => `SELECT count(*) AS "${n}" FROM logs WHERE attributes ->> '${n}' IS NULL`,
    () => 6,
  ],
  'an attribute in LINQ': [
    'LINQ',
    (n) => `from logs where isnull(attributes.${n}) group by host select count() as ${n} where host = "db"`,
    () => 1,
  ],
};

/** Texts in which the name is none that is known, or of something that cannot have it. */
const strange: Record<string, [QueryLanguage, (name: string) => string]> = {
  'a dataset of KQL': ['KQL', (n) => `${n} | take 1`],
  'a dataset in brackets': ['KQL', (n) => `['${n}'] | take 1`],
  'an unknown column': ['KQL', (n) => `logs | where ${n} == 1`],
  'a function': ['KQL', (n) => `print ${n}(1)`],
  'an aggregate function': ['KQL', (n) => `logs | summarize ${n}(host)`],
  'an operator': ['KQL', (n) => `logs | ${n} host`],
  'a kind of join': ['KQL', (n) => `logs | join kind=${n} (logs) on host`],
  'a kind of lookup': ['KQL', (n) => `logs | lookup kind=${n} (logs) on host`],
  'a type of a column': ['KQL', (n) => `datatable(x: ${n}) [1]`],
  'a type of elements': ['KQL', (n) => `print x = dynamic([1]) | mv-expand x to typeof(${n})`],
  'a kind of union': ['KQL', (n) => `union kind=${n} logs, logs`],
  'a kind of parse': ['KQL', (n) => `logs | parse kind=${n} message with "a" x`],
  'a hint': ['KQL', (n) => `logs | join hint.${n}=1 (logs) on host`],
  'a chart': ['KQL', (n) => `logs | summarize count() by host | render ${n}`],
  'a property of a chart': ['KQL', (n) => `logs | summarize count() by host | render piechart with (${n}=1)`],
  'a type': ['KQL', (n) => `print extract("(a)", 1, "a", typeof(${n}))`],
  'a period': ['KQL', (n) => `print datetime_part("${n}", now())`],
  'a period that is added': ['KQL', (n) => `print datetime_add("${n}", 1, now())`],
  'a format': ['KQL', (n) => `print format_datetime(now(), "${n}")`],
  'a group of a regular expression': ['KQL', (n) => `print extract_all(@"(?P<${n}>a)", dynamic(["${n}"]), "a")`],
  'a class of characters': ['KQL', (n) => `print "a" matches regex "[[:${n}:]]"`],
  'an escape': ['KQL', (n) => `print "a" matches regex @"\\p{${n}}"`],
  'a unit of time': ['KQL', (n) => `print 1${n}`],
  'a method': ['KQL', (n) => `logs | where host.${n}("x")`],
  'a set of options': ['KQL', (n) => `set ${n}=1; logs | count`],
  'a dataset of LINQ': ['LINQ', (n) => `from ${n} select 1 as x`],
  'a column of LINQ': ['LINQ', (n) => `from logs where ${n} = 1`],
  'a function of LINQ': ['LINQ', (n) => `from logs select ${n}(host) as x`],
  'a method of LINQ': ['LINQ', (n) => `from logs select host.${n} as x`],
  'an operator of LINQ': ['LINQ', (n) => `from logs where host ${n} "x"`],
  'an aggregate of LINQ': ['LINQ', (n) => `from logs group by host select ${n}(host) as x`],
  'a period of LINQ': ['LINQ', (n) => `from logs group every 1${n} select count() as x`],
  'a period of LINQ alone': ['LINQ', (n) => `from logs group every ${n} select count() as x`],
  'a pragma': ['LINQ', (n) => `from logs pragma ${n}: 1`],
  'an alias of LINQ': ['LINQ', (n) => `from logs select 7 as ${n}`],
  'a dataset of SQL': ['SQL', (n) => `SELECT * FROM ${n}`],
  'a column of SQL that is none': ['SQL', (n) => `SELECT ${n} FROM logs`],
  'a function of SQL': ['SQL', (n) => `SELECT ${n}(host) FROM logs`],
  'a function of SQL in quotes': ['SQL', (n) => `SELECT "${n}"(host) FROM logs`],
  'a type of SQL': ['SQL', (n) => `SELECT host::"${n}" FROM logs`],
  'an interval of SQL': ['SQL', (n) => `SELECT count(*) FROM logs WHERE timestamp > now() - interval '1 ${n}'`],
  'a part of a moment of SQL': ['SQL', (n) => `SELECT date_trunc('${n}', timestamp) FROM logs`],
  'a query of the DSL': ['OPENSEARCH', (n) => `{"query": {"${n}": {"host": "x"}}}`],
  'a field': ['OPENSEARCH', (n) => `{"query": {"term": {"${n}": "x"}}}`],
  'a field below attributes': ['OPENSEARCH', (n) => `{"query": {"term": {"attributes.${n}": "x"}}}`],
  'an option of a query': ['OPENSEARCH', (n) => `{"query": {"term": {"host": {"${n}": "x"}}}}`],
  'a clause of bool': ['OPENSEARCH', (n) => `{"query": {"bool": {"${n}": []}}}`],
  'a part of a search': ['OPENSEARCH', (n) => `{"${n}": {"match_all": {}}}`],
  'a kind of aggregation': ['OPENSEARCH', (n) => `{"aggs": {"a": {"${n}": {"field": "host"}}}}`],
  'an option of an aggregation': ['OPENSEARCH', (n) => `{"aggs": {"a": {"terms": {"field": "host", "${n}": 1}}}}`],
  'a field of an aggregation': ['OPENSEARCH', (n) => `{"aggs": {"a": {"terms": {"field": "${n}"}}}}`],
  'an interval of an aggregation': [
    'OPENSEARCH',
    (n) => `{"aggs": {"a": {"date_histogram": {"field": "timestamp", "calendar_interval": "${n}"}}}}`,
  ],
  'a time zone': [
    'OPENSEARCH',
    (n) =>
      `{"aggs": {"a": {"date_histogram": {"field": "timestamp", "calendar_interval": "day", "time_zone": "${n}"}}}}`,
  ],
  'an order of an aggregation': [
    'OPENSEARCH',
    (n) => `{"aggs": {"a": {"terms": {"field": "host", "order": {"${n}": "asc"}}}}}`,
  ],
  'a field that is sorted by': ['OPENSEARCH', (n) => `{"sort": [{"${n}": "asc"}]}`],
  'a field that is sorted by, alone': ['OPENSEARCH', (n) => `{"sort": "${n}"}`],
  'a field of the source': ['OPENSEARCH', (n) => `{"_source": ["${n}"], "size": 1}`],
  'a format of moments': ['OPENSEARCH', (n) => `{"query": {"range": {"timestamp": {"gte": "now", "format": "${n}"}}}}`],
  'date math': ['OPENSEARCH', (n) => `{"query": {"range": {"timestamp": {"gte": "now-1${n}"}}}}`],
  'a name of an aggregation with children': [
    'OPENSEARCH',
    (n) =>
      `{"size": 0, "aggs": {"${n}": {"terms": {"field": "host"}, "aggs": {"${n}": {"max": {"field": "bytes_in"}}}}}}`,
  ],
};

/** Texts of no harm, in which every table of the languages is looked into. */
const plain: [QueryLanguage, string][] = [
  [
    'KQL',
    'logs | where host has "web" and attributes.n > 1 | summarize n = count(), m = dcount(host) by bin(timestamp, 1h) | order by n desc',
  ],
  [
    'KQL',
    'let f = (x: long) { x + 1 }; print f(1), strcat("a", "b"), datetime_part("day", now()) | render piechart with (title="t")',
  ],
  ['SQL', `SELECT host, count(*) FROM logs WHERE attributes ->> 'n' = '1' GROUP BY host`],
  ['LINQ', 'from logs where host = "web-1" group every 1h by host select count() as n'],
  [
    'OPENSEARCH',
    '{"query": {"term": {"host": "x"}}, "aggs": {"a": {"terms": {"field": "host"}}}, "sort": [{"timestamp": "desc"}]}',
  ],
];

let database: QueryRows;
let before: string[];

beforeAll(async () => {
  database = await createQueryRows();
  before = await preparedPlain();
});
afterAll(() => database?.drop());

const preparedPlain = () =>
  Promise.all(plain.map(async ([language, text]) => JSON.stringify(await prepareQuery({ language, text, datasets }))));

interface Answer {
  columns: string[];
  rows: JsonValue[][];
  aggregations?: JsonValue;
}

/** An answer, or the code of a refusal. Whatever else is thrown fails the test. */
async function ask(language: QueryLanguage, text: string, dataset?: string): Promise<Answer | string> {
  try {
    const query = await prepareQuery({ language, text, datasets, dataset });
    const answer: Answer = { columns: [], rows: [] };
    for await (const batch of runQuery({ postgres: database.pool }, query, { orgId, timeoutMs: 20_000 })) {
      answer.columns = batch.columns.map(({ name }) => name);
      answer.rows.push(...batch.rows);
      if (batch.search?.aggregations !== undefined) answer.aggregations = batch.search.aggregations;
    }
    return answer;
  } catch (error) {
    if (error instanceof HarborwatchError) return error.code;
    throw new Error(`${language} ${text}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}

describe('names that mean something to JavaScript', () => {
  test.each(Object.entries(giving))('%s may have one', async (_, [language, write, value]) => {
    for (const name of names) {
      const text = write(name);
      const answer = await ask(language, text);
      expect.soft([text, answer]).toEqual([text, { columns: expect.arrayContaining([name]), rows: expect.anything() }]);
      if (typeof answer === 'string') continue;
      const row = answer.rows[0]!;
      expect
        .soft([text, JSON.stringify(row[answer.columns.indexOf(name)])])
        .toEqual([text, JSON.stringify(value(name))]);
    }
  });

  test.each(Object.entries(strange))(
    '%s is refused in the product’s words, or is nothing',
    async (_, [language, write]) => {
      for (const name of names) {
        const answer = await ask(language, write(name));
        if (typeof answer === 'string')
          expect.soft([write(name), answer]).toEqual([write(name), expect.stringMatching(refusal)]);
      }
    },
  );

  test('an aggregation of the DSL may have one, at every level', async () => {
    for (const name of names) {
      const text = `{"size": 0, "aggs": {"${name}": {"terms": {"field": "host"}, "aggs": {"${name}": {"max": {"field": "source_port"}}}}}}`;
      const answer = (await ask('OPENSEARCH', text)) as Answer;
      const found = answer.aggregations as Record<string, any>;
      expect.soft([name, Object.keys(found ?? {})]).toEqual([name, [name]]);
      const buckets = found && Object.getOwnPropertyDescriptor(found, name)?.value?.buckets;
      expect.soft([name, buckets?.length]).toEqual([name, 4]);
      for (const bucket of buckets ?? []) expect.soft([name, Object.hasOwn(bucket, name)]).toEqual([name, true]);
    }
  });

  test('a dataset that is searched has none of them', async () => {
    for (const name of names) expect.soft(await ask('OPENSEARCH', '{}', name)).toBe('QUERY_UNKNOWN_TABLE');
  });

  test('completions are given in texts that have them', async () => {
    for (const name of names) {
      for (const language of ['KQL', 'LINQ', 'SQL', 'OPENSEARCH'] as const) {
        for (const text of [`logs | where ${name}`, `from logs where ${name}`, name, `${name}.`]) {
          const found = await completeQuery({ language, text, offset: text.length, datasets });
          expect(Array.isArray(found)).toBe(true);
        }
      }
    }
  });

  test('after all of them the thread answers other texts as before', async () => {
    expect(await preparedPlain()).toEqual(before);
  });
});
