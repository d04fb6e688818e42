/** The buckets of one aggregation in OpenSearch's shape, each kind in its own. */
import { fail } from '../../platform/errors.js';
import { inZone } from '../languages/opensearch/date-math.js';
import { doubleText } from '../languages/opensearch/figures.js';
import type { BucketShape, DateHistogramShape, KeyKind, RangeBucket } from '../languages/opensearch/search-plans.js';
import type { JsonValue } from '../result.js';
import { toMillis } from './moments.js';
import { figureStep, nextStep, stepOf } from './steps.js';

type Answer = Record<string, JsonValue>;

/** A bucket that has events. */
export interface BucketRow {
  keys: JsonValue[];
  docCount: number;
  /** Of all buckets beside it together, also of those that are not shown. */
  allDocs: number;
  row: JsonValue[];
}

export interface BucketsOf {
  /** In their order. */
  rows: BucketRow[];
  /** What stands under a bucket; it has no row where it has no events. */
  below(keys: JsonValue[], row: BucketRow | undefined): Answer;
}

/** OpenSearch's own bound (`search.max_buckets`). */
const maxBuckets = 65_535;

export function shapeBuckets(shape: BucketShape, of: BucketsOf): JsonValue {
  switch (shape.kind) {
    case 'root':
    case 'filter': {
      const row = of.rows[0];
      return { doc_count: row?.docCount ?? 0, ...of.below([0], row) };
    }
    case 'terms':
      return termsAnswer(shape.keys, of);
    case 'composite':
      return compositeAnswer(shape.sources, of);
    case 'filters':
      return given(
        shape.names.map((name) => [name, {}]),
        shape.keyed,
        of,
      );
    case 'range':
      return given(
        shape.ranges.map((range) => [range.key, rangeMembers(range, shape.keyed)]),
        shape.keyed,
        of,
      );
    case 'date_histogram':
      return dateHistogramAnswer(shape, of);
    case 'histogram':
      return histogramAnswer(shape, of);
  }
}

/** @throws RESULT_TOO_LARGE for more buckets in an answer than OpenSearch allows */
export function checkBucketCount(count: number): void {
  if (count <= maxBuckets) return;
  fail(
    'RESULT_TOO_LARGE',
    `The aggregations have more than ${maxBuckets.toLocaleString('en')} buckets. Use a larger interval or a smaller "size".`,
    {
      argument: 'query',
    },
  );
}

function termsAnswer(kind: KeyKind, { rows, below }: BucketsOf): JsonValue {
  const shown = rows.reduce((sum, { docCount }) => sum + docCount, 0);
  return {
    doc_count_error_upper_bound: 0,
    sum_other_doc_count: (rows[0]?.allDocs ?? 0) - shown,
    buckets: rows.map((row) => ({
      ...keyMembers(kind, row.keys[0]!),
      doc_count: row.docCount,
      ...below(row.keys, row),
    })),
  };
}

/** A key, and as text where the key itself does not read well. */
function keyMembers(kind: KeyKind, key: JsonValue): Answer {
  if (kind === 'date') {
    const ms = toMillis(key);
    return { key: ms, key_as_string: inZone(ms, 'UTC') };
  }
  if (kind === 'boolean') return { key: key === true ? 1 : 0, key_as_string: String(key) };
  return { key };
}

function compositeAnswer(sources: { name: string; keys: KeyKind }[], { rows, below }: BucketsOf): JsonValue {
  const keyed = rows.map((row) => ({
    key: Object.fromEntries(
      sources.map(({ name, keys }, index) => [name, keys === 'date' ? toMillis(row.keys[index]!) : row.keys[index]!]),
    ),
    doc_count: row.docCount,
    ...below(row.keys, row),
  }));
  const last = keyed.at(-1);
  return { ...(last && { after_key: last.key }), buckets: keyed };
}

/** Buckets that are all shown, also where they have no events; their keys are their numbers. */
function given(named: [string, Answer][], keyed: boolean, { rows, below }: BucketsOf): JsonValue {
  const byNumber = new Map(rows.map((row) => [Number(row.keys[0]), row]));
  const buckets = named.map(([name, members], index): [string, Answer] => {
    const row = byNumber.get(index);
    return [name, { ...members, doc_count: row?.docCount ?? 0, ...below([index], row) }];
  });
  return { buckets: keyed ? Object.fromEntries(buckets) : buckets.map(([, bucket]) => bucket) };
}

function rangeMembers({ key, from, to, fromAsString, toAsString }: RangeBucket, keyed: boolean): Answer {
  return {
    ...(!keyed && { key }),
    ...(from !== undefined && { from }),
    ...(fromAsString !== undefined && { from_as_string: fromAsString }),
    ...(to !== undefined && { to }),
    ...(toAsString !== undefined && { to_as_string: toAsString }),
  };
}

function dateHistogramAnswer(shape: DateHistogramShape, { rows, below }: BucketsOf): JsonValue {
  const byStart = new Map(rows.map((row) => [toMillis(row.keys[0]!), row]));
  const starts = [...byStart.keys()];
  const bounds = shape.bounds && { min: stepOf(shape.bounds.min, shape), max: stepOf(shape.bounds.max, shape) };
  const filled = shape.minDocCount > 0 ? starts : fill(starts, bounds, (at) => nextStep(at, shape));
  const buckets = filled.flatMap((start): [string, Answer][] => {
    const row = byStart.get(start);
    if ((row?.docCount ?? 0) < shape.minDocCount) return [];
    const name = inZone(start, shape.timeZone);
    const keys = row?.keys ?? [new Date(start).toISOString()];
    return [[name, { key_as_string: name, key: start, doc_count: row?.docCount ?? 0, ...below(keys, row) }]];
  });
  return { buckets: shape.keyed ? Object.fromEntries(buckets) : buckets.map(([, bucket]) => bucket) };
}

function histogramAnswer(shape: Extract<BucketShape, { kind: 'histogram' }>, { rows, below }: BucketsOf): JsonValue {
  // Found by the number of the step: sums of fractions are not the products that the keys are.
  const number = (start: number): number => Math.round((start - shape.offset) / shape.interval);
  const start = (step: number): number => step * shape.interval + shape.offset;
  const byStep = new Map(rows.map((row) => [number(Number(row.keys[0])), row]));
  const bounds = shape.bounds && {
    min: number(figureStep(shape.bounds.min, shape)),
    max: number(figureStep(shape.bounds.max, shape)),
  };
  const steps = [...byStep.keys()];
  const filled = shape.minDocCount > 0 ? steps : fill(steps, bounds, (step) => step + 1);
  const buckets = filled.flatMap((step): [string, Answer][] => {
    const row = byStep.get(step);
    if ((row?.docCount ?? 0) < shape.minDocCount) return [];
    const key = row === undefined ? start(step) : Number(row.keys[0]);
    return [[doubleText(key), { key, doc_count: row?.docCount ?? 0, ...below([key], row) }]];
  });
  return { buckets: shape.keyed ? Object.fromEntries(buckets) : buckets.map(([, bucket]) => bucket) };
}

/** Every step from the first to the last one, and to the bounds. */
function fill(
  steps: number[],
  bounds: { min: number; max: number } | undefined,
  next: (step: number) => number,
): number[] {
  const first = Math.min(...steps.slice(0, 1), bounds?.min ?? Number.POSITIVE_INFINITY);
  const last = Math.max(...steps.slice(-1), bounds?.max ?? Number.NEGATIVE_INFINITY);
  const filled: number[] = [];
  for (let step = first; step <= last; step = next(step)) {
    filled.push(step);
    checkBucketCount(filled.length);
  }
  return filled;
}
