import type { Expr } from '../plan/types.js';

/**
 * A call whose arguments are known to fit one of its signatures as they are. Thousands of terms are made so, without a
 * look at every signature for each.
 */
export const fitting = (fn: string, args: Expr[]): Expr => ({ kind: 'call', fn, args, type: 'bool' });

/** Many conditions of three values as a tree that is no deeper than it must be. */
export function combine(operator: 'and' | 'or', operands: readonly Expr[]): Expr {
  if (operands.length === 1) return operands[0]!;
  const middle = operands.length >> 1;
  const halves = [operands.slice(0, middle), operands.slice(middle)];
  return fitting(
    `sql_${operator}`,
    halves.map((half) => combine(operator, half)),
  );
}

/**
 * A condition for a place where null is as good as false, so that the plan's plain `and` and `or` do: what optimizers
 * and engines look for.
 */
export function asFilter(condition: Expr): Expr {
  if (condition.kind !== 'call') return condition;
  const { fn, args } = condition;
  return fn === 'sql_and' || fn === 'sql_or' ? fitting(fn.slice(4), args.map(asFilter)) : condition;
}

/** The most nodes of one expression: some translations use a part more than once, and parts of parts. */
const maxNodes = 100_000;

/** Counts expressions as trees, though their parts may be shared. */
export class ExpressionSizes {
  readonly #sizes = new WeakMap<Expr, number>();

  isTooLarge(expr: Expr): boolean {
    return this.of(expr) > maxNodes;
  }

  of(expr: Expr): number {
    if (expr.kind !== 'call') return 1;
    let size = this.#sizes.get(expr);
    if (size === undefined) {
      size = expr.args.reduce((sum, arg) => sum + this.of(arg), 1);
      this.#sizes.set(expr, size);
    }
    return size;
  }
}
