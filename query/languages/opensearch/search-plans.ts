/** A search as plans: one for the hits, one for their count, one for each bucket aggregation. Plain data. */
import type { Plan } from '../../plan/types.js';

/** What a field is, as OpenSearch's mapping would call it. */
export type FieldKind = 'keyword' | 'ip' | 'long' | 'double' | 'boolean' | 'date' | 'object';

export interface SearchPlans {
  /** The dataset that the search reads. */
  dataset: string;
  timeColumn: string;
  hits?: HitsPlan;
  /** One row: how many hits there are, counted no further than one beyond `bound`. */
  total?: { plan: Plan; bound: number | null };
  aggregations?: AggregationNode;
}

/** Columns: `_id`, `time`, those of `sort` under `sort0`…, and the dataset's under `source0`…. */
export interface HitsPlan {
  plan: Plan;
  sort: FieldKind[];
  source: SourceColumns;
}

/** What of a hit its `_source` shows. */
export interface SourceColumns {
  /** Whether hits have a `_source` at all. */
  shown: boolean;
  /** The dataset's columns in their order. */
  names: string[];
  /** Patterns of dotted paths; an empty list of includes is everything. */
  includes: string[];
  excludes: string[];
}

/**
 * A level of the aggregations: the whole search, or the buckets of one aggregation in each bucket of the level above.
 * The plan has a row a bucket: the keys `bucket0`… of the levels above and then its own, `doc_count`, and `m0`… for the metrics' figures. Rows of one parent come in the order of their buckets.
 */
export interface AggregationNode {
  name: string;
  /** How many of the plan's keys are those of the levels above. */
  keysAbove: number;
  /** How many are its own: none at the root, several for `composite`, else one. */
  keys: number;
  shape: BucketShape;
  plan: Plan;
  metrics: MetricNode[];
  topHits: TopHitsNode[];
  children: AggregationNode[];
}

export type BucketShape =
  | { kind: 'root' }
  | { kind: 'terms'; keys: KeyKind; size: number }
  | DateHistogramShape
  | {
      kind: 'histogram';
      interval: number;
      offset: number;
      minDocCount: number;
      bounds?: { min: number; max: number };
      keyed: boolean;
    }
  | { kind: 'range'; keyed: boolean; ranges: RangeBucket[] }
  | { kind: 'filter' }
  | { kind: 'filters'; keyed: boolean; names: string[] }
  | { kind: 'composite'; sources: { name: string; keys: KeyKind }[]; size: number };

export interface DateHistogramShape {
  kind: 'date_histogram';
  /** The calendar's unit, or a fixed length. */
  step: { calendar: CalendarUnit } | { fixedMs: number };
  timeZone: string;
  minDocCount: number;
  /** Milliseconds since 1970. */
  bounds?: { min: number; max: number };
  keyed: boolean;
}

export type CalendarUnit = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year';

export type KeyKind = Exclude<FieldKind, 'object'>;

/** A bucket of range or date_range, with the members that its answer has beside `doc_count`. */
export interface RangeBucket {
  key: string;
  from?: number;
  to?: number;
  fromAsString?: string;
  toAsString?: string;
}

export interface MetricNode {
  name: string;
  kind: 'avg' | 'sum' | 'min' | 'max' | 'stats' | 'value_count' | 'cardinality' | 'percentiles';
  /** The columns of its figures: one, for `stats` count, min, max, avg, sum, for `percentiles` one a percent. */
  columns: string[];
  /** Whether the figures are moments. */
  isDate: boolean;
  percents?: number[];
  keyed?: boolean;
}

/** Columns as HitsPlan has them, after the keys `bucket0`… of the bucket that they are in. */
export interface TopHitsNode extends HitsPlan {
  name: string;
  /** How many keys lead. */
  keys: number;
}
