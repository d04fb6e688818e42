/** Every function against a real PostgreSQL: the documentation's examples, nulls, and values that are out of range. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/setup/database.js';
import { column } from '../../../plan/build.js';
import { calendarFunctions } from '../../../plan/functions/calendar.js';
import { CallMismatch, call, functions } from '../../../plan/functions/index.js';
import { strictFunctions } from '../../../plan/functions/strict.js';
import type { Expr, PlanColumn } from '../../../plan/types.js';
import type { JsonValue } from '../../../result.js';
import { type ColumnSql, type Context, compileExpression } from '../compile/expression.js';
import { Parameters } from '../compile/parameters.js';
import { inSession } from '../session.js';
import { resultTypes } from '../values.js';
import { conversionCases } from './cases/conversions.js';
import { dateCases } from './cases/dates.js';
import { dynamicCases } from './cases/dynamics.js';
import { type Case, dynamic, expr, invoke, none } from './cases/kit.js';
import { networkCases } from './cases/networks.js';
import { numberCases } from './cases/numbers.js';
import { operatorCases } from './cases/operators.js';
import { stringCases } from './cases/strings.js';
import { templates } from './index.js';

const orgId = '00000000-0000-4000-8000-000000000001';
let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url('query'), max: 1 });
});
afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

interface Statement {
  text: string;
  values: unknown[];
}

/** The expression in a statement; `columns` are what it can name, and `from` is where they come from. */
function compile(value: Expr, context: Context, columns: Record<string, ColumnSql> = {}): Statement & { sql: string } {
  const parameters = new Parameters();
  const scope = {
    column: (name: string) => columns[name]!,
    parameter: (each: unknown) => parameters.add(each),
    subquery: () => expect.unreachable(),
  };
  const { text: sql, values } = parameters.numbered(compileExpression(value, scope, { context }));
  return { sql, text: `SELECT ${sql}`, values };
}

async function run({ text, values }: Statement): Promise<JsonValue> {
  const query = { text, values, rowMode: 'array' as const, types: resultTypes };
  return inSession(pool, { orgId, timeoutMs: 20_000 }, async (client) => {
    const result = await client.query<[JsonValue]>(query);
    return result.rows[0]![0];
  });
}

const evaluate = (value: Expr, context: Context = 'VALUE'): Promise<JsonValue> => run(compile(value, context));

/** The same call with columns for arguments, of whose values the planner knows nothing; undefined where it needs literals. */
function withColumns(fn: string, args: readonly Expr[]): Statement | undefined {
  const columns = args.map((arg, i): PlanColumn => ({ name: `c${i}`, type: arg.type }));
  let value: Expr;
  try {
    value = call(fn, columns.map(column));
  } catch (error) {
    if (error instanceof CallMismatch) return undefined;
    throw error;
  }
  const known = Object.fromEntries(columns.map(({ name }) => [name, { sql: `s.${name}` }]));
  const { sql, values } = compile(readable(value), 'VALUE', known);
  const sources = args.map((arg, i) => {
    const source = compile(arg, 'VALUE');
    const from = source.sql.replaceAll(/\$(\d+)/g, (_, n: string) => `$${values.length + Number(n)}`);
    values.push(...source.values);
    return `${from} AS c${i}`;
  });
  return { text: `SELECT ${sql} FROM (SELECT ${sources.join(', ') || '1'} OFFSET 0) AS s`, values };
}

/** Timespans are compared by Kusto’s texts of them. */
const readable = (value: Expr): Expr => (value.type === 'timespan' ? iffNotNull(value) : value);
const iffNotNull = (value: Expr): Expr =>
  invoke('iff', invoke('isnull', value), none('dynamic'), invoke('todynamic', value));

const shown = (args: Case[1]): string =>
  args
    .map((arg) => JSON.stringify(expr(arg)))
    .join(' ')
    .replace(/"kind":"literal",/g, '');

