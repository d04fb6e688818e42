/** `search`: https://learn.microsoft.com/kusto/query/search-operator. */
import { column, filter, literal, union } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import { CallMismatch } from '../../../plan/functions/signatures.js';
import type { Expr, Plan, PlanColumn } from '../../../plan/types.js';
import { rewriteExpr } from '../../../plan/walk.js';
import { literalOf } from '../literals.js';
import { namedParameters, nameOf, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateOperator, TranslateSource } from '../translator.js';
import { columnAt } from './columns.js';
import { tokenValue } from './parameters.js';
import { allColumns, allTables, type Leg, legsOf, refuseOverlaps, unite } from './tables.js';

/** The column that tells the table of each row. */
const tableColumn = '$table';

function translate(node: SyntaxNode, input: Plan | undefined, context: Context): Plan {
  let isCaseSensitive = false;
  for (const [name, value] of namedParameters(node)) {
    if (name === 'kind') isCaseSensitive = tokenValue(value) === 'case_sensitive';
    else context.fail('QUERY_NOT_SUPPORTED', value, `${name} is not known here.`);
  }
  const condition = node.parts.Condition!;
  const legs = searched(node, input, context);
  const columns = allColumns(legs, [tableColumn]);
  const reads = readsOf(condition, new Set(columns.map(({ name }) => name)));
  const found = legs.flatMap((leg) => {
    const names = new Set(leg.plan.columns.map(({ name }) => name));
    // A table with none of the columns that are asked for is not searched.
    if (!reads.all && !columns.some(({ name, from }) => reads.names.has(name) && names.has(from))) return [];
    const rows = unite([leg], columns, tableColumn);
    const own = columns.filter(({ from, type }) =>
      leg.plan.columns.some((each) => each.name === from && each.type === type),
    );
    return [filter(rows, predicateOf(condition, { columns, own, isCaseSensitive, context }))];
  });
  return union(found);
}

const search: TranslateOperator = (node, input, context) => translate(node, input, context);
const searchSource: TranslateSource = (node, context) => translate(node, undefined, context);

export const searchOperators = { SearchOperator: search };
export const searchSources = { SearchOperator: searchSource };

function searched(node: SyntaxNode, input: Plan | undefined, context: Context): Leg[] {
  const nodes = node.parts.InClause?.lists.Expressions;
  if (nodes === undefined) return input === undefined ? allTables(node, context) : legsOf([], context, { input });
  if (input !== undefined) {
    context.fail('QUERY_SYNTAX', node, 'search takes the table before the bar or those in brackets, not both.');
  }
  const legs = legsOf(nodes, context);
  refuseOverlaps(nodes, legs, context);
  return legs;
}

/** The columns that a condition names; `all` where it has a term, which is looked for in every column. */
function readsOf(condition: SyntaxNode, columns: ReadonlySet<string>): { all: boolean; names: Set<string> } {
  const names = new Set<string>();
  let all = false;
  const pending: { node: SyntaxNode; isOperand: boolean }[] = [{ node: condition, isOperand: true }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, isOperand } = next;
    if ((isOperand && (isTerm(node) || isStar(node))) || isStar(node.parts.Left)) all = true;
    const name = node.kind === 'NameReference' ? nameOf(node) : undefined;
    if (name !== undefined && columns.has(name)) names.add(name);
    const areOperands = connectives.has(node.kind);
    for (const part of Object.values(node.parts)) pending.push({ node: part, isOperand: areOperands });
    for (const part of Object.values(node.lists).flat()) pending.push({ node: part, isOperand: false });
  }
  return { all: all || names.size === 0, names };
}

const connectives = new Set(['AndExpression', 'OrExpression', 'ParenthesizedExpression']);
const isTerm = ({ kind }: SyntaxNode): boolean =>
  kind === 'StringLiteralExpression' || kind === 'CompoundStringLiteralExpression';
const isStar = (node: SyntaxNode | undefined): boolean =>
  node?.kind === 'StarExpression' || (node?.kind === 'NameReference' && node.parts.Name?.parts.Pattern?.text === '*');

interface Searched {
  /** The columns of all tables. */
  columns: readonly PlanColumn[];
  /** Those that this table has. */
  own: readonly PlanColumn[];
  isCaseSensitive: boolean;
  context: Context;
}

