/** Literals of every type, in all their spellings: https://learn.microsoft.com/kusto/query/scalar-data-types. */

import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import { figure, isMoment, microsecondsPer, momentText } from '../../plan/moment.js';
import type { Expr, ScalarType } from '../../plan/types.js';
import type { JsonValue } from '../../result.js';
import { nameOf, type SyntaxNode } from './syntax.js';
import type { Context } from './translator.js';

type Read = (text: string) => JsonValue | undefined;

const typed: Record<string, { type: ScalarType; read: Read; form: string }> = {
  BooleanLiteralExpression: { type: 'bool', read: readBool, form: 'true or false' },
  IntLiteralExpression: { type: 'long', read: readLong, form: 'a whole number of 64 bits' },
  LongLiteralExpression: { type: 'long', read: readLong, form: 'a whole number of 64 bits' },
  RealLiteralExpression: { type: 'real', read: readReal, form: 'a number' },
  DecimalLiteralExpression: { type: 'decimal', read: readDecimal, form: 'a number of at most 34 digits' },
  GuidLiteralExpression: { type: 'guid', read: readGuid, form: 'a GUID' },
  DateTimeLiteralExpression: { type: 'datetime', read: readDatetime, form: 'a date of the years 1 to 9999' },
  TimespanLiteralExpression: { type: 'timespan', read: readTimespan, form: 'a timespan' },
};

/** The value of a literal's node; undefined where the node is no literal. */
export function literalOf(node: SyntaxNode, context: Context, negative = false): Expr | undefined {
  if (node.kind === 'StringLiteralExpression') return literal('string', node.parts.Token!.value!);
  if (node.kind === 'CompoundStringLiteralExpression') {
    return literal('string', node.lists.Tokens!.map(({ value }) => value).join(''));
  }
  if (node.kind === 'DynamicExpression') return literal('dynamic', jsonOf(node.parts.Expression!, context));
  const kind = typed[node.kind];
  return kind === undefined ? undefined : scalar(node, kind, context, negative);
}

function scalar(node: SyntaxNode, { type, read, form }: (typeof typed)[string], context: Context, negative: boolean) {
  const text = node.parts.Token!.value!.trim();
  if (type === 'datetime' && text === '') return call('now', []);
  if (text.toLowerCase() === 'null') return literal(type, null);
  const value = read(negative ? `-${text}` : text);
  if (value !== undefined) return literal(type, value);
  if (
    (type === 'datetime' && finerThanMicroseconds.test(text)) ||
    (type === 'timespan' && /tick|nano|\.\d{7}/.test(text))
  ) {
    context.fail(
      'QUERY_NOT_SUPPORTED',
      node,
      `"${shorten(text)}" is finer than a microsecond, which is not kept here.`,
    );
  }
  return context.fail('QUERY_SYNTAX', node, `"${shorten(text)}" is not ${form}.`);
}

const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

function readBool(text: string): boolean | undefined {
  if (/^(true|1)$/i.test(text)) return true;
  return /^(false|0)$/i.test(text) ? false : undefined;
}

function readLong(text: string): JsonValue | undefined {
  const [, sign, digits] = /^([+-]?)(0[xX][\da-fA-F]+|\d+)$/.exec(text) ?? [];
  if (digits === undefined || digits.length > 40) return undefined;
  const value = sign === '-' ? -BigInt(digits) : BigInt(digits);
  return BigInt.asIntN(64, value) === value ? figure(value) : undefined;
}

function readReal(text: string): JsonValue | undefined {
  if (/^[+-]?nan$/i.test(text)) return 'NaN';
  const [, sign] = /^([+-]?)inf(inity)?$/i.exec(text) ?? [];
  if (sign !== undefined) return sign === '-' ? '-Infinity' : 'Infinity';
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : value > 0 ? 'Infinity' : '-Infinity';
}

