/** Short forms for the tables of cases: a function, its arguments, and what comes out. */
import { literal } from '../../../../plan/build.js';
import { call } from '../../../../plan/functions/index.js';
import type { Expr, LiteralExpr, ScalarType } from '../../../../plan/types.js';
import type { JsonValue } from '../../../../result.js';

/** A JavaScript value as a literal of the type that it looks like; whole numbers are longs. */
type Shorthand = string | number | boolean | Expr;

/** Timespans are expected as Kusto's texts of them; datetimes in RFC 3339. */
export type Case = [fn: string, args: Shorthand[], expected: JsonValue];

export const real = (value: number | string): LiteralExpr => literal('real', value);
export const decimal = (value: string): LiteralExpr => literal('decimal', value);
export const moment = (value: string): LiteralExpr =>
  literal('datetime', value.includes('T') ? value : `${value}T00:00:00Z`);
export const dynamic = (value: JsonValue): LiteralExpr => literal('dynamic', value);
export const guid = (value: string): LiteralExpr => literal('guid', value);
export const none = (type: ScalarType): LiteralExpr => literal(type, null);

const units = { d: 86_400_000_000, h: 3_600_000_000, m: 60_000_000, s: 1_000_000, ms: 1_000, us: 1 };
/** `1.5h`, `-2d` */
export function span(text: string): LiteralExpr {
  const [, figure, unit] = /^(-?[\d.]+)([a-z]+)$/.exec(text)!;
  return literal('timespan', Math.round(Number(figure) * units[unit as keyof typeof units]));
}

export function expr(value: Shorthand): Expr {
  if (typeof value === 'object') return value;
  if (typeof value === 'boolean') return literal('bool', value);
  if (typeof value === 'string') return literal('string', value);
  return literal('long', value);
}

export const invoke = (fn: string, ...args: Shorthand[]): Expr => call(fn, args.map(expr));
