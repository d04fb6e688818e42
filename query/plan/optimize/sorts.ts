import { sort } from '../build.js';
import type { Expr, Plan, Summarize } from '../types.js';
import { mapStep, withPlans } from '../walk.js';

/**
 * Drops the sorts whose order nothing sees: under a group whose aggregates ask for none, under another sort, a union,
 * a join, a `distinct`; and keys that are literals.
 *
 * Exact: none of these gives its rows in its input's order, and a sort changes nothing else.
 */
export function dropDeadSorts(plan: Plan): Plan {
  return pruned(plan, true);
}

/** Aggregates that come out the same in every order of the rows. */
const unordered = new Set([
  ...['count', 'sum', 'avg', 'min', 'max', 'dcount', 'count_distinct', 'make_set', 'percentile'],
  ...['stdev', 'stdevp', 'variance', 'variancep'],
]);

const asksForOrder = ({ aggregates }: Summarize): boolean =>
  aggregates.some((item) => item.kind === 'aggregate' && !unordered.has(item.fn));

function pruned(plan: Plan, isSeen: boolean): Plan {
  if (plan.op === 'sort') {
    const keys = plan.keys.filter(({ value }) => value.kind !== 'literal');
    if (!isSeen || keys.length === 0) return pruned(plan.input, isSeen);
    if (keys.length < plan.keys.length) return pruned(sort(plan.input, keys), isSeen);
  }
  const below = seesOrder(plan, isSeen);
  return mapStep(plan, {
    input: (input) => pruned(input, plan.op === 'with' && input === plan.body ? isSeen : below),
    expr: inExpression,
  });
}

function seesOrder(step: Plan, isSeen: boolean): boolean {
  switch (step.op) {
    case 'filter':
    case 'extend':
    case 'project':
    case 'unnest':
      return isSeen;
    case 'window':
      return isSeen || step.orderBy.length === 0;
    case 'summarize':
      return asksForOrder(step);
    case 'sort':
    case 'distinct':
    case 'union':
    case 'join':
      return false;
    default:
      return true;
  }
}

/** The first row of a scalar's plan counts. */
const inExpression = (expr: Expr): Expr => withPlans(expr, (plan) => pruned(plan, true));
