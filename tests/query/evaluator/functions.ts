/** Operators and functions, each after its page in Kusto's documentation. A null argument gives null unless said here. */
import type { JsonValue } from '../../../query/index.js';
import type { ScalarType } from '../../../query/plan/types.js';
import { datesFunctions } from './dates.js';
import { textFunctions } from './texts.js';
import {
  type Call,
  compare,
  floorRemainder,
  isNaNValue,
  keyOf,
  long,
  moment,
  toDynamic,
  type Value,
} from './values.js';

/** Functions that see their nulls themselves. */
const withNulls: Record<string, (call: Call) => Value> = {
  and: ({ args }) => args.every((arg) => arg === true),
  or: ({ args }) => args.some((arg) => arg === true),
  '==': ({ args: [a, b] }) => equal(a!, b!),
  '!=': ({ args: [a, b] }) => negated(equal(a!, b!)),
  in: ({ args: [value, ...others] }) => others.flatMap(flat).some((other) => equal(value!, other) === true),
  '!in': ({ args: [value, ...others] }) => !others.flatMap(flat).some((other) => equal(value!, other) === true),
  iff: ({ args: [condition, yes, no] }) => (condition === true ? yes! : no!),
  case: ({ args }) => {
    for (let at = 0; at + 1 < args.length; at += 2) if (args[at] === true) return args[at + 1]!;
    return args.at(-1)!;
  },
  coalesce: ({ args, type }) => args.find((arg) => arg !== null && !(type === 'string' && arg === '')) ?? args.at(-1)!,
  isnull: ({ args: [value] }) => value === null,
  isnotnull: ({ args: [value] }) => value !== null,
  isempty: ({ args: [value] }) => value === null || value === '',
  isnotempty: ({ args: [value] }) => value !== null && value !== '',
  max_of: ({ args }) => extreme(args, 1),
  min_of: ({ args }) => extreme(args, -1),
  tostring: ({ args: [value] }) => (value === null ? '' : String(value)),
  strcat: ({ args }) => args.map((arg) => (arg === null ? '' : String(arg))).join(''),
  pack_array: ({ args, types }) => args.map((arg, index) => toDynamic(arg, types[index]!)),
  bag_pack: ({ args, types }) => {
    const pairs = args.flatMap((key, index) =>
      index % 2 === 0 ? [[key as string, toDynamic(args[index + 1]!, types[index + 1]!)] as const] : [],
    );
    return Object.fromEntries(pairs);
  },
  path: ({ args: [root, ...steps] }) =>
    steps.reduce<JsonValue>((value, step) => member(value, step!), root as JsonValue),
  set_has_element: ({ args: [array, value], types }) =>
    Array.isArray(array) ? array.some((item) => keyOf(item) === keyOf(toDynamic(value!, types[1]!))) : null,
  array_length: ({ args: [array] }) => (Array.isArray(array) ? BigInt(array.length) : null),
};

/** In an order NaN has its place; compared with anything it is neither more, nor less, nor the same. */
const comparison =
  (test: (order: number) => boolean) =>
  ({ args: [a, b] }: Call): boolean =>
    !isNaNValue(a!) && !isNaNValue(b!) && test(compare(a!, b!));

