/**
 * Functions of a text: `let f = (T: (x: long), n: long = 5) { ... }`. Each call is unfolded where it stands, so a text
 * cannot call itself, and what it grows to is bounded. https://learn.microsoft.com/kusto/query/functions/user-defined-functions
 */
import { column, project } from '../../../plan/build.js';
import { call as makeCall } from '../../../plan/functions/index.js';
import type { Expr, Plan, PlanColumn, ScalarType } from '../../../plan/types.js';
import {
  columnsRead,
  expressionsOf,
  foldExpr,
  inputsOf,
  partsWithin,
  subexpressions,
  substitute,
} from '../../../plan/walk.js';
import { marked } from '../marks.js';
import { argumentsOf } from '../names.js';
import { nameOf, type SyntaxNode } from '../syntax.js';
import type { Binding, Context, Rows } from '../translator.js';
import { kept } from './columns.js';
import { typeAt } from './types.js';

interface Parameter {
  name: string;
  /** A scalar's type, the columns of a table, or any table. */
  takes: ScalarType | PlanColumn[] | 'ANY_TABLE';
  otherwise?: Expr;
}

/** What a `let` statement makes of its name. `context` is what the statement sees. */
export function define(name: string, expression: SyntaxNode, context: Context): Binding {
  if (expression.kind === 'FunctionDeclaration') return functionBinding(name, expression, context);
  if (!context.isTabular(expression)) return { kind: 'scalar', value: context.constant(expression) };
  const plan = context.tabular(expression);
  refuseRowArguments(plan, expression, context);
  // Kusto tells the source of such rows by a number, not by this name.
  return { kind: 'table', plan: marked(bound(name, plan, false, context), { table: undefined }) };
}

/** A relation under a name, to be read any number of times. What hangs on the row of a mv-apply stays in its place. */
export function bound(name: string, plan: Plan, materialized: boolean, context: Context): Plan {
  if (readsOuterRow(plan)) return plan;
  const ref = context.bind(name, plan, materialized);
  return ref.op === 'ref' && plan.op !== 'ref' ? marked(ref, { bound: plan }) : ref;
}

function readsOuterRow(plan: Plan): boolean {
  const pending = new Set([plan]);
  for (const step of pending) {
    if (step.op === 'outer') return true;
    for (const input of step.op === 'lateral' ? [step.input] : inputsOf(step)) pending.add(input);
    for (const expr of expressionsOf(step)) {
      for (const part of subexpressions(expr)) {
        if (part.kind === 'scalar' || part.kind === 'membership') pending.add(part.plan);
      }
    }
  }
  return false;
}

function functionBinding(name: string, declaration: SyntaxNode, context: Context): Binding {
  const parameters = (declaration.parts.Parameters?.lists.Parameters ?? []).map((each) => parameterOf(each, context));
  const body = declaration.parts.Body!;
  const statements = body.lists.Statements ?? [];
  const result = body.parts.Expression;
  if (result === undefined) return context.fail('QUERY_SYNTAX', declaration, 'This function gives nothing.');
  const isTabular = givesTable(result, statements, parameters, context);
  const isView = declaration.parts.ViewKeyword !== undefined;
  return {
    kind: 'function',
    isTabular,
    isView,
    call: (node, rows, caller) => {
      caller.unfold(node);
      if (isTabular && rows !== undefined) {
        return caller.fail('QUERY_SYNTAX', node, 'This function gives a table, and a value is expected.');
      }
      const given = matched(node, parameters, caller);
      const rowArguments: RowArguments = new Map();
      const names = parameters.map((parameter): [string, Binding] => [
        parameter.name,
        argument(node, parameter, given.get(parameter.name), rows, caller, rowArguments),
      ]);
      const inner = context.withNames(names).withStatements(statements);
      if (isTabular) return marked(inner.tabular(result), { table: isView ? name : undefined });
      return inRows(inner.expression(result, { columns: [] }), rowArguments, node, caller);
    },
  };
}

/** Whether a function gives a table, which its body alone tells. */
function givesTable(
  result: SyntaxNode,
  statements: readonly SyntaxNode[],
  parameters: readonly Parameter[],
  context: Context,
): boolean {
  const own = new Map(parameters.map(({ name, takes }) => [name, typeof takes === 'object' || takes === 'ANY_TABLE']));
  const isTable = (node: SyntaxNode): boolean => {
    if (node.kind === 'ParenthesizedExpression') return isTable(node.parts.Expression!);
    const name = node.kind === 'NameReference' || node.kind === 'FunctionCallExpression' ? nameOf(node) : undefined;
    return own.get(name ?? '') ?? context.isTabular(node);
  };
  for (const { parts } of statements) {
    const value = parts.Expression;
    const body = value?.kind === 'FunctionDeclaration' ? value.parts.Body?.parts.Expression : value;
    if (body !== undefined) own.set(nameOf(parts.Name) ?? '', isTable(body));
  }
  return isTable(result);
}

