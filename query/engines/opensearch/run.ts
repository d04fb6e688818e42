/**
 * Runs plans on OpenSearch: each of a plan's native parts there, the rest in PostgreSQL on what they find. Where a part
 * finds more than fits in memory, or OpenSearch cannot be sure of a figure, all of it runs in PostgreSQL, which has the
 * same events: a plan gives the same answer in any case.
 */
import type { Pool } from 'pg';
import { fail } from '../../../platform/errors.js';
import type { Search } from '../../../platform/search.js';
import { column, project, sort, values } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import { bindNow } from '../../plan/now.js';
import { optimize } from '../../plan/optimize/index.js';
import type { Expr, Plan, PlanColumn } from '../../plan/types.js';
import { depthOf, mapStep, rewritePlan, stepsOf, withPlans } from '../../plan/walk.js';
import type { JsonValue } from '../../result.js';
import type { Batch, RunOptions } from '../engine.js';
import { runPlan } from '../postgres/run.js';
import { Declined } from './declined.js';
import type { Freshness } from './freshness.js';
import { readGroups } from './groups.js';
import { type Native, type NativeRows, nativeOf, supersetOf } from './native.js';
import { Requests } from './request.js';
import { readRows } from './rows.js';

/** What a native part may give to the rest of its plan. */
const maxRows = 100_000;
const maxBytes = 64 * 1024 * 1024;
/** Plans are cut by recursion; PostgreSQL tells what is too deep for it too. */
const maxDepth = 1_000;
/** The rest of a plan that makes each row of one row is run on about so much at once. */
const rowsPerRun = 5_000;
const bytesPerRun = 4 * 1024 * 1024;

export interface OpenSearchEngine {
  search: Search;
  freshness: Freshness;
  /** Where the rest of a plan runs: the pool of the query role. */
  postgres: Pool;
}

/** A native part with the place in the plan that its rows take. */
interface Part {
  native: Native;
  columns: PlanColumn[];
}

/** Runs a plan. `timeoutMs` bounds the whole run, the consumer's time included. */
export async function* runOnOpenSearch(
  engine: OpenSearchEngine,
  plan: Plan,
  options: RunOptions,
): AsyncGenerator<Batch, void> {
  const bound = optimize(bindNow(plan, options.now ?? new Date().toISOString()));
  const requests = new Requests(engine.search, options);
  let isAnswering = false;
  try {
    for await (const batch of answer({ ...engine, requests, options }, bound)) {
      yield batch;
      isAnswering = true;
    }
    return;
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    if (isAnswering) fail('SERVICE_UNAVAILABLE', 'The search index broke off its answer. Run the query again.');
  } finally {
    await requests.close();
  }
  yield* runPlan(engine.postgres, bound, { ...options, timeoutMs: requests.leftMs });
}

interface Run extends OpenSearchEngine {
  requests: Requests;
  options: RunOptions;
}

/** @throws Declined */
async function* answer(run: Run, plan: Plan): AsyncGenerator<Batch, void> {
  const { requests, freshness, options } = run;
  if (depthOf(plan) > maxDepth) throw new Declined();
  const { rest, parts } = cut(plan);
  const datasets = new Set(parts.values().map(({ native }) => native.scan.dataset));
  for (const dataset of datasets) {
    const isWhole = await requests.bounded((signal) => freshness.reach(options.orgId, dataset, signal));
    if (!isWhole) throw new Declined();
  }
  // What is read twice is read of one moment.
  if (parts.size > 1) for (const dataset of datasets) await requests.fix(dataset);
  const only = parts.size === 1 ? [...parts][0]! : undefined;
  if (only !== undefined && only[1].native.kind === 'rows' && isRowWise(rest, only[0])) {
    yield* streamRows(run, { rest, leaf: only[0], native: only[1].native });
    return;
  }
  const found = await readParts(requests, parts);
  await requests.close();
  yield* runRest(run, replaceLeaves(rest, found));
}

/** In what time is left. */
const runRest = ({ postgres, options, requests }: Run, rest: Plan): AsyncGenerator<Batch, void> =>
  runPlan(postgres, rest, { ...options, timeoutMs: requests.leftMs });

