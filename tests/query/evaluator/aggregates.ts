/** Aggregates over the values of a group, nulls left out. */
import type { JsonValue } from '../../../query/index.js';
import type { ScalarType } from '../../../query/plan/types.js';
import { compare, keyOf, long, toDynamic, type Value } from './values.js';

export interface Aggregated {
  /** The arguments in each row of the group, in the input's order. */
  rows: Value[][];
  types: ScalarType[];
  type: ScalarType;
}

const sum = (values: Value[], type: ScalarType): Value =>
  type === 'real'
    ? values.reduce<number>((total, value) => total + (value as number), 0)
    : long(values.reduce<bigint>((total, value) => total + (value as bigint), 0n));

/** Whole numbers are summed up whole, and divided to more digits than a real has. */
function mean(values: Value[]): number {
  if (typeof values[0] !== 'bigint') return (sum(values, 'real') as number) / values.length;
  const total = (values as bigint[]).reduce((all, value) => all + value, 0n);
  return Number(`${(total * 10n ** 20n) / BigInt(values.length)}e-20`);
}

const unique = (values: Value[]): Value[] => [...new Map(values.map((value) => [keyOf(value), value])).values()];

const aggregates: Record<string, (values: Value[], of: Aggregated) => Value> = {
  count: (values, { rows, types }) => BigInt(types.length === 0 ? rows.length : values.length),
  sum: (values, { type }) => sum(values, type),
  avg: (values, { type }) => {
    if (type === 'real') return mean(values);
    return values.length === 0 ? null : (sum(values, type) as bigint) / BigInt(values.length);
  },
  min: (values) =>
    values.reduce<Value>((best, value) => (best === null || compare(value, best) < 0 ? value : best), null),
  max: (values) =>
    values.reduce<Value>((best, value) => (best === null || compare(value, best) > 0 ? value : best), null),
  dcount: (values) => BigInt(unique(values).length),
  count_distinct: (values) => BigInt(unique(values).length),
  make_list: (values, { types }) => values.map((value) => toDynamic(value, types[0]!)),
  make_set: (values, { types }) =>
    types[0] === 'dynamic'
      ? unique((values as JsonValue[]).flat().filter((item) => item !== null)).map((item) => item as JsonValue)
      : unique(values).map((value) => toDynamic(value, types[0]!)),
  percentile: (values, { rows }) => {
    const sorted = [...values].sort(compare);
    const rank = Math.ceil((Number(rows[0]?.[1] ?? 0) / 100) * sorted.length);
    return sorted[Math.max(0, rank - 1)] ?? null;
  },
  make_bag: (values) => Object.assign({}, ...(values as JsonValue[])),
};

export function aggregate(fn: string, of: Aggregated): Value {
  if (!Object.hasOwn(aggregates, fn)) throw new Error(`The evaluator has no aggregate ${fn}.`);
  const values = of.rows.map(([value]) => value ?? null).filter((value) => value !== null);
  return aggregates[fn]!(values, of);
}
