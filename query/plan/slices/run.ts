/** Runs a plan over one time slice after the other, newest first, with what is known so far after each of them. */
import type { Batch } from '../../engines/engine.js';
import type { TimeRange } from '../../prepared-query.js';
import type { JsonValue, ResultColumn } from '../../result.js';
import { column, summarize, union } from '../build.js';
import { aggregate } from '../functions/index.js';
import { figure, microsecondsPer, momentOf, momentText } from '../moment.js';
import { bindNow } from '../now.js';
import { optimize } from '../optimize/index.js';
import type { Plan, PlanColumn, Scan } from '../types.js';
import { canSlice, type Merge, narrowed, type Slicing } from './slices.js';

export interface SliceOptions {
  /** What `now()` is in all slices, RFC 3339. Default: the moment at which the run begins. */
  now?: string;
  /** How many slices at most, each twice as long as the one before. Default 8. */
  slices?: number;
  /** What may be kept of slices until they are merged; a plan that needs more is run in one piece. Default 16 MiB. */
  maxKeptBytes?: number;
}

/** A state of the result on the way. */
export interface PartialResult {
  columns: ResultColumn[];
  rows: JsonValue[][];
  /** Whether the rows follow those that came before, or stand in their place. */
  mode: 'APPEND' | 'REPLACE';
  /** The share of the time between the oldest and the newest event that is covered: 1 at the end, never before. */
  covered: number;
  /** All events at or after this moment are covered, RFC 3339. Absent before the first slice's end, and at the end. */
  since?: string;
}

/** Runs a plan on an engine, with everything else that the engine needs bound. */
export type RunPlan = (plan: Plan) => AsyncIterable<Batch>;

const defaultSlices = 8;
const defaultKeptBytes = 16 * 1_048_576;
const shortestSlice = microsecondsPer.s;

/**
 * Yields at least one result; the last one completes it. A plan that cannot be sliced runs in one piece, and its rows
 * are `covered: 0` until they are all there.
 */
export async function* runInSlices(
  runPlan: RunPlan,
  plan: Plan,
  range: TimeRange,
  { now = new Date().toISOString(), slices = defaultSlices, maxKeptBytes = defaultKeptBytes }: SliceOptions = {},
): AsyncGenerator<PartialResult, void> {
  const bound = optimize(narrowed(bindNow(plan, now), range));
  const slicing = canSlice(bound);
  const span = slicing.ok ? await eventSpan(runPlan, slicing.scans) : undefined;
  if (!slicing.ok || span === undefined) {
    yield* inOnePiece(runPlan, bound);
    return;
  }
  const cuts = cutsOf(span, slices);
  const { merge } = slicing;
  if (merge === undefined) yield* appended(runPlan, slicing, cuts);
  else if (!(yield* mergedSlices(runPlan, slicing, merge, cuts, maxKeptBytes))) yield* inOnePiece(runPlan, bound);
}

/** The first rows take the place of what a merge may have given before. */
async function* inOnePiece(runPlan: RunPlan, plan: Plan): AsyncGenerator<PartialResult, void> {
  let columns: ResultColumn[] = [];
  let mode: PartialResult['mode'] = 'REPLACE';
  for await (const batch of runPlan(plan)) {
    columns = batch.columns;
    yield { columns, rows: batch.rows, mode, covered: 0 };
    mode = 'APPEND';
  }
  yield { columns, rows: [], mode, covered: 1 };
}

// ---------------------------------------------------------------- slices

interface Cut {
  slice: TimeRange;
  /** The share of the span that is covered once the slice is. */
  covered: number;
}

interface Span {
  oldest: bigint;
  newest: bigint;
}

/** The times of the oldest and the newest event that the scans can give; undefined where there is none. */
async function eventSpan(runPlan: RunPlan, scans: Scan[]): Promise<Span | undefined> {
  const ends = (input: Plan, oldest: PlanColumn, newest: PlanColumn) =>
    summarize(
      input,
      [],
      [
        { kind: 'aggregate', name: 'oldest', ...aggregate('min', [column(oldest)]) },
        { kind: 'aggregate', name: 'newest', ...aggregate('max', [column(newest)]) },
      ],
    );
  const each = scans.map((scan) => {
    const time: PlanColumn = { name: scan.timeColumn, type: 'datetime' };
    return ends({ ...scan, columns: [time] }, time, time);
  });
  const all = union(each);
  const { rows } = await collected(
    runPlan,
    ends(all, { name: 'oldest', type: 'datetime' }, { name: 'newest', type: 'datetime' }),
  );
  const [oldest, newest] = (rows[0] ?? []).map((text) => (text === null ? undefined : momentOf(String(text))));
  return oldest === undefined || newest === undefined ? undefined : { oldest, newest };
}

