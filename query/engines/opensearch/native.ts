/**
 * What of a plan OpenSearch runs by itself: from a scan upward filters, the first rows in an order, or groups. The rest
 * of the plan runs in PostgreSQL on what comes out, so every function means the same on both engines.
 */
import { findDataset } from '../../../datasets/index.js';
import type { Column } from '../../../datasets/types.js';
import { firstMoment, microsecondsPer } from '../../plan/moment.js';
import type { Aggregate, Expr, NamedExpr, Plan, Scan, SortKey, Summarize } from '../../plan/types.js';
import { type Condition, conditionOf, everything, type SearchQuery, timeRange } from './conditions.js';
import { metaFields } from './mapping.js';

/** Rows of a scan, filtered; the first ones in an order where there is a limit. */
export interface NativeRows {
  kind: 'rows';
  scan: Scan;
  query: SearchQuery[];
  sort: SortField[];
  limit?: { count: number; offset: number };
}

export interface SortField {
  field: string;
  descending: boolean;
  nullsFirst: boolean;
  /** Whether figures of 64 bits are stored in it. */
  isLong: boolean;
}

/** Groups of a scan's filtered rows. */
export interface NativeGroups {
  kind: 'groups';
  plan: Summarize;
  scan: Scan;
  query: SearchQuery[];
  keys: NativeKey[];
  figures: NativeFigure[];
}

export type NativeKey =
  | { kind: 'text' | 'whole' | 'bool'; field: string }
  /** Bins of the time column, in whole microseconds. */
  | { kind: 'time'; interval: number };

export interface NativeFigure {
  fn: 'count' | 'sum' | 'min' | 'max';
  /** Absent for the count of rows. */
  field?: string;
  /** Whether the field is the time column. */
  isTime: boolean;
  where?: SearchQuery;
}

export type Native = NativeRows | NativeGroups;

/** The largest step of a plan that OpenSearch runs exactly; undefined where it is none of the kinds. */
export function nativeOf(plan: Plan): Native | undefined {
  if (plan.op === 'summarize') return groupsOf(plan);
  if (plan.op === 'limit') return limitedRows(plan.input, plan);
  const source = filtered(plan);
  return source?.exact ? rowsOf(source) : undefined;
}

interface Filtered extends Condition {
  scan: Scan;
}

const rowsOf = ({ scan, query }: Filtered): NativeRows => ({
  kind: 'rows',
  scan,
  query: [...timeRange(scan), query],
  sort: [],
});

/** A scan under filters, which may find more than they should: what is found is filtered again then. */
function filtered(plan: Plan): Filtered | undefined {
  if (plan.op === 'scan') return { scan: plan, ...everything };
  if (plan.op !== 'filter') return undefined;
  const inner = filtered(plan.input);
  if (inner === undefined) return undefined;
  const own = conditionOf(plan.predicate, inner.scan);
  return { scan: inner.scan, query: { bool: { filter: [inner.query, own.query] } }, exact: inner.exact && own.exact };
}

/** The rows that a filter works on where OpenSearch cannot say the whole of it. */
export function supersetOf(plan: Plan): NativeRows | undefined {
  const source = filtered(plan);
  return source && rowsOf(source);
}

function limitedRows(input: Plan, { count, offset }: { count: number; offset: number }): NativeRows | undefined {
  const keys = input.op === 'sort' ? input.keys : [];
  const source = filtered(input.op === 'sort' ? input.input : input);
  if (!source?.exact) return undefined;
  const sort = keys.map((key) => sortField(key, source.scan));
  if (sort.includes(undefined)) return undefined;
  return { ...rowsOf(source), sort: sort as SortField[], limit: { count, offset } };
}

/** Order that OpenSearch keeps exactly: of moments of the event, and of whole numbers. */
function sortField({ value, descending, nullsFirst }: SortKey, scan: Scan): SortField | undefined {
  if (value.kind !== 'column') return undefined;
  const how = { descending, nullsFirst };
  if (value.name === scan.timeColumn) return { field: metaFields.timeUs, ...how, isLong: false };
  if (value.name === '_id') return { field: metaFields.id, ...how, isLong: false };
  if (typeOf(value, scan) !== 'whole') return undefined;
  return { field: value.name, ...how, isLong: columnOf(value.name, scan)?.type === 'LONG' };
}

const columnOf = (name: string, { dataset }: Scan): Column | undefined =>
  findDataset(dataset)!.columns.find((column) => column.name === name);

function typeOf(expr: Expr, scan: Scan): 'text' | 'whole' | 'bool' | undefined {
  if (expr.kind !== 'column') return undefined;
  const type = columnOf(expr.name, scan)?.type;
  if (type === 'STRING' || type === 'IP') return 'text';
  if (type === 'INT' || type === 'LONG') return 'whole';
  return type === 'BOOLEAN' ? 'bool' : undefined;
}

function groupsOf(plan: Summarize): NativeGroups | undefined {
  const source = filtered(plan.input);
  if (!source?.exact) return undefined;
  const { scan, query } = source;
  const keys = plan.keys.map((key) => keyOf(key, scan));
  const figures = plan.aggregates.map((each) => (each.kind === 'pick' ? undefined : figureOf(each, scan)));
  if (keys.includes(undefined) || figures.includes(undefined)) return undefined;
  return {
    kind: 'groups',
    plan,
    scan,
    query: [...timeRange(scan), query],
    keys: keys as NativeKey[],
    figures: figures as NativeFigure[],
  };
}

function keyOf({ value }: NamedExpr, scan: Scan): NativeKey | undefined {
  const kind = typeOf(value, scan);
  if (kind !== undefined) return { kind, field: (value as { name: string }).name };
  if (value.kind !== 'call' || value.fn !== 'bin') return undefined;
  const [moment, step] = value.args;
  if (moment?.kind !== 'column' || moment.name !== scan.timeColumn || step?.kind !== 'literal') return undefined;
  const interval = Number(step.value);
  // Bins are counted from the year 1, OpenSearch's from 1970: the same ones for every interval that fits in between.
  if (!Number.isSafeInteger(interval) || interval <= 0 || firstMoment % BigInt(interval) !== 0n) return undefined;
  return interval < Number(microsecondsPer.ms) ? undefined : { kind: 'time', interval };
}

function figureOf({ fn, args, where }: Aggregate, scan: Scan): NativeFigure | undefined {
  if (fn !== 'count' && fn !== 'sum' && fn !== 'min' && fn !== 'max') return undefined;
  const condition = where && conditionOf(where, scan);
  if (condition?.exact === false) return undefined;
  const filter = condition && { where: condition.query };
  const [value] = args;
  if (value === undefined) return { fn, isTime: false, ...filter };
  if (value.kind !== 'column') return undefined;
  if (value.name === scan.timeColumn)
    return fn === 'sum' ? undefined : { fn, field: metaFields.timeUs, isTime: true, ...filter };
  return typeOf(value, scan) === 'whole' ? { fn, field: value.name, isTime: false, ...filter } : undefined;
}
