/** Kusto's own checks of names and types, which are too slow to ask at each text, against those of the translation. */
import { expect, test } from 'vitest';
import { datasets as declared } from '../../../datasets/index.js';
import { HarborwatchError } from '../../../platform/errors.js';
import { readCases } from '../../../tests/query/harness/cases.js';
import { Random } from '../../../tests/query/random/random.js';
import { loadKusto } from './kusto.js';
import { prepareKql } from './prepare.js';
import { kustoGlobals } from './symbols.js';

const datasets = [...declared];
const kusto = loadKusto();

const refusedByKusto = (text: string) =>
  kusto
    .toArray(kusto.language.KustoCode.ParseAndAnalyze(text, kustoGlobals(datasets)).GetDiagnostics())
    .find(({ Severity }) => Severity === 'Error');

function isRefused(text: string): boolean {
  try {
    prepareKql(text, datasets);
    return false;
  } catch (error) {
    if (error instanceof HarborwatchError) return true;
    throw new Error(`${text}\nends with what its author must not see: ${error}`);
  }
}

const table = '(datatable(a:long, s:string, t:datetime, d:dynamic, r:real)[])';
/** `T` stands for a table. */
const wrong = `
T | project a, a
T | project a = 1, a
T | project a, a = 1
T | extend a, a
T | extend a = 1, a = 2
T | summarize count() by a, a
T | summarize a = count() by a
T | distinct a, a
T | project-away zz
T | project-rename b = zz
T | mv-expand zz = d to typeof(nosuch)
T | parse s with "x" b:nosuch
T | make-series n = count() on s step 1h
T | where 5
T | where strcat('a')
T | where a and s == 'x'
T | sort by zz
T | take 'a'
T | extend x = bin(s, 1)
T | extend x = bin(t, 1)
T | extend x = case(a, 1, 2)
T | where a between (1 .. 's')
T | where t > 1
T | where long(null) has 'x'
T | where s matches regex a
T | where a has 'x'
T | extend x = s + s
T | extend x = 5 - datetime(null)
T | extend x = -s
T | extend x = a.b
T | summarize a
T | summarize sum(s)
T | summarize sum(count())
T | summarize max(d)
T | summarize count() by d
T | where count() > 1
T | extend x = sum(a)
T | join T on zz
T | join kind=foo T on a
T | join T on $left.a == $right.s
T | join kind=inner (print a = 's') on a
T | lookup kind=rightouter T on a
T | union nosuch
T | union kind=foo T
T | render foo
T | search in (nosuch) 'x'
T | sort by a | extend x = row_cumsum(s)
range x from 1 to 's' step 1
print strlen('a', 'b')
print substring('abc', 's')
print datetime_add('foo', 1, now())
print format_datetime(1, 'yyyy')
print ago(1)
print pow('a', 2)
print pack_array()
print coalesce(1, 's')
print 5 / 1h
let x = 5; T | where x
let x = T; print x
let x = T; let x = 5; x
let f = (a:long) { a + zz }; print f(1)
let f = (a:long) { a }; print f(1, 2)
let f = (t:(a:long)) { t | take 1 }; f(print b = 1)
let f = () { T }; f() | where zz == 1
let y = T | where zz == 1; print 1
datatable(a:long, b:long)[1]
T | mv-apply d on (summarize count() by zz)`
  .trim()
  .split('\n')
  .map((line) => line.replace(/\bT\b/g, table));

test.each(wrong)('%s', (text) => {
  expect([refusedByKusto(text)?.Message === undefined, isRefused(text)]).toEqual([false, true]);
});

const words =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+\([^()]*\)|[A-Za-z_]\w*|\d+(?:\.\d+)?|[=!<>~]+|[-+*/%|,;()[\]{}.:@]/g;
const values = [
  ...["'a'", '5', '1.5', 'true', 'datetime(2024-01-01)', '1h', 'dynamic([1])', 'long(null)', 'datetime(null)', 'now()'],
  ...['count()', 'sum(1)', '*', 'logs', 'x', 'host', "strlen('a')", 'n = 1', 'toscalar(print 1)', '-1', '""'],
];

/** The text with a word left out, replaced by another or by a value, or with a value behind it. */
function spoiled(text: string, random: Random): string {
  const found = [...text.matchAll(words)];
  if (found.length === 0) return text;
  const { 0: word, index } = random.one(found);
  const instead = random.one(['', random.one(found)[0], random.one(values), `${word}, ${random.one(values)}`]);
  return text.slice(0, index) + instead + text.slice(index + word.length);
}

/**
 * Kusto asks for an argument of one type where others are converted here: a dynamic becomes what the function takes, as
 * with Kusto's own conversion of it, and the documentation gives make_timespan() seconds with a fraction.
 */
const converted = new Set(['KS107', 'KS134', 'KS137', 'KS138', 'KS141']);
/** Kusto also reads the bodies of functions that nothing calls, and orders no GUIDs. */
const lenient = /guid and guid/;

const count = process.env.HARBORWATCH_DEEP ? 20_000 : 600;

test(`of ${count} spoiled texts none is answered that Kusto refuses`, () => {
  const texts = readCases('kql').map(({ query }) => query);
  const random = new Random(Number(process.env.HARBORWATCH_SEED ?? 1));
  const answered: string[] = [];
  for (let n = 0; n < count; n++) {
    const text = spoiled(random.one(texts), random);
    if (isRefused(text)) continue;
    const problem = refusedByKusto(text);
    if (problem === undefined || converted.has(problem.Code) || lenient.test(problem.Message)) continue;
    answered.push(`${text}\n  ${problem.Code} ${problem.Message}`);
  }
  expect(answered).toEqual([]);
}, 600_000);
