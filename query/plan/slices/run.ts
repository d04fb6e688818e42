/** Runs a plan over one time slice after the other, newest first, with what is known so far after each of them. */
import type { Batch } from '../../engines/engine.js';
import type { TimeRange } from '../../prepared-query.js';
import type { JsonValue, ResultColumn } from '../../result.js';
import { column, summarize, union } from '../build.js';
import { aggregate } from '../functions/index.js';
import { figure, microsecondsPer, momentOf, momentText } from '../moment.js';
import type { Plan, PlanColumn, Scan } from '../types.js';
import type { Merge, Slicing } from './slices.js';

export interface SliceOptions {
  /** How many slices there are where each is quick: each is as long as all before it, down to the first. Default 8. */
  slices?: number;
  /** What may be kept of slices until they are merged. Default 16 MiB. */
  maxKeptBytes?: number;
  /** How long a slice should take at least; slices that take longer are followed by shorter ones. Default 2,000. */
  sliceMs?: number;
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
const defaultSliceMs = 2_000;
const shortestSlice = microsecondsPer.s;
/** A slice takes at least this share of the time until it, so that a long run has few. */
const leastShare = 0.05;
/** And so many times what it took to merge the one before. */
const timesMerge = 4;

/** More would have to be kept of slices than is allowed: the plan is to be run in one piece. */
export class SlicesTooLarge extends Error {}

/** Yields at least one result; the last one completes it. @throws SlicesTooLarge */
export async function* runInSlices(
  runPlan: RunPlan,
  slicing: Slicing,
  options: SliceOptions = {},
): AsyncGenerator<PartialResult, void> {
  const span = await eventSpan(runPlan, slicing.scans);
  // Without events there is nothing to cut.
  const cuts = new Cuts(span ?? { oldest: 0n, newest: 0n }, options);
  const { merge } = slicing;
  if (merge === undefined) yield* appended(runPlan, slicing, cuts);
  else yield* mergedSlices(runPlan, slicing, merge, cuts, options.maxKeptBytes ?? defaultKeptBytes);
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

/**
 * The slices of a span, newest first. The first is short, so that the first results come soon; the next ones double what
 * is covered until they take some time. The ends are open.
 */
class Cuts {
  readonly #span: Span;
  readonly #sliceMs: number;
  readonly #began = performance.now();
  /** Where the slice before begins; undefined before the first. */
  #bound: bigint | undefined;
  #length: bigint;
  #isOver = false;

  constructor(span: Span, { slices = defaultSlices, sliceMs = defaultSliceMs }: SliceOptions) {
    this.#span = span;
    this.#sliceMs = sliceMs;
    this.#length = (span.newest - span.oldest) / 2n ** BigInt(slices - 1);
  }

  /** The next slice. */
  next(): Cut {
    const { oldest, newest } = this.#span;
    const to = this.#bound;
    if (this.#length < shortestSlice) this.#length = shortestSlice;
    const from = (to ?? newest) - this.#length;
    this.#bound = from;
    this.#isOver = from <= oldest;
    const before = to === undefined ? {} : { to: momentText(to) };
    if (this.#isOver) return { slice: before, covered: 1 };
    const covered = Number(((newest - from) * 1_000_000n) / (newest - oldest)) / 1_000_000;
    return { slice: { ...before, from: momentText(from) }, covered };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Says what the slice took, and what it took to put it to the others. */
  took(readMs: number, mergeMs = 0): void {
    const goodMs = Math.max(this.#sliceMs, leastShare * (performance.now() - this.#began), timesMerge * mergeMs);
    const covered = this.#span.newest - this.#bound!;
    const timely = BigInt(Math.ceil((Number(this.#length) * goodMs) / Math.max(1, readMs)));
    this.#length = timely < covered ? timely : covered;
  }
}

const progress = ({ slice, covered }: Cut) => ({
  covered,
  ...(slice.from !== undefined && { since: slice.from }),
});

async function* appended(runPlan: RunPlan, { part }: Slicing, cuts: Cuts): AsyncGenerator<PartialResult, void> {
  let before: Pick<PartialResult, 'covered' | 'since'> = { covered: 0 };
  let columns: ResultColumn[] = [];
  while (!cuts.isOver) {
    const began = performance.now();
    const cut = cuts.next();
    for await (const batch of runPlan(part(cut.slice))) {
      columns = batch.columns;
      if (batch.rows.length > 0) yield { columns, rows: batch.rows, mode: 'APPEND', ...before };
    }
    cuts.took(performance.now() - began);
    before = progress(cut);
    yield { columns, rows: [], mode: 'APPEND', ...before };
  }
}

async function* mergedSlices(
  runPlan: RunPlan,
  { part }: Slicing,
  { columns, combine, finish, enoughRows = Number.POSITIVE_INFINITY }: Merge,
  cuts: Cuts,
  maxKeptBytes: number,
): AsyncGenerator<PartialResult, void> {
  let kept: JsonValue[][] = [];
  let isFirst = true;
  while (!cuts.isOver) {
    const began = performance.now();
    const cut = cuts.next();
    const found = await collected(runPlan, part(cut.slice), maxKeptBytes);
    const readMs = performance.now() - began;
    const both = [...kept, ...asLiterals(columns, found.rows)];
    const isOne = isFirst || found.rows.length === 0;
    kept = isOne ? both : asLiterals(columns, (await collected(runPlan, combine(both), maxKeptBytes)).rows);
    isFirst = false;
    const isLast = cuts.isOver || kept.length >= enoughRows;
    const result = await collected(runPlan, finish(kept));
    cuts.took(readMs, performance.now() - began - readMs);
    const reached = isLast ? { covered: 1 } : progress(cut);
    yield { columns: result.columns, rows: result.rows, mode: 'REPLACE', ...reached };
    if (isLast) return;
  }
}

// ---------------------------------------------------------------- rows

interface Collected {
  columns: ResultColumn[];
  rows: JsonValue[][];
}

/** @throws SlicesTooLarge */
async function collected(runPlan: RunPlan, plan: Plan, maxBytes = Number.POSITIVE_INFINITY): Promise<Collected> {
  let columns: ResultColumn[] = [];
  const rows: JsonValue[][] = [];
  let bytes = 0;
  for await (const batch of runPlan(plan)) {
    columns = batch.columns;
    for (const row of batch.rows) rows.push(row);
    if (maxBytes !== Number.POSITIVE_INFINITY) bytes += JSON.stringify(batch.rows).length;
    if (bytes > maxBytes) throw new SlicesTooLarge();
  }
  return { columns, rows };
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
