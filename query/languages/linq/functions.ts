/** LINQ's functions of one row, as calls of the plan. Names as Devo's reference has them, and the older ones beside. */
import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';
import { combine } from '../exprs.js';

interface LinqFunction {
  /** The least and the most arguments. */
  arity: readonly [number, number];
  make: (...args: Expr[]) => Expr;
}

const many = Number.POSITIVE_INFINITY;
const of = (least: number, most: number, make: (...args: Expr[]) => Expr): LinqFunction => ({
  arity: [least, most],
  make,
});
const long = (value: number): Expr => literal('long', value);
const day = literal('timespan', 86_400_000_000);
const blanks = literal('string', ' \t\n\r\f\v');
const epoch = literal('datetime', '1970-01-01T00:00:00Z');

const isTrue = (expr: Expr | undefined): boolean => expr?.kind === 'literal' && expr.value === true;

/** A text as LINQ's string functions take it: JSON's strings are texts too, and nulls stay. */
export const textOf = (value: Expr): Expr => (value.type === 'dynamic' ? call('sql_text', [value]) : value);

/** A call over texts. */
const texts =
  (fn: string) =>
  (...args: Expr[]): Expr =>
    call(fn, args.map(textOf));

const number = (value: Expr): Expr => (value.type === 'dynamic' ? call('todouble', [value]) : value);
const numbers =
  (fn: string) =>
  (...args: Expr[]): Expr =>
    call(fn, args.map(number));

const anyOf = (test: (part: Expr) => Expr, parts: Expr[]): Expr => combine('or', parts.map(test));

/** Tokens end at anything but letters and digits; the flags let letters and digits stand before and after. */
const tokens =
  (whole: string, prefix: string, suffix: string, part: string) =>
  (text: Expr, token: Expr, left?: Expr, right?: Expr): Expr => {
    const fn = isTrue(left) ? (isTrue(right) ? part : suffix) : isTrue(right) ? prefix : whole;
    return texts(fn)(text, token);
  };

const datePart = (part: string) => (time: Expr) => call('datetime_part', [literal('string', part), time]);
/** The part of a moment, or the length of time that is called so. */
const partOrPeriod = (part: string, microseconds: number) =>
  of(0, 1, (time?: Expr) => (time === undefined ? literal('timespan', microseconds) : datePart(part)(time)));

const startOfToday = (): Expr => call('startofday', [call('now', [])]);

/** Floored to whole periods since 1970, as UTC counts them. */
export function floorToPeriod(time: Expr, period: Expr): Expr {
  const microseconds = period.kind === 'literal' ? BigInt(String(period.value)) : 0n;
  const dividesDay = microseconds > 0n && BigInt(String(day.value)) % microseconds === 0n;
  return dividesDay ? call('bin', [time, period]) : call('bin_at', [time, period, epoch]);
}

/** The first that is not null. JSON beside a text is read as text. */
export const coalesce = (value: Expr, otherwise: Expr): Expr =>
  call('sql_coalesce', [otherwise.type === 'string' ? textOf(value) : value, otherwise]);

/** `decode(x, value, result, ..., otherwise)`. */
function decode(subject: Expr, ...rest: Expr[]): Expr {
  const otherwise = rest.length % 2 === 1 ? rest.at(-1)! : undefined;
  const branches: Expr[] = [];
  for (let i = 0; i + 1 < rest.length; i += 2) branches.push(call('=', [subject, rest[i]!]), rest[i + 1]!);
  const type = branches[1]!.type;
  return call('case', [...branches, otherwise ?? literal(type, null)]);
}

