/** The optimizer: small exact rules, one after the other, until none of them finds anything to do. */
import type { Plan } from '../types.js';
import { depthOf, stepsOf } from '../walk.js';
import { splitAggregates } from './aggregates.js';
import { inlineBindings } from './bindings.js';
import { pruneColumns } from './columns.js';
import { foldConstants } from './constants.js';
import { dropEmpty } from './emptiness.js';
import { simplifyFilters } from './filters.js';
import { pushLimits } from './limits.js';
import { pushPredicates } from './predicates.js';
import { mergeProjections } from './projections.js';
import { dropDeadSorts } from './sorts.js';
import { liftTimeBounds } from './time-bounds.js';

interface Rule {
  apply: (plan: Plan) => Plan;
  /** It finds nothing in a plan that has none of these steps. */
  over?: readonly Plan['op'][];
}

const rules: readonly Rule[] = [
  { apply: inlineBindings, over: ['with'] },
  { apply: foldConstants },
  { apply: simplifyFilters, over: ['filter'] },
  { apply: pushPredicates, over: ['filter'] },
  { apply: liftTimeBounds, over: ['filter'] },
  { apply: dropEmpty, over: ['values', 'union'] },
  { apply: dropDeadSorts, over: ['sort'] },
  { apply: splitAggregates, over: ['summarize'] },
  { apply: pushLimits, over: ['limit'] },
  { apply: mergeProjections, over: ['project', 'extend'] },
  { apply: pruneColumns },
];

/** Every plan that was seen settles in a few rounds; beyond this it stays as far as it came, which is exact too. */
const maxRounds = 12;
/** Some rules go down a plan by recursion. A plan that is deeper than people write stays as it is. */
const maxDepth = 400;

/**
 * A plan that gives the same rows, in the same order where the plan has one, with less work. Bind `now()` first, so that
 * time bounds that hang on it are seen.
 */
export function optimize(plan: Plan): Plan {
  if (depthOf(plan) > maxDepth) return plan;
  let best = plan;
  for (let round = 0; round < maxRounds; round++) {
    const ops = new Set([...stepsOf(best)].map(({ op }) => op));
    const useful = rules.filter(({ over }) => over === undefined || over.some((op) => ops.has(op)));
    const better = useful.reduce((current, { apply }) => apply(current), best);
    if (better === best) break;
    best = better;
  }
  return best;
}
