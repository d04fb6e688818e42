/** From a plan to one parameterised SELECT: a common table expression a step, which PostgreSQL merges again. */
import type { Plan } from '../../../plan/types.js';
import { inputsOf } from '../../../plan/walk.js';
import { summarize } from './groups.js';
import { join, lateral, union, unnest } from './joins.js';
import { needsOf } from './needs.js';
import { Parameters, refuse } from './parameters.js';
import type { Relation } from './relation.js';
import { distinct, extend, filter, limit, project, sort } from './rows.js';
import { outer, rangeRows, scan, values } from './sources.js';
import { Identifiers, Statement } from './statement.js';
import { window } from './windows.js';

export interface CompiledPlan {
  text: string;
  /** In the order of `$1`, `$2`, ..., each in the text form of its type. */
  values: string[];
}

export interface CompileOptions {
  /** Scans give the rows of this ingest batch only: its number, in decimal digits. */
  ingestBatch?: string;
}

/** Steps are written by recursion. */
const maxDepth = 1_500;
const maxSteps = 5_000;
const maxTextLength = 4_000_000;

/**
 * The plan as SQL whose columns are the plan's, in its order and types, and whose rows come in the plan's order. Every
 * value of the plan is a parameter. Throws QUERY_NOT_SUPPORTED for a plan that is too large to be run.
 */
export function compilePlan(plan: Plan, { ingestBatch }: CompileOptions = {}): CompiledPlan {
  refuseGiants(plan);
  const parameters = new Parameters();
  let number = 0;
  const statement = new Statement({
    parameters,
    needs: needsOf(plan),
    ingestBatch,
    write,
    nextNumber: () => ++number,
    identifiers: new Identifiers(),
  });
  const text = statement.query(plan, new Set(plan.columns.map(({ name }) => name)), { asResult: true });
  if (text.length > maxTextLength) refuse('The query is too large to be run. Use fewer steps, columns or terms.');
  return parameters.numbered(text);
}

/** Its own stack: the plan may be deeper than this process's. */
function refuseGiants(root: Plan): void {
  const pending: { plan: Plan; depth: number }[] = [{ plan: root, depth: 1 }];
  for (let steps = 1; pending.length > 0; steps++) {
    const { plan, depth } = pending.pop()!;
    if (depth > maxDepth)
      refuse(`The query has more than ${maxDepth.toLocaleString('en')} steps one after another. Use fewer.`);
    if (steps > maxSteps) refuse(`The query has more than ${maxSteps.toLocaleString('en')} steps. Use fewer.`);
    for (const input of inputsOf(plan)) pending.push({ plan: input, depth: depth + 1 });
  }
}

/** Writes a step and all below it into the statement. */
function write(plan: Plan, statement: Statement): Relation {
  switch (plan.op) {
    case 'scan':
      return scan(plan, statement);
    case 'values':
      return values(plan, statement);
    case 'range':
      return rangeRows(plan, statement);
    case 'outer':
      return outer(plan, statement);
    case 'filter':
      return filter(plan, statement);
    case 'extend':
      return extend(plan, statement);
    case 'project':
      return project(plan, write(plan.input, statement), statement);
    case 'sort':
      return sort(plan, write(plan.input, statement), statement);
    case 'limit':
      return limit(plan, write(plan.input, statement), statement);
    case 'distinct':
      return distinct(plan, write(plan.input, statement), statement);
    case 'summarize':
      return summarize(plan, statement);
    case 'window':
      return window(plan, write(plan.input, statement), statement);
    case 'unnest':
      return unnest(plan, write(plan.input, statement), statement);
    case 'lateral':
      return lateral(plan, write(plan.input, statement), statement);
    case 'join':
      return join(plan, write(plan.left, statement), write(plan.right, statement), statement);
    case 'union':
      return union(
        plan,
        plan.inputs.map((input) => write(input, statement)),
        statement,
      );
    case 'with':
      return write(plan.body, statement.binding(plan.bindings));
    case 'ref':
      return statement.reference(plan.name);
  }
}