export const linqFunctions: Readonly<Record<string, LinqFunction>> = {
  // Strings
  has: of(2, many, (text, ...parts) => anyOf((part) => texts('contains_cs')(text!, part), parts)),
  weakhas: of(2, many, (text, ...parts) => anyOf((part) => texts('contains')(text!, part), parts)),
  weakin: of(2, 2, (part, text) => texts('contains')(text!, part!)),
  toktains: of(2, 4, tokens('has_cs', 'hasprefix_cs', 'hassuffix_cs', 'contains_cs') as LinqFunction['make']),
  weaktoktains: of(2, 4, tokens('has', 'hasprefix', 'hassuffix', 'contains') as LinqFunction['make']),
  startswith: of(2, 2, texts('startswith_cs')),
  endswith: of(2, 2, texts('endswith_cs')),
  eqic: of(2, 2, texts('=~')),
  lower: of(1, 1, texts('sql_lower')),
  upper: of(1, 1, texts('sql_upper')),
  length: of(1, 1, texts('sql_length')),
  trim: of(1, 1, (text) => texts('sql_trim')(text!, blanks)),
  ltrim: of(1, 1, (text) => texts('sql_ltrim')(text!, blanks)),
  rtrim: of(1, 1, (text) => texts('sql_rtrim')(text!, blanks)),
  // Devo counts characters and pieces from 0.
  substring: of(2, 3, (text, from, ...count) =>
    call('sql_substring', [textOf(text!), call('+', [number(from!), long(1)]), ...count.map(number)]),
  ),
  locate: of(2, 2, (text, part) => call('-', [texts('sql_position')(text!, part!), long(1)])),
  replaceall: of(3, 3, texts('sql_replace')),
  split: of(3, 3, (text, separator, n) =>
    call('sql_part', [textOf(text!), textOf(separator!), call('+', [number(n!), long(1)])]),
  ),

  // Nulls and choices
  isnull: of(1, 1, (value) => call('sql_isnull', [value!])),
  isnotnull: of(1, 1, (value) => call('not', [call('sql_isnull', [value!])])),
  isempty: of(1, 1, (value) => call('=', [textOf(value!), literal('string', '')])),
  nvl: of(2, 2, (value, otherwise) => coalesce(value!, otherwise!)),
  ifthenelse: of(3, 3, (condition, then, otherwise) => call('iff', [condition!, then!, otherwise!])),
  decode: of(3, many, decode as LinqFunction['make']),

  // Casts
  str: of(1, 1, (value) => call('sql_text', [value!])),
  int: of(1, 1, (value) => (value!.type === 'long' ? value! : call('tolong', [value!]))),
  bigint: of(1, 1, (value) => (value!.type === 'long' ? value! : call('tolong', [value!]))),
  float: of(1, 1, (value) => (value!.type === 'real' ? value! : call('todouble', [value!]))),
  bool: of(1, 1, (value) => (value!.type === 'bool' ? value! : call('tobool', [value!]))),
  ip: of(1, 1, (value) => textOf(value!)),
  ip4: of(1, 1, (value) => textOf(value!)),
  ip6: of(1, 1, (value) => textOf(value!)),

  // Addresses
  isprivate: of(1, 1, (address) => texts('ipv4_is_private')(address!)),
  ispublic: of(1, 1, (address) => call('not', [texts('ipv4_is_private')(address!)])),

  // Numbers
  abs: of(1, 1, numbers('abs')),
  ceil: of(1, 1, numbers('ceiling')),
  floor: of(1, 1, numbers('floor')),
  sqrt: of(1, 1, numbers('sqrt')),
  exp: of(1, 1, numbers('exp')),
  log: of(1, 1, numbers('log')),
  log2: of(1, 1, numbers('log2')),
  log10: of(1, 1, numbers('log10')),
  pow: of(2, 2, numbers('pow')),
  round: of(1, 2, numbers('round')),
  signum: of(1, 1, numbers('sign')),

  // Times
  now: of(0, 0, () => call('now', [])),
  today: of(0, 0, startOfToday),
  yesterday: of(0, 0, () => call('-', [startOfToday(), day])),
  tomorrow: of(0, 0, () => call('+', [startOfToday(), day])),
  midnight: of(0, 1, (time) => (time === undefined ? startOfToday() : call('startofday', [time]))),
  period: of(2, 2, (time, length) => floorToPeriod(time!, length!)),
  epoch: of(1, 1, (time) =>
    call('tolong', [call('floor', [call('/', [call('-', [time!, epoch]), literal('timespan', 1_000)])])]),
  ),
  millisecond: of(0, 0, () => literal('timespan', 1_000)),
  second: partOrPeriod('second', 1_000_000),
  minute: partOrPeriod('minute', 60_000_000),
  hour: partOrPeriod('hour', 3_600_000_000),
  day: of(0, 0, () => day),
  daynumber: of(1, 1, (time) => datePart('day')(time!)),
  // Devo's months count from 0; `monthnumber` is the one that people know.
  month: of(1, 1, (time) => call('-', [datePart('month')(time!), long(1)])),
  monthnumber: of(1, 1, (time) => datePart('month')(time!)),
  year: of(1, 1, (time) => datePart('year')(time!)),
};

const geo = 'it needs a database of places, which is not installed';
const feeds = 'it needs data from outside';
const lookups = 'there are no lookup tables';

/** Devo's functions that are refused by name, with the reason. */
export const refusedFunctions: ReadonlyMap<string, string> = new Map([
  ...[
    'mm2country mm2city mm2asn mm2asorg mm2con mm2coordinates mm2isp mm2latitude mm2longitude mm2org mm2postalcode',
    'mm2subdivision1 mm2subdivision2 mm2accuracyradius mmcountry mmcity mmasn mmasowner mmisp mmorg mmregion',
    'mmregionname mmspeed mmlatitude mmlongitude city countrycode asn asorg isp org connectiontype coordinates latitude',
    'longitude postalcode subdivision1code subdivision2code accuracyradius',
  ]
    .join(' ')
    .split(' ')
    .map((name): [string, string] => [name, geo]),
  ...['reputation', 'reputationscore', 'purpose', 'sbl'].map((name): [string, string] => [name, feeds]),
  ...['lu', 'hlut', 'hlurjson'].map((name): [string, string] => [name, lookups]),
]);