/** The functions that an argument calls. */
const namesIn = (arg: Case[1][number]): string[] => {
  const value = expr(arg);
  return value.kind === 'call' ? [value.fn, ...value.args.flatMap(namesIn)] : [];
};

const cases: Record<string, Case[]> = {
  operators: operatorCases,
  conversions: conversionCases,
  numbers: numberCases,
  strings: stringCases,
  dates: dateCases,
  dynamics: dynamicCases,
  networks: networkCases,
};

describe.each(Object.entries(cases))('%s', (_group, rows) => {
  test.each(rows.map((row) => [row[0], shown(row[1]), row] as const))(
    '%s of %s',
    async (_fn, _args, [fn, args, expected]) => {
      const value = invoke(fn, ...args);
      expect(await evaluate(readable(value))).toEqual(expected);
      const statement = withColumns(fn, args.map(expr));
      if (statement !== undefined) expect(await run(statement)).toEqual(expected);
      // A filter may take null for false, and is true exactly where the value is.
      if (value.type === 'bool') expect((await evaluate(value, 'FILTER')) ?? false).toBe(expected ?? false);
    },
  );
});

test('every function has its SQL, and a case here', () => {
  expect(Object.keys(templates).sort()).toEqual(Object.keys(functions).sort());
  const shownElsewhere = [...Object.keys(strictFunctions), ...Object.keys(calendarFunctions)];
  const tried = new Set(
    Object.values(cases).flatMap((rows) => rows.flatMap(([fn, args]) => [fn, ...args.flatMap(namesIn)])),
  );
  const untried = Object.keys(functions).filter((fn) => !tried.has(fn) && !shownElsewhere.includes(fn));
  expect(untried).toEqual([]);
});

test('functions of any number of arguments take hundreds', async () => {
  const figures = Array.from({ length: 500 }, (_, i) => i);
  const names = figures.map((n) => `k${n}`);
  const total = figures.length;
  expect(await evaluate(invoke('strcat', ...figures))).toBe(figures.join(''));
  expect(await evaluate(invoke('strcat_delim', '-', ...names))).toBe(names.join('-'));
  expect(await evaluate(invoke('pack_array', ...figures))).toEqual(figures);
  const bag = Object.fromEntries(names.map((name, n) => [name, n]));
  expect(await evaluate(invoke('bag_pack', ...names.flatMap((name, n) => [name, n])))).toEqual(bag);
  expect(await evaluate(invoke('coalesce', ...names.map(() => ''), 'x'))).toBe('x');
  expect(await evaluate(invoke('coalesce', ...figures.map(() => none('long')), 7))).toBe(7);
  expect(await evaluate(invoke('max_of', ...figures))).toBe(total - 1);
  expect(await evaluate(invoke('min_of', ...names))).toBe('k0');
  const branches = figures.flatMap((n) => [invoke('==', 499, n), n]);
  expect(await evaluate(invoke('case', ...branches, -1))).toBe(499);
  const arrays = figures.map((n) => dynamic([n]));
  expect(await evaluate(invoke('array_concat', ...arrays))).toEqual(figures);
  expect(await evaluate(invoke('bag_merge', ...names.map((name, n) => dynamic({ [name]: n }))))).toEqual(bag);
});

test('whether a comparison is null is asked of the whole comparison', async () => {
  const [a, b] = [none('long'), 1].map(expr) as [Expr, Expr];
  const statement = withColumns('!=', [a, b])!;
  const asked = statement.text.replace(/^SELECT (.*) FROM /, 'SELECT ($1 IS NULL) FROM ');
  expect(await run({ ...statement, text: asked })).toBe(false);
  expect(await evaluate(invoke('isnull', invoke('!=', none('long'), none('long'))))).toBe(true);
});

