/**
 * Whether a plan can be run over one time slice after the other, newest first, and how the slices' results combine.
 *
 * It can where each event is looked at by itself up to one step that combines rows: a limit, the first rows of a sort, a
 * `distinct`, a group of decomposable aggregates. What comes after that step runs on the combined rows. No event is in
 * two slices; one that is taken in while the slices run is seen by those that run after it.
 */

import type { TimeRange } from '../../prepared-query.js';
import type { JsonValue } from '../../result.js';
import { distinct, limit, sort, values } from '../build.js';
import { momentOf } from '../moment.js';
import type { Expr, Limit, Plan, PlanColumn, ScalarType, Scan, Sort, SortKey } from '../types.js';
import { expressionsOf, inputsOf, overAnother, partsWithin, rewritePlan, stepsOf, subexpressions } from '../walk.js';
import { decompose } from './groups.js';

/** How the results of parts become the result of the whole. Rows are in the form of literals. */
export interface Merge {
  /** Of the rows of parts, and of `combine`. */
  columns: PlanColumn[];
  /** Several parts as one, so that what is kept stays small. */
  combine: (rows: JsonValue[][]) => Plan;
  /** The plan's result from the rows of all parts. */
  finish: (rows: JsonValue[][]) => Plan;
  /** With so many rows kept, older slices change nothing. */
  enoughRows?: number;
}

export interface Slicing {
  ok: true;
  /** The scans that are cut into slices. */
  scans: Scan[];
  /** The plan for one slice. */
  part: (slice: TimeRange) => Plan;
  /** Undefined where the result is the rows of the parts, the newest slice first. */
  merge?: Merge;
}

export type Sliceability = Slicing | { ok: false; reason: string };

/** Says whether the plan can be run in slices, and how. Bind `now()` and optimise it first. */
export function canSlice(plan: Plan): Sliceability {
  if (scansIn(expressionPlans(plan)).length > 0) return no('a part of it reads a dataset by itself');
  const above: Plan[] = [];
  let step = plan;
  while (!isRowByRow(step)) {
    const [input, ...others] = inputsOf(step);
    if (input === undefined) return no('it reads no dataset');
    if (others.length > 0) return no(reasons[step.op] ?? otherReason);
    above.push(step);
    step = input;
  }
  const scans = scansIn([step]);
  const combining = above.pop();
  const split = combining === undefined ? 'APPEND' : splitAt(combining, above, step);
  if (split === 'APPEND') return { ok: true, scans, part: (slice) => narrowed(plan, slice) };
  if ('reason' in split) return no(split.reason);
  const { part, ...merge } = split;
  return {
    ok: true,
    scans,
    part: (slice) => narrowed(part, slice),
    merge: { ...merge, columns: part.columns },
  };
}

const no = (reason: string): { ok: false; reason: string } => ({ ok: false, reason });

const reasons: Partial<Record<Plan['op'], string>> = {
  join: 'it joins two relations',
  lateral: 'it works on each row with other rows',
  with: 'it names a relation more than once',
  window: 'a value of it depends on other rows',
};
const otherReason = 'it combines rows in a way that does not split';

/** Each row comes from one event alone. */
function isRowByRow(plan: Plan): boolean {
  return [...stepsOf(plan)].every(({ op }) => rowWise.has(op)) && scansIn([plan]).length > 0;
}
const rowWise = new Set<Plan['op']>(['scan', 'filter', 'extend', 'project', 'unnest', 'union']);

function scansIn(plans: Iterable<Plan>): Scan[] {
  const scans: Scan[] = [];
  for (const plan of plans) for (const step of stepsOf(plan)) if (step.op === 'scan') scans.push(step);
  return scans;
}

function* expressionPlans(plan: Plan): Generator<Plan, void> {
  for (const part of partsWithin(plan)) if ('plan' in part) yield part.plan;
}

/** A merge, with the step in its form for a part. */
type Split = Omit<Merge, 'columns'> & { part: Plan };

