/** Rows, and what several steps do with them. */
import type { Expr, SortKey } from '../../../query/plan/types.js';
import { compare, keyOf, type Value } from './values.js';

export type Row = ReadonlyMap<string, Value>;
export type ValueIn = (expr: Expr, row: Row) => Value;

/** The rows with like values, in the order in which each group begins. */
export function groups(rows: Row[], values: (row: Row) => Value[]): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const key = values(row).map(keyOf).join('|');
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  return found;
}

export function compareByKeys(a: Value[], b: Value[], keys: SortKey[]): number {
  for (const [at, { descending, nullsFirst }] of keys.entries()) {
    const [one, other] = [a[at]!, b[at]!];
    if (one === null && other === null) continue;
    if (one === null || other === null) return (one === null) === nullsFirst ? -1 : 1;
    const order = compare(one, other);
    if (order !== 0) return descending ? -order : order;
  }
  return 0;
}

export const sorted = (rows: Row[], keys: SortKey[], value: ValueIn): Row[] =>
  rows
    .map((row) => ({ row, values: keys.map((key) => value(key.value, row)) }))
    .sort((a, b) => compareByKeys(a.values, b.values, keys))
    .map(({ row }) => row);
