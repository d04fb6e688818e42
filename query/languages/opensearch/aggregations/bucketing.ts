/** What a bucket aggregation is made of, whichever kind it is. */
import { column, extend, filter, literal } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { ColumnExpr, Expr, Plan, SortKey } from '../../../plan/types.js';
import { asText, type Field, isPresent, valueOr } from '../fields.js';
import type { Json } from '../json.js';
import type { BucketShape, KeyKind, MetricNode } from '../search-plans.js';

export interface Bucketing {
  shape: BucketShape;
  /** How many columns tell its buckets apart. */
  keys: number;
  /** The rows with the bucket's key in `own`: a row once for each bucket that it is in. */
  rows(input: Plan, own: string[]): Plan;
  /** The buckets that are shown, in their order. */
  select(groups: Plan, of: Selection): Plan;
  /** Whether rows that have a key may be in no bucket that is shown. */
  leavesOut: boolean;
}

export interface Selection {
  above: string[];
  own: string[];
  metrics: MetricNode[];
}

/** As many buckets of one `terms` as OpenSearch allows. */
export const maxBuckets = 65_535;

/** The key of a field's buckets; rows that have none are in no bucket. */
export function keyOf(field: Field, missing: Json | undefined): { kind: KeyKind; value: Expr } {
  const kind = field.kind === 'object' ? 'keyword' : field.kind;
  const present = field.kind === 'object' ? textOrNull(field) : field.value;
  return { kind, value: valueOr(field, present, missing) };
}

const textOrNull = (field: Field): Expr =>
  call('iff', [call('sql_isnull', [field.value]), literal('string', null), asText(field)]);

/** Adds a key, and leaves out the rows that have none. */
export const withKey = (input: Plan, name: string, value: Expr): Plan => {
  const keyed = extend(input, [{ name, value }]);
  return filter(keyed, isPresent(columnOf(keyed, name)));
};

export const ascending = (of: Plan, key: string): SortKey => ({
  value: columnOf(of, key),
  descending: false,
  nullsFirst: false,
});

/** A column of a step, by its name. */
export const columnOf = (of: Plan, key: string): ColumnExpr => column(of.columns.find(({ name }) => name === key)!);