function readDecimal(text: string): string | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d{1,3}))?$/i.exec(text) ?? [];
  if (sign === undefined || whole + fraction === '') return undefined;
  const point = whole.length + Number(exponent);
  const digits = `${whole}${fraction}`;
  const padded = digits.padStart(digits.length + Math.max(0, 1 - point), '0').padEnd(Math.max(point, 0), '0');
  const at = Math.max(point, 1);
  const left = padded.slice(0, at).replace(/^0+(?=\d)/, '');
  const right = padded.slice(at).replace(/0+$/, '');
  const value = right === '' ? left : `${left}.${right}`;
  if (value.replace('.', '').replace(/^0+/, '').length > 34) return undefined;
  return sign === '-' && /[1-9]/.test(value) ? `-${value}` : value;
}

function readGuid(text: string): string | undefined {
  const digits = text.toLowerCase().replace(/^\{(.*)\}$|^\((.*)\)$/, '$1$2');
  if (/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(digits)) return digits;
  const [, ...groups] = /^([\da-f]{8})([\da-f]{4})([\da-f]{4})([\da-f]{4})([\da-f]{12})$/.exec(digits) ?? [];
  return groups.length === 0 ? undefined : groups.join('-');
}

// ---------------------------------------------------------------- times

const units: [RegExp, bigint][] = [
  [/^(d|days?)$/, microsecondsPer.d],
  [/^(h|hrs?|hours?)$/, microsecondsPer.h],
  [/^(m|min|minutes?)$/, microsecondsPer.m],
  [/^(s|sec|seconds?)$/, microsecondsPer.s],
  [/^(ms|milli(s|sec|seconds?)?)$/, microsecondsPer.ms],
  [/^micro(s|sec|seconds?)?$/, microsecondsPer.microsecond],
];
/** Finer units, in nanoseconds. */
const fineUnits: [RegExp, bigint][] = [
  [/^nano(s|sec|seconds?)?$/, 1n],
  [/^ticks?$/, 100n],
];
/** A timespan holds 64 bits of ticks. */
const longestTimespan = (2n ** 63n - 1n) / 10n;

function readTimespan(text: string): JsonValue | undefined {
  const [, sign = '', rest = ''] = /^([+-]?)\s*(.*)$/s.exec(text) ?? [];
  const nanoseconds = inUnits(rest) ?? asClock(rest);
  if (nanoseconds === undefined || nanoseconds % 1_000n !== 0n) return undefined;
  const microseconds = nanoseconds / 1_000n;
  return microseconds > longestTimespan ? undefined : figure(sign === '-' ? -microseconds : microseconds);
}

/** `1.5h`, `15 seconds`, and a plain number, which counts days. In nanoseconds. */
function inUnits(text: string): bigint | undefined {
  const [, whole, fraction = '', unit = ''] = /^(\d{1,25})(?:\.(\d{0,25}))?\s*([a-z]*)$/i.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const name = unit === '' ? 'd' : unit;
  const size =
    fineUnits.find(([form]) => form.test(name))?.[1] ?? (units.find(([form]) => form.test(name))?.[1] ?? 0n) * 1_000n;
  if (size === 0n) return undefined;
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * size;
  // What is finer than a nanosecond makes the value one that is not kept.
  return scaled % scale === 0n ? scaled / scale : 1n;
}

/** `1.02:03:04.5`: days, hours, minutes, seconds; a colon after the days only where all the rest is there. In nanoseconds. */
function asClock(text: string): bigint | undefined {
  const match = /^(?:(\d{1,8})(?:\.|:(?=\d+:\d+:)))?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?$/.exec(text);
  if (match === null) return undefined;
  const [days, hours, minutes, seconds] = [match[1], match[2], match[3], match[4]].map((digits) => BigInt(digits ?? 0));
  if (hours! > 23n || minutes! > 59n || seconds! > 59n) return undefined;
  const whole = ((days! * 24n + hours!) * 60n + minutes!) * 60n + seconds!;
  return whole * 1_000_000_000n + BigInt((match[5] ?? '').padEnd(9, '0'));
}

