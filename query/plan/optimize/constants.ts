import { literal } from '../build.js';
import { foldCall } from '../fold.js';
import type { CallExpr, Expr, Plan } from '../types.js';
import { foldExpr, mapStep, operandsOf, rewritePlan, withOperands } from '../walk.js';
import { isCall, operandsIn } from './terms.js';

/**
 * Works out calls of literals, and takes what decides nothing out of `and` and `or`.
 *
 * Exact: KQL's `and` and `or` count a null as false and are never null themselves, so a single operand stands for the call
 * only where it is never null either. SQL's `sql_and` and `sql_or` are those of three-valued logic: `false and x` is false
 * and `true and x` is x for every x, and a null literal stays where it is. `not (not x)` is x.
 */
export function foldConstants(plan: Plan): Plan {
  return rewritePlan(plan, {
    step: (step) => {
      if (settled.has(step)) return step;
      const simple = mapStep(step, { input: (input) => input, expr: folded });
      if (simple === step) settled.add(step);
      return simple;
    },
  });
}

/** A chain of `and` or `or` is taken as one from its top: step by step, a chain of 10,000 would be copied 10,000 times. */
function folded(expr: Expr): Expr {
  if (settled.has(expr)) return expr;
  const simple = foldExpr<Expr>(
    expr,
    (node, operands) => {
      const same = withOperands(node, operands);
      return same.kind === 'call' ? simplified(same) : same;
    },
    (node) => (isChain(node) ? operandsIn([node.fn], node.args) : operandsOf(node)),
  );
  if (simple === expr) settled.add(expr);
  return simple;
}

/** What there is nothing to do in: rounds of rules see the same steps and expressions again. */
const settled = new WeakSet<Plan | Expr>();

const isChain = (expr: Expr): expr is CallExpr => expr.kind === 'call' && Object.hasOwn(chains, expr.fn);

function simplified(call: CallExpr): Expr {
  switch (call.fn) {
    case 'and':
    case 'or':
    case 'sql_and':
    case 'sql_or':
      return decided(call, chains[call.fn]);
    case 'not': {
      const [operand] = call.args;
      return isCall(operand!, 'not') ? operand.args[0]! : foldCall(call);
    }
    case 'iff':
    case 'iif': {
      const [condition, then, otherwise] = call.args;
      if (condition?.kind !== 'literal' || typeof condition.value !== 'boolean') return call;
      const taken = (condition.value ? then : otherwise)!;
      return taken.type === call.type ? taken : call;
    }
    default:
      return foldCall(call);
  }
}

interface Chain {
  /** The value that decides nothing in it. */
  neutral: boolean;
  /** Whether nulls count as false in it, rather than as what is not known. */
  isTwoValued: boolean;
}

const chains = {
  and: { neutral: true, isTwoValued: true },
  or: { neutral: false, isTwoValued: true },
  sql_and: { neutral: true, isTwoValued: false },
  sql_or: { neutral: false, isTwoValued: false },
} as const satisfies Record<string, Chain>;

function decided(call: CallExpr, { neutral, isTwoValued }: Chain): Expr {
  const is = (expr: Expr, value: boolean) =>
    expr.kind === 'literal' && (expr.value === value || (isTwoValued && !value && expr.value === null));
  if (call.args.some((arg) => is(arg, !neutral))) return literal('bool', !neutral);
  const deciding = call.args.filter((arg) => !is(arg, neutral));
  const [first] = deciding;
  if (first === undefined) return literal('bool', neutral);
  if (deciding.length > 1) return withOperands(call, deciding);
  if (!isTwoValued || isNeverNull(first)) return first;
  // One that decides nothing stays with it, and makes a false of its null.
  const idle = call.args.find((arg) => arg !== first)!;
  return call.args.length === 2 ? call : { ...call, args: [first, idle] };
}

const neverNull = new Set([
  ...['and', 'or', 'isnull', 'isnotnull', 'isempty', 'isnotempty', 'in', 'in~', '!in', '!in~'],
]);
const isNeverNull = (expr: Expr): boolean => expr.kind === 'call' && neverNull.has(expr.fn);
