/** Smaller plans that still show what a plan has shown. */
import type { Expr, Plan } from '../../../query/plan/types.js';
import { inputsOf, mapStep, stepsOf } from '../../../query/plan/walk.js';

/** Each is asked of an engine, which may take its time over a wrong one. */
const maxTried = 400;

/** The smallest plan found that is still wrong. */
export async function shrink(plan: Plan, isWrong: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let smallest = plan;
  let tried = 0;
  search: while (true) {
    for (const candidate of smaller(smallest)) {
      if (tried++ === maxTried) return smallest;
      if (!(await isWrong(candidate))) continue;
      smallest = candidate;
      continue search;
    }
    return smallest;
  }
}

const hasLeaf = (plan: Plan): boolean => [...stepsOf(plan)].some(({ op }) => op === 'outer' || op === 'ref');

/** Sets below it come in any order. */
const sortsSets = (plan: Plan): boolean =>
  plan.op === 'project' && plan.kept.some(({ value }) => value.kind === 'call' && value.fn === 'array_sort_asc');

function* smaller(plan: Plan): Generator<Plan, void> {
  if (!sortsSets(plan)) for (const input of inputsOf(plan)) if (!hasLeaf(input)) yield input;
  yield* changed(plan);
}

/** The plan with one place of it made smaller, the same columns given to the steps above. */
function* changed(plan: Plan): Generator<Plan, void> {
  if (['filter', 'sort', 'limit', 'distinct'].includes(plan.op)) yield inputsOf(plan)[0]!;
  if (plan.op === 'values') {
    for (const at of plan.rows.keys()) yield { ...plan, rows: plan.rows.toSpliced(at, 1) };
  }
  for (const [at, expr] of [...expressions(plan)].entries()) {
    for (const less of simpler(expr)) {
      let n = 0;
      yield mapStep(plan, { input: (input) => input, expr: (each) => (n++ === at ? less : each) });
    }
  }
  for (const input of inputsOf(plan)) {
    for (const less of changed(input)) {
      yield mapStep(plan, { input: (each) => (each === input ? less : each), expr: (expr) => expr });
    }
  }
}

/** In the order in which mapStep meets them. */
function expressions(plan: Plan): Expr[] {
  const met: Expr[] = [];
  mapStep(plan, {
    input: (input) => input,
    expr: (expr) => {
      met.push(expr);
      return expr;
    },
  });
  return met;
}

function* simpler(expr: Expr): Generator<Expr, void> {
  if (expr.kind !== 'call') return;
  // A bag where an array or a member of it was is another question.
  if (expr.type !== 'dynamic') for (const arg of expr.args) if (arg.type === expr.type) yield arg;
  for (const [at, arg] of expr.args.entries()) {
    for (const less of simpler(arg)) yield { ...expr, args: expr.args.with(at, less) };
  }
  if (expr.type === 'bool') yield { kind: 'literal', type: 'bool', value: true };
}
