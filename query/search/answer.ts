/** Answers a search: runs its plans and puts what they find into OpenSearch's shape. */
import { fail } from '../../platform/errors.js';
import type { Batch, SearchSummary } from '../engines/engine.js';
import type { HitsPlan, SearchPlans } from '../languages/opensearch/search-plans.js';
import type { Plan } from '../plan/types.js';
import type { JsonValue, ResultColumn } from '../result.js';
import { answerAggregations } from './aggregations.js';
import { hitShaper } from './hits.js';

/** As many rows of plans as are held at once, to make aggregations of. */
const maxHeldRows = 100_000;

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
 * Streams the hits, each a row; the last batch, which is empty, says the rest.
 * @param run runs one plan of the search
 * @throws RESULT_TOO_LARGE for more buckets than OpenSearch allows
 */
export async function* answerSearch(
  search: SearchPlans,
  run: (plan: Plan) => AsyncGenerator<Batch, void>,
): AsyncGenerator<Batch, void> {
  const startedMs = performance.now();
  const { hits } = search;
  const columns = hitColumns(hits);
  yield { columns, rows: [] };
  let found = 0;
  if (hits !== undefined) {
    const shape = hitShaper(search, hits);
    for await (const { rows } of run(hits.plan)) {
      found += rows.length;
      if (rows.length > 0) yield { columns, rows: rows.map((row) => toRow(shape(row), columns)) };
    }
  }
  let heldRows = 0;
  const read = async (plan: Plan): Promise<JsonValue[][]> => {
    const all: JsonValue[][] = [];
    for await (const { rows } of run(plan)) {
      heldRows += rows.length;
      if (heldRows > maxHeldRows) tooLarge();
      for (const row of rows) all.push(row);
    }
    return all;
  };
  const total = search.total && totalOf((await read(search.total.plan))[0], search.total.bound);
  const aggregations = search.aggregations && (await answerAggregations(search, read));
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

function tooLarge(): never {
  fail(
    'RESULT_TOO_LARGE',
    'The aggregations have too many buckets and hits. Use larger intervals or a smaller "size".',
    {
      argument: 'query',
    },
  );
}
