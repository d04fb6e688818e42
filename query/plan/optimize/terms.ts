/** What the rules ask about expressions. */
import type { CallExpr, Expr, NamedExpr } from '../types.js';
import { columnsRead, subexpressions, substitute } from '../walk.js';

export const isCall = (expr: Expr, fn: string): expr is CallExpr => expr.kind === 'call' && expr.fn === fn;

/** How many further parts a replacement may bring into an expression: what is larger is worked out once, where it is. */
const maxGrowth = 64;

/** The operands of nested calls of associative functions, in their order. */
export function operandsIn(fns: readonly string[], exprs: Iterable<Expr>): Expr[] {
  const operands: Expr[] = [];
  const pending = [...exprs].toReversed();
  while (pending.length > 0) {
    const next = pending.pop()!;
    if (next.kind !== 'call' || !fns.includes(next.fn)) operands.push(next);
    else for (const arg of next.args.toReversed()) pending.push(arg);
  }
  return operands;
}

const conjunctions = ['and', 'sql_and'];

/** What must all be true for the predicate to be true: KQL's `and` and SQL's differ only in what is not true. */
export const termsOf = (predicate: Expr): Expr[] => operandsIn(conjunctions, [predicate]);

/** One predicate that is true where all of these are. */
export const allOf = (terms: Expr[]): Expr =>
  terms.length === 1 ? terms[0]! : { kind: 'call', fn: 'and', args: terms, type: 'bool' };

/** Each call gives another value: moving one, or having it twice, would change the answer. */
const volatileFunctions = new Set(['rand', 'new_guid']);

export function isVolatile(expr: Expr): boolean {
  for (const part of subexpressions(expr)) if (part.kind === 'call' && volatileFunctions.has(part.fn)) return true;
  return false;
}

const text = ['has', 'hasprefix', 'hassuffix', 'contains', 'startswith', 'endswith'];
/** What gives a value or a null for every argument, and never an error. Functions that are not here may give one. */
const totalFunctions = new Set([
  ...['and', 'or', 'sql_and', 'sql_or', 'not', '==', '!=', '=', '<>', '<', '<=', '>', '>=', '=~', '!~'],
  ...text.flatMap((fn) => [fn, `!${fn}`, `${fn}_cs`, `!${fn}_cs`]),
  ...['in', '!in', 'in~', '!in~', 'sql_in', 'has_any', 'has_all', 'between', '!between', 'path'],
  ...['isnull', 'isnotnull', 'isempty', 'isnotempty', 'iff', 'case', 'coalesce'],
  ...['tostring', 'tobool', 'tolong', 'toint', 'todouble', 'toreal', 'todatetime', 'totimespan', 'toguid'],
  ...['tolower', 'toupper', 'strlen', 'startofday', 'startofweek', 'startofmonth', 'startofyear'],
]);

/** Whether it can be asked of rows that it was not asked of before. */
export function isTotal(expr: Expr): boolean {
  for (const part of subexpressions(expr)) {
    if (part.kind === 'scalar' || part.kind === 'membership') return false;
    if (part.kind === 'call' && !totalFunctions.has(part.fn)) return false;
  }
  return true;
}

/**
 * The expression over a step's input instead of over the columns that the step makes; undefined where that would have a
 * volatile value worked out again, or a large one twice.
 */
export function overInput(expr: Expr, made: NamedExpr[]): Expr | undefined {
  const read = columnsRead([expr]);
  const used = made.filter(({ name }) => read.has(name));
  if (used.length === 0) return expr;
  if (used.some(({ value }) => isVolatile(value))) return undefined;
  let room = maxGrowth;
  const values = new Map(used.map(({ name, value }) => [name, value]));
  for (const part of subexpressions(expr)) {
    const value = part.kind === 'column' ? values.get(part.name) : undefined;
    if (value === undefined || value.kind === 'column' || value.kind === 'literal') continue;
    room -= subexpressions(value).length;
    if (room < 0) return undefined;
  }
  return substitute(expr, values);
}
