/** Aggregates as SQL. */
import type { Aggregate, Expr, ScalarType } from '../../../plan/types.js';
import { asJson } from '../functions/conversions.js';
import type { Sql } from '../functions/template.js';
import { type ColumnSql, compileExpression, type ExpressionScope, sqlTypes } from './expression.js';

/** What an aggregate is written with. */
interface AggregateCall {
  /** The first argument as a value; `*` where there is none. */
  value: string;
  /** The column that it is, as it is stored. */
  column: ColumnSql | undefined;
  /** The second one, which sets the aggregate up. */
  option: string | undefined;
  exprs: readonly Expr[];
  type: ScalarType;
  /** The terms of the input's order, or the empty string. */
  orderBy: string;
  /** The call of PostgreSQL's aggregate, over the rows that count. */
  over(call: string, where?: string): string;
}

const some = (sql: string): Sql => ({ sql, nullable: true });
const always = (sql: string): Sql => ({ sql, nullable: false });

/** In 64 bits, or an error: PostgreSQL sums bigints in 128, and without the cost of numerics. */
const sum = ({ value, type, over }: AggregateCall): Sql => {
  const total = `${over(`sum(${value})`)}::${sqlTypes[type]}`;
  return always(`coalesce(${total}, ${type === 'timespan' ? `interval '0'` : '0'})`);
};

/** A real is NaN over no values, as in IEEE 754 the quotient of 0 and 0 is. */
const avg = ({ value, exprs, type, over }: AggregateCall): Sql => {
  if (type === 'datetime') {
    const distance = over(`avg(${value} - timestamptz '2000-01-01 00:00:00Z')`);
    return some(`(timestamptz '2000-01-01 00:00:00Z' + ${distance})`);
  }
  if (type !== 'real') return some(over(`avg(${value})`));
  const mean = exprs[0]!.type === 'real' ? over(`avg(${value})`) : `${over(`avg(${value})`)}::float8`;
  return always(`coalesce(${mean}, 'NaN')`);
};

/** The values as an array of JSON, cut to the count that the last argument may give. */
const cut = (list: string, count: string | undefined): string =>
  count === undefined
    ? list
    : `jsonb_path_query_array(${list}, '$[0 to $last]', jsonb_build_object('last', greatest(${count}, 1) - 1))`;

const makeList = ({ value, option, exprs, orderBy, over }: AggregateCall): Sql => {
  const order = orderBy === '' ? '' : ` ORDER BY ${orderBy}`;
  const list = over(`jsonb_agg(${asJson({ sql: value, type: exprs[0]!.type })}${order})`, `${value} IS NOT NULL`);
  return always(cut(`coalesce(${list}, '[]')`, option));
};

const makeWholeList = ({ value, exprs, orderBy, over }: AggregateCall): Sql => {
  const order = orderBy === '' ? '' : ` ORDER BY ${orderBy}`;
  return always(`coalesce(${over(`jsonb_agg(${asJson({ sql: value, type: exprs[0]!.type })}${order})`)}, '[]')`);
};

/** The different elements of arrays among the values; what is no array is its own only element. */
const elementSet = (list: string): string =>
  `(SELECT coalesce(jsonb_agg(DISTINCT e.v), '[]') FROM jsonb_array_elements(${list}) AS l(v) ` +
  `CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(l.v) WHEN 'array' THEN l.v ELSE jsonb_build_array(l.v) END) AS e(v) ` +
  `WHERE e.v <> 'null')`;

/** Texts and longs have the same order as in JSON, and are sorted faster as they are. */
const makeSet = ({ value, option, exprs, over }: AggregateCall): Sql => {
  const { type } = exprs[0]!;
  if (type === 'dynamic') {
    return always(cut(elementSet(over(`jsonb_agg(DISTINCT ${value})`, `${value} IS NOT NULL`)), option));
  }
  const isSimple = type === 'string' || type === 'long';
  const call = isSimple ? `array_agg(DISTINCT ${value})` : `jsonb_agg(DISTINCT ${asJson({ sql: value, type })})`;
  const set = over(call, `${value} IS NOT NULL`);
  return always(cut(`coalesce(${isSimple ? `to_jsonb(${set})` : set}, '[]')`, option));
};

