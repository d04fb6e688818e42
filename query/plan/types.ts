/**
 * The plan: what every language is translated to and every engine runs. A small typed algebra of plain data, so that it
 * can be printed, compared, sent between threads and stored.
 *
 * One semantics for all of it. Values are nullable in every type, and each function of `functions/` says what it makes
 * of a null. Kusto's strings are never null: KQL reads its scans with `nullStrings: false`, and none of its functions
 * gives a null string. Rows have no order except the one that `orderOf` (order.ts) finds.
 */
import type { JsonValue } from '../result.js';

/**
 * | type     | a literal's `value` | range |
 * |----------|---------------------|-------|
 * | bool     | boolean             | |
 * | long     | number, or digits beyond 2^53 | 64 bits, signed |
 * | real     | number, "NaN", "Infinity", "-Infinity" | IEEE 754, 64 bits; in an order NaN stands above all numbers |
 * | decimal  | string of digits    | 34 significant digits |
 * | string   | string              | |
 * | datetime | RFC 3339 UTC, `2015-05-17T10:05:03.12Z` without trailing zeros | years 1 to 9999, whole microseconds |
 * | timespan | whole microseconds: number, or digits beyond 2^53 | 64 bits of 100 ns ticks, as in Kusto |
 * | dynamic  | any JSON value      | |
 * | guid     | 36 characters, lower case | |
 *
 * A null is null in every type; JSON's null in a dynamic is the null of that type.
 */
export type ScalarType = 'bool' | 'long' | 'real' | 'decimal' | 'string' | 'datetime' | 'timespan' | 'dynamic' | 'guid';

export interface PlanColumn {
  /** Unique in its relation, upper and lower case apart. */
  name: string;
  type: ScalarType;
}

// ---------------------------------------------------------------- expressions

export interface ColumnExpr {
  kind: 'column';
  name: string;
  type: ScalarType;
}

export interface LiteralExpr {
  kind: 'literal';
  type: ScalarType;
  value: JsonValue;
}

/** A function or operator of `functions/`, which has its signature, its rule for nulls and where the rule comes from. */
export interface CallExpr {
  kind: 'call';
  fn: string;
  args: Expr[];
  type: ScalarType;
}

/** The first column of the first row of a relation, worked out once a run; null where there is no row. */
export interface ScalarPlanExpr {
  kind: 'scalar';
  plan: Plan;
  type: ScalarType;
}

/** Whether a value is among the values of a relation's only column. Never null: a null value is in no relation. */
export interface MembershipExpr {
  kind: 'membership';
  value: Expr;
  plan: Plan;
  /** Compares strings with upper and lower case alike. */
  ignoreCase: boolean;
  type: 'bool';
}

export type Expr = ColumnExpr | LiteralExpr | CallExpr | ScalarPlanExpr | MembershipExpr;

/** An expression under a name: a column that a step makes. */
export interface NamedExpr {
  name: string;
  value: Expr;
}

export interface SortKey {
  value: Expr;
  descending: boolean;
  nullsFirst: boolean;
}

// ---------------------------------------------------------------- relations

interface Relation {
  /** What the step gives, in this order. */
  columns: PlanColumn[];
}

/**
 * A dataset's rows of the caller's organisation. The organisation is not in the plan: engines add it.
 * Beside the declared columns (and `attributes`) a scan can be asked for `_id`, the event's id as a string.
 */
export interface Scan extends Relation {
  op: 'scan';
  dataset: string;
  timeColumn: string;
  /** Only events at or after this moment, RFC 3339; from outside the text. */
  from?: string;
  /** Only events before this moment. */
  to?: string;
  /** False gives the empty string where a string is not stored: Kusto's strings. */
  nullStrings: boolean;
}

/** Rows that are in the plan itself: `datatable`, `print`, VALUES, and what another engine has found already. */
export interface Values extends Relation {
  op: 'values';
  /** One array a row; values as literals have them. */
  rows: JsonValue[][];
}

/** A column that goes from `from` to at most `to` (included) in steps. No rows where the step leads away from `to`. */
export interface RangeRows extends Relation {
  op: 'range';
  from: Expr;
  to: Expr;
  step: Expr;
}

/** The rows for which the predicate is true: neither false nor null. */
export interface Filter extends Relation {
  op: 'filter';
  input: Plan;
  predicate: Expr;
}

