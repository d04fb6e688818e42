/** Plans and expressions in few words, for tests. */
import type { JsonValue } from '../../result.js';
import { column, literal, scan } from '../build.js';
import { aggregate, call } from '../functions/index.js';
import { printPlan } from '../print.js';
import type { Aggregate, Expr, NamedExpr, Plan, PlanColumn, SortKey } from '../types.js';

export const logColumns: PlanColumn[] = [
  { name: 'timestamp', type: 'datetime' },
  { name: 'severity', type: 'string' },
  { name: 'host', type: 'string' },
  { name: 'bytes_in', type: 'long' },
];

/** A scan of `logs`, of all or some of its columns. */
export const logs = (...names: string[]): Plan =>
  scan({
    dataset: 'logs',
    timeColumn: 'timestamp',
    nullStrings: false,
    columns: names.length === 0 ? logColumns : logColumns.filter(({ name }) => names.includes(name)),
  });

export const text = (value: JsonValue): Expr => literal('string', value);
export const long = (value: JsonValue): Expr => literal('long', value);
export const moment = (value: JsonValue): Expr => literal('datetime', value);
export const bool = (value: JsonValue): Expr => literal('bool', value);
/** A column of `logs`, or a long of another name. */
export const col = (name: string): Expr =>
  column(logColumns.find((item) => item.name === name) ?? { name, type: 'long' });
export const fn = (name: string, ...args: Expr[]): Expr => call(name, args);
export const is = (left: Expr, right: Expr): Expr => fn('==', left, right);
/** An expression that can give an error. */
export const risky = (expr: Expr): Expr => fn('+', expr, long(1));
export const named = (name: string, value: Expr): NamedExpr => ({ name, value });
export const keep = (...names: string[]): NamedExpr[] => names.map((name) => named(name, col(name)));
export const count = (name: string): Aggregate => ({ kind: 'aggregate', name, ...aggregate('count', []) });
export const of = (name: string, fn: string, ...args: Expr[]): Aggregate => ({
  kind: 'aggregate',
  name,
  ...aggregate(fn, args),
});
export const descending = (value: Expr): SortKey => ({ value, descending: true, nullsFirst: false });

/** The plan as text, to be compared with a template literal that is indented as its line is. */
export const printed = (plan: Plan): string => `\n${printPlan(plan)}\n`;
