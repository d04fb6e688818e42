/** `serialize`, and the functions of a row's neighbours: https://learn.microsoft.com/kusto/query/window-functions. */
import { literal, window } from '../../../plan/build.js';
import { aggregate, call } from '../../../plan/functions/index.js';
import type { ColumnExpr, Expr, Plan, ScalarType, SortKey } from '../../../plan/types.js';
import { made } from '../apply.js';
import { argumentsOf, ColumnNames, suggestedName } from '../names.js';
import { asSerialized, orderedRows } from '../ordered.js';
import { nameOf, type SyntaxNode } from '../syntax.js';
import type { Context, Rows, TranslateOperator, Windows } from '../translator.js';
import { namesOf, nothing, only, withColumns } from './columns.js';

/** A call of one of the functions; the column that stands for it. */
interface WindowCall {
  node: SyntaxNode;
  args: Expr[];
  windows: Windows;
  context: Context;
}

const functions: Readonly<Record<string, (call: WindowCall) => Expr>> = {
  prev: (each) => neighbour('prev', each),
  next: (each) => neighbour('next', each),
  row_number: (each) => {
    const first = each.args[0] ?? literal('long', 1);
    if (first.type !== 'long') each.context.fail('QUERY_SYNTAX', each.node, 'row_number() starts from a long.');
    const number = added(each, 'row_number', [literal('long', 1)], 'long', partition(each, each.args[1]));
    return call('+', [number, call('-', [first, literal('long', 1)])]);
  },
  row_cumsum: (each) => {
    const { args, type } = aggregate('sum', [argument(each, 0)]);
    return added(each, 'row_cumsum', args, type, partition(each, each.args[1]));
  },
  row_rank_dense: (each) => {
    const { run } = runs(each);
    return run;
  },
  row_rank_min: (each) => {
    const { groups } = runs(each);
    const number = added(each, 'row_number', [literal('long', 1)], 'long', groups.slice(0, -1));
    return added(each, 'min', [number], 'long', groups);
  },
};

/**
 * What stands for a call of prev(), next(), row_number(), row_cumsum(), row_rank_dense() or row_rank_min(); undefined for
 * any other function.
 */
export function windowCall(node: SyntaxNode, rows: Rows, context: Context): Expr | undefined {
  const name = nameOf(node.parts.Name) ?? '';
  const make = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (make === undefined) return undefined;
  const { windows } = rows;
  if (windows === undefined) return context.fail('QUERY_NOT_SUPPORTED', node, `${name}() cannot stand here.`);
  if (orderedRows(windows.input, context) === undefined) {
    context.fail('QUERY_SYNTAX', node, `${name}() needs rows in an order. Sort or serialize them first.`);
  }
  const nodes = argumentsOf(node);
  const args = nodes.map((each) => context.expression(each, rows));
  return made(node, nodes, () => make({ node, args, windows, context }), context);
}

/** The plan without the columns that windows have added to its input. */
export function withoutHidden(plan: Plan, input: Plan, windows: Windows): Plan {
  const own = namesOf(input.columns);
  const hidden = namesOf(windows.input.columns.filter(({ name }) => !own.has(name)));
  return only(
    plan.columns.filter(({ name }) => !hidden.has(name)),
    plan,
  );
}

const serialize: TranslateOperator = (node, input, context) => {
  const ordered = orderedRows(input, context) === undefined ? asSerialized(input) : input;
  const windows: Windows = { input: ordered };
  const rows = { columns: input.columns, windows };
  const names = new ColumnNames(namesOf(input.columns));
  const columns = (node.lists.Expressions ?? []).map((each) => {
    const isNamed = each.kind === 'SimpleNamedExpression';
    const value = context.expression(isNamed ? each.parts.Expression! : each, rows);
    return { name: suggestedName(each) ?? names.free(undefined), value };
  });
  return columns.length === 0 ? ordered : withoutHidden(withColumns(windows.input, columns), input, windows);
};

export const windowOperators: Record<string, TranslateOperator> = { SerializeOperator: serialize };

function argument({ node, args, context }: WindowCall, number: number): Expr {
  return args[number] ?? context.fail('QUERY_SYNTAX', node, 'An argument is missing.');
}

function neighbour(fn: 'prev' | 'next', each: WindowCall): Expr {
  const value = argument(each, 0);
  const offset = each.args[1] ?? literal('long', 1);
  if (offset.kind !== 'literal' || offset.type !== 'long' || Number(offset.value) < 0) {
    return each.context.fail('QUERY_NOT_SUPPORTED', each.node, `The offset of ${fn}() must be a number of rows.`);
  }
  const otherwise = each.args[2] ?? nothing(value.type);
  const fitting = otherwise.type === value.type ? otherwise : widened(otherwise, value.type);
  if (fitting === undefined) {
    return each.context.fail('QUERY_SYNTAX', each.node, `The default of ${fn}() must be a ${value.type}.`);
  }
  return added(each, fn, [value, offset, fitting], value.type, []);
}

const widened = (value: Expr, type: ScalarType): Expr | undefined => {
  if (value.kind === 'literal' && value.value === null) return nothing(type);
  return value.type === 'long' && type === 'real' ? call('todouble', [value]) : undefined;
};

/** The rows since the last one in which `restart` is true are one part, numbered by how often it was. */
function partition(each: WindowCall, restart: Expr | undefined): Expr[] {
  if (restart === undefined || (restart.kind === 'literal' && restart.value === false)) return [];
  if (restart.type !== 'bool') each.context.fail('QUERY_SYNTAX', each.node, 'Where to start again must be a bool.');
  return [added(each, 'row_cumsum', [oneWhere(restart)], 'long', [])];
}

/** The number of a row's run of rows with the same term, from 1; null is a term like any other. */
function runs(each: WindowCall): { run: Expr; groups: Expr[] } {
  const term = argument(each, 0);
  const parts = partition(each, each.args[1]);
  const before = added(each, 'prev', [term, literal('long', 1), nothing(term.type)], term.type, parts);
  const number = added(each, 'row_number', [literal('long', 1)], 'long', parts);
  const isFirst = call('==', [number, literal('long', 1)]);
  const changes = call('coalesce', [call('!=', [term, before]), literal('bool', false)]);
  const run = added(each, 'row_cumsum', [oneWhere(call('or', [isFirst, changes]))], 'long', parts);
  return { run, groups: [...parts, term] };
}

const oneWhere = (condition: Expr): Expr => call('iff', [condition, literal('long', 1), literal('long', 0)]);

/** The rows' numbers, by which all windows of a step order them where several must agree in rows that are alike. */
const ordinals = new WeakMap<Windows, ColumnExpr>();

function added(each: WindowCall, fn: string, args: Expr[], type: ScalarType, partitionBy: Expr[]): ColumnExpr {
  if (partitionBy.length > 0 && !ordinals.has(each.windows)) {
    ordinals.set(each.windows, appended(each, 'row_number', [literal('long', 1)], 'long', []));
  }
  return appended(each, fn, args, type, partitionBy);
}

function appended(
  { windows, context }: WindowCall,
  fn: string,
  args: Expr[],
  type: ScalarType,
  partitionBy: Expr[],
): ColumnExpr {
  const { plan, keys } = orderedRows(windows.input, context)!;
  const ordinal = ordinals.get(windows);
  const orderBy: SortKey[] = ordinal === undefined ? keys : [{ value: ordinal, descending: false, nullsFirst: false }];
  const name = context.hiddenName(fn);
  windows.input = window(plan, { partitionBy, orderBy }, [{ name, fn, args, type }]);
  return { kind: 'column', name, type };
}
