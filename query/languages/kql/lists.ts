/** `in`, `has_any` and their like: a value against a list, a dynamic array or a table. */
import { column, literal, project, summarize } from '../../plan/build.js';
import { aggregate, call, convertedTo } from '../../plan/functions/index.js';
import type { Expr, Plan, PlanColumn } from '../../plan/types.js';
import type { JsonValue } from '../../result.js';
import { made } from './apply.js';
import type { SyntaxNode } from './syntax.js';
import type { Context, Rows } from './translator.js';

/** in, !in, in~, !in~ */
export function inList(node: SyntaxNode, rows: Rows, context: Context): Expr {
  const { Left, Operator, Right } = node.parts;
  const operator = Operator!.text.toLowerCase();
  const items = Right!.lists.Expressions!;
  const value = context.expression(Left!, rows);
  const table = items.length === 1 && context.isTabular(items[0]!) ? context.tabular(items[0]!) : undefined;
  if (table === undefined) {
    const values = listed(items, rows, context);
    return made(node, [Left!, ...items], () => call(operator, [value, ...values]), context);
  }
  const membership: Expr = {
    kind: 'membership',
    value,
    plan: comparableColumn(table, value, items[0]!, context),
    ignoreCase: operator.endsWith('~'),
    type: 'bool',
  };
  return operator.startsWith('!') ? call('not', [membership]) : membership;
}

/** The first column of a table, which is what counts, as the type of the value that is looked for. */
function comparableColumn(table: Plan, value: Expr, node: SyntaxNode, context: Context): Plan {
  const first = firstColumn(table, node, context);
  if (first.type === value.type) return table.columns.length === 1 ? table : project(table, [named(first)]);
  if (value.type === 'dynamic' || (first.type !== 'dynamic' && !(isNumber(first) && isNumber(value)))) {
    context.fail('QUERY_SYNTAX', node, `The values of this table are ${first.type}, and ${value.type} is looked for.`);
  }
  return project(table, [{ name: first.name, value: convertedTo(value.type, column(first)) }]);
}

const isNumber = ({ type }: { type: string }): boolean => type === 'long' || type === 'real' || type === 'decimal';
const named = (of: PlanColumn) => ({ name: of.name, value: column(of) });

function firstColumn(table: Plan, node: SyntaxNode, context: Context): PlanColumn {
  return table.columns[0] ?? context.fail('QUERY_SYNTAX', node, 'This table has no column.');
}

/** has_any, has_all */
export function hasAny(node: SyntaxNode, rows: Rows, context: Context): Expr {
  const { Left, Operator, Right } = node.parts;
  const items = Right!.lists.Expressions!;
  const value = context.expression(Left!, rows);
  const terms =
    items.length === 1 && context.isTabular(items[0]!)
      ? [arrayOf(context.tabular(items[0]!), items[0]!, context)]
      : listed(items, rows, context);
  return made(node, [Left!, ...items], () => call(Operator!.text.toLowerCase(), [value, ...terms]), context);
}

/** The different values of a table's first column, as an array. */
function arrayOf(table: Plan, node: SyntaxNode, context: Context): Expr {
  const first = firstColumn(table, node, context);
  const { fn, args, type } = aggregate('make_set', [column(first)]);
  const plan = summarize(table, [], [{ kind: 'aggregate', name: context.hiddenName('set'), fn, args, type }]);
  return { kind: 'scalar', plan, type };
}

/** The values of a list; an array that the text spells out stands for its elements. */
function listed(items: SyntaxNode[], rows: Rows, context: Context): Expr[] {
  return items.flatMap((item) => {
    const value = context.expression(item, rows);
    return value.kind === 'literal' && value.type === 'dynamic' && Array.isArray(value.value)
      ? value.value.map((element) => elementLiteral(element))
      : [value];
  });
}

function elementLiteral(element: JsonValue): Expr {
  if (typeof element === 'string') return literal('string', element);
  if (typeof element === 'boolean') return literal('bool', element);
  if (typeof element === 'number') return literal(Number.isSafeInteger(element) ? 'long' : 'real', element);
  return literal('dynamic', element);
}
