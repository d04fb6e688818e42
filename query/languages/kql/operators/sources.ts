/** What gives rows without a table: `print`, `range`, `datatable` and `materialize()`. */
import { literal, project, rangeRows, values } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr, PlanColumn, ScalarType } from '../../../plan/types.js';
import type { JsonValue } from '../../../result.js';
import { literalOf } from '../literals.js';
import { nameOf, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateSource } from '../translator.js';
import { bound, refuseRowArguments } from './functions.js';
import { typeAt } from './types.js';

/** https://learn.microsoft.com/kusto/query/print-operator: what has no name is `print_` and its number. */
const print: TranslateSource = (node, context) => {
  const names = new Set<string>();
  const kept = (node.lists.Expressions ?? []).map((each, number) => {
    const isNamed = each.kind === 'SimpleNamedExpression';
    const name = isNamed ? nameOf(each.parts.Name)! : `print_${number}`;
    if (names.has(name)) context.fail('QUERY_SYNTAX', each, `A column "${name}" is made twice in this step.`);
    names.add(name);
    return { name, value: context.constant(isNamed ? each.parts.Expression! : each) };
  });
  return project(values([], [[]]), kept);
};

/** https://learn.microsoft.com/kusto/query/range-operator. */
const range: TranslateSource = (node, context) => {
  const { From, To, Step } = node.parts;
  const from = context.constant(From!);
  const to = context.constant(To!);
  const step = context.constant(Step!);
  const types = new Set([from.type, to.type, step.type]);
  const isNumeric = [...types].every((type) => type === 'long' || type === 'real');
  const isTime = from.type === to.type && step.type === 'timespan' && /^(datetime|timespan)$/.test(from.type);
  if (!isNumeric && !isTime) {
    context.fail('QUERY_SYNTAX', node, 'A range goes in numbers, from moment to moment or from timespan to timespan.');
  }
  if (step.kind === 'literal' && (step.value === null || Number(step.value) === 0)) {
    context.fail('QUERY_SYNTAX', Step!, 'The step of a range must lead somewhere.');
  }
  const [first, last, by] = types.has('real') ? [from, to, step].map(asReal) : [from, to, step];
  return rangeRows(nameOf(node.parts.Name)!, first!, last!, by!);
};

function asReal(value: Expr): Expr {
  if (value.type === 'real') return value;
  return value.kind === 'literal'
    ? literal('real', value.value === null ? null : Number(value.value))
    : call('todouble', [value]);
}

/** https://learn.microsoft.com/kusto/query/datatable-operator. */
const datatable: TranslateSource = (node, context) => {
  const columns: PlanColumn[] = (node.parts.Schema?.lists.Columns ?? []).map(({ parts }) => ({
    name: nameOf(parts.Name)!,
    type: typeAt(parts.Type!, context),
  }));
  const cells = node.lists.Values ?? [];
  if (columns.length === 0 || cells.length % columns.length !== 0) {
    context.fail('QUERY_SYNTAX', node, `The values must fill rows of ${columns.length} columns.`);
  }
  const rows: JsonValue[][] = [];
  for (const [number, cell] of cells.entries()) {
    if (number % columns.length === 0) rows.push([]);
    rows.at(-1)!.push(cellValue(cell, columns[number % columns.length]!.type, context));
  }
  return values(columns, rows);
};

/** A literal as a value of its column. Kusto's strings are never null. */
function cellValue(node: SyntaxNode, type: ScalarType, context: Context): JsonValue {
  const isMinus = node.kind === 'UnaryMinusExpression';
  const value = literalOf(isMinus ? node.parts.Expression! : node, context, isMinus);
  if (value?.kind !== 'literal') return context.fail('QUERY_SYNTAX', node, 'A value of a datatable must be a literal.');
  if (value.value === null) return type === 'string' ? '' : null;
  if (value.type === type) return value.value;
  const isNumber = value.type === 'long' || value.type === 'real';
  if (type === 'real' && value.type === 'long') return Number(value.value);
  if (type === 'decimal' && isNumber && /^-?\d+(\.\d+)?$/.test(String(value.value))) return String(value.value);
  if (type === 'dynamic' && (typeof value.value === 'number' || value.type === 'string' || value.type === 'bool')) {
    return value.value;
  }
  return context.fail('QUERY_SYNTAX', node, `The column takes a ${type}, and this is a ${value.type}.`);
}

/** https://learn.microsoft.com/kusto/query/materialize-function: worked out once, however often it is named. */
const materialize: TranslateSource = (node, context) => {
  const plan = context.tabular(node.parts.Expression!);
  refuseRowArguments(plan, node, context);
  return bound('materialized', plan, true, context);
};

export const plainSources: Record<string, TranslateSource> = {
  PrintOperator: print,
  RangeOperator: range,
  DataTableExpression: datatable,
  MaterializeExpression: materialize,
};