test('a member of a stored bag has the text of the same value alone', async () => {
  const bag = {
    text: 'a',
    empty: '',
    brace: '{"a": 1}',
    bracket: '[',
    n: 1.5,
    yes: true,
    none: null,
    deep: { n: [7] },
  };
  const all = { ...bag, list: [1, 'a, b', { k: 'x: y' }], bags: { a: [1, 2], 'b, c': null } };
  const stored = column({ name: 'bag', type: 'dynamic' });
  const member = async (...path: (string | number)[]) => {
    const { sql, values } = compile(invoke('tostring', invoke('path', stored, ...path)), 'VALUE', {
      bag: { sql: 's.bag' },
    });
    const text = `SELECT ${sql} FROM (SELECT $${values.length + 1}::jsonb AS bag OFFSET 0) AS s`;
    return run({ text, values: [...values, JSON.stringify(all)] });
  };
  for (const [name, value] of Object.entries(all)) {
    const alone = value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
    expect(await member(name)).toBe(alone);
  }
  expect(await member('deep', 'n', 0)).toBe('7');
  expect(await member('list', -1)).toBe('{"k":"x: y"}');
  expect(await member('absent', 'n')).toBe('');
});

describe('filters on stored columns stay plain comparisons', () => {
  const columns: Record<string, ColumnSql> = {
    EventID: { sql: '"EventID"', stored: 'INTEGER' },
    Account: { sql: '"Account"', nullMeansEmpty: true },
    source_ip: { sql: 'source_ip', stored: 'INET', nullMeansEmpty: true },
    attributes: { sql: 'attributes', nullable: false },
  };
  const EventID = column({ name: 'EventID', type: 'long' });
  const Account = column({ name: 'Account', type: 'string' });
  const address = column({ name: 'source_ip', type: 'string' });
  const role = invoke('path', column({ name: 'attributes', type: 'dynamic' }), 'role');

  test.each([
    [invoke('==', EventID, 4624), '("EventID" = $1::bigint)'],
    [invoke('in', EventID, 4624, 4625), '("EventID" = ANY ($1::bigint[]))'],
    [invoke('between', EventID, 1, 9), '(("EventID" BETWEEN $1::bigint AND $2::bigint))'],
    [invoke('==', Account, 'MORDORDC$'), '("Account" = $1::text)'],
    [invoke('==', Account, ''), `(coalesce("Account", '') = $1::text)`],
    [invoke('!=', Account, 'x'), `(coalesce("Account", '') <> $1::text)`],
    [invoke('in', Account, 'a', 'b'), '("Account" = ANY ($1::text[]))'],
    [invoke('in', Account, 'a', ''), `(coalesce("Account", '') = ANY ($1::text[]))`],
    [invoke('isnotempty', Account), `("Account" <> '')`],
    [invoke('contains', Account, 'adm'), '(strpos(lower("Account"), lower($1::text)) > 0)'],
    [invoke('==', address, '10.0.0.1'), '(source_ip = $1::text::inet)'],
    [invoke('==', address, '10.0.0.01'), `(coalesce(abbrev(source_ip), '') = $1::text)`],
    [invoke('in', address, '10.0.0.1', 'x'), '(source_ip = ANY ($1::inet[]))'],
    [invoke('==', role, 'admin'), '((attributes ->> $1::text) = $2::text)'],
    [
      invoke('and', invoke('==', EventID, 1), invoke('and', invoke('==', EventID, 2), invoke('==', EventID, 3))),
      '(("EventID" = $1::bigint) AND ("EventID" = $2::bigint) AND ("EventID" = $3::bigint))',
    ],
  ])('%#: %j', (value, sql) => {
    expect(compile(value, 'FILTER', columns).sql).toBe(sql);
  });

  test('ten thousand terms are one flat list, in a chain as well as in an array', () => {
    const terms = Array.from({ length: 10_000 }, (_, i) => i);
    const chain = terms.map((n) => invoke('==', EventID, n)).reduce((all, one) => call('or', [all, one]));
    expect(compile(chain, 'FILTER', columns).sql.split(' OR ')).toHaveLength(10_000);
    const { sql, values } = compile(invoke('in', EventID, ...terms), 'FILTER', columns);
    expect([sql, values.length]).toEqual(['("EventID" = ANY ($1::bigint[]))', 1]);
  });
});
