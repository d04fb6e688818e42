import { expect, test } from 'vitest';
import { distinct, extend, filter, join, limit, project, sort, summarize, union, window } from '../build.js';
import type { Expr, Plan } from '../types.js';
import { pruneColumns } from './columns.js';
import { col, count, descending, fn, is, keep, logs, named, of, printed, text } from './samples.js';

const pruned = (plan: Plan) => printed(pruneColumns(plan));

test('a scan gives what is read of it, and nothing is made for nobody', () => {
  const made = extend(filter(logs(), is(col('host'), text('a'))), [
    named('x', fn('tolower', col('severity'))),
    named('y', col('bytes_in')),
  ]);
  const ranked = window(made, { partitionBy: [], orderBy: [descending(col('bytes_in'))] }, [
    { name: 'n', fn: 'row_number', args: [], type: 'long' },
  ]);
  expect(pruned(project(limit(sort(ranked, [descending(col('timestamp'))]), 3), keep('y')))).toBe(`
project y
  limit 3
    sort by timestamp desc nulls last
      extend y = bytes_in
        filter host == "a"
          scan logs [timestamp, host, bytes_in]
`);
});

test('one column stays where only the rows count', () => {
  expect(pruned(summarize(logs(), [], [count('n')]))).toBe(`
summarize n = count()
  scan logs [timestamp]
`);
});

test('aggregates that nobody reads go, their keys and the columns of a distinct stay', () => {
  const grouped = summarize(logs(), keep('host'), [count('n'), of('m', 'max', col('bytes_in'))]);
  expect(pruned(project(grouped, keep('n')))).toBe(`
project n
  summarize n = count() by host
    scan logs [host]
`);
  const different = project(distinct(logs('host', 'severity')), keep('host'));
  expect(pruneColumns(different)).toBe(different);
});

test('the inputs of a union keep the same columns, the sides of a join those of their keys', () => {
  expect(pruned(project(union([filter(logs(), is(col('host'), text('a'))), logs()]), keep('severity')))).toBe(`
project severity
  union
    project severity
      filter host == "a"
        scan logs [severity, host]
    scan logs [severity]
`);
  const right = project(logs(), [named('other', col('host')), named('n', col('bytes_in'))]);
  const on = [{ left: col('host'), right: { kind: 'column', name: 'other', type: 'string' } as Expr }];
  expect(pruned(project(join('INNER', logs(), right, on), keep('severity')))).toBe(`
project severity
  join inner on host == other
    scan logs [severity, host]
    project other = host
      scan logs [host]
`);
});

test('a relation that is named gives what any of its users reads', () => {
  const ref: Plan = { op: 'ref', name: 'T', columns: logs().columns };
  const body = union([project(ref, keep('host')), project(filter(ref, is(col('severity'), text('a'))), keep('host'))]);
  const bindings = [{ name: 'T', plan: distinct(limit(logs(), 10)), materialized: true }];
  const plain = [{ name: 'T', plan: limit(logs(), 10), materialized: true }];
  expect(pruned({ op: 'with', columns: body.columns, bindings: plain, body })).toBe(`
with materialized T
  T: limit 10
    scan logs [severity, host]
  union
    project host
      ref T
    project host
      filter severity == "a"
        ref T
`);
  expect(pruned({ op: 'with', columns: body.columns, bindings, body })).toContain(
    'scan logs [timestamp, severity, host, bytes_in]',
  );
});
