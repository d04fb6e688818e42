import { union, values } from '../build.js';
import type { Plan } from '../types.js';
import { inputsOf, rewritePlan } from '../walk.js';

const isEmpty = (plan: Plan): boolean => plan.op === 'values' && plan.rows.length === 0;

/**
 * Steps over no rows give none; a union is the union of its inputs that can have rows, and of the inputs of unions in it.
 *
 * Exact: no expression is asked of any row. `summarize` without keys is left alone, which gives a row over no rows, and
 * so are outer joins.
 */
export function dropEmpty(plan: Plan): Plan {
  return rewritePlan(plan, {
    step: (step) => {
      if (step.op === 'union') return flattened(step);
      return isLostWithoutRows(step) && inputsOf(step).some(isEmpty) ? values(step.columns, []) : step;
    },
  });
}

function isLostWithoutRows(step: Plan): boolean {
  switch (step.op) {
    case 'filter':
    case 'extend':
    case 'project':
    case 'unnest':
    case 'lateral':
    case 'sort':
    case 'limit':
    case 'distinct':
    case 'window':
      return true;
    case 'summarize':
      return step.keys.length > 0;
    case 'join':
      return step.kind === 'INNER' || step.kind === 'CROSS' || step.kind === 'LEFT_SEMI';
    default:
      return false;
  }
}

function flattened(step: Extract<Plan, { op: 'union' }>): Plan {
  const inputs = step.inputs.flatMap((input) => (input.op === 'union' ? input.inputs : [input]));
  const kept = inputs.filter((input) => !isEmpty(input));
  if (kept.length === 0) return values(step.columns, []);
  return kept.length === step.inputs.length && kept.every((input, index) => input === step.inputs[index])
    ? step
    : union(kept);
}
