/** The order in which a plan gives its rows. */
import { column } from './build.js';
import type { Expr, NamedExpr, Plan, SortKey } from './types.js';
import { foldExpr, isSameExpr } from './walk.js';

/** The orders of the relations that a plan's `ref` leaves name. */
export type KnownOrders = ReadonlyMap<string, SortKey[] | undefined>;

/**
 * The keys by which the plan's rows are ordered, over its own columns; undefined where they come in any order. Rows that
 * are alike in all keys come in any order among themselves.
 *
 * A projection that leaves a key out ends the order before that key here, since no column says the rest; engines keep it
 * all the same, for the result of the whole plan and for what depends on the order above.
 */
export function orderOf(plan: Plan, known: KnownOrders = new Map()): SortKey[] | undefined {
  const projections: NamedExpr[][] = [];
  let orders = known;
  for (let step = plan; ; ) {
    switch (step.op) {
      case 'sort':
        return throughAll(projections, step.keys);
      // A window adds columns: KQL's row_number, prev and next stand in an `extend`, which keeps the order.
      case 'filter':
      case 'extend':
      case 'limit':
      case 'unnest':
      case 'window':
        step = step.input;
        break;
      case 'project':
        projections.push(step.kept);
        step = step.input;
        break;
      case 'with': {
        const inner = new Map(orders);
        for (const { name, plan: bound } of step.bindings) inner.set(name, orderOf(bound, inner));
        orders = inner;
        step = step.body;
        break;
      }
      case 'ref':
        return throughAll(projections, orders.get(step.name));
      default:
        return undefined;
    }
  }
}

/** The order as it is above the projections, the innermost of which is last. */
function throughAll(projections: NamedExpr[][], keys: SortKey[] | undefined): SortKey[] | undefined {
  const above = projections.reduceRight<SortKey[] | undefined>((below, kept) => below && through(kept, below), keys);
  return above?.length === 0 ? undefined : above;
}

function through(kept: NamedExpr[], keys: SortKey[]): SortKey[] {
  const above: SortKey[] = [];
  for (const key of keys) {
    const value = inProjection(kept, key.value);
    if (value === undefined) break;
    above.push({ ...key, value });
  }
  return above;
}

/** The expression over a projection's columns instead of its input's, where they suffice. */
export function inProjection(kept: NamedExpr[], expr: Expr): Expr | undefined {
  return foldExpr<Expr | undefined>(expr, (node, operands) => {
    const same = kept.find(({ value }) => isSameExpr(value, node));
    if (same !== undefined) return column({ name: same.name, type: node.type });
    if (node.kind === 'column' || operands.includes(undefined)) return undefined;
    if (node.kind === 'call') return { ...node, args: operands as Expr[] };
    return node.kind === 'membership' ? { ...node, value: operands[0]! } : node;
  });
}