/** Newest first; each twice as long as the one before, so that the first results come soon. The ends are open. */
function cutsOf({ oldest, newest }: Span, most: number): Cut[] {
  const length = newest - oldest;
  const bounds: bigint[] = [];
  for (let n = most - 1; n > 0; n--) {
    const bound = newest - length / 2n ** BigInt(n);
    const above = bounds.at(-1) ?? newest + 1n;
    if (above - bound >= shortestSlice && bound > oldest) bounds.push(bound);
  }
  const share = (bound: bigint) => Number(((newest - bound) * 1_000_000n) / length) / 1_000_000;
  return [...bounds, undefined].map((bound, index) => ({
    slice: {
      ...(bound !== undefined && { from: momentText(bound) }),
      ...(index > 0 && { to: momentText(bounds[index - 1]!) }),
    },
    covered: bound === undefined ? 1 : share(bound),
  }));
}

const progress = ({ slice, covered }: Cut) => ({
  covered,
  ...(slice.from !== undefined && { since: slice.from }),
});

async function* appended(runPlan: RunPlan, { part }: Slicing, cuts: Cut[]): AsyncGenerator<PartialResult, void> {
  let before: Pick<PartialResult, 'covered' | 'since'> = { covered: 0 };
  let columns: ResultColumn[] = [];
  for (const cut of cuts) {
    for await (const batch of runPlan(part(cut.slice))) {
      columns = batch.columns;
      if (batch.rows.length > 0) yield { columns, rows: batch.rows, mode: 'APPEND', ...before };
    }
    before = progress(cut);
    yield { columns, rows: [], mode: 'APPEND', ...before };
  }
}

/** @returns false where more would have to be kept than is allowed: what was yielded is then to be replaced */
async function* mergedSlices(
  runPlan: RunPlan,
  { part }: Slicing,
  { columns, combine, finish, enoughRows = Number.POSITIVE_INFINITY }: Merge,
  cuts: Cut[],
  maxKeptBytes: number,
): AsyncGenerator<PartialResult, boolean> {
  let kept: JsonValue[][] = [];
  for (const [index, cut] of cuts.entries()) {
    const found = await collected(runPlan, part(cut.slice), maxKeptBytes);
    if (found.isCutOff) return false;
    const both = [...kept, ...asLiterals(columns, found.rows)];
    const isOne = index === 0 || found.rows.length === 0;
    const combined = isOne ? { rows: both, isCutOff: false } : await collected(runPlan, combine(both), maxKeptBytes);
    if (combined.isCutOff) return false;
    kept = isOne ? both : asLiterals(columns, combined.rows);
    const isLast = index === cuts.length - 1 || kept.length >= enoughRows;
    const result = await collected(runPlan, finish(kept));
    const reached = isLast ? { covered: 1 } : progress(cut);
    yield { columns: result.columns, rows: result.rows, mode: 'REPLACE', ...reached };
    if (isLast) break;
  }
  return true;
}

// ---------------------------------------------------------------- rows

interface Collected {
  columns: ResultColumn[];
  rows: JsonValue[][];
  /** More bytes came than were asked for; the rest was left. */
  isCutOff: boolean;
}

async function collected(runPlan: RunPlan, plan: Plan, maxBytes = Number.POSITIVE_INFINITY): Promise<Collected> {
  let columns: ResultColumn[] = [];
  const rows: JsonValue[][] = [];
  let bytes = 0;
  for await (const batch of runPlan(plan)) {
    columns = batch.columns;
    for (const row of batch.rows) rows.push(row);
    if (maxBytes !== Number.POSITIVE_INFINITY) bytes += JSON.stringify(batch.rows).length;
    if (bytes > maxBytes) return { columns, rows, isCutOff: true };
  }
  return { columns, rows, isCutOff: false };
}

/** A result's values as literals: only spans of time are written in another form. */
function asLiterals(columns: PlanColumn[], rows: JsonValue[][]): JsonValue[][] {
  const spans = columns.flatMap(({ type }, index) => (type === 'timespan' ? [index] : []));
  if (spans.length === 0) return rows;
  return rows.map((row) =>
    row.map((value, index) => (spans.includes(index) && value !== null ? spanFigure(String(value)) : value)),
  );
}

const duration = /^P(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d+))?S)?)?$/;

/** `P1DT2H3M4.5S` in microseconds. */
function spanFigure(text: string): JsonValue {
  const match = duration.exec(text);
  if (match === null) throw new Error('A timespan of a result is not in ISO 8601.');
  const [, days = '0', hours = '0', minutes = '0', sign = '', seconds = '0', fraction = ''] = match;
  const micros = BigInt(seconds) * microsecondsPer.s + BigInt(fraction.slice(0, 6).padEnd(6, '0'));
  const { d, h, m } = microsecondsPer;
  return figure(BigInt(days) * d + BigInt(hours) * h + BigInt(minutes) * m + (sign === '-' ? -micros : micros));
}
