/** Steps over several relations. */
import { convertedTo } from '../../../plan/functions/index.js';
import type { Expr, Join, JoinKind, Lateral, Plan, ScalarType, Union, Unnest } from '../../../plan/types.js';
import { compileExpression } from './expression.js';
import { byName, type Column, columnSql, type Relation, weightOf } from './relation.js';
import { same, settled } from './rows.js';
import { type Statement, select } from './statement.js';

const keyword: Record<Exclude<JoinKind, 'LEFT_SEMI' | 'LEFT_ANTI'>, string> = {
  INNER: 'JOIN',
  LEFT: 'LEFT JOIN',
  RIGHT: 'RIGHT JOIN',
  FULL: 'FULL JOIN',
  CROSS: 'CROSS JOIN',
};

export function join(plan: Join, leftInput: Relation, rightInput: Relation, statement: Statement): Relation {
  if (plan.kind === 'FULL' && plan.on.length > 0) return fullJoin(plan, leftInput, rightInput, statement);
  return joined(plan, leftInput, rightInput, statement.needed(plan), statement);
}

/**
 * PostgreSQL makes a full join where it has two columns to compare, and none where it sees a constant in place of one:
 * keys are made before it, out of its sight.
 */
function fullJoin(plan: Join, leftInput: Relation, rightInput: Relation, statement: Statement): Relation {
  const side = (input: Relation, keys: Expr[]) => {
    const { input: keyed, order } = statement.keyed(
      input,
      keys.map((value) => ({ value, descending: false, nullsFirst: false })),
    );
    const columns = order.map(({ column: { name, type } }): Expr => ({ kind: 'column', name, type }));
    return { relation: statement.fenced(keyed), keys: columns };
  };
  const left = side(
    leftInput,
    plan.on.map((pair) => pair.left),
  );
  const right = side(
    rightInput,
    plan.on.map((pair) => pair.right),
  );
  const on = left.keys.map((key, index) => ({ left: key, right: right.keys[index]! }));
  return joined({ ...plan, on }, left.relation, right.relation, statement.needed(plan), statement);
}

function joined(
  plan: Join,
  leftInput: Relation,
  rightInput: Relation,
  needed: ReadonlySet<string>,
  statement: Statement,
): Relation {
  const { kind } = plan;
  const left = kind === 'RIGHT' || kind === 'FULL' ? optional(leftInput, statement) : leftInput;
  const right = kind === 'LEFT' || kind === 'FULL' ? optional(rightInput, statement) : rightInput;
  const condition = onCondition(plan, left, right, statement);
  const leftColumns = [...left.columns.values()].filter(({ name }) => needed.has(name));
  const from = `${left.step.name} AS l`;
  if (kind === 'LEFT_SEMI' || kind === 'LEFT_ANTI') {
    const where = `WHERE ${kind === 'LEFT_ANTI' ? 'NOT ' : ''}EXISTS (SELECT FROM ${right.step.name} AS r WHERE ${condition})`;
    return statement.step('join', select(same(leftColumns, 'l'), from, where), leftColumns, [left, right]);
  }
  const rightColumns = [...right.columns.values()].filter(({ name }) => needed.has(name));
  const on = kind === 'CROSS' ? '' : ` ON ${condition}`;
  const body = select(
    [...same(leftColumns, 'l'), ...same(rightColumns, 'r')],
    from,
    `${keyword[kind]} ${right.step.name} AS r${on}`,
  );
  return statement.step('join', body, [...leftColumns, ...rightColumns], [left, right]);
}

function onCondition({ on }: Join, left: Relation, right: Relation, statement: Statement): string {
  const scope = statement.scope({ qualifier: 'l', columns: left.columns }, { qualifier: 'r', columns: right.columns });
  const agree = (pair: Join['on'][number]): string => {
    const equality: Expr = { kind: 'call', fn: '==', args: [pair.left, pair.right], type: 'bool' };
    return compileExpression(equality, scope, { context: 'FILTER' });
  };
  return on.length === 0 ? 'true' : on.map(agree).join(' AND ');
}

/** The side that may be missing: a null in it will mean that it is, and no longer the empty text. */
function optional(input: Relation, statement: Statement): Relation {
  const columns = [...input.columns.values()];
  const nullable = ({ nullable: _, nullMeansEmpty: __, stored, ...column }: Column): Column => ({
    ...column,
    ...(stored === 'INTEGER' && { stored }),
  });
  if (!columns.some(({ nullMeansEmpty }) => nullMeansEmpty === true)) {
    return { ...input, columns: byName(columns.map(({ nullable: _, ...column }) => column)) };
  }
  const { name } = input.step;
  const list = columns.map((column) => {
    const { sql } = columnSql(name, column);
    return `${column.stored === 'INTEGER' ? sql : statement.value(column, name)} AS ${column.identifier}`;
  });
  return statement.step('side', select(list, name), columns.map(nullable), [input]);
}

