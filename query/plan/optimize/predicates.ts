import { filter, join, lateral, union } from '../build.js';
import type { Expr, Join, Plan, PlanColumn, ScalarType } from '../types.js';
import { columnsRead, overAnother, partsWithin, rewritePlan } from '../walk.js';
import { allOf, isTotal, isVolatile, overInput, termsOf } from './terms.js';

/**
 * Moves the terms of filters towards the scans, and joins neighbouring filters.
 *
 * A step lets a term pass where each of its output rows has the columns that the term reads from one input row, and
 * the step makes nothing of an input row that fails the term but output rows that fail it: then leaving the input rows
 * out early leaves out the same output rows. A term is true, false or null by its columns alone, so it holds in
 * three-valued logic. Where a step can lose rows, the term would be asked of rows that it was not asked of before: only
 * terms that never give an error pass there. Nothing passes a limit or a window: they see other rows then.
 */
export function pushPredicates(plan: Plan): Plan {
  return rewritePlan(plan, {
    step: (step) => {
      if (step.op !== 'filter') return step;
      const sunk = sink(step.input, termsOf(step.predicate));
      if (sunk.plan === step.input) return step;
      return sunk.rest.length === 0 ? sunk.plan : filter(sunk.plan, allOf(sunk.rest));
    },
  });
}

interface Sunk {
  /** The input itself where no term could enter it. */
  plan: Plan;
  /** The terms that stay above it. */
  rest: Expr[];
}

/** The input with all of the terms applied, as deep as each may go. */
function filtered(input: Plan, terms: Expr[]): Plan {
  if (terms.length === 0) return input;
  const { plan, rest } = sink(input, terms);
  return rest.length === 0 ? plan : filter(plan, allOf(rest));
}

function sink(input: Plan, terms: Expr[]): Sunk {
  const { entering, rest, enter } = passage(input, terms);
  return entering.length === 0 ? { plan: input, rest: terms } : { plan: enter(entering), rest };
}

interface Passage {
  entering: Expr[];
  rest: Expr[];
  enter: (entering: Expr[]) => Plan;
}

/** Which terms pass a step. */
function passage(step: Plan, terms: Expr[]): Passage {
  switch (step.op) {
    case 'filter':
      return pass(terms, isTotal, (more) => filtered(step.input, [...termsOf(step.predicate), ...more]));
    case 'extend':
      return translate(
        terms,
        (term) => overInput(term, step.added),
        (passed) => overAnother(step, filtered(step.input, passed)),
      );
    case 'project':
      return translate(
        terms,
        (term) => overInput(term, step.kept),
        (passed) => overAnother(step, filtered(step.input, passed)),
      );
    case 'sort':
      return pass(terms, isStable, (passed) => overAnother(step, filtered(step.input, passed)));
    case 'union':
      return pass(terms, isStable, (passed) => union(step.inputs.map((input) => filtered(input, passed))));
    case 'distinct':
      return pass(
        terms,
        (term) => isStable(term) && readsOnly(term, step.columns.filter(isPlain)),
        (passed) => overAnother(step, filtered(step.input, passed)),
      );
    case 'summarize': {
      // Without keys there is a row over no rows.
      const keys = step.keys.filter(({ value }) => isPlain(value));
      return translate(
        terms,
        (term) =>
          keys.length > 0 && readsOnly(term, keys) && columnsRead([term]).size > 0 ? overInput(term, keys) : undefined,
        (passed) => overAnother(step, filtered(step.input, passed)),
      );
    }
    case 'unnest':
      return pass(
        terms,
        (term) => isTotal(term) && readsOnly(term, step.input.columns),
        (passed) => overAnother(step, filtered(step.input, passed)),
      );
    case 'lateral':
      return pass(
        terms,
        (term) => isTotal(term) && readsOnly(term, keptColumns(step)),
        (passed) => lateral(filtered(step.input, passed), step.kept, step.body),
      );
    case 'join':
      return throughJoin(step, terms);
    case 'with': {
      const names = new Set(step.bindings.map(({ name }) => name));
      return pass(
        terms,
        (term) => isStable(term) && !namesOneOf(term, names),
        (passed) => {
          const body = filtered(step.body, passed);
          return { op: 'with', columns: body.columns, bindings: step.bindings, body };
        },
      );
    }
    default:
      return { entering: [], rest: terms, enter: () => step };
  }
}

function pass(terms: Expr[], mayPass: (term: Expr) => boolean, enter: (passed: Expr[]) => Plan): Passage {
  return translate(terms, (term) => (mayPass(term) ? term : undefined), enter);
}

function translate(
  terms: Expr[],
  translated: (term: Expr) => Expr | undefined,
  enter: (passed: Expr[]) => Plan,
): Passage {
  const entering: Expr[] = [];
  const rest: Expr[] = [];
  for (const term of terms) {
    const passed = isVolatile(term) ? undefined : translated(term);
    if (passed === undefined) rest.push(term);
    else entering.push(passed);
  }
  return { entering, rest, enter };
}

/** A side passes its own terms down where the join gives none of its rows with nulls in their place. */
function throughJoin(step: Join, terms: Expr[]): Passage {
  const sides = {
    left: step.kind !== 'RIGHT' && step.kind !== 'FULL',
    right: step.kind === 'INNER' || step.kind === 'RIGHT' || step.kind === 'CROSS',
  };
  const belongsTo = (side: 'left' | 'right', term: Expr) => sides[side] && readsOnly(term, step[side].columns);
  return pass(
    terms,
    (term) => isTotal(term) && columnsRead([term]).size > 0 && (belongsTo('left', term) || belongsTo('right', term)),
    (passed) => {
      const left = passed.filter((term) => belongsTo('left', term));
      const right = passed.filter((term) => !belongsTo('left', term));
      return join(step.kind, filtered(step.left, left), filtered(step.right, right), step.on);
    },
  );
}

const isStable = (term: Expr): boolean => !isVolatile(term);

/**
 * Types in which what a group takes for alike is one and the same value. Of others a group has one of several
 * representations (1.0 and 1.00, 0.0 and -0.0), which a term may tell apart.
 */
const plainTypes = new Set<ScalarType>(['bool', 'long', 'string', 'datetime', 'guid']);
const isPlain = ({ type }: { type: ScalarType }): boolean => plainTypes.has(type);

function readsOnly(term: Expr, columns: readonly { name: string }[]): boolean {
  return columnsRead([term]).isSubsetOf(new Set(columns.map(({ name }) => name)));
}

function keptColumns(step: Extract<Plan, { op: 'lateral' }>): PlanColumn[] {
  return step.input.columns.filter(({ name }) => step.kept.includes(name));
}

/** Whether plans inside the term name one of these relations: they would then be others. */
function namesOneOf(term: Expr, names: ReadonlySet<string>): boolean {
  const found = [...partsWithin(term)];
  return found.some((part) => 'op' in part && part.op === 'ref' && names.has(part.name));
}