/** How the step over the rows splits; `above` are the steps over it, the last one right above. */
function splitAt(step: Plan, above: Plan[], rows: Plan): Split | 'APPEND' | { reason: string } {
  switch (step.op) {
    case 'limit':
      return firstRows(step, undefined, above);
    case 'sort': {
      const next = above.at(-1);
      const isByTime = isNewestFirst(step.keys, rows);
      if (next?.op === 'limit') return firstRows(next, step, above.slice(0, -1), isByTime);
      return isByTime && above.every(({ op }) => rowWise.has(op)) ? 'APPEND' : { reason: 'it sorts all rows' };
    }
    case 'distinct': {
      if (step.columns.some(({ type }) => type === 'dynamic')) return { reason: unsafe };
      const combine = (found: JsonValue[][]) => distinct(values(step.columns, found));
      return { part: step, combine, finish: (found) => restack(above, combine(found)) };
    }
    case 'summarize': {
      const split = decompose(step);
      if ('reason' in split) return split;
      const picked = step.aggregates.flatMap((item) => (item.kind === 'pick' ? item.columns : []));
      if (
        !survives(
          picked.map(({ value }) => value),
          above,
        )
      )
        return { reason: unsafe };
      return { ...split, finish: (found) => restack(above, split.finish(found)) };
    }
    default:
      return { reason: reasons[step.op] ?? otherReason };
  }
}

const unsafe = 'it works with dynamic values after rows were combined';

/** A limit, over a sort or not. */
function firstRows(step: Limit, sorted: Sort | undefined, above: Plan[], isByTime = true): Split | { reason: string } {
  const most = step.count + step.offset;
  const rows = sorted === undefined ? step.input : sorted.input;
  const order = (input: Plan) => (sorted === undefined ? input : sort(input, sorted.keys));
  if (!survives(rows.columns, sorted === undefined ? above : [sorted, ...above])) return { reason: unsafe };
  return {
    part: limit(order(rows), most),
    combine: (found) => limit(order(values(rows.columns, found)), most),
    finish: (found) => restack(above, limit(order(values(rows.columns, found)), step.count, step.offset)),
    ...(isByTime && { enoughRows: most }),
  };
}

/** The steps over another input. */
const restack = (above: Plan[], input: Plan): Plan =>
  above.reduceRight((below, step) => overAnother(step, below), input);

/**
 * Whether the steps answer the same from a part's rows as from the rows themselves. In a result the large integers inside
 * a dynamic are texts: it can be passed on, and nothing may be made of it.
 */
function survives(columns: { type: ScalarType }[], steps: Plan[]): boolean {
  if (columns.every(({ type }) => type !== 'dynamic')) return true;
  return steps.every((step) => step.op !== 'distinct' && expressionsOf(step).every((expr) => !looksInside(expr)));
}

function looksInside(expr: Expr): boolean {
  for (const part of subexpressions(expr)) {
    if (part.kind === 'call' && part.args.some(({ type }) => type === 'dynamic')) return true;
  }
  return false;
}

// ---------------------------------------------------------------- time

/** Whether the first key is the event time of every scan below, descending: then newer slices come first as a whole. */
function isNewestFirst([key]: SortKey[], rows: Plan): boolean {
  return key?.descending === true && key.value.kind === 'column' && isEventTime(key.value.name, rows);
}

function isEventTime(name: string, plan: Plan): boolean {
  switch (plan.op) {
    case 'scan':
      return name === plan.timeColumn;
    case 'union':
      return plan.inputs.every((input) => isEventTime(name, input));
    case 'extend':
    case 'project': {
      const made = (plan.op === 'extend' ? plan.added : plan.kept).find((item) => item.name === name);
      if (made === undefined) return plan.op === 'extend' && isEventTime(name, plan.input);
      return made.value.kind === 'column' && isEventTime(made.value.name, plan.input);
    }
    case 'filter':
    case 'unnest':
      return plan.input.columns.some((item) => item.name === name) && isEventTime(name, plan.input);
    default:
      return false;
  }
}

/** The plan with its scans bounded to the slice as well. */
export function narrowed(plan: Plan, slice: TimeRange): Plan {
  return rewritePlan(plan, { step: (step) => (step.op === 'scan' ? boundScan(step, slice) : step) });
}

function boundScan(scan: Scan, slice: TimeRange): Plan {
  const from = later(scan.from, slice.from);
  const to = earlier(scan.to, slice.to);
  return { ...scan, ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

const later = (a: string | undefined, b: string | undefined) =>
  a !== undefined && (b === undefined || at(a) >= at(b)) ? a : b;
const earlier = (a: string | undefined, b: string | undefined) =>
  a !== undefined && (b === undefined || at(a) <= at(b)) ? a : b;

function at(text: string): bigint {
  const moment = momentOf(text);
  if (moment === undefined) throw new Error(`A time bound must be RFC 3339, not ${text}.`);
  return moment;
}
