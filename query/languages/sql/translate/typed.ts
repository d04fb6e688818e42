/** Expressions with the type that PostgreSQL would give them: what the plan's few types cannot tell apart is kept here. */
import { literal } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr, ScalarType } from '../../../plan/types.js';
import { parseMoment } from '../../moment.js';
import type { TreeNode } from '../parse.js';
import { parseInterval } from './interval.js';

/** `unknown` is a text in quotes, or NULL, that takes the type which its place asks for. */
export type SqlType =
  | 'bool'
  | 'int4'
  | 'int8'
  | 'float8'
  | 'numeric'
  | 'text'
  | 'timestamptz'
  | 'interval'
  | 'jsonb'
  | 'inet'
  | 'unknown';

export const planTypeOf: Record<SqlType, ScalarType> = {
  bool: 'bool',
  int4: 'long',
  int8: 'long',
  float8: 'real',
  numeric: 'decimal',
  text: 'string',
  timestamptz: 'datetime',
  interval: 'timespan',
  jsonb: 'dynamic',
  inet: 'string',
  unknown: 'string',
};

export interface Typed {
  expr: Expr;
  type: SqlType;
}

/** What has no translation: the reason, and the node or byte offset at which it stands. */
export class Untranslatable extends Error {
  constructor(
    reason: string,
    readonly node: TreeNode,
  ) {
    super(reason);
  }
}

const numberRank: Partial<Record<SqlType, number>> = { int4: 1, int8: 2, numeric: 3, float8: 4 };

export const isNumber = (type: SqlType): boolean => numberRank[type] !== undefined;

/** The type in which PostgreSQL counts with two numbers. */
export const widerOf = (a: SqlType, b: SqlType): SqlType => (numberRank[a]! > numberRank[b]! ? a : b);

export const isNull = ({ expr }: Typed): boolean => expr.kind === 'literal' && expr.value === null;

/** An IPv4 address as PostgreSQL writes it. Its other spellings of addresses and networks are not read here. */
const address = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|$)){4}$/;

/** The value in another type, where PostgreSQL converts it without being told; undefined where it does not. */
export function implicitly(value: Typed, type: SqlType): Typed | undefined {
  if (value.type === type) return value;
  if (value.type === 'unknown') return fromUnknown(value, type);
  const [from, to] = [numberRank[value.type], numberRank[type]];
  if (from === undefined || to === undefined || from > to) return undefined;
  if (type === 'int8') return { expr: value.expr, type };
  if (type === 'float8') return { expr: toReal(value.expr), type };
  return { expr: toDecimal(value.expr), type };
}

function fromUnknown(value: Typed, type: SqlType): Typed | undefined {
  if (isNull(value)) return { expr: literal(planTypeOf[type], null), type };
  const text = String((value.expr as { value?: unknown }).value);
  if (type === 'text') return { expr: value.expr, type };
  if (type === 'timestamptz') {
    const moment = parseMoment(text);
    return moment === undefined ? undefined : { expr: literal('datetime', moment), type };
  }
  if (type === 'interval') {
    const microseconds = parseInterval(text);
    return microseconds === undefined ? undefined : { expr: literal('timespan', microseconds), type };
  }
  return type === 'inet' && address.test(text) ? { expr: value.expr, type } : undefined;
}

function toReal(expr: Expr): Expr {
  if (expr.kind === 'literal') return literal('real', expr.value === null ? null : Number(expr.value));
  return call('todouble', [expr]);
}

function toDecimal(expr: Expr): Expr {
  if (expr.kind === 'literal') return literal('decimal', expr.value === null ? null : String(expr.value));
  return call('todecimal', [expr]);
}

/** A type that all the values can be in, and the values in it: the rule of CASE, COALESCE, IN and UNION. */
export function unify(values: readonly Typed[]): Typed[] | undefined {
  const known = values.filter(({ type }) => type !== 'unknown').map(({ type }) => type);
  const type = known.reduce<SqlType | undefined>((best, next) => {
    if (best === undefined || best === next) return next;
    return isNumber(best) && isNumber(next) ? widerOf(best, next) : best;
  }, undefined);
  const converted = values.map((value) => implicitly(value, type ?? 'text'));
  return converted.includes(undefined) ? undefined : (converted as Typed[]);
}
