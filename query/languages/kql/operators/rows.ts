/** Steps that choose, order and widen rows: `where`, `extend`, `project`, `sort`, `top`, `take`. */
import { filter, limit, literal, project, sort } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr, NamedExpr, Plan, SortKey } from '../../../plan/types.js';
import { ColumnNames, suggestedName } from '../names.js';
import { nameOf, type SyntaxNode } from '../syntax.js';
import type { Context, Rows, TranslateOperator, Windows } from '../translator.js';
import { namesOf, withColumns } from './columns.js';
import { withoutHidden } from './windows.js';

/** https://learn.microsoft.com/kusto/query/where-operator */
const where: TranslateOperator = (node, input, context) => {
  const windows: Windows = { input };
  const condition = node.parts.Condition!;
  const predicate = predicateOf(condition, { columns: input.columns, windows }, context);
  return withoutHidden(filter(windows.input, predicate), input, windows);
};

/** An expression that must be true or false. */
function predicateOf(node: SyntaxNode, rows: Rows, context: Context): Expr {
  const value = context.expression(node, rows);
  if (value.type === 'bool') return value;
  return context.fail('QUERY_SYNTAX', node, `A condition is true or false, and this is a ${value.type}.`);
}

/** A column as the text writes it: its name where it has one, and its expression. */
interface Written {
  node: SyntaxNode;
  given: string | undefined;
  value: Expr;
}

/** https://learn.microsoft.com/kusto/query/extend-operator: a name that is taken is that column's from here on. */
const extend: TranslateOperator = (node, input, context) => {
  const windows: Windows = { input };
  const before = namesOf(input.columns);
  const names = new ColumnNames(before);
  const added = new Map<string, Expr>();
  for (const each of written(node, { columns: input.columns, windows }, names, context)) {
    const suggested = suggestedName(each.node);
    const isOld = suggested !== undefined && before.has(suggested);
    if (each.given === undefined && isOld && added.has(suggested)) madeTwice(each.node, context);
    added.set(each.given ?? (isOld ? suggested : names.free(suggested)), each.value);
  }
  const made = withColumns(
    windows.input,
    [...added].map(([name, value]): NamedExpr => ({ name, value })),
  );
  return withoutHidden(made, input, windows);
};

/** https://learn.microsoft.com/kusto/query/project-operator */
const projectColumns: TranslateOperator = (node, input, context) => {
  const windows: Windows = { input };
  const names = new ColumnNames();
  const kept: NamedExpr[] = [];
  for (const { node: each, given, value } of written(node, { columns: input.columns, windows }, names, context)) {
    kept.push({ name: given ?? names.ofUnnamed(each) ?? madeTwice(each, context), value });
  }
  return project(windows.input, kept);
};

export function madeTwice(node: SyntaxNode, context: Context): never {
  const name = suggestedName(node) ?? '';
  return context.fail('QUERY_SYNTAX', node, `A column "${name}" is made twice in this step.`);
}

function* written(node: SyntaxNode, rows: Rows, names: ColumnNames, context: Context): Generator<Written, void> {
  for (const each of node.lists.Expressions!) {
    if (each.kind === 'CompoundNamedExpression') {
      context.fail('QUERY_NOT_SUPPORTED', each, 'Several names for one expression are for aggregates alone.');
    }
    const given = each.kind === 'SimpleNamedExpression' ? nameOf(each.parts.Name)! : undefined;
    if (given !== undefined && !names.take(given)) {
      madeTwice(each, context);
    }
    yield { node: each, given, value: context.expression(given === undefined ? each : each.parts.Expression!, rows) };
  }
}

/** https://learn.microsoft.com/kusto/query/sort-operator */
const sortRows: TranslateOperator = (node, input, context) =>
  sort(input, sortKeys(node.lists.Expressions!, input, context));

/** Descending where nothing is said; nulls are the least values. */
function sortKeys(nodes: readonly SyntaxNode[], input: Plan, context: Context): SortKey[] {
  return nodes.flatMap((node) => {
    const ordering = node.kind === 'OrderedExpression' ? node.parts.Ordering : undefined;
    const of = ordering === undefined ? node : node.parts.Expression!;
    const value = context.expression(of, { columns: input.columns });
    if (value.type === 'dynamic') {
      context.fail('QUERY_SYNTAX', of, 'A dynamic has no order. Make a column of it, as with tostring() or tolong().');
    }
    const order = ordering?.parts.AscOrDescKeyword;
    if (order?.kind.startsWith('Granny')) {
      context.fail('QUERY_NOT_SUPPORTED', order, `${order.text} orders columns in project-reorder alone.`);
    }
    const descending = order?.kind !== 'AscKeyword';
    const nulls = ordering?.parts.NullsClause?.parts.FirstOrLastKeyword?.kind;
    const nullsFirst = nulls === undefined ? !descending : nulls === 'FirstKeyword';
    const key = { value, descending, nullsFirst };
    return mayBeNaN(value, input) ? [{ value: sortClass(value), descending: !nullsFirst, nullsFirst }, key] : [key];
  });
}

/** NaN stands between the nulls and the numbers, at whichever end the nulls are. */
const sortClass = (value: Expr): Expr =>
  call('case', [
    call('isnull', [value]),
    literal('long', 0),
    call('isnan', [value]),
    literal('long', 1),
    literal('long', 2),
  ]);

/** Events are JSON, which has no NaN: their own columns are sorted by themselves, so that engines can use an index. */
function mayBeNaN(value: Expr, input: Plan): boolean {
  if (value.type !== 'real') return false;
  if (value.kind === 'literal') return typeof value.value === 'string';
  if (value.kind !== 'column') return true;
  switch (input.op) {
    case 'scan':
      return false;
    case 'filter':
    case 'sort':
    case 'limit':
      return mayBeNaN(value, input.input);
    case 'extend':
    case 'project': {
      const made = input.op === 'extend' ? input.added : input.kept;
      const source = made.find(({ name }) => name === value.name);
      return source === undefined ? mayBeNaN(value, input.input) : mayBeNaN(source.value, input.input);
    }
    default:
      return true;
  }
}

/** https://learn.microsoft.com/kusto/query/top-operator */
const top: TranslateOperator = (node, input, context) =>
  limit(sort(input, sortKeys([node.parts.ByExpression!], input, context)), rowCount(node.parts.Expression!, context));

/** https://learn.microsoft.com/kusto/query/take-operator */
const take: TranslateOperator = (node, input, context) => limit(input, rowCount(node.parts.Expression!, context));

/** A number of rows, which the text gives. */
function rowCount(node: SyntaxNode, context: Context): number {
  const value = context.constant(node);
  const count = value.kind === 'literal' && value.type === 'long' ? Number(value.value ?? -1) : -1;
  if (Number.isSafeInteger(count) && count >= 0) return count;
  return context.fail('QUERY_SYNTAX', node, 'The number of rows is a whole number from 0 that the text gives.');
}

export const rowOperators: Record<string, TranslateOperator> = {
  FilterOperator: where,
  ExtendOperator: extend,
  ProjectOperator: projectColumns,
  SortOperator: sortRows,
  TopOperator: top,
  TakeOperator: take,
};
