/** Queries whose results are hard to hand over. */
import type { QueryLanguage } from '../../../query/index.js';
import { many } from './attack.js';

const long = 'n'.repeat(500);

export const resultAttacks: [title: string, language: QueryLanguage, text: string][] = [
  ['one text of 100 MB', 'SQL', "SELECT repeat('a', 100000000) AS x"],
  ['one text of 900 MB', 'SQL', "SELECT repeat('a', 900000000) AS x"],
  [
    '60 MB in three texts',
    'SQL',
    "SELECT repeat('a', 20000000) AS x, repeat('b', 20000000) AS y, repeat('c', 20000000) AS z",
  ],
  ['rows of 1 MB', 'SQL', "SELECT repeat('a', 1000000) AS x FROM generate_series(1, 300)"],
  [
    'one list of 100 MB',
    'KQL',
    'range x from 1 to 1000000 step 1 | extend y = strrep("a", 100) | summarize make_list(y)',
  ],
  [
    'one text of a list',
    'KQL',
    'range x from 1 to 1000000 step 1 | extend y = strrep("a", 100) | summarize l = make_list(y) | project strcat_array(l, "")',
  ],
  [
    'one bag of 100 MB',
    'KQL',
    'range x from 1 to 300000 step 1 | extend y = bag_pack(tostring(x), strrep("a", 300)) | summarize make_bag(y)',
  ],
  ['one text by repetition', 'KQL', 'print x = strrep("a", 1024) | extend x = strcat_array(repeat(x, 100000), "")'],
  ['a list by repetition', 'KQL', 'print x = repeat(strrep("a", 1024), 100000)'],
  [
    'a packed row of 100 MB',
    'KQL',
    'print x = pack_array(repeat("aaaaaaaaaa", 5000000), repeat("aaaaaaaaaa", 5000000))',
  ],
  ['1,000 levels', 'KQL', `print parse_json('${'['.repeat(1_001)}${']'.repeat(1_001)}')`],
  [
    '5,000 levels and large figures',
    'KQL',
    `print parse_json('${'['.repeat(5_000)}12345678901234567890${']'.repeat(5_000)}')`,
  ],
  ['5,000 levels', 'SQL', `SELECT '${'{"a":'.repeat(5_000)}12345678901234567890${'}'.repeat(5_000)}'::jsonb`],
  ['5,000 levels, not binary', 'SQL', `SELECT '${'['.repeat(5_000)}${']'.repeat(5_000)}'::json`],
  [
    'lists of lists of PostgreSQL',
    'SQL',
    "SELECT ARRAY[ARRAY[1,2],ARRAY[3,4]], '{}'::int[], '[5:6]={1,2}'::int[], ARRAY['a\"b', NULL, 'NULL', '\\']",
  ],
  ['2,000 columns', 'KQL', `print ${many(2_000, (n) => `c${n} = ${n}`, ', ')}`],
  ['1,664 columns', 'SQL', `SELECT ${many(1_664, (n) => `${n} AS c${n}`, ', ')}`],
  ['1,665 columns', 'SQL', `SELECT ${many(1_665, (n) => `${n} AS c${n}`, ', ')}`],
  ['1,664 columns of LINQ', 'LINQ', `from logs select ${many(1_664, (n) => `${n} as c${n}`, ', ')}`],
  ['1,665 columns of LINQ', 'LINQ', `from logs select ${many(1_665, (n) => `${n} as c${n}`, ', ')}`],
  [
    'names with quotes, ends of lines and pictures',
    'KQL',
    `print ['a"b'] = 1, ["c'd"] = 2, ['e\\nf'] = 3, ['😀'] = 4, ['\\t'] = 5, [' '] = 6, ['"'] = 7, ['$1'] = 8, ['~1'] = 9, ['%s'] = 10, ['\\\\'] = 11`,
  ],
  ['an empty name', 'KQL', "print [''] = 1"],
  [
    'a very long name',
    'KQL',
    `print ['${long}'] = 1, ['${long}x'] = 2 | where ['${long}x'] == 2 | project ['${long}x']`,
  ],
  [
    'names that differ behind their 63rd letter',
    'KQL',
    `logs | extend ${'a'.repeat(63)}1 = 1, ${'a'.repeat(63)}2 = 2 | summarize x = max(${'a'.repeat(63)}1) by ${'a'.repeat(63)}2 | where x == 1`,
  ],
  ['a name of 100,000 letters', 'KQL', `print ['${'n'.repeat(100_000)}'] = 1`],
  [
    'names that differ in case alone',
    'KQL',
    'print a = 1, A = 2 | extend aA = a + A, Aa = a - A | project aA, Aa, a, A',
  ],
  [
    'keywords as names',
    'KQL',
    "print ['select'] = 1, ['where'] = 2, ['by'] = 3, ['let'] = 4, ['null'] = 5, ['true'] = 6, ['order'] = 7, user = 8, ['table'] = 9, ['dynamic'] = 10 | where ['select'] == 1",
  ],
  [
    'names of what stands in generated SQL',
    'KQL',
    'print ordinality = 1, row = 2, value = 3, t = 4, r = 5, s1 = 6, ctid = 7, tableoid = 8, xmin = 9, oid = 10, excluded = 11 | where ctid == 7 and tableoid == 8 | sort by xmin asc | extend rn = row_number() | join kind=inner (print ordinality = 1, ctid = 7) on ordinality, ctid',
  ],
  ['a name twice', 'KQL', 'print a = 1, a = 2'],
  [
    'names of another that comes twice',
    'KQL',
    'print a = 1, a1 = 2, a2 = 3 | join kind=inner (print a = 1, a1 = 2, a2 = 3) on a',
  ],
  ['many names of nothing', 'KQL', 'print 1, 2, Column1 = 3, print_0 = 4 | extend 5, 6'],
  ['a name twice', 'SQL', 'SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS "A", 5 AS ""'],
  ['names twice', 'SQL', 'SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS "A", 5, 6'],
  [
    'names with quotes, ends of lines and pictures',
    'SQL',
    `SELECT 1 AS "a""b", 2 AS "c\nd", 3 AS "😀", 4 AS "'", 5 AS "\\", 6 AS "$1", 7 AS "${long}"`,
  ],
  ['keywords as names', 'SQL', 'SELECT 1 AS "select", 2 AS "where", 3 AS "null", 4 AS user_name, 5 AS ctid'],
  ['names that PostgreSQL cuts to the same', 'SQL', `SELECT 1 AS ${'a'.repeat(63)}1, 2 AS ${'a'.repeat(63)}2`],
  [
    'names with quotes, ends of lines and pictures',
    'LINQ',
    `from logs select 1 as \`a"b\`, 2 as \`c\nd\`, 3 as \`😀\`, 4 as \`'\`, 5 as \`\\\`, 6 as \`$1\`, 7 as \`${long}\`, 8 as \` \``,
  ],
  ['names that differ in case alone', 'LINQ', 'from logs select 1 as a, 2 as A, a + A as aA'],
  ['a name twice', 'LINQ', 'from logs select 1 as a, 2 as a'],
  [
    'keywords as names',
    'LINQ',
    'from logs select 1 as `select`, 2 as `where`, 3 as `from`, 4 as `ctid` where `where` = 2',
  ],
  [
    'strange names of aggregations',
    'OPENSEARCH',
    `{"size": 0, "aggs": {"": {"max": {"field": "bytes_in"}}, "a>b": {"min": {"field": "bytes_in"}}, "c\\nd": {"terms": {"field": "host"}}, "😀\\"": {"terms": {"field": "host"}}, "${long}": {"terms": {"field": "host"}}, "${long}x": {"terms": {"field": "host"}}}}`,
  ],
  [
    'names of aggregations that differ in case alone',
    'OPENSEARCH',
    '{"size": 0, "aggs": {"a": {"max": {"field": "bytes_in"}}, "A": {"min": {"field": "bytes_in"}}}}',
  ],
  [
    'a million hits',
    'OPENSEARCH',
    '{"size": 1000000, "sort": [{"timestamp": "asc"}, {"_id": "asc"}], "_source": ["*", "attributes.*"]}',
  ],
  [
    'patterns of many stars',
    'OPENSEARCH',
    `{"_source": {"includes": ["${'*a'.repeat(60)}b"], "excludes": ["${'*a'.repeat(60)}c", "*", "attributes.*"]}}`,
  ],
];
