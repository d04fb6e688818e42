/** A search in OpenSearch's DSL, from its text to plans. */

import { filter, limit, scan, summarize } from '../../plan/build.js';
import { aggregate } from '../../plan/functions/index.js';
import type { Plan } from '../../plan/types.js';
import type { QueryableDataset, SearchQuery, TimeRange } from '../../prepared-query.js';
import { exactRange } from '../range.js';
import { aggregationPlans } from './aggregations/index.js';
import { Fields } from './fields.js';
import { hitsPlan, maxHits } from './hits.js';
import { type Json, parseJson } from './json.js';
import { predicate } from './query.js';
import type { SearchPlans } from './search-plans.js';

const defaultSize = 10;
/** How far hits are counted where the search does not say, as in OpenSearch. */
const defaultTotalBound = 10_000;

/**
 * Reads a search.
 * @throws QUERY_SYNTAX, QUERY_UNKNOWN_COLUMN or QUERY_NOT_SUPPORTED with the place in the text
 */
export function prepareSearch(text: string, dataset: QueryableDataset, range: TimeRange = {}): SearchQuery {
  const search = parseJson(text);
  const given = search.fields(
    'query',
    'aggs',
    'aggregations',
    'size',
    'from',
    'sort',
    'search_after',
    '_source',
    'track_total_hits',
    'track_scores',
    'timeout',
  );
  const fields = new Fields(dataset);
  const all = scan({
    columns: [...fields.columns, { name: '_id', type: 'string' }],
    dataset: dataset.name,
    timeColumn: dataset.timeColumn,
    ...exactRange(range),
    nullStrings: true,
  });
  const rows = given.query === undefined ? all : filter(all, predicate(given.query, fields));
  const size = given.size?.integer(0, maxHits) ?? defaultSize;
  const from = given.from?.integer(0, maxHits) ?? 0;
  if (from > 0 && given.search_after !== undefined)
    given.from!.fail('"from" and "search_after" both say where to begin: use one.');
  const { aggs, aggregations = aggs } = given;
  if (aggs !== aggregations) aggs?.fail('"aggs" and "aggregations" are the same: use one.');
  const bound = totalBound(given.track_total_hits);
  // Read in any case, so that what is wrong is said.
  const hits = hitsPlan(rows, fields, { ...given, from, size });
  const plans: SearchPlans = {
    dataset: dataset.name,
    timeColumn: dataset.timeColumn,
    ...(size > 0 && { hits }),
    ...(bound !== undefined && { total: { plan: countPlan(rows, bound), bound } }),
    ...(aggregations !== undefined &&
      aggregations.entries().length > 0 && { aggregations: aggregationPlans(aggregations, rows, fields) }),
  };
  return {
    form: 'SEARCH',
    language: 'OPENSEARCH',
    source: text,
    datasets: [dataset.name],
    knownColumns: fields.columns.map(({ name }) => name),
    rowWise: { ok: false, reason: 'a search answers more than rows', line: 1, column: 1 },
    search: plans,
  };
}

/** How far the hits are counted: null is to the end, undefined not at all. */
function totalBound(option: Json | undefined): number | null | undefined {
  if (option === undefined) return defaultTotalBound;
  if (option.node.type !== 'boolean') return option.integer(0, Number.MAX_SAFE_INTEGER - 1);
  return option.boolean() ? null : undefined;
}

function countPlan(rows: Plan, bound: number | null): Plan {
  const counted = bound === null ? rows : limit(rows, bound + 1);
  return summarize(counted, [], [{ kind: 'aggregate', name: 'total', ...aggregate('count', []) }]);
}
