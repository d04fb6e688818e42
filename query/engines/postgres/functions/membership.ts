/** `in` and its like: literals are one array parameter, however many they are. */

import { literal } from '../../../plan/build.js';
import { call as makeCall } from '../../../plan/functions/index.js';
import type { Expr, LiteralExpr, ScalarType } from '../../../plan/types.js';
import type { JsonValue } from '../../../result.js';
import { isCanonicalAddress, plainText } from './comparisons.js';
import { type Argument, type Sql, sqlTypes, type Template, type TemplateCall } from './template.js';

interface Elements {
  /** The literals without nulls, as texts of one SQL type. */
  texts: string[];
  type: string;
}

/** Elements of arrays among the literals count each. */
function flatten(exprs: readonly Expr[]): LiteralExpr[] | undefined {
  const literals: LiteralExpr[] = [];
  for (const expr of exprs) {
    if (expr.kind !== 'literal') return undefined;
    if (Array.isArray(expr.value)) literals.push(...expr.value.map((value) => literal('dynamic', value)));
    else literals.push(expr);
  }
  return literals.filter(({ value }) => value !== null);
}

/** The literals as values of the type that they are compared with, or undefined where that has no single array. */
function elementsFor(type: ScalarType, literals: readonly LiteralExpr[]): Elements | undefined {
  if (type === 'long' || type === 'real' || type === 'decimal') {
    const numbers = literals.map(({ type: own, value }) => (own === 'string' ? undefined : numberText(value)));
    if (numbers.includes(undefined)) return undefined;
    const texts = numbers as string[];
    if (type === 'real') return { texts, type: sqlTypes.real };
    return { texts, type: type === 'long' && texts.every(isLong) ? sqlTypes.long : sqlTypes.decimal };
  }
  const isOwn = ({ type: own, value }: LiteralExpr): boolean =>
    own === type || (own === 'dynamic' && type === 'string' && typeof value === 'string');
  if (type === 'dynamic' || !literals.every(isOwn)) return undefined;
  return { texts: literals.map(({ value }) => elementText(type, value)), type: sqlTypes[type] };
}

const elementText = (type: ScalarType, value: JsonValue): string =>
  type === 'timespan' ? `${value} microseconds` : String(value);

const numberText = (value: JsonValue): string | undefined =>
  typeof value === 'number' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) ? String(value) : undefined;

const isLong = (text: string): boolean => /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);

/** Addresses that PostgreSQL would print so; others are equal to no stored one. Undefined where that is not sure. */
function addresses(value: Argument, { texts }: Elements): string[] | undefined {
  if (value.column?.stored !== 'INET' || texts.includes('')) return undefined;
  const canonical = texts.filter(isCanonicalAddress);
  return canonical.length === texts.length || texts.every((text) => canonical.includes(text) || !text.includes(':'))
    ? canonical
    : undefined;
}

/** `value = ANY (...)`, true where the value is found; otherwise false, or null where the value is. */
function amongLiterals(value: Argument, elements: Elements, call: TemplateCall): Sql {
  const { parameter, context } = call;
  const inet = addresses(value, elements);
  if (inet !== undefined) return { sql: `(${value.column!.sql} = ANY (${parameter(inet, 'inet[]')}))`, nullable: true };
  const plain =
    context === 'FILTER' &&
    value.type === 'string' &&
    elements.texts.every((text) => text !== '' && !/^[[{]/.test(text))
      ? plainText(value, 'text', 'WHOLE', call)
      : undefined;
  const stored = value.column?.stored === 'INTEGER' ? value.column.sql : value.sql;
  const sql = `(${plain ?? stored} = ANY (${parameter(elements.texts, `${elements.type}[]`)}))`;
  return { sql, nullable: value.nullable || plain !== undefined };
}

function found(call: TemplateCall): Sql {
  const value = call.args[0]!;
  const others = call.expr.args.slice(1);
  const literals = flatten(others);
  const elements = literals && elementsFor(value.type, literals);
  if (elements !== undefined) return amongLiterals(value, elements, call);
  const parts = (literals ?? others).map((other) => {
    if (other.type === 'dynamic' && (other.kind !== 'literal' || value.type === 'dynamic')) {
      const json = call.compile(other, 'VALUE').sql;
      return value.type === 'dynamic' ? `fn.json_among(${value.sql}, ${json})` : `(${json} @> to_jsonb(${value.sql}))`;
    }
    return call.compile(makeCall('==', [value.expr, other]), 'FILTER').sql;
  });
  return { sql: parts.length === 0 ? 'false' : `(${parts.join(' OR ')})`, nullable: true };
}

const member: Template = (call) => {
  const { sql, nullable } = found(call);
  if (call.context === 'FILTER' || !nullable) return { sql, nullable };
  return { sql: `coalesce(${sql}, false)`, nullable: false };
};

const noMember: Template = (call) => {
  const { sql, nullable } = found({ ...call, context: 'VALUE' });
  return { sql: nullable ? `(NOT coalesce(${sql}, false))` : `(NOT ${sql})`, nullable: false };
};

/** Texts with upper and lower case alike. */
function foundIgnoringCase({ args, expr, parameter, compile }: TemplateCall): string {
  const value = args[0]!;
  const others = expr.args.slice(1);
  const literals = flatten(others);
  if (literals !== undefined) {
    const texts = literals.map(({ value: text }) => (typeof text === 'string' ? text : JSON.stringify(text)));
    const folded = parameter(texts, 'text[]');
    return `(lower(${value.sql}) = ANY (ARRAY(SELECT lower(t) FROM unnest(${folded}) AS t)))`;
  }
  const parts = others.map((other) => {
    const { sql } = compile(other, 'VALUE');
    if (other.type === 'string') return `lower(${value.sql}) = lower(${sql})`;
    return `lower(${sql}::text)::jsonb @> to_jsonb(lower(${value.sql}))`;
  });
  return `(${parts.join(' OR ')})`;
}

export const membershipTemplates = {
  in: member,
  '!in': noMember,
  'in~': (call) => {
    const { nullable } = call.args[0]!;
    const sql = foundIgnoringCase(call);
    return nullable && call.context === 'VALUE'
      ? { sql: `coalesce(${sql}, false)`, nullable: false }
      : { sql, nullable };
  },
  '!in~': (call) => ({ sql: `(NOT coalesce(${foundIgnoringCase(call)}, false))`, nullable: false }),
  sql_in: (call) => {
    const value = call.args[0]!;
    const others = call.expr.args.slice(1);
    const literals = flatten(others);
    const elements = literals && elementsFor(value.type, literals);
    const hasNull = others.some((other) => other.kind === 'literal' && other.value === null);
    if (elements !== undefined && !hasNull)
      return `(${value.sql} = ANY (${call.parameter(elements.texts, `${elements.type}[]`)}))`;
    const parts = others.map((other) => call.compile(makeCall('=', [value.expr, other]), 'VALUE').sql);
    return { sql: parts.length === 0 ? 'false' : `(${parts.join(' OR ')})`, nullable: true };
  },
} satisfies Record<string, Template>;
