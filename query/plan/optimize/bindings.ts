import type { Plan, With } from '../types.js';
import { expressionsOf, foldPlan, rewritePlan, stepsOf } from '../walk.js';
import { isVolatile } from './terms.js';

/** A relation of so few steps is written out wherever it is named. */
const maxRepeatedSteps = 12;
const maxRepeats = 4;

/**
 * Writes a relation out where it is named, so that filters and columns reach into it: one that is named once, or is
 * small and need not be worked out once. One that nobody names goes.
 *
 * Exact: a name stands for the same rows as the relation's own steps. What is volatile, and what each row of a `lateral`
 * would work out again, stays.
 */
export function inlineBindings(plan: Plan): Plan {
  const names = [...stepsOf(plan)].flatMap((step) => (step.op === 'with' ? step.bindings.map(({ name }) => name) : []));
  // A name that stands for two relations could be caught by the wrong one.
  if (names.length === 0 || new Set(names).size < names.length) return plan;
  return rewritePlan(plan, { step: (step) => (step.op === 'with' ? inlined(step) : step) });
}

function inlined(step: With): Plan {
  let body = step.body;
  let isSame = true;
  let left = step.bindings;
  const kept: With['bindings'] = [];
  while (left.length > 0) {
    const [binding, ...later] = left as [With['bindings'][number], ...With['bindings']];
    left = later;
    const users = [body, ...later.map(({ plan }) => plan)];
    if (!isWrittenOut(binding, users)) {
      kept.push(binding);
      continue;
    }
    isSame = false;
    const written = (plan: Plan) =>
      rewritePlan(plan, {
        step: (part) => (part.op === 'ref' && part.name === binding.name ? binding.plan : part),
      });
    left = later.map((item) => ({ ...item, plan: written(item.plan) }));
    body = written(body);
  }
  if (isSame) return step;
  return kept.length === 0 ? body : { op: 'with', columns: body.columns, bindings: kept, body };
}

function isWrittenOut({ name, plan, materialized }: With['bindings'][number], users: Plan[]): boolean {
  const uses = users.reduce((sum, user) => sum + refsTo(user, name), 0);
  if (uses === 0) return true;
  if (users.some((user) => isInLateral(user, name)) || hasVolatile(plan)) return false;
  return uses === 1 || (!materialized && uses <= maxRepeats && [...stepsOf(plan)].length <= maxRepeatedSteps);
}

/** How often the relation is named, each place counted. */
const refsTo = (plan: Plan, name: string): number =>
  foldPlan<number>(
    plan,
    (step, counts) => counts.reduce((sum, count) => sum + count, 0) + (step.op === 'ref' && step.name === name ? 1 : 0),
  );

function isInLateral(plan: Plan, name: string): boolean {
  for (const step of stepsOf(plan)) if (step.op === 'lateral' && refsTo(step.body, name) > 0) return true;
  return false;
}

const hasVolatile = (plan: Plan): boolean => [...stepsOf(plan)].some((step) => expressionsOf(step).some(isVolatile));
