import { extend, project } from '../build.js';
import type { Expr, NamedExpr, Plan } from '../types.js';
import { columnsRead, rewritePlan, subexpressions } from '../walk.js';
import { overInput } from './terms.js';

/**
 * Makes one step of neighbouring `extend` and `project` steps, and drops a `project` that keeps everything as it is.
 *
 * Exact: an expression over made columns gives what it gives over the expressions that make them. No value is worked
 * out more often than before.
 */
export function mergeProjections(plan: Plan): Plan {
  return rewritePlan(plan, {
    step: (step) => {
      if (step.op === 'project') return mergedProject(step);
      if (step.op !== 'extend' || step.input.op !== 'extend') return step;
      const { input, added } = step.input;
      const names = new Set(added.map(({ name }) => name));
      return columnsRead(step.added.map(({ value }) => value)).isDisjointFrom(names)
        ? extend(input, [...added, ...step.added])
        : step;
    },
  });
}

function mergedProject(step: Extract<Plan, { op: 'project' }>): Plan {
  const { input, kept } = step;
  const isSame =
    kept.length === input.columns.length &&
    kept.every(({ name, value }, index) => {
      const { name: before } = input.columns[index]!;
      return name === before && value.kind === 'column' && value.name === before;
    });
  if (isSame) return input;
  if (input.op !== 'project' && input.op !== 'extend') return step;
  const made = input.op === 'project' ? input.kept : input.added;
  if (isReadTwice(kept, made)) return step;
  const over = kept.map(({ name, value }) => ({ name, value: overInput(value, made) }));
  return over.every((item): item is NamedExpr => item.value !== undefined) ? project(input.input, over) : step;
}

/** Whether a value that has to be worked out is read more than once. */
function isReadTwice(kept: NamedExpr[], made: NamedExpr[]): boolean {
  const workedOut = new Set(made.filter(({ value }) => isWorkedOut(value)).map(({ name }) => name));
  const read = new Set<string>();
  for (const { value } of kept) {
    for (const part of subexpressions(value)) {
      if (part.kind !== 'column' || !workedOut.has(part.name)) continue;
      if (read.has(part.name)) return true;
      read.add(part.name);
    }
  }
  return false;
}

const isWorkedOut = (expr: Expr): boolean => expr.kind !== 'column' && expr.kind !== 'literal';
