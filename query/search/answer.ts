/** Answers a search: runs its plans and puts what they find into OpenSearch's shape. */
import type { Batch, RunOptions, SearchSummary } from '../engines/engine.js';
import type { HitsPlan, SearchPlans } from '../languages/opensearch/search-plans.js';
import type { Plan } from '../plan/types.js';
import type { JsonValue, ResultColumn } from '../result.js';
import { answerAggregations } from './aggregations.js';
import { hitShaper } from './hits.js';

/** Runs one plan of a search on an engine. */
export type RunPlan = (plan: Plan, options: RunOptions) => AsyncGenerator<Batch, void>;

/** The columns in which hits come as rows. */
export function hitColumns(hits: HitsPlan | undefined): ResultColumn[] {
  const columns: ResultColumn[] = [
    { name: '_index', type: 'STRING' },
    { name: '_id', type: 'STRING' },
    { name: '_score', type: 'REAL' },
    { name: '_source', type: 'DYNAMIC' },
  ];
  return hits !== undefined && hits.sort.length > 0 ? [...columns, { name: 'sort', type: 'DYNAMIC' }] : columns;
}

/**
 * Streams the hits, each a row; the last batch, which is empty, says the rest. All plans together have the time that the
 * options allow.
 */
export async function* answerSearch(
  run: RunPlan,
  search: SearchPlans,
  options: RunOptions,
): AsyncGenerator<Batch, void> {
  const startedMs = performance.now();
  const within = (): RunOptions => {
    const leftMs = Math.max(1, Math.floor(options.timeoutMs - (performance.now() - startedMs)));
    return { ...options, timeoutMs: leftMs };
  };
  const { hits } = search;
  const columns = hitColumns(hits);
  yield { columns, rows: [] };
  let found = 0;
  if (hits !== undefined) {
    const shape = hitShaper(search, hits);
    for await (const { rows } of run(hits.plan, within())) {
      found += rows.length;
      if (rows.length > 0) yield { columns, rows: rows.map((row) => toRow(shape(row), columns)) };
    }
  }
  const total = search.total && totalOf((await allRows(run(search.total.plan, within())))[0], search.total.bound);
  const aggregations =
    search.aggregations && (await answerAggregations(search, (plan) => allRows(run(plan, within()))));
  const isScored = found > 0 && (hits?.sort.length ?? 0) === 0;
  const summary: SearchSummary = {
    took: Math.round(performance.now() - startedMs),
    ...(total && { total }),
    maxScore: isScored ? 1 : null,
    ...(aggregations && { aggregations }),
  };
  yield { columns, rows: [], search: summary };
}

const toRow = (hit: Record<string, JsonValue>, columns: ResultColumn[]): JsonValue[] =>
  columns.map(({ name }) => hit[name] ?? null);

function totalOf(row: JsonValue[] | undefined, bound: number | null): NonNullable<SearchSummary['total']> {
  const counted = Number(row?.[0] ?? 0);
  return bound !== null && counted > bound ? { value: bound, relation: 'gte' } : { value: counted, relation: 'eq' };
}

async function allRows(batches: AsyncGenerator<Batch, void>): Promise<JsonValue[][]> {
  const all: JsonValue[][] = [];
  for await (const { rows } of batches) all.push(...rows);
  return all;
}