/** Cuts the native parts off a plan. Each leaves a leaf, by which its rows find their place. */
function cut(plan: Plan): { rest: Plan; parts: Map<Plan, Part> } {
  const parts = new Map<Plan, Part>();
  const leafOf = (step: Plan, native: Native): Plan => {
    const leaf: Plan = { op: 'values', columns: step.columns, rows: [] };
    parts.set(leaf, { native, columns: step.columns });
    return leaf;
  };
  // What several steps share is read once.
  const cutBefore = new Map<Plan, Plan>();
  const visit = (step: Plan): Plan => {
    const done = cutBefore.get(step) ?? cutStep(step);
    cutBefore.set(step, done);
    return done;
  };
  const cutStep = (step: Plan): Plan => {
    const native = nativeOf(step);
    if (native !== undefined) return leafOf(step, native);
    const superset = step.op === 'filter' ? supersetOf(step) : undefined;
    if (superset !== undefined) return refilter(step, superset);
    return mapStep(step, { input: visit, expr: visitExpr });
  };
  const visitExpr = (expr: Expr): Expr => withPlans(expr, visit);
  /** The filters over a scan, on what OpenSearch finds for them. */
  const refilter = (step: Plan, superset: NativeRows): Plan => {
    if (step.op === 'scan') return leafOf(step, superset);
    return mapStep(step, { input: (input) => refilter(input, superset), expr: visitExpr });
  };
  return { rest: visit(plan), parts };
}

/** Whether each row of the rest comes from one row of the leaf. */
function isRowWise(rest: Plan, leaf: Plan): boolean {
  for (const step of stepsOf(rest)) {
    if (step !== leaf && step.op !== 'filter' && step.op !== 'extend' && step.op !== 'project') return false;
  }
  return true;
}

/** Whatever their number: rows go through the rest of the plan as they come. */
async function* streamRows(
  run: Run,
  { rest, leaf, native }: { rest: Plan; leaf: Plan; native: NativeRows },
): AsyncGenerator<Batch, void> {
  let waiting: JsonValue[][] = [];
  let bytes = 0;
  let isFirst = true;
  const through = async function* (): AsyncGenerator<Batch, void> {
    const rows = waiting;
    waiting = [];
    bytes = 0;
    for await (const batch of runRest(run, replaceLeaves(rest, new Map([[leaf, rowsPlan(leaf.columns, rows)]])))) {
      if (batch.rows.length > 0 || isFirst) yield batch;
      isFirst = false;
    }
  };
  for await (const page of readRows(run.requests, native)) {
    for (const row of page.rows) waiting.push(row);
    bytes += page.bytes;
    if (waiting.length >= rowsPerRun || bytes >= bytesPerRun) yield* through();
  }
  if (waiting.length > 0 || isFirst) yield* through();
}

async function readParts(requests: Requests, parts: Map<Plan, Part>): Promise<Map<Plan, Plan>> {
  const found = new Map<Plan, Plan>();
  let leftRows = maxRows;
  let leftBytes = maxBytes;
  for (const [leaf, { native, columns }] of parts) {
    const rows: JsonValue[][] = [];
    if (native.kind === 'groups') {
      rows.push(...(await readGroups(requests, native, leftRows)));
      leftRows -= rows.length;
    } else {
      for await (const page of readRows(requests, native, leftRows)) {
        leftRows -= page.rows.length;
        leftBytes -= page.bytes;
        if (leftRows < 0 || leftBytes < 0) throw new Declined();
        for (const row of page.rows) rows.push(row);
      }
    }
    found.set(leaf, native.kind === 'groups' ? values(columns, rows) : rowsPlan(columns, rows));
  }
  return found;
}

/** No column of a dataset has this name. */
const rowNumber: PlanColumn = { name: '#row', type: 'long' };

/** Rows of documents as a step of the plan: in their order, and with JSON made of the text that keeps its digits. */
function rowsPlan(columns: PlanColumn[], rows: JsonValue[][]): Plan {
  const given = columns.map(({ name, type }): PlanColumn => ({ name, type: type === 'dynamic' ? 'string' : type }));
  const numbered = values(
    [...given, rowNumber],
    rows.map((row, index) => [...row, index]),
  );
  const inOrder = sort(numbered, [{ value: column(rowNumber), descending: false, nullsFirst: false }]);
  return project(
    inOrder,
    columns.map(({ name, type }, index) => {
      const value = column(given[index]!);
      return { name, value: type === 'dynamic' ? call('sql_json', [value]) : value };
    }),
  );
}

const replaceLeaves = (plan: Plan, found: ReadonlyMap<Plan, Plan>): Plan =>
  rewritePlan(plan, { step: (step) => found.get(step) ?? step });