const finerThanMicroseconds = /:\d+\.\d{6}0*[1-9]/;
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const clock = String.raw`(?<hour>\d{1,2}):(?<minute>\d{1,2})(?::(?<second>\d{1,2})(?:\.(?<fraction>\d{1,9}))?)?`;
const zone = String.raw`\s*(?<zone>Z|GMT|UTC|[+-]\d{2}:?\d{2})?`;
const datetimeForms = [
  new RegExp(String.raw`^(?<year>\d{4})(?:-(?<month>\d{1,2})(?:-(?<day>\d{1,2})(?:[T\s]\s*${clock}${zone})?)?)?$`, 'i'),
  new RegExp(
    String.raw`^(?:[a-z]{3,9},\s*)?(?<day>\d{1,2})[\s-](?<name>[a-z]{3})[a-z]*[\s-](?<year>\d{4}|\d{2})\s+${clock}${zone}$`,
    'i',
  ),
];

function readDatetime(text: string): string | undefined {
  if (finerThanMicroseconds.test(text)) return undefined;
  const quoted = text.replace(/^(["'])(.*)\1$/s, '$2');
  const found = datetimeForms.map((form) => form.exec(quoted)?.groups).find((groups) => groups !== undefined);
  if (found === undefined) return undefined;
  // RFC 822's years of two digits are of this century up to 49, as .NET reads them.
  const year =
    found.year!.length === 2 ? Number(found.year) + (Number(found.year) < 50 ? 2000 : 1900) : Number(found.year);
  const month = found.name === undefined ? Number(found.month ?? 1) : months.indexOf(found.name.toLowerCase()) + 1;
  const day = Number(found.day ?? 1);
  const [hour, minute, second] = [found.hour, found.minute, found.second].map((digits) => Number(digits ?? 0));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || month === 0) return undefined;
  if (hour! > 23 || minute! > 59 || second! > 59) return undefined;
  date.setUTCHours(hour!, minute, second);
  const [, sign, ahead, minutesAhead] = /^([+-])(\d\d):?(\d\d)$/.exec(found.zone ?? '') ?? [];
  const offset = sign === undefined ? 0n : BigInt(`${sign}${Number(ahead) * 60 + Number(minutesAhead)}`);
  const fraction = BigInt((found.fraction ?? '').slice(0, 6).padEnd(6, '0'));
  const moment = BigInt(date.getTime()) * 1_000n + fraction - offset * microsecondsPer.m;
  return isMoment(moment) ? momentText(moment) : undefined;
}

// ---------------------------------------------------------------- dynamic

/** The JSON value of what stands in `dynamic(...)`; other literals in it become what JSON has for them. */
function jsonOf(node: SyntaxNode, context: Context): JsonValue {
  if (node.kind === 'NullLiteralExpression') return null;
  if (node.kind === 'JsonArrayExpression') return node.lists.Values!.map((value) => jsonOf(value, context));
  if (node.kind === 'JsonObjectExpression') {
    return Object.fromEntries(
      node.lists.Pairs!.map(({ parts }) => [nameOf(parts.Name) ?? '', jsonOf(parts.Value!, context)] as const),
    );
  }
  if (node.kind === 'UnaryMinusExpression')
    return plain(literalOf(node.parts.Expression!, context, true), node, context);
  return plain(literalOf(node, context), node, context);
}

function plain(value: Expr | undefined, node: SyntaxNode, context: Context): JsonValue {
  if (value?.kind !== 'literal' || value.type === 'timespan' || value.type === 'decimal') {
    return context.fail('QUERY_SYNTAX', node, 'Only literals can stand in dynamic(...): JSON, dates and GUIDs.');
  }
  if ((value.type === 'long' || value.type === 'real') && typeof value.value === 'string') {
    context.fail('QUERY_NOT_SUPPORTED', node, 'This number is beyond what JSON keeps exactly.');
  }
  return value.value;
}
