/** How a group over time slices is put together from the slices' groups. */
import type { JsonValue } from '../../result.js';
import { column, literal, project, summarize, union, unnest, values } from '../build.js';
import { aggregate, call } from '../functions/index.js';
import type { Aggregate, Expr, NamedExpr, Pick, Plan, PlanColumn, ScalarType, Summarize } from '../types.js';

export interface Decomposed {
  part: Summarize;
  combine: (rows: JsonValue[][]) => Plan;
  finish: (rows: JsonValue[][]) => Plan;
}

/** One aggregate taken apart. */
interface Piece {
  /** What each part works out. */
  parts: (Aggregate | Pick)[];
  /** The same from several parts. */
  again: (Aggregate | Pick)[];
  /** What the whole gives of it. */
  result: NamedExpr[];
  /** The part that is a set, and what its elements are. */
  set?: { column: PlanColumn; element: PlanColumn };
}

/** Types whose values come out of a JSON array as they went in. */
const setTypes = new Set<ScalarType>(['bool', 'long', 'string', 'datetime', 'guid']);

/**
 * The group as groups of parts: `count`, `sum`, `min`, `max`, `avg` as sum and count, `make_set` without a limit, `dcount` as
 * a set, `arg_max` and its like. Sums of reals are added in another order than in one run, which has none of its own either. A
 * sum of longs whose part overflows is an error even where the whole would fit.
 */
export function decompose({ input, keys, aggregates }: Summarize): Decomposed | { reason: string } {
  if (keys.some(({ value }) => value.type === 'dynamic')) return { reason: 'it groups by a dynamic value' };
  const results = aggregates.flatMap((item): { name: string }[] => (item.kind === 'pick' ? item.columns : [item]));
  const taken = new Set([...keys, ...results].map(({ name }) => name));
  const fresh = (): string => {
    for (let n = taken.size; ; n++) {
      const name = `part_${n}`;
      if (taken.has(name)) continue;
      taken.add(name);
      return name;
    }
  };
  const pieces: Piece[] = [];
  for (const item of aggregates) {
    const piece = item.kind === 'pick' ? pieceOfPick(item, fresh) : pieceOfAggregate(item, fresh);
    if (piece === undefined) {
      return { reason: `${item.kind === 'pick' ? 'take_any' : item.fn} of the whole cannot be had from its parts` };
    }
    pieces.push(piece);
  }
  // The elements of sets come as further rows, of which a pick could take one.
  if (pieces.some(({ set }) => set !== undefined) && aggregates.some(({ kind }) => kind === 'pick')) {
    return { reason: 'it has sets beside the columns of one row' };
  }
  const part = summarize(
    input,
    keys,
    pieces.flatMap(({ parts }) => parts),
  );
  const ownKeys = keys.map(({ name, value }) => ({ name, value: column({ name, type: value.type }) }));
  const combine = (rows: JsonValue[][]) =>
    summarize(
      elementsOf(values(part.columns, rows), pieces),
      ownKeys,
      pieces.flatMap(({ again }) => again),
    );
  return {
    part,
    combine,
    finish: (rows) => project(combine(rows), [...ownKeys, ...pieces.flatMap(({ result }) => result)]),
  };
}

const own = (item: PlanColumn): NamedExpr => ({ name: item.name, value: column(item) });
const over = (fn: string, name: string, args: Expr[]): Aggregate => ({
  kind: 'aggregate',
  name,
  ...aggregate(fn, args),
});

function pieceOfAggregate(item: Aggregate, fresh: () => string): Piece | undefined {
  const { name, fn, args, type } = item;
  const [argument] = args;
  switch (fn) {
    case 'count':
      return { parts: [item], again: [over('sum', name, [column({ name, type })])], result: [own({ name, type })] };
    case 'sum':
    case 'min':
    case 'max':
      return { parts: [item], again: [over(fn, name, [column({ name, type })])], result: [own({ name, type })] };
    case 'avg':
      return pieceOfMean(item, argument!, fresh);
    case 'make_set':
    case 'dcount':
    case 'count_distinct': {
      if (args.length > 1 || !setTypes.has(argument!.type)) return undefined;
      const element = { name: fresh(), type: argument!.type };
      const set = { ...over('make_set', name, [argument!]), ...(item.where && { where: item.where }) };
      return {
        parts: [set],
        again: [over('make_set', name, [column(element)])],
        result: [fn === 'make_set' ? own(set) : { name, value: call('array_length', [column(set)]) }],
        set: { column: set, element },
      };
    }
    default:
      return undefined;
  }
}

/** As the engines have it: the mean of longs is the quotient of decimals, and NaN over no values. */
function pieceOfMean(item: Aggregate, argument: Expr, fresh: () => string): Piece | undefined {
  const isOfLongs = argument.type === 'long';
  if (!isOfLongs && argument.type !== 'real' && argument.type !== 'decimal') return undefined;
  const where = item.where === undefined ? {} : { where: item.where };
  const sum = { ...over('sum', fresh(), [isOfLongs ? call('todecimal', [argument]) : argument]), ...where };
  const count = { ...over('count', fresh(), [argument]), ...where };
  const divisor = call(argument.type === 'real' ? 'todouble' : 'todecimal', [column(count)]);
  const quotient = call('/', [column(sum), divisor]);
  const mean = item.type === quotient.type ? quotient : call('todouble', [quotient]);
  const none = literal(item.type, item.type === 'real' ? 'NaN' : null);
  return {
    parts: [sum, count],
    again: [sum, count].map((each) => over('sum', each.name, [column(each)])),
    result: [{ name: item.name, value: call('iff', [call('==', [column(count), literal('long', 0)]), none, mean]) }],
  };
}

function pieceOfPick(item: Pick, fresh: () => string): Piece | undefined {
  if (item.which !== 'ANY' && item.by.type === 'dynamic') return undefined;
  const by = { name: fresh(), value: item.by };
  const columns = [by, ...item.columns];
  const byPart = column({ name: by.name, type: item.by.type });
  const again: Pick = {
    ...item,
    by: item.which === 'ANY' ? item.by : byPart,
    columns: columns.map(({ name, value }) => own({ name, type: value.type })),
  };
  return {
    parts: [{ ...item, columns }],
    again: [item.which === 'ANY' ? { ...again, by: byPart } : again],
    result: item.columns.map(({ name, value }) => own({ name, type: value.type })),
  };
}

/** The rows, and the elements of their sets as further rows with the same keys: aggregates leave the nulls in them out. */
function elementsOf(rows: Plan, pieces: Piece[]): Plan {
  const sets = pieces.flatMap(({ set }) => (set === undefined ? [] : [set]));
  if (sets.length === 0) return rows;
  const isSet = (name: string) => sets.some((set) => set.column.name === name);
  const plain = rows.columns.filter(({ name }) => !isSet(name));
  const made = new Set(
    pieces.flatMap(({ parts }) => parts.flatMap((item) => (item.kind === 'pick' ? [] : [item.name]))),
  );
  const nothing = ({ name, type }: PlanColumn): NamedExpr => ({ name, value: literal(type, null) });
  const scalars = project(rows, [...plain.map(own), ...sets.map(({ element }) => nothing(element))]);
  const lists = sets.map(({ column: list, element }) =>
    project(unnest(rows, [{ name: element.name, value: column(list), type: element.type }], { keepEmpty: false }), [
      ...plain.map((item) => (made.has(item.name) ? nothing(item) : own(item))),
      ...sets.map((set) => (set.element.name === element.name ? own(element) : nothing(set.element))),
    ]),
  );
  return union([scalars, ...lists]);
}