/** Columns keep the form in which they are stored where all inputs store them alike. */
export function union(plan: Union, inputs: readonly Relation[], statement: Statement): Relation {
  const needed = statement.needed(plan);
  const columns: Column[] = [];
  const lists: string[][] = inputs.map(() => []);
  for (const { name, type } of plan.columns) {
    if (!needed.has(name)) continue;
    const sources = inputs.map((input) => input.columns.get(name)!);
    const first = sources[0]!;
    const isAlike = sources.every(
      (each) => each.stored === first.stored && each.nullMeansEmpty === first.nullMeansEmpty,
    );
    const made = statement.column(name, type, {
      weight: Math.max(...sources.map(({ weight }) => weight)),
      ...(isAlike && first.stored !== undefined && { stored: first.stored }),
      ...(isAlike && first.nullMeansEmpty !== undefined && { nullMeansEmpty: first.nullMeansEmpty }),
      nullable: sources.some((each) => each.nullable !== false && (isAlike || each.nullMeansEmpty !== true)),
    });
    columns.push(made);
    for (const [i, source] of sources.entries()) {
      const qualifier = inputs[i]!.step.name;
      const sql = isAlike ? `${qualifier}.${source.identifier}` : statement.value(source, qualifier);
      lists[i]!.push(source.identifier === made.identifier && isAlike ? sql : `${sql} AS ${made.identifier}`);
    }
  }
  const body = inputs.map((input, i) => select(lists[i]!, input.step.name)).join('\nUNION ALL\n');
  return statement.step('union', body, columns, inputs);
}

/** A bag is the array of its properties, each a bag of its own; a value that is neither is its own only element. */
const arrayOf = (sql: string): string => `CASE coalesce(jsonb_typeof(${sql}), 'null')
      WHEN 'array' THEN ${sql}
      WHEN 'object' THEN (SELECT coalesce(jsonb_agg(jsonb_build_object(p.key, p.value)), '[]') FROM jsonb_each(${sql}) AS p)
      WHEN 'null' THEN '[]'
      ELSE jsonb_build_array(${sql})
    END`;

export function unnest(plan: Unnest, input: Relation, statement: Statement): Relation {
  const needed = statement.needed(plan);
  const passed = statement.passedOn(input, needed);
  const { name } = input.step;
  const [arrays, elements] = [statement.alias('a'), statement.alias('u')];
  const values = plan.elements.map(({ value }, index) => `${statement.expression(value, input)} AS v${index}`);
  const calls = plan.elements.map((_, index) => `jsonb_array_elements(${arrayOf(`${arrays}.v${index}`)})`);
  const names = plan.elements.map((_, index) => `e${index}`);
  const made = plan.elements
    .map((each, index) => ({ name: each.name, type: each.type, index }))
    .filter((each) => needed.has(each.name))
    .map((each) => elementColumn(each, elements, statement));
  const columns = [...passed, ...made.map(({ column }) => column)];
  const list = [...same(passed, name), ...made.map(({ column, sql }) => `${sql} AS ${column.identifier}`)];
  if (plan.index !== undefined && needed.has(plan.index)) {
    const column = statement.column(plan.index, 'long', { nullable: plan.keepEmpty });
    columns.push(column);
    list.push(`${elements}.n - 1 AS ${column.identifier}`);
  }
  // The elements of a row come in the array's order, where the rows have one.
  const order = [...input.order];
  if (order.length > 0) {
    const column = statement.hiddenColumn({ type: 'long' });
    columns.push(column);
    list.push(`${elements}.n AS ${column.identifier}`);
    order.push({ column, descending: false, nullsFirst: true });
  }
  const limit = plan.limit === undefined ? 'true' : `${elements}.n <= ${BigInt(plan.limit)}`;
  const body = select(
    list,
    name,
    // The arrays are worked out once, although each stands in several places below.
    `CROSS JOIN LATERAL (SELECT ${values.join(', ')} OFFSET 0) AS ${arrays}`,
    `${plan.keepEmpty ? 'LEFT' : 'INNER'} JOIN LATERAL ROWS FROM (\n    ${calls.join(',\n    ')}\n  ) WITH ORDINALITY AS ${elements}(${[...names, 'n'].join(', ')}) ON ${limit}`,
  );
  return statement.step('unnest', body, columns, [input], order);
}

function elementColumn(
  { name, type, index }: { name: string; type: ScalarType; index: number },
  elements: string,
  statement: Statement,
): { column: Column; sql: string } {
  const element: Column = { name, type: 'dynamic', identifier: `e${index}`, weight: 1 };
  if (type === 'dynamic') return { column: statement.column(name, type), sql: `nullif(${elements}.e${index}, 'null')` };
  const read: Expr = { kind: 'column', name, type: 'dynamic' };
  const converted = convertedTo(type, read);
  const scope = statement.scope({ qualifier: elements, columns: byName([element]) });
  const sql = compileExpression(converted, scope, { context: 'VALUE' });
  return { column: statement.column(name, type, { weight: weightOf(converted, byName([element])) }), sql };
}

export function lateral(plan: Lateral, input: Relation, statement: Statement): Relation {
  const needed = statement.needed(plan);
  const [row, body] = [statement.alias('o'), statement.alias('b')];
  const kept = [...input.columns.values()].filter(({ name }) => plan.kept.includes(name) && needed.has(name));
  const inner = statement.inner({ alias: row, columns: input.columns });
  const text = inner.query(plan.body, namesIn(plan.body, needed));
  const columns = plan.body.columns
    .filter(({ name }) => needed.has(name))
    .map(({ name, type }) => statement.column(name, type));
  const list = [...same(kept, row), ...same(columns, body)];
  const from = `${input.step.name} AS ${row}`;
  const sql = select(list, from, `CROSS JOIN LATERAL (\n  ${text.replaceAll('\n', '\n  ')}\n) AS ${body}`);
  return statement.step('lateral', sql, [...kept, ...columns.map(settled)], [input]);
}

const namesIn = (plan: Plan, needed: ReadonlySet<string>): Set<string> =>
  new Set(plan.columns.map(({ name }) => name).filter((name) => needed.has(name)));
