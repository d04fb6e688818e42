/** Puts the buckets of the plans together to the tree of aggregations, in OpenSearch's shape. */
import type { AggregationNode, SearchPlans, TopHitsNode } from '../languages/opensearch/search-plans.js';
import type { Plan } from '../plan/types.js';
import type { JsonValue } from '../result.js';
import { type BucketRow, type BucketsOf, checkBucketCount, shapeBuckets } from './buckets.js';
import { hitShaper } from './hits.js';
import { metricAnswer } from './metrics.js';

type Answer = Record<string, JsonValue>;

/** @param read gives all rows of a plan @throws RESULT_TOO_LARGE for more buckets than OpenSearch allows */
export async function answerAggregations(
  search: SearchPlans,
  read: (plan: Plan) => Promise<JsonValue[][]>,
): Promise<Answer> {
  const root = search.aggregations!;
  const tree = new Tree(search);
  await tree.load(root, read);
  return tree.below(root, tree.rowsAt(root, [])[0], []);
}

class Tree {
  /** Rows of a plan by the keys of the bucket that they are in. */
  readonly #rows = new Map<AggregationNode | TopHitsNode, Map<string, JsonValue[][]>>();
  #shown = 0;

  constructor(readonly search: SearchPlans) {}

  async load(node: AggregationNode, read: (plan: Plan) => Promise<JsonValue[][]>): Promise<void> {
    this.#rows.set(node, groupRows(await read(node.plan), node.keysAbove));
    for (const hits of node.topHits) this.#rows.set(hits, groupRows(await read(hits.plan), hits.keys));
    for (const child of node.children) await this.load(child, read);
  }

  rowsAt(node: AggregationNode | TopHitsNode, path: JsonValue[]): JsonValue[][] {
    return this.#rows.get(node)?.get(JSON.stringify(path)) ?? [];
  }

  /** What stands under a bucket: its metrics, top hits and further buckets. A bucket without events has no row. */
  below(node: AggregationNode, row: JsonValue[] | undefined, path: JsonValue[]): Answer {
    const figure = (name: string): JsonValue => row?.[columnIndex(node.plan, name)] ?? null;
    const docCount = Number(figure('doc_count') ?? 0);
    return {
      ...Object.fromEntries(node.metrics.map((metric) => [metric.name, metricAnswer(metric, figure)])),
      ...Object.fromEntries(node.topHits.map((hits) => [hits.name, this.#topHits(hits, path, docCount)])),
      ...Object.fromEntries(node.children.map((child) => [child.name, this.#buckets(child, path)])),
    };
  }

  #topHits(node: TopHitsNode, path: JsonValue[], docCount: number): JsonValue {
    const hits = this.rowsAt(node, path).map(hitShaper(this.search, node, node.keys));
    const maxScore = hits.length > 0 && node.sort.length === 0 ? 1 : null;
    return { hits: { total: { value: docCount, relation: 'eq' }, max_score: maxScore, hits } };
  }

  #buckets(node: AggregationNode, path: JsonValue[]): JsonValue {
    const docCountIndex = columnIndex(node.plan, 'doc_count');
    const allDocsIndex = columnIndex(node.plan, 'all_docs');
    const rows = this.rowsAt(node, path).map(
      (row): BucketRow => ({
        keys: row.slice(node.keysAbove, node.keysAbove + node.keys),
        docCount: Number(row[docCountIndex]),
        allDocs: Number(row[allDocsIndex] ?? 0),
        row,
      }),
    );
    const of: BucketsOf = {
      rows,
      below: (keys, row) => {
        checkBucketCount(++this.#shown);
        return this.below(node, row?.row, [...path, ...keys]);
      },
    };
    return shapeBuckets(node.shape, of);
  }
}

const columnIndex = ({ columns }: Plan, name: string): number => columns.findIndex((each) => each.name === name);

function groupRows(rows: JsonValue[][], keys: number): Map<string, JsonValue[][]> {
  const groups = new Map<string, JsonValue[][]>();
  for (const row of rows) {
    const path = JSON.stringify(row.slice(0, keys));
    const group = groups.get(path);
    if (group === undefined) groups.set(path, [row]);
    else group.push(row);
  }
  return groups;
}
