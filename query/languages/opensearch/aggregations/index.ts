/**
 * Aggregations as plans. Every bucket aggregation is one plan: the rows of the level above with the bucket's key, summed
 * up by all keys so far. The level below works on the rows of the buckets that are shown.
 * https://docs.opensearch.org/latest/aggregations/
 */
import { join, project, summarize } from '../../../plan/build.js';
import { aggregate } from '../../../plan/functions/index.js';
import type { Aggregate, Plan } from '../../../plan/types.js';
import { didYouMean } from '../../../suggest.js';
import type { Fields } from '../fields.js';
import { topHitsPlan } from '../hits.js';
import type { Json } from '../json.js';
import type { AggregationNode, MetricNode, TopHitsNode } from '../search-plans.js';
import { type Bucketing, columnOf } from './bucketing.js';
import { bucketKinds } from './buckets.js';
import { metricKinds } from './metrics.js';

const maxKeys = 8;
const maxAggregations = 100;

/** Kinds that OpenSearch has and that are refused by name. */
const refused: Record<string, string> = {
  scripted_metric: 'Scripts are not run.',
  significant_terms: 'It scores against the whole index. Use terms.',
  significant_text: 'It scores against the whole index. Use terms.',
  nested: 'There are no nested documents.',
  global: 'Send a second search for it.',
  sampler: 'Answers are exact here; leave it out.',
};

/** What all aggregations of a search share. */
interface Context {
  fields: Fields;
  aggregations: number;
}

/** The aggregations of a search over its rows. */
export function aggregationPlans(value: Json, rows: Plan, fields: Fields): AggregationNode {
  const level = readLevel(value, [], { fields, aggregations: 0 });
  return {
    name: '',
    keysAbove: 0,
    keys: 0,
    shape: { kind: 'root' },
    plan: summarize(rows, [], [docCount, ...level.figures]),
    ...level.over(rows),
  };
}

const docCount: Aggregate = { kind: 'aggregate', name: 'doc_count', ...aggregate('count', []) };

type Below = Pick<AggregationNode, 'metrics' | 'topHits' | 'children'>;

/** What stands under one `aggs`, before the rows that it works on are known. */
interface Level {
  figures: Aggregate[];
  metrics: MetricNode[];
  /** Whether anything works on the rows themselves. */
  needsRows: boolean;
  over(rows: Plan): Below;
}

/** @param keys the columns of the buckets so far */
function readLevel(value: Json | undefined, keys: string[], context: Context): Level {
  const figures: Aggregate[] = [];
  const metrics: MetricNode[] = [];
  const topHits: ((rows: Plan) => TopHitsNode)[] = [];
  const children: ((rows: Plan) => AggregationNode)[] = [];
  for (const [name, body] of value?.entries() ?? []) {
    if (++context.aggregations > maxAggregations) {
      body.fail(`A search takes at most ${maxAggregations} aggregations.`, 'QUERY_NOT_SUPPORTED');
    }
    const { kind, options, inner } = readAggregation(name, body);
    if (Object.hasOwn(bucketKinds, kind)) {
      const bucketing = bucketKinds[kind]!(options, context.fields);
      children.push(bucketNode(name, bucketing, inner, keys, body, context));
      continue;
    }
    if (inner !== undefined) inner.fail(`The aggregation "${kind}" has no buckets, so nothing can stand under it.`);
    if (kind === 'top_hits') topHits.push((rows) => topHitsPlan(name, rows, keys, options, context.fields));
    else if (Object.hasOwn(metricKinds, kind)) {
      const { node, figures: own } = metricKinds[kind]!(options, context.fields);
      const columns = own.map((_, index) => `m${figures.length + index}`);
      figures.push(...own.map((figure, index) => ({ ...figure, name: columns[index]! })));
      metrics.push({ name, ...node, columns });
    } else refuseKind(kind, options);
  }
  return {
    figures,
    metrics,
    needsRows: topHits.length + children.length > 0,
    over: (rows) => ({
      metrics,
      topHits: topHits.map((make) => make(rows)),
      children: children.map((make) => make(rows)),
    }),
  };
}

function refuseKind(kind: string, options: Json): never {
  const instead = Object.hasOwn(refused, kind)
    ? ` ${refused[kind]}`
    : didYouMean(kind, [...Object.keys(bucketKinds), ...Object.keys(metricKinds), 'top_hits']);
  return options.fail(`The aggregation "${kind}" is not supported.${instead}`, 'QUERY_NOT_SUPPORTED');
}

function readAggregation(name: string, body: Json): { kind: string; options: Json; inner: Json | undefined } {
  if (/[[\]>]/.test(name)) body.fail(`"${name}" is no name for an aggregation: it has one of [ ] >.`);
  const entries = body.entries();
  const isInner = ([key]: [string, Json]): boolean => key === 'aggs' || key === 'aggregations';
  const inner = entries.filter(isInner);
  const [first, ...others] = entries.filter((entry) => !isInner(entry));
  const meta = entries.find(([key]) => key === 'meta')?.[1];
  if (meta !== undefined) meta.fail('Aggregations take no "meta" here: it would not come back.', 'QUERY_NOT_SUPPORTED');
  if (first === undefined || others.length > 0 || inner.length > 1) {
    return body.fail(`The aggregation "${name}" takes one kind, such as "terms", and "aggs" for what stands under it.`);
  }
  return { kind: first[0], options: first[1], inner: inner[0]?.[1] };
}

/** Reads what stands under the buckets at once, so that what is wrong is said in the order of the text. */
function bucketNode(
  name: string,
  bucketing: Bucketing,
  inner: Json | undefined,
  above: string[],
  at: Json,
  context: Context,
): (rows: Plan) => AggregationNode {
  const own = Array.from({ length: bucketing.keys }, (_, index) => `bucket${above.length + index}`);
  const keys = [...above, ...own];
  if (keys.length > maxKeys) at.fail(`Buckets are nested more than ${maxKeys} levels deep.`, 'QUERY_NOT_SUPPORTED');
  const level = readLevel(inner, keys, context);
  return (input) => {
    const rows = bucketing.rows(input, own);
    const named = keys.map((key) => ({ name: key, value: columnOf(rows, key) }));
    const groups = summarize(rows, named, [docCount, ...level.figures]);
    const plan = bucketing.select(groups, { above, own, metrics: level.metrics });
    const below = level.needsRows && bucketing.leavesOut ? rowsOf(rows, plan, keys) : rows;
    return { name, keysAbove: above.length, keys: own.length, shape: bucketing.shape, plan, ...level.over(below) };
  };
}

/** The rows that are in one of the buckets. */
function rowsOf(rows: Plan, buckets: Plan, keys: string[]): Plan {
  const shown = project(
    buckets,
    keys.map((key) => ({ name: `shown_${key}`, value: columnOf(buckets, key) })),
  );
  const pairs = keys.map((key) => ({ left: columnOf(rows, key), right: columnOf(shown, `shown_${key}`) }));
  return join('LEFT_SEMI', rows, shown, pairs);
}