function parameterOf(node: SyntaxNode, context: Context): Parameter {
  const { NameAndType, DefaultValue } = node.parts;
  const name = nameOf(NameAndType!.parts.Name)!;
  const type = NameAndType!.parts.Type!;
  if (type.kind === 'SchemaTypeExpression') {
    const columns = type.lists.Columns ?? [];
    if (columns.length === 1 && columns[0]!.kind === 'StarExpression') return { name, takes: 'ANY_TABLE' };
    return {
      name,
      takes: columns.map(({ parts }) => ({ name: nameOf(parts.Name)!, type: typeAt(parts.Type!, context) })),
    };
  }
  const takes = typeAt(type, context);
  if (DefaultValue === undefined) return { name, takes };
  const value = DefaultValue.parts.Value!;
  return { name, takes, otherwise: fitting(context.constant(value), takes, value, context) };
}

/** The arguments by parameter: in their order, or under their names. */
function matched(node: SyntaxNode, parameters: readonly Parameter[], context: Context): Map<string, SyntaxNode> {
  const given = new Map<string, SyntaxNode>();
  // A function without parameters is called by its name alone, too.
  const args = node.kind === 'FunctionCallExpression' ? argumentsOf(node) : [];
  for (const [number, arg] of args.entries()) {
    const isNamed = arg.kind === 'SimpleNamedExpression';
    const name = isNamed ? nameOf(arg.parts.Name) : parameters[number]?.name;
    if (name === undefined || given.has(name) || !parameters.some((each) => each.name === name)) {
      context.fail('QUERY_SYNTAX', arg, 'The function has no parameter for this argument.');
    }
    given.set(name, isNamed ? arg.parts.Expression! : arg);
  }
  return given;
}

/**
 * Arguments that depend on the caller's row, under the hidden columns that stand for them until the call is unfolded.
 * Tables cannot depend on them: Kusto works those out once for the query.
 */
type RowArguments = Map<string, Expr>;

const purpose = 'row argument';

/** Ends the translation where a table depends on the row for which a function is called. */
export function refuseRowArguments(plan: Plan, node: SyntaxNode, context: Context): void {
  for (const part of partsWithin(plan)) {
    if (!('op' in part) && part.kind === 'column' && part.name.startsWith(`$${purpose}`)) {
      context.fail('QUERY_SYNTAX', node, 'A table cannot depend on the row for which a function is called.');
    }
  }
}

function argument(
  node: SyntaxNode,
  { name, takes, otherwise }: Parameter,
  given: SyntaxNode | undefined,
  rows: Rows | undefined,
  context: Context,
  rowArguments: RowArguments,
): Binding {
  if (typeof takes === 'object' || takes === 'ANY_TABLE') {
    if (given === undefined) return context.fail('QUERY_SYNTAX', node, `The table ${name} is missing.`);
    const table = context.tabular(given);
    refuseRowArguments(table, given, context);
    const visible =
      takes === 'ANY_TABLE' ? table : project(table, kept(takes.map((each) => columnOf(each, table, given, context))));
    return { kind: 'table', plan: bound(name, visible, false, context) };
  }
  if (given === undefined) {
    if (otherwise === undefined) return context.fail('QUERY_SYNTAX', node, `The argument ${name} is missing.`);
    return { kind: 'scalar', value: otherwise };
  }
  const value = fitting(
    rows === undefined ? context.constant(given) : context.expression(given, rows),
    takes,
    given,
    context,
  );
  if (columnsRead([value]).size === 0) return { kind: 'scalar', value };
  const hidden = { name: context.hiddenName(purpose), type: takes };
  rowArguments.set(hidden.name, value);
  return { kind: 'scalar', value: column(hidden) };
}

/** A declared column of a table's parameter, which the table must have. */
function columnOf(declared: PlanColumn, table: Plan, node: SyntaxNode, context: Context): PlanColumn {
  const found = table.columns.find(({ name }) => name === declared.name);
  if (found?.type === declared.type) return found;
  return context.fail(
    found === undefined ? 'QUERY_UNKNOWN_COLUMN' : 'QUERY_SYNTAX',
    node,
    `The function takes a table with a column "${declared.name}" of type ${declared.type}.`,
  );
}

function fitting(value: Expr, type: ScalarType, node: SyntaxNode, context: Context): Expr {
  if (value.type === type) return value;
  if (value.kind === 'literal' && value.value === null) return { ...value, type };
  if (value.type === 'long' && type === 'real') return makeCall('todouble', [value]);
  return context.fail('QUERY_SYNTAX', node, `The function takes a ${type} here, not a ${value.type}.`);
}

/** What the value of one call may come to. */
const maxParts = 20_000;

/** How many parts an expression has, those that stand in it several times counted each time. */
const sizeOf = (expr: Expr): number =>
  foldExpr<number>(expr, (_part, sizes) => sizes.reduce((sum, size) => sum + size, 1));

/** The unfolded body over the caller's row. */
function inRows(value: Expr, rowArguments: RowArguments, node: SyntaxNode, context: Context): Expr {
  const unfolded = rowArguments.size === 0 ? value : substitute(value, rowArguments);
  if (sizeOf(unfolded) > maxParts) {
    context.fail('QUERY_NOT_SUPPORTED', node, `This call unfolds to more than ${maxParts} parts.`);
  }
  if (rowArguments.size > 0) {
    for (const part of subexpressions(value)) {
      if (part.kind === 'scalar' || part.kind === 'membership') refuseRowArguments(part.plan, node, context);
    }
  }
  return unfolded;
}
