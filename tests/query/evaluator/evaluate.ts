/**
 * A plan worked out over rows in memory, by the documentation's rules and as simply as can be: arrays and loops. It knows
 * the functions that random plans use.
 */
import type { JsonValue } from '../../../query/index.js';
import type { Aggregate, Expr, Pick, Plan, ScalarType, Unnest } from '../../../query/plan/types.js';
import { aggregate } from './aggregates.js';
import { callFunction } from './functions.js';
import { groups, type Row, sorted, type ValueIn } from './rows.js';
import { compare, fromJson, keyOf, moment, momentFrom, type Value } from './values.js';
import { window } from './window.js';

interface World {
  /** The events of each dataset: what is not there is null. */
  datasets: ReadonlyMap<string, Record<string, JsonValue>[]>;
  /** The rows that a `ref` names. */
  bound: ReadonlyMap<string, Row[]>;
  /** The row that an enclosing `lateral` is at. */
  outer?: Row;
}

/** The plan's rows. Where it names no order they come in any. */
export const evaluate = (plan: Plan, datasets: World['datasets']): Row[] =>
  rowsOf(plan, { datasets, bound: new Map() });

function rowsOf(plan: Plan, world: World): Row[] {
  const input = (of: Plan): Row[] => rowsOf(of, world);
  const value = (expr: Expr, row: Row): Value => valueIn(expr, row, world);
  switch (plan.op) {
    case 'scan': {
      const events = world.datasets.get(plan.dataset) ?? [];
      return events
        .filter((event) => isIn(event[plan.timeColumn] as string, plan.from, plan.to))
        .map(
          (event) => new Map(plan.columns.map(({ name, type }) => [name, stored(event[name], type, plan.nullStrings)])),
        );
    }
    case 'values':
      return plan.rows.map(
        (row) => new Map(plan.columns.map(({ name, type }, at) => [name, fromJson(row[at]!, type)])),
      );
    case 'range': {
      const name = plan.columns[0]!.name;
      return range(plan.columns[0]!.type, value(plan.from, none), value(plan.to, none), value(plan.step, none)).map(
        (item) => new Map([[name, item]]),
      );
    }
    case 'filter':
      return input(plan.input).filter((row) => value(plan.predicate, row) === true);
    case 'extend':
      return input(plan.input).map((row) => {
        const added = plan.added.map((each) => [each.name, value(each.value, row)] as const);
        return new Map([...row, ...added]);
      });
    case 'project':
      return input(plan.input).map((row) => new Map(plan.kept.map((each) => [each.name, value(each.value, row)])));
    case 'summarize':
      return summarize(plan, input(plan.input), value);
    case 'join':
      return join(plan, input(plan.left), input(plan.right), value);
    case 'union':
      return plan.inputs.flatMap(input);
    case 'unnest':
      return input(plan.input).flatMap((row) => unnest(plan, row, value));
    case 'lateral':
      return input(plan.input).flatMap((row) => {
        const kept = plan.kept.map((name) => [name, row.get(name)!] as const);
        return rowsOf(plan.body, { ...world, outer: row }).map((each) => new Map([...kept, ...each]));
      });
    case 'outer':
      return [world.outer!];
    case 'sort':
      return sorted(input(plan.input), plan.keys, value);
    case 'limit':
      return input(plan.input).slice(plan.offset, plan.offset + plan.count);
    case 'distinct': {
      const names = plan.columns.map(({ name }) => name);
      return [...groups(input(plan.input), (row) => names.map((name) => row.get(name)!)).values()].map(
        ([first]) => first!,
      );
    }
    case 'window':
      return window(plan, input(plan.input), value);
    case 'with': {
      let inner = world;
      for (const { name, plan: bound } of plan.bindings) {
        inner = { ...inner, bound: new Map([...inner.bound, [name, rowsOf(bound, inner)]]) };
      }
      return rowsOf(plan.body, inner);
    }
    case 'ref':
      return world.bound.get(plan.name)!;
  }
}

const none: Row = new Map();

export function valueIn(expr: Expr, row: Row, world: World): Value {
  switch (expr.kind) {
    case 'column':
      return row.get(expr.name)!;
    case 'literal':
      return fromJson(expr.value, expr.type);
    case 'scalar': {
      const [first] = rowsOf(expr.plan, world);
      return first === undefined ? null : first.get(expr.plan.columns[0]!.name)!;
    }
    case 'membership': {
      const wanted = valueIn(expr.value, row, world);
      const fold = (item: Value) => (expr.ignoreCase && typeof item === 'string' ? item.toLowerCase() : item);
      const name = expr.plan.columns[0]!.name;
      return wanted !== null && rowsOf(expr.plan, world).some((each) => fold(each.get(name)!) === fold(wanted));
    }
    case 'call': {
      const args = expr.args.map((arg) => valueIn(arg, row, world));
      return callFunction(expr.fn, { args, types: expr.args.map(({ type }) => type), type: expr.type });
    }
  }
}

const isIn = (at: string, from: string | undefined, to: string | undefined): boolean =>
  (from === undefined || momentFrom(at) >= momentFrom(from)) && (to === undefined || momentFrom(at) < momentFrom(to));