const percentile =
  (name: 'percentile_disc' | 'percentile_cont') =>
  ({ value, exprs, type, over }: AggregateCall): Sql => {
    const share = exprs[1]!;
    if (share.kind !== 'literal') throw new Error('The share of a percentile must be a literal.');
    const fraction = Number(share.value) / 100;
    if (!(fraction >= 0 && fraction <= 1)) throw new Error('The share of a percentile must be from 0 to 100.');
    return some(`${over(`${name}(${fraction}) WITHIN GROUP (ORDER BY ${value})`)}::${sqlTypes[type]}`);
  };

/**
 * Over a column as it is stored: PostgreSQL then sorts groups and values at once. Where a null means the empty text, it
 * is one value more, unless the empty text is stored too.
 */
const distinctCount = ({ value, column, over }: AggregateCall): Sql => {
  if (column?.nullMeansEmpty !== true) return always(over(`count(DISTINCT ${column?.sql ?? value})`));
  const has = (condition: string): string => `coalesce(${over(`bool_or(${condition})`)}, false)`;
  const isMissing = has(`${column.sql} IS NULL`);
  const isOneMore = column.stored === undefined ? `${isMissing} AND NOT ${has(`${column.sql} = ''`)}` : isMissing;
  return always(`(${over(`count(DISTINCT ${column.sql})`)} + (${isOneMore})::int)`);
};

/** Kusto's default over no values is 0; a sample of one value does not spread either. */
const spread =
  (name: string) =>
  ({ value, over }: AggregateCall): Sql =>
    always(`coalesce(${over(`${name}(${value})`)}::float8, 0)`);

const extreme =
  (name: 'min' | 'max') =>
  ({ value, over, exprs }: AggregateCall): Sql => {
    if (exprs[0]!.type === 'bool') return some(over(`bool_${name === 'min' ? 'and' : 'or'}(${value})`));
    if (exprs[0]!.type === 'guid') return some(`${over(`${name}(${value}::text)`)}::uuid`);
    return some(over(`${name}(${value})`));
  };

const templates: Record<string, (call: AggregateCall) => Sql> = {
  count: ({ value, over }) => always(over(`count(${value})`)),
  sum,
  avg,
  min: extreme('min'),
  max: extreme('max'),
  dcount: distinctCount,
  count_distinct: distinctCount,
  make_list: makeList,
  make_list_with_nulls: makeWholeList,
  make_set: makeSet,
  make_bag: ({ value, over }) => always(`coalesce(${over(`fn.bag_agg(${value})`)}, '{}')`),
  percentile: percentile('percentile_disc'),
  stdev: spread('stddev_samp'),
  stdevp: spread('stddev_pop'),
  variance: spread('var_samp'),
  variancep: spread('var_pop'),
  sql_sum: ({ value, over }) => some(over(`sum(${value})`)),
  sql_sum_long: ({ value, over }) => some(`${over(`sum(${value})`)}::bigint`),
  sql_avg: ({ value, over }) => some(over(`avg(${value})`)),
  percentile_cont: percentile('percentile_cont'),
};

/**
 * The aggregate over the rows of a group, or with `window` over those of a window. `orderBy` has the terms of the
 * input's order, for aggregates that keep it.
 */
export function compileAggregate(aggregate: Aggregate, scope: ExpressionScope, orderBy: string, window = ''): Sql {
  const template = templates[aggregate.fn];
  if (template === undefined) throw new Error(`There is no aggregate ${aggregate.fn}.`);
  const { where } = aggregate;
  const condition = where === undefined ? undefined : compileExpression(where, scope, { context: 'FILTER' });
  const [value, option] = aggregate.args;
  return template({
    value: value === undefined ? '*' : argument(value, scope),
    column: value?.kind === 'column' ? scope.column(value.name) : undefined,
    option: option && argument(option, scope),
    exprs: aggregate.args,
    type: aggregate.type,
    orderBy,
    over(call, own) {
      const conditions = [condition, own].filter((each) => each !== undefined);
      const filter = conditions.length === 0 ? '' : ` FILTER (WHERE ${conditions.join(' AND ')})`;
      return `${call}${filter}${window === '' ? '' : ` ${window}`}`;
    },
  });
}

/** As it is stored where PostgreSQL aggregates that as well, and faster: an integer. */
function argument(arg: Expr, scope: ExpressionScope): string {
  const stored = arg.kind === 'column' ? scope.column(arg.name) : undefined;
  return stored?.stored === 'INTEGER' ? stored.sql : compileExpression(arg, scope, { context: 'VALUE' });
}
