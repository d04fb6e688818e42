import { filter, values } from '../build.js';
import type { Plan } from '../types.js';
import { rewritePlan } from '../walk.js';
import { allOf, termsOf } from './terms.js';

/**
 * Drops filters that are always true, and gives no rows where one term is never true.
 *
 * Exact: a filter keeps the rows for which its predicate is true, so at the top of it null is as good as false.
 */
export function simplifyFilters(plan: Plan): Plan {
  return rewritePlan(plan, {
    step: (step) => {
      if (step.op !== 'filter') return step;
      const terms = termsOf(step.predicate);
      if (terms.some((term) => term.kind === 'literal' && term.value !== true)) return values(step.columns, []);
      const kept = terms.filter((term) => term.kind !== 'literal');
      if (kept.length === 0) return step.input;
      return kept.length === terms.length ? step : filter(step.input, allOf(kept));
    },
  });
}
