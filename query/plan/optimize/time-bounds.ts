import { filter } from '../build.js';
import { isMoment, momentOf, momentText } from '../moment.js';
import type { Expr, Plan, Scan } from '../types.js';
import { rewritePlan } from '../walk.js';
import { allOf, termsOf } from './terms.js';

/**
 * Makes the bounds that a filter sets for a scan's time column bounds of the scan itself, where they are seen.
 *
 * Exact: the time column of a dataset is never null and holds whole microseconds, so that "after x" is "at or after the
 * next microsecond".
 */
export function liftTimeBounds(plan: Plan): Plan {
  return rewritePlan(plan, {
    step: (step) => {
      if (step.op !== 'filter' || step.input.op !== 'scan') return step;
      const scan = step.input;
      const range = known(scan);
      if (range === undefined) return step;
      const rest: Expr[] = [];
      for (const term of termsOf(step.predicate)) {
        const bounds = boundsOf(term, scan.timeColumn);
        if (bounds === undefined) rest.push(term);
        else narrow(range, bounds);
      }
      const terms = termsOf(step.predicate).length;
      if (rest.length === terms) return step;
      const bounded: Scan = {
        ...scan,
        ...(range.from !== undefined && { from: momentText(range.from) }),
        ...(range.to !== undefined && { to: momentText(range.to) }),
      };
      return rest.length === 0 ? bounded : filter(bounded, allOf(rest));
    },
  });
}

/** From the first moment to before the second. */
interface Bounds {
  from?: bigint;
  to?: bigint;
}

/** What the scan has already; undefined where it is written in a form that is not understood. */
function known({ from, to }: Scan): Bounds | undefined {
  const bounds: Bounds = {};
  for (const [side, text] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (text === undefined) continue;
    const moment = momentOf(text);
    if (moment === undefined) return undefined;
    bounds[side] = moment;
  }
  return bounds;
}

function narrow(range: Bounds, { from, to }: Bounds): void {
  if (from !== undefined && (range.from === undefined || from > range.from)) range.from = from;
  if (to !== undefined && (range.to === undefined || to < range.to)) range.to = to;
}

const mirrored: Record<string, string> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==', '=': '=' };

/** The bounds that are the whole of what the term says. */
function boundsOf(term: Expr, timeColumn: string): Bounds | undefined {
  if (term.kind !== 'call') return undefined;
  const { fn, args } = term;
  const [first, second, third] = args;
  const isTime = (expr: Expr | undefined) => expr?.kind === 'column' && expr.name === timeColumn;
  let bounds: Bounds | undefined;
  if (fn === 'between' && isTime(first)) {
    const [from, to] = [momentIn(second), momentIn(third)];
    if (from !== undefined && to !== undefined) bounds = { from, to: to + 1n };
  } else if (Object.hasOwn(mirrored, fn) && args.length === 2) {
    if (isTime(first)) bounds = comparison(fn, momentIn(second));
    else if (isTime(second)) bounds = comparison(mirrored[fn]!, momentIn(first));
  }
  return bounds !== undefined && [bounds.from, bounds.to].every((at) => at === undefined || isMoment(at))
    ? bounds
    : undefined;
}

function momentIn(expr: Expr | undefined): bigint | undefined {
  const isMomentLiteral = expr?.kind === 'literal' && expr.type === 'datetime' && typeof expr.value === 'string';
  return isMomentLiteral ? momentOf(expr.value as string) : undefined;
}

function comparison(fn: string, moment: bigint | undefined): Bounds | undefined {
  if (moment === undefined) return undefined;
  switch (fn) {
    case '<':
      return { to: moment };
    case '<=':
      return { to: moment + 1n };
    case '>':
      return { from: moment + 1n };
    case '>=':
      return { from: moment };
    default:
      return { from: moment, to: moment + 1n };
  }
}