const stored = (value: JsonValue | undefined, type: ScalarType, nullStrings: boolean): Value =>
  fromJson(value ?? (type === 'string' && !nullStrings ? '' : null), type);

function range(type: ScalarType, from: Value, to: Value, step: Value): Value[] {
  const items: Value[] = [];
  if (from === null || to === null || step === null || Number(step) === 0) return items;
  const isUp = Number(step) > 0;
  for (let item: Value = from; item !== null && (isUp ? compare(item, to) <= 0 : compare(item, to) >= 0); ) {
    items.push(item);
    if (type === 'real') item = (item as number) + (step as number);
    else item = type === 'datetime' ? moment((item as bigint) + (step as bigint)) : (item as bigint) + (step as bigint);
  }
  return items;
}

function summarize(plan: Plan & { op: 'summarize' }, rows: Row[], value: ValueIn): Row[] {
  const found = [...groups(rows, (row) => plan.keys.map((key) => value(key.value, row))).values()];
  if (plan.keys.length === 0 && found.length === 0) found.push([]);
  return found.map((group) => {
    const keys = plan.keys.map((key) => [key.name, value(key.value, group[0]!)] as const);
    const rest = plan.aggregates.flatMap((item) =>
      item.kind === 'pick' ? pick(item, group, value) : [aggregated(item, group, value)],
    );
    return new Map([...keys, ...rest]);
  });
}

function aggregated(item: Aggregate, group: Row[], value: ValueIn): readonly [string, Value] {
  const rows = group.filter((row) => item.where === undefined || value(item.where, row) === true);
  const of = {
    rows: rows.map((row) => item.args.map((arg) => value(arg, row))),
    types: item.args.map(({ type }) => type),
    type: item.type,
  };
  return [item.name, aggregate(item.fn, of)];
}

function pick(item: Pick, group: Row[], value: ValueIn): (readonly [string, Value])[] {
  let best: Row | undefined;
  for (const row of group) {
    const by = value(item.by, row);
    const bestBy = best === undefined ? null : value(item.by, best);
    const isBetter =
      by !== null &&
      (bestBy === null || (item.which === 'GREATEST' ? compare(by, bestBy) > 0 : compare(by, bestBy) < 0));
    if (best === undefined || (isBetter && (item.which !== 'ANY' || bestBy === null))) best = row;
  }
  return item.columns.map(({ name, value: expr }) => [name, best === undefined ? null : value(expr, best)]);
}

function join(plan: Plan & { op: 'join' }, left: Row[], right: Row[], value: ValueIn): Row[] {
  const agree = (a: Row, b: Row): boolean =>
    plan.on.every((pair) => {
      const [one, other] = [value(pair.left, a), value(pair.right, b)];
      return one !== null && other !== null && keyOf(one) === keyOf(other);
    });
  const nulls = (of: Plan): Row => new Map(of.columns.map(({ name }) => [name, null]));
  const pairs = left.flatMap((a) => right.filter((b) => agree(a, b)).map((b): Row => new Map([...a, ...b])));
  const lonelyLeft = left.filter((a) => !right.some((b) => agree(a, b)));
  const lonelyRight = right.filter((b) => !left.some((a) => agree(a, b)));
  const openRight = lonelyLeft.map((a): Row => new Map([...a, ...nulls(plan.right)]));
  const openLeft = lonelyRight.map((b): Row => new Map([...nulls(plan.left), ...b]));
  switch (plan.kind) {
    case 'INNER':
    case 'CROSS':
      return pairs;
    case 'LEFT':
      return [...pairs, ...openRight];
    case 'RIGHT':
      return [...pairs, ...openLeft];
    case 'FULL':
      return [...pairs, ...openRight, ...openLeft];
    case 'LEFT_SEMI':
      return left.filter((a) => !lonelyLeft.includes(a));
    case 'LEFT_ANTI':
      return lonelyLeft;
  }
}

/** An array's elements; a bag's properties as bags of one; what is neither is its own only element. */
function elementsOf(value: JsonValue): JsonValue[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value;
  return typeof value === 'object' ? Object.entries(value).map(([key, item]) => ({ [key]: item })) : [value];
}

function unnest(plan: Unnest, row: Row, value: ValueIn): Row[] {
  const lists = plan.elements.map((each) => elementsOf(value(each.value, row) as JsonValue));
  const longest = Math.max(...lists.map((list) => list.length));
  const count = Math.min(longest === 0 && plan.keepEmpty ? 1 : longest, plan.limit ?? Number.POSITIVE_INFINITY);
  return Array.from({ length: count }, (_, at) => {
    const elements = plan.elements.map(({ name, type }, n) => [name, element(lists[n]![at] ?? null, type)] as const);
    const index = plan.index === undefined ? [] : [[plan.index, longest === 0 ? null : BigInt(at)] as const];
    return new Map<string, Value>([...row, ...elements, ...index]);
  });
}

/** Elements have the type that is asked for: random plans ask for no other. */
const element = (value: JsonValue, type: ScalarType): Value =>
  value === null && type === 'string' ? '' : type === 'dynamic' ? value : fromJson(value, type);