/** Functions whose arguments are never null. */
const strict: Record<string, (call: Call) => Value> = {
  not: ({ args: [value] }) => !value,
  '<': comparison((order) => order < 0),
  '<=': comparison((order) => order <= 0),
  '>': comparison((order) => order > 0),
  '>=': comparison((order) => order >= 0),
  between: ({ args: [value, low, high] }) => compare(value!, low!) >= 0 && compare(value!, high!) <= 0,
  '!between': ({ args: [value, low, high] }) => compare(value!, low!) < 0 || compare(value!, high!) > 0,

  neg: ({ args: [value] }) => (typeof value === 'bigint' ? long(-value) : -(value as number)),
  '+': (call) =>
    arithmetic(
      call,
      (a, b) => a + b,
      (a, b) => a + b,
    ),
  '-': (call) =>
    arithmetic(
      call,
      (a, b) => a - b,
      (a, b) => a - b,
    ),
  '*': (call) =>
    arithmetic(
      call,
      (a, b) => a * b,
      (a, b) => a * b,
    ),
  '/': ({ args: [a, b], types, type }) => {
    if (types[0] === 'timespan') return Number(a) / Number(b);
    if (type === 'real') return (a as number) / (b as number);
    return b === 0n ? null : long((a as bigint) / (b as bigint));
  },
  '%': ({ args: [a, b] }) => (b === 0n ? null : floorRemainder(a as bigint, abs(b as bigint))),
  abs: ({ args: [value] }) => (typeof value === 'bigint' ? long(abs(value)) : Math.abs(value as number)),
  bin: ({ args: [value, size], types }) => {
    if (types[0] === 'real') {
      const by = Number(size);
      return by > 0 ? Math.floor((value as number) / by) * by : null;
    }
    const by = size as bigint;
    if (by <= 0n) return null;
    const start = types[0] === 'datetime' ? -62_135_596_800_000_000n : 0n;
    return (value as bigint) - floorRemainder((value as bigint) - start, by);
  },
  sign: ({ args: [value] }) => Math.sign(value as number),

  tolong: ({ args: [value], types }) => toLong(value!, types[0]!),
  todouble: ({ args: [value], types }) => toReal(value!, types[0]!),
  tobool: ({ args: [value] }) => (typeof value === 'bigint' ? value !== 0n : typeof value === 'boolean' ? value : null),
  parse_json: ({ args: [text] }) => {
    if (typeof text !== 'string') return text!;
    try {
      return text === '' ? null : JSON.parse(text);
    } catch {
      return text;
    }
  },
  array_concat: ({ args }) => args.flat() as JsonValue,
  array_slice: ({ args: [array, from, to] }) => slice(array as JsonValue[], Number(from), Number(to)),
  array_sort_asc: ({ args: [array] }) => {
    const items = array as JsonValue[];
    const rest = items.filter((item) => item === null);
    return [...items.filter((item) => item !== null).sort((a, b) => compareMixed(a, b)), ...rest];
  },
  ...textFunctions,
  ...datesFunctions,
};

export function callFunction(fn: string, call: Call): Value {
  const seesNulls = Object.hasOwn(withNulls, fn) ? withNulls[fn] : undefined;
  if (seesNulls !== undefined) return seesNulls(call);
  if (!Object.hasOwn(strict, fn)) throw new Error(`The evaluator has no ${fn}.`);
  return call.args.includes(null) ? null : strict[fn]!(call);
}

function equal(a: Value, b: Value): boolean | null {
  if (a === null || b === null) return a === b ? null : false;
  return a === b;
}

const negated = (value: boolean | null): boolean | null => (value === null ? null : !value);

/** A list's element, or those of an array in it. */
const flat = (item: Value): Value[] => (Array.isArray(item) ? item.flatMap(flat) : [item]);

const abs = (value: bigint): bigint => (value < 0n ? -value : value);

function extreme(args: Value[], sign: 1 | -1): Value {
  const known = args.filter((arg) => arg !== null);
  return known.reduce<Value>((best, arg) => (best === null || compare(arg, best) * sign > 0 ? arg : best), null);
}

function arithmetic(
  { args: [a, b], types, type }: Call,
  whole: (a: bigint, b: bigint) => bigint,
  real: (a: number, b: number) => number,
): Value {
  if (type === 'real') return real(Number(a), Number(b));
  if (types.includes('real')) return BigInt(Math.trunc(real(Number(a), Number(b)))); // a timespan times a real
  const result = whole(a as bigint, b as bigint);
  return type === 'datetime' ? moment(result) : long(result);
}

function member(value: JsonValue, step: Value): JsonValue {
  if (Array.isArray(value)) return typeof step === 'bigint' ? (value.at(Number(step)) ?? null) : null;
  if (value === null || typeof value !== 'object' || typeof step !== 'string') return null;
  return Object.hasOwn(value, step) ? value[step]! : null;
}

/** Both ends included; negative ones count from the end. */
function slice(array: JsonValue[], from: number, to: number): JsonValue[] {
  const at = (index: number) => (index < 0 ? array.length + index : index);
  return array.filter((_item, index) => index >= at(from) && index <= at(to));
}

/** Numbers before strings. */
const compareMixed = (a: JsonValue, b: JsonValue): number =>
  typeof a === typeof b ? compare(a, b) : typeof a === 'number' ? -1 : 1;

function toLong(value: Value, type: ScalarType): Value {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (type === 'long' || type === 'timespan' || type === 'datetime') return value;
  if (typeof value === 'number') return Math.abs(value) < 2 ** 63 ? BigInt(Math.trunc(value)) : null;
  if (typeof value !== 'string' || !/^[-+]?\d+$/.test(value)) return null;
  const whole = BigInt(value);
  return whole >= -(2n ** 63n) && whole < 2n ** 63n ? whole : null;
}

function toReal(value: Value, _type: ScalarType): Value {
  if (typeof value === 'bigint' || typeof value === 'number') return Number(value);
  return typeof value === 'string' && /^[-+]?\d+([.]\d+)?$/.test(value) ? Number(value) : null;
}