function predicateOf(node: SyntaxNode, where: Searched): Expr {
  const { context, columns } = where;
  const { Left, Operator, Right, Expression } = node.parts;
  if (isStar(node)) return literal('bool', true);
  if (node.kind === 'ParenthesizedExpression') return predicateOf(Expression!, where);
  if (node.kind === 'AndExpression' || node.kind === 'OrExpression') {
    const operands = chained(node).map((each) => predicateOf(each, where));
    return call(node.kind === 'AndExpression' ? 'and' : 'or', operands);
  }
  if (isTerm(node)) return anywhere(node, where);
  if (node.kind === 'SearchExpression') {
    return isStar(Left) ? anywhere(Right!, where) : term(columnAt(Left!, columns, context), Right!, where);
  }
  if (isStar(Left) && Right !== undefined) {
    const text = literal('string', textOf(Right, context));
    const holds = (of: PlanColumn): Expr => made(node, context, () => call(Operator!.text, [textIn(of), text]));
    return inCase(either(where.own.map(holds)), node, where);
  }
  const value = context.expression(node, { columns });
  if (value.type === 'bool') return inCase(value, node, where);
  return context.fail('QUERY_SYNTAX', node, `A condition is true or false, and this is a ${value.type}.`);
}

/** The operands of a chain of the same connective, however long it is. */
function chained(chain: SyntaxNode): SyntaxNode[] {
  const operands: SyntaxNode[] = [];
  const pending = [chain];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === chain.kind) pending.push(next.parts.Right!, next.parts.Left!);
    else operands.push(next);
  }
  return operands;
}

const anywhere = (node: SyntaxNode, where: Searched): Expr => either(where.own.map((each) => term(each, node, where)));

function either(conditions: Expr[]): Expr {
  if (conditions.length === 0) return literal('bool', false);
  return conditions.length === 1 ? conditions[0]! : call('or', conditions);
}

const textIn = (of: PlanColumn): Expr => (of.type === 'string' ? column(of) : call('tostring', [column(of)]));

function textOf(node: SyntaxNode, context: Context): string {
  const value = literalOf(node, context);
  if (value?.kind === 'literal' && value.type === 'string') return value.value as string;
  return context.fail('QUERY_SYNTAX', node, 'What is searched for is a text in quotes.');
}

/** Whether a column holds a term, which may have wildcards. */
function term(of: PlanColumn, node: SyntaxNode, { isCaseSensitive, context }: Searched): Expr {
  const text = textOf(node, context);
  const from = text.startsWith('*');
  const to = text.length > 1 && text.endsWith('*');
  const inner = text.slice(from ? 1 : 0, to ? -1 : undefined);
  if (inner === '') return literal('bool', true);
  if (!inner.includes('*')) {
    const operator = from && to ? 'contains' : from ? 'hassuffix' : to ? 'hasprefix' : 'has';
    return call(isCaseSensitive ? `${operator}_cs` : operator, [textIn(of), literal('string', inner)]);
  }
  const parts = inner.split(/\*+/).map((part) => part.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&'));
  const pattern = `${isCaseSensitive ? '' : '(?i)'}${from ? '' : '\\b'}${parts.join('.*')}${to ? '' : '\\b'}`;
  return made(node, context, () => call('matches regex', [textIn(of), literal('string', pattern)]));
}

function made(node: SyntaxNode, context: Context, make: () => Expr): Expr {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof CallMismatch)) throw error;
    return context.fail('QUERY_SYNTAX', node, error.message);
  }
}

/** Operators that hold upper and lower case alike, and those that do not. */
const sensitiveForms: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['has', 'hasprefix', 'hassuffix', 'contains', 'startswith', 'endswith'].flatMap((each) => [
      [each, `${each}_cs`],
      [`!${each}`, `!${each}_cs`],
    ]),
  ),
  '=~': '==',
  '!~': '!=',
  'in~': 'in',
  '!in~': '!in',
};

/** The condition with upper and lower case apart where the search is of that kind. */
function inCase(condition: Expr, node: SyntaxNode, { isCaseSensitive, context }: Searched): Expr {
  if (!isCaseSensitive) return condition;
  return rewriteExpr(condition, (part) => {
    if (part.kind !== 'call') return part;
    if (part.fn === 'has_any' || part.fn === 'has_all') {
      context.fail('QUERY_NOT_SUPPORTED', node, `${part.fn} holds upper and lower case alike. Use has_cs.`);
    }
    const fn = sensitiveForms[part.fn];
    return fn === undefined ? part : call(fn, part.args);
  });
}
