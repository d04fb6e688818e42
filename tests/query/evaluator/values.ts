/** Values as the evaluator holds them, by type: long, datetime and timespan (microseconds) as bigint, dynamic as JSON. */
import type { JsonValue } from '../../../query/index.js';
import type { ScalarType } from '../../../query/plan/types.js';

export type Value = JsonValue | bigint;

/** The arguments of a function and their types, and the type of its result. */
export interface Call {
  args: Value[];
  types: ScalarType[];
  type: ScalarType;
}

/** A whole number that a long cannot hold: the engines refuse to go on. */
export class Overflow extends Error {}

export function long(value: bigint): bigint {
  if (value < -(2n ** 63n) || value >= 2n ** 63n) throw new Overflow();
  return value;
}

export const microsecondsPerDay = 86_400_000_000n;
const firstMoment = momentFrom('0001-01-01T00:00:00Z');
const lastMoment = momentFrom('9999-12-31T23:59:59.999999Z');

/** The moment, or null where the calendar does not reach. */
export const moment = (microseconds: bigint): bigint | null =>
  microseconds < firstMoment || microseconds > lastMoment ? null : microseconds;

/** RFC 3339 in UTC as microseconds since 1970. */
export function momentFrom(text: string): bigint {
  const [, whole, fraction = ''] = /^(.{19})(?:[.](\d{1,6}))?Z$/.exec(text)!;
  return BigInt(Date.parse(`${whole}Z`)) * 1_000n + BigInt(fraction.padEnd(6, '0'));
}

export function momentText(microseconds: bigint): string {
  const fraction = floorRemainder(microseconds, 1_000_000n);
  const whole = new Date(Number((microseconds - fraction) / 1_000n)).toISOString().slice(0, 19);
  return `${whole}${fractionText(fraction)}Z`;
}

const fractionText = (microseconds: bigint): string =>
  microseconds === 0n ? '' : `.${microseconds.toString().padStart(6, '0').replace(/0+$/, '')}`;

export function floorRemainder(value: bigint, by: bigint): bigint {
  const remainder = value % by;
  return remainder < 0n ? remainder + by : remainder;
}

const specialReals: Record<string, number> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/** A literal of a plan, or a stored value of an event. */
export function fromJson(value: JsonValue, type: ScalarType): Value {
  if (value === null) return null;
  if (type === 'long' || type === 'timespan') return BigInt(value as number | string);
  if (type === 'datetime') return momentFrom(value as string);
  if (type === 'real') return specialReals[value as string] ?? Number(value);
  return value;
}

/** The value as an engine answers it. */
export function toJson(value: Value, type: ScalarType): JsonValue {
  if (value === null) return null;
  if (type === 'datetime') return momentText(value as bigint);
  if (type === 'timespan') {
    const microseconds = value as bigint;
    const size = microseconds < 0n ? -microseconds : microseconds;
    return `PT${microseconds < 0n ? '-' : ''}${size / 1_000_000n}${fractionText(size % 1_000_000n)}S`;
  }
  if (type === 'real') return Number.isFinite(value) ? (value as number) : String(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  return value;
}

/** The same text for values that are alike. */
export const keyOf = (value: Value): string => {
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'object' && value !== null ? JSON.stringify(sortedKeys(value)) : `${typeof value}:${value}`;
};

function sortedKeys(value: JsonValue): JsonValue {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sortedKeys);
  const entries = Object.entries(value).sort(([a], [b]) => compare(a, b));
  return Object.fromEntries(entries.map(([key, item]) => [key, sortedKeys(item)]));
}

export const isNaNValue = (value: Value): boolean => Number.isNaN(value);

/** The order of two values of one type that are not null: strings by their code points, NaN above all numbers. */
export function compare(a: Value, b: Value): number {
  if (isNaNValue(a) || isNaNValue(b)) return Number(isNaNValue(a)) - Number(isNaNValue(b));
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a! < b! ? -1 : a! > b! ? 1 : 0;
}

/** What a dynamic makes of a value. */
export function toDynamic(value: Value, type: ScalarType): JsonValue {
  return type === 'real' && value !== null && !Number.isFinite(value) ? null : toJson(value, type);
}
