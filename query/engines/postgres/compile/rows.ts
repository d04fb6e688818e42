/** Steps that take and give rows one by one, and those that order and cut them. */
import type { Distinct, Expr, Extend, Filter, Limit, NamedExpr, Plan, Project, Sort } from '../../../plan/types.js';
import { columnsRead } from '../../../plan/walk.js';
import { type Column, columnSql, type OrderTerm, type Relation, weightOf } from './relation.js';
import { type Statement, select } from './statement.js';

/** The columns as they are, each under its own name. */
export const same = (columns: readonly Column[], qualifier: string): string[] =>
  columns.map(({ identifier }) => `${qualifier}.${identifier}`);

/** Filters that follow one another are one step. */
export function filter(plan: Filter, statement: Statement): Relation {
  const predicates: Expr[] = [];
  let source: Plan = plan;
  for (; source.op === 'filter'; source = source.input) predicates.unshift(source.predicate);
  const input = statement.guardRepetition(statement.write(source), predicates);
  const columns = statement.passedOn(input, statement.needed(plan));
  const { name } = input.step;
  const conditions = predicates.map((predicate) => statement.expression(predicate, input, 'FILTER'));
  const body = select(same(columns, name), name, `WHERE ${conditions.join('\n  AND ')}`);
  return statement.step('filter', body, columns, [input], input.order);
}

/** A column, and what makes it. */
export interface Made {
  column: Column;
  sql: string;
}

/** A column that an expression makes. What only names another column keeps the form in which that is stored. */
function make(statement: Statement, { name, value }: NamedExpr, input: Relation): Made {
  const source = value.kind === 'column' ? input.columns.get(value.name) : undefined;
  if (source !== undefined) {
    const { sql } = columnSql(input.step.name, source);
    return { column: { ...source, name, identifier: statement.shared.identifiers.of(name) }, sql };
  }
  const weight = weightOf(value, input.columns);
  return { column: statement.column(name, value.type, { weight }), sql: statement.expression(value, input) };
}

export const under = ({ column, sql }: Made): string =>
  sql.endsWith(`.${column.identifier}`) ? sql : `${sql} AS ${column.identifier}`;

/** Columns that follow one another, and are not made of each other, are one step. */
export function extend(plan: Extend, statement: Statement): Relation {
  const needed = statement.needed(plan);
  let added = plan.added.filter(({ name }) => needed.has(name));
  let source: Plan = plan.input;
  for (; source.op === 'extend'; source = source.input) {
    const earlier = source.added.filter(({ name }) => statement.needed(source).has(name));
    const read = columnsRead(valuesOf(added));
    if (earlier.some(({ name }) => read.has(name))) break;
    added = [...earlier, ...added];
  }
  const input = statement.guardRepetition(statement.write(source), valuesOf(added));
  const passed = statement.passedOn(input, needed);
  const made = added.map((named) => make(statement, named, input));
  const { name } = input.step;
  const columns = [...passed, ...made.map(({ column }) => column)];
  const body = select([...same(passed, name), ...made.map(under)], name);
  return statement.step('extend', body, columns, [input], input.order);
}

const valuesOf = (named: readonly NamedExpr[]): Expr[] => named.map(({ value }) => value);

/** An order by columns that are left out stays: they are carried on under names that no expression can say. */
export function project(plan: Project, input: Relation, statement: Statement): Relation {
  const needed = statement.needed(plan);
  const kept = plan.kept.filter(({ name }) => needed.has(name));
  const guarded = statement.guardRepetition(input, valuesOf(kept));
  const made = kept.map((named) => ({ ...make(statement, named, guarded), source: named.value }));
  const { name } = guarded.step;
  const carried: Made[] = [];
  const order = guarded.order.map((term): OrderTerm => {
    const { column: key } = term;
    const above =
      made.find(
        ({ source }) => source.kind === 'column' && guarded.columns.get(source.name)?.identifier === key.identifier,
      ) ?? carried.find(({ sql }) => sql === `${name}.${key.identifier}`);
    if (above !== undefined) return { ...term, column: above.column };
    const column = statement.hiddenColumn(key);
    carried.push({ column, sql: `${name}.${key.identifier}` });
    return { ...term, column };
  });
  const all = [...made, ...carried];
  return statement.step(
    'project',
    select(all.map(under), name),
    made.map(({ column }) => column),
    [guarded],
    order,
  );
}

/** Nothing is sorted here, but where the order matters: at a limit, in a window, at the end. */
export function sort(plan: Sort, input: Relation, statement: Statement): Relation {
  if (plan.keys.length === 0) return input;
  const { input: keyed, order } = statement.keyed(input, plan.keys);
  return { ...keyed, order };
}

export function limit(plan: Limit, input: Relation, statement: Statement): Relation {
  const columns = statement.passedOn(input, statement.needed(plan)).map(settled);
  const { name } = input.step;
  const order = settledOrder(input.order, columns);
  const cut = `LIMIT ${count(plan.count)}${plan.offset === 0 ? '' : ` OFFSET ${count(plan.offset)}`}`;
  const body = select(same(columns, name), name, statement.orderBy(input.order, name), cut);
  const limited = statement.step('limit', body, columns, [input], order);
  limited.step.isCut = true;
  return limited;
}

/** PostgreSQL merges nothing beyond such a step. */
export const settled = (column: Column): Column => ({ ...column, weight: 1 });

export const settledOrder = (order: readonly OrderTerm[], columns: readonly Column[]): OrderTerm[] =>
  order.map((term) => ({ ...term, column: columns.find(({ identifier }) => identifier === term.column.identifier)! }));

const count = (figure: number): string => {
  if (!Number.isSafeInteger(figure) || figure < 0) throw new Error(`A plan cannot take ${figure} rows.`);
  return String(figure);
};

/** Rows are alike in what they mean: a null that stands for the empty text is that. */
export function distinct(_plan: Distinct, input: Relation, statement: Statement): Relation {
  const { name } = input.step;
  const made = [...input.columns.values()].map((column) => statement.groupKey(column, name));
  const list = made.map(under);
  const body = select(
    list.length === 0 ? [] : [`DISTINCT ${list.join(', ')}`],
    name,
    list.length === 0 ? 'LIMIT 1' : '',
  );
  return statement.step(
    'distinct',
    body,
    made.map(({ column }) => column),
    [input],
  );
}
