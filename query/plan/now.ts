/** Binds a prepared plan to the moment of its run. */
import { literal } from './build.js';
import { foldCall } from './fold.js';
import { momentOf, momentText } from './moment.js';
import type { CallExpr, Expr, Plan } from './types.js';
import { isPlan, partsWithin, rewritePlan } from './walk.js';

/**
 * The plan with `now()` and `ago()` as that moment throughout, RFC 3339, and what is worked out of it folded to literals,
 * so that an engine sees constant time bounds and reads only the partitions that they leave.
 */
export function bindNow(plan: Plan, instant: string): Plan {
  const moment = momentOf(instant);
  if (moment === undefined) throw new Error(`The moment of a run must be RFC 3339, not ${instant}.`);
  const now = literal('datetime', momentText(moment));
  return rewritePlan(plan, { expr: (expr) => (expr.kind === 'call' ? foldCall(bound(expr, now)) : expr) });
}

function bound(call: CallExpr, now: Expr): CallExpr {
  const [distance] = call.args;
  if (call.fn === 'now') return { ...call, fn: '+', args: [now, distance ?? literal('timespan', 0)] };
  return call.fn === 'ago' ? { ...call, fn: '-', args: [now, distance!] } : call;
}

/** Whether the plan hangs on the moment of its run. */
export function readsClock(plan: Plan): boolean {
  for (const part of partsWithin(plan)) {
    if (!isPlan(part) && part.kind === 'call' && (part.fn === 'now' || part.fn === 'ago')) return true;
  }
  return false;
}
