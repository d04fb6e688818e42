/**
 * What calls give whose arguments are literals: only where the answer is exact and the same in every engine. What is
 * out of range stays a call, so that the engine says its error or gives its null.
 */
import type { JsonValue } from '../result.js';
import { literal } from './build.js';
import { figure, firstMoment, isMoment, microsecondsPer, momentOf, momentText } from './moment.js';
import type { CallExpr, Expr, LiteralExpr, ScalarType } from './types.js';

const maxLong = 2n ** 63n - 1n;
/** A timespan is a long of ticks, ten a microsecond. */
const maxTimespan = maxLong / 10n;

const inRange: Partial<Record<ScalarType, (value: bigint) => boolean>> = {
  long: (value) => value >= -maxLong - 1n && value <= maxLong,
  timespan: (value) => value >= -maxTimespan && value <= maxTimespan,
  datetime: isMoment,
};

/** A long, a timespan or a moment as a whole figure. */
function wholeOf({ type, value }: LiteralExpr): bigint | undefined {
  if (value === null) return undefined;
  if (type === 'datetime') return momentOf(value as string);
  return type === 'long' || type === 'timespan' ? BigInt(value as number | string) : undefined;
}

function whole(type: ScalarType, value: bigint | undefined): JsonValue | undefined {
  if (value === undefined || inRange[type]?.(value) !== true) return undefined;
  return type === 'datetime' ? momentText(value) : figure(value);
}

type Fold = (values: bigint[], types: ScalarType[]) => bigint | undefined;

const floorTo = (value: bigint, size: bigint): bigint => value - (((value % size) + size) % size);
const bin: Fold = ([value, size], [type]) => {
  if (size! <= 0n) return undefined;
  // Moments are counted from the year 1.
  return type === 'datetime' ? firstMoment + floorTo(value! - firstMoment, size!) : floorTo(value!, size!);
};
/** The start of the calendar unit in UTC, so many units on. */
const startOf =
  (at: (date: Date, units: number) => number): Fold =>
  ([moment, units = 0n]) => {
    if (units < -1_000_000n || units > 1_000_000n) return undefined;
    const date = new Date(Number(floorTo(moment!, 1_000n) / 1_000n));
    const start = at(date, Number(units));
    return Number.isNaN(start) ? undefined : BigInt(start) * 1_000n;
  };
/** Date.UTC takes the years 0 to 99 for those of the 20th century. */
const utc = (year: number, month: number, day: number): number => new Date(0).setUTCFullYear(year, month, day);

const arithmetic: Record<string, Fold> = {
  '+': ([a, b]) => a! + b!,
  '-': ([a, b]) => a! - b!,
  '*': ([a, b]) => a! * b!,
  neg: ([a]) => -a!,
  bin,
  floor: bin,
  startofday: startOf((d, n) => utc(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate() + n)),
  startofweek: startOf((d, n) => utc(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate() - d.getUTCDay() + 7 * n)),
  startofmonth: startOf((d, n) => utc(d.getUTCFullYear(), d.getUTCMonth() + n, 1)),
  startofyear: startOf((d, n) => utc(d.getUTCFullYear() + n, 0, 1)),
};

const comparisons: Record<string, (order: number) => boolean> = {
  '==': (order) => order === 0,
  '=': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<>': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

/** The units of datetime_add that are the same length always. */
const fixedUnits: Record<string, bigint> = {
  week: 7n * microsecondsPer.d,
  day: microsecondsPer.d,
  hour: microsecondsPer.h,
  minute: microsecondsPer.m,
  second: microsecondsPer.s,
  millisecond: microsecondsPer.ms,
  microsecond: 1n,
};

/** The literal that a call of literals gives, or the call itself. */
export function foldCall(call: CallExpr): Expr {
  const args = call.args.filter((arg) => arg.kind === 'literal');
  if (args.length !== call.args.length || args.some(({ value }) => value === null)) return call;
  const folded = foldWhole(call, args) ?? foldComparison(call.fn, args) ?? foldOther(call.fn, args);
  return folded === undefined ? call : literal(call.type, folded);
}

function foldWhole({ fn, type }: CallExpr, args: LiteralExpr[]): JsonValue | undefined {
  if (!Object.hasOwn(arithmetic, fn)) return undefined;
  const values = args.map(wholeOf);
  if (values.includes(undefined)) return undefined;
  return whole(
    type,
    arithmetic[fn]!(
      values as bigint[],
      args.map((arg) => arg.type),
    ),
  );
}

function foldComparison(fn: string, [left, right, ...rest]: LiteralExpr[]): boolean | undefined {
  if (!Object.hasOwn(comparisons, fn) || rest.length > 0 || left?.type !== right?.type) return undefined;
  const [a, b] = [wholeOf(left!), wholeOf(right!)];
  if (a !== undefined && b !== undefined) return comparisons[fn]!(a < b ? -1 : a > b ? 1 : 0);
  // The order of strings is the engine's, their sameness is not.
  const isTold = left!.type === 'string' || left!.type === 'bool';
  const isSameness = fn === '==' || fn === '=' || fn === '!=' || fn === '<>';
  return isTold && isSameness ? comparisons[fn]!(left!.value === right!.value ? 0 : 1) : undefined;
}

function foldOther(fn: string, args: LiteralExpr[]): JsonValue | undefined {
  const [first, second, third] = args;
  switch (fn) {
    case 'not':
      return !first!.value;
    case 'strcat':
      return args.every(({ type }) => type === 'string') ? args.map(({ value }) => value).join('') : undefined;
    case 'isempty':
    case 'isnotempty':
      return first?.type === 'string' ? (first.value === '') === (fn === 'isempty') : undefined;
    case 'datetime_add': {
      const unit = String(first!.value).toLowerCase();
      const count = second && wholeOf(second);
      const moment = third && wholeOf(third);
      if (!Object.hasOwn(fixedUnits, unit) || count === undefined || moment === undefined) return undefined;
      return whole('datetime', moment + count * fixedUnits[unit]!);
    }
    default:
      return undefined;
  }
}
