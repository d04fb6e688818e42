/** Columns that depend on a row's neighbours in its partition. */
import type { Window, WindowColumn } from '../../../query/plan/types.js';
import { aggregate } from './aggregates.js';
import { compareByKeys, groups, type Row, sorted, type ValueIn } from './rows.js';
import { long, type Value } from './values.js';

export function window(plan: Window, rows: Row[], value: ValueIn): Row[] {
  const ordered = plan.orderBy.length === 0 ? rows : sorted(rows, plan.orderBy, value);
  const made = new Map<Row, [string, Value][]>(rows.map((row) => [row, []]));
  for (const partition of groups(ordered, (row) => plan.partitionBy.map((expr) => value(expr, row))).values()) {
    for (const added of plan.added) {
      for (const [at, row] of partition.entries()) {
        made.get(row)!.push([added.name, windowValue(added, plan, partition, at, value)]);
      }
    }
  }
  return rows.map((row) => new Map([...row, ...made.get(row)!]));
}

function windowValue({ fn, args, type }: WindowColumn, plan: Window, rows: Row[], at: number, value: ValueIn): Value {
  const argument = (n: number, row: Row): Value => value(args[n]!, row);
  const neighbour = (sign: 1 | -1): Value => {
    const other = rows[at + sign * (args.length > 1 ? Number(argument(1, rows[at]!)) : 1)];
    if (other !== undefined) return argument(0, other);
    return args.length > 2 ? argument(2, rows[at]!) : null;
  };
  const isBefore = (one: Row, other: Row): boolean => {
    const [a, b] = [one, other].map((row) => plan.orderBy.map((key) => value(key.value, row)));
    return compareByKeys(a!, b!, plan.orderBy) < 0;
  };
  const before = rows.slice(0, at).filter((row) => isBefore(row, rows[at]!));
  switch (fn) {
    case 'row_number':
      return BigInt(at) + (args.length > 0 ? (argument(0, rows[at]!) as bigint) : 1n);
    case 'rank':
      return BigInt(before.length + 1);
    case 'dense_rank':
      return BigInt(before.filter((row, n) => n === 0 || isBefore(before[n - 1]!, row)).length + 1);
    case 'prev':
      return neighbour(-1);
    case 'next':
      return neighbour(1);
    case 'row_cumsum':
      return rows
        .slice(0, at + 1)
        .reduce((total, row) => long(total + ((argument(0, row) as bigint | null) ?? 0n)), 0n);
    default: {
      const all = rows.map((row) => args.map((_arg, n) => argument(n, row)));
      return aggregate(fn, { rows: all, types: args.map((arg) => arg.type), type });
    }
  }
}