/** All columns of the input, then the new ones. Their names are new; expressions see the input's columns only. */
export interface Extend extends Relation {
  op: 'extend';
  input: Plan;
  added: NamedExpr[];
}

/** These columns and no others. */
export interface Project extends Relation {
  op: 'project';
  input: Plan;
  kept: NamedExpr[];
}

/** One value a group. `where` leaves out the rows for which it is not true. */
export interface Aggregate {
  kind: 'aggregate';
  name: string;
  /** An aggregate of `functions/aggregates.ts`. */
  fn: string;
  args: Expr[];
  where?: Expr;
  type: ScalarType;
}

/** Columns of the one row of the group in which `by` is greatest or least: `arg_max`, `arg_min`, `take_any`. */
export interface Pick {
  kind: 'pick';
  /** Rows where it is null are taken only where all are. */
  by: Expr;
  which: 'GREATEST' | 'LEAST' | 'ANY';
  columns: NamedExpr[];
}

/** One row a group, and one row at all where there are no keys, also over no input. Null keys make a group. */
export interface Summarize extends Relation {
  op: 'summarize';
  input: Plan;
  keys: NamedExpr[];
  aggregates: (Aggregate | Pick)[];
}

export type JoinKind = 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'LEFT_SEMI' | 'LEFT_ANTI' | 'CROSS';

/**
 * The rows of both sides that agree in every pair of `on`; a null agrees with nothing. The column names of the two
 * sides differ; the semi and anti kinds give the left side's columns alone. What a side without a match leaves open is
 * null, in strings too.
 */
export interface Join extends Relation {
  op: 'join';
  kind: JoinKind;
  left: Plan;
  right: Plan;
  on: { left: Expr; right: Expr }[];
}

/** All rows of all inputs, which have the same columns in the same order. */
export interface Union extends Relation {
  op: 'union';
  inputs: Plan[];
}

/**
 * For each row one row per element of the arrays (the longest decides, the others give null); a bag has one element a
 * property, a bag of that property alone. `keepEmpty` keeps a row without elements, with nulls.
 */
export interface Unnest extends Relation {
  op: 'unnest';
  input: Plan;
  /** Each a dynamic; the column's type is what its elements are converted to (as `todouble` and its like do). */
  elements: (NamedExpr & { type: ScalarType })[];
  /** A column with the element's number, from 0. */
  index?: string;
  keepEmpty: boolean;
  /** The most rows that one row gives. */
  limit?: number;
}

/** For each row of the input, the rows of `body`, whose leaves `outer` stand for that one row. */
export interface Lateral extends Relation {
  op: 'lateral';
  input: Plan;
  body: Plan;
  /** Input columns that stand before the body's in each row; names differ from the body's. */
  kept: string[];
}

/** The one row that an enclosing Lateral is at. */
export interface Outer extends Relation {
  op: 'outer';
}

export interface Sort extends Relation {
  op: 'sort';
  input: Plan;
  keys: SortKey[];
}

/** At most `count` rows, after `offset` others: the first ones in the input's order, or any where it has none. */
export interface Limit extends Relation {
  op: 'limit';
  input: Plan;
  count: number;
  offset: number;
}

/** Each different row once. Nulls are alike. */
export interface Distinct extends Relation {
  op: 'distinct';
  input: Plan;
}

/** Values that depend on a row's neighbours. */
export interface WindowColumn {
  name: string;
  /** `row_number`, `rank`, `dense_rank`, `prev`, `next`, `row_cumsum` or an aggregate's name over the partition. */
  fn: string;
  /** prev, next: value, offset (a long literal) and default. row_cumsum: the value. row_number: the first number. */
  args: Expr[];
  type: ScalarType;
}

/** All columns of the input, then the window's. */
export interface Window extends Relation {
  op: 'window';
  input: Plan;
  partitionBy: Expr[];
  orderBy: SortKey[];
  added: WindowColumn[];
}

/** Relations that `body` and later bindings name by `ref`. A materialized one is worked out once. */
export interface With extends Relation {
  op: 'with';
  bindings: { name: string; plan: Plan; materialized: boolean }[];
  body: Plan;
}

export interface Ref extends Relation {
  op: 'ref';
  name: string;
}

export type Plan =
  | Scan
  | Values
  | RangeRows
  | Filter
  | Extend
  | Project
  | Summarize
  | Join
  | Union
  | Unnest
  | Lateral
  | Outer
  | Sort
  | Limit
  | Distinct
  | Window
  | With
  | Ref;
