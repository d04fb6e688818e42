/**
 * Runs a query so that its progress can be told: one that would take long, and can be cut, in slices of time, newest first.
 *
 * Every query begins in one piece, and most are over before anything else happens: they pay nothing. Asking the planner
 * first would cost each of them 1 to 10 ms, which is what a trivial query takes altogether. One that is not over soon asks
 * it beside its run. Where the planner expects much more to come, and the plan can be cut, the run is given up for one in
 * slices: what is lost is a small part of it. The planner knows little of what functions cost, so a run that goes on and
 * on is given up all the same, at the price of what it took until then. Slices cost some 0.4 s and a tenth of the time.
 */
import type { ErrorCode } from '../platform/errors.js';
import { HarborwatchError } from '../platform/errors.js';
import type { RunOptions, SearchSummary } from './engines/engine.js';
import type { Engines } from './engines/engines.js';
import { runOnOpenSearch } from './engines/opensearch/run.js';
import { runPlans } from './engines/postgres/run.js';
import { planColumns } from './engines/postgres/statement.js';
import { bindNow } from './plan/now.js';
import { optimize } from './plan/optimize/index.js';
import { type PartialResult, runInSlices, SlicesTooLarge } from './plan/slices/run.js';
import { canSlice, type Slicing } from './plan/slices/slices.js';
import type { Plan } from './plan/types.js';
import type { PreparedQuery } from './prepared-query.js';
import type { ResultColumn } from './result.js';
import { estimateQuery, runQuery } from './run.js';

interface SlicedRunOptions extends RunOptions {
  slicing?: SlicingRule;
}

/** When a run in one piece is given up for one in slices. */
export interface SlicingRule {
  /** Not before it has run so long. Default 150. */
  quickMs?: number;
  /** And only where the planner's cost is at least this: default 50,000, a group over some 1.6 million events. */
  longCost?: number;
  /** Whatever the planner says once it has run so long. Default 2,000. */
  longMs?: number;
}

/** What came of a run since the state before. */
export interface RunState extends Pick<PartialResult, 'rows' | 'mode' | 'since'> {
  /** Empty until they are known. */
  columns: ResultColumn[];
  /** The share of time that is covered; undefined in one piece. */
  covered?: number;
  /** Whether slices are put together, each to a whole result. */
  isMerged?: boolean;
  /** In one piece, the planner's guess at all rows; undefined while it is not known. */
  estimatedRows?: number;
  /** See Batch. */
  search?: SearchSummary;
}

const quickMs = 150;
const longCost = 50_000;
const longMs = 2_000;
/** A run that gives rows fast goes on in one piece. */
const manyRows = 1_000;
/** What the parts of a plan can meet that the whole does not: a sum overflows, a step is one too deep. */
const partsAlone = new Set<ErrorCode>(['QUERY_FAILED', 'QUERY_NOT_SUPPORTED']);

/**
 * Runs a query as runQuery does, and says how far it is. In PostgreSQL all slices see the same rows.
 * @throws as runQuery
 */
export async function* runQueryInSlices(
  engines: Engines,
  query: PreparedQuery,
  { slicing: rule = {}, ...given }: SlicedRunOptions,
): AsyncGenerator<RunState, void> {
  const untilMs = performance.now() + given.timeoutMs;
  const options = { ...given, now: given.now ?? new Date().toISOString() };
  const left = (): RunOptions => ({ ...options, timeoutMs: Math.max(1, Math.ceil(untilMs - performance.now())) });
  if (query.form === 'SEARCH') {
    for await (const batch of runQuery(engines, query, options)) yield { ...batch, mode: 'APPEND' };
    return;
  }
  const look = new Look(engines, query, options, rule);
  try {
    yield* inOnePiece(engines, query, { ...options, signal: look.signal }, look);
    return;
  } catch (error) {
    if (look.slicing === undefined) throw error;
  } finally {
    look.end();
  }
  try {
    yield* inSlices(engines, look.slicing, left());
  } catch (error) {
    const isForOnePiece =
      error instanceof SlicesTooLarge || (error instanceof HarborwatchError && partsAlone.has(error.code));
    if (!isForOnePiece) throw error;
    yield* inOnePiece(engines, query, left(), look, 'REPLACE');
  }
}

async function* inOnePiece(
  engines: Engines,
  query: PreparedQuery,
  options: RunOptions,
  look: Look,
  firstMode: RunState['mode'] = 'APPEND',
): AsyncGenerator<RunState, void> {
  let mode = firstMode;
  for await (const { columns, rows } of runQuery(engines, query, options)) {
    look.rows += rows.length;
    const { estimatedRows } = look;
    yield { columns, rows, mode, ...(estimatedRows !== undefined && { estimatedRows }) };
    mode = 'APPEND';
  }
}

async function* inSlices(
  { postgres, openSearch }: Engines,
  { plan, slicing }: Sliced,
  options: RunOptions,
): AsyncGenerator<RunState, void> {
  const isMerged = slicing.merge !== undefined;
  yield { columns: planColumns(plan), rows: [], mode: 'REPLACE', covered: 0, isMerged };
  const untilMs = performance.now() + options.timeoutMs;
  const states =
    openSearch === undefined || options.ingestBatch !== undefined
      ? runPlans(postgres, options, (run) => runInSlices(run, slicing))
      : runInSlices((part) => {
          const timeoutMs = Math.max(1, Math.ceil(untilMs - performance.now()));
          return runOnOpenSearch(openSearch, part, { ...options, timeoutMs });
        }, slicing);
  for await (const state of states) yield { ...state, isMerged };
}

interface Sliced {
  plan: Plan;
  slicing: Slicing;
}

/** Looks at a run that is not over soon, and gives it up where slices are better. */
class Look {
  /** Ends the run. */
  readonly signal: AbortSignal;
  rows = 0;
  estimatedRows: number | undefined;
  /** Set where the run was given up. */
  slicing: Sliced | undefined;
  readonly #giveUp = new AbortController();
  #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(
    readonly engines: Engines,
    readonly query: Exclude<PreparedQuery, { form: 'SEARCH' }>,
    readonly options: RunOptions & { now: string },
    readonly rule: SlicingRule,
  ) {
    const { signal } = options;
    this.signal = signal === undefined ? this.#giveUp.signal : AbortSignal.any([signal, this.#giveUp.signal]);
    this.#timer = setTimeout(() => void this.#look(), rule.quickMs ?? quickMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#isOver = true;
  }

  async #look(): Promise<void> {
    const { engines, query, options, rule } = this;
    const estimate = await estimateQuery(engines, query, { orgId: options.orgId }).catch(() => undefined);
    this.estimatedRows = estimate?.rows;
    if (this.#isOver) return;
    if ((estimate?.cost ?? 0) >= (rule.longCost ?? longCost)) this.#cut();
    else this.#timer = setTimeout(() => this.#cut(), (rule.longMs ?? longMs) - (rule.quickMs ?? quickMs));
  }

  #cut(): void {
    if (this.rows >= manyRows || this.options.signal?.aborted) return;
    this.slicing = slicedOf(this.query, this.options.now);
    if (this.slicing !== undefined) this.#giveUp.abort();
  }
}

/** Undefined where the query cannot be cut. */
function slicedOf(query: Exclude<PreparedQuery, { form: 'SEARCH' }>, now: string): Sliced | undefined {
  const given = query.form === 'PLAN' ? query.plan : query.translation.ok ? query.translation.plan : undefined;
  if (given === undefined) return undefined;
  const plan = optimize(bindNow(given, now));
  const slicing = canSlice(plan);
  return slicing.ok ? { plan, slicing } : undefined;
}
