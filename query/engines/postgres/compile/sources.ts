/** Steps that rows come from: stored events, rows in the plan, series, and the row of a lateral. */
import { findDataset } from '../../../../datasets/index.js';
import { attributesColumn, type ColumnType } from '../../../../datasets/types.js';
import type { Outer, RangeRows, ScalarType, Scan, Values } from '../../../plan/types.js';
import type { JsonValue } from '../../../result.js';
import { compileExpression, sqlTypes } from './expression.js';
import { refuse } from './parameters.js';
import type { Column, Relation } from './relation.js';
import { type Statement, select } from './statement.js';

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** What a stored column is in the plan where PostgreSQL's type is another one. */
const storedAs: Partial<Record<ColumnType, Column['stored']>> = { INT: 'INTEGER', IP: 'INET' };

/** The dataset's table itself, and not its view: the view hides `id` and `batch_no`. Row-level security cuts both. */
export function scan(plan: Scan, statement: Statement): Relation {
  const dataset = findDataset(plan.dataset);
  if (dataset === undefined) throw new Error(`The plan reads ${plan.dataset}, which is no dataset.`);
  const { shared } = statement;
  const declared = new Map([...dataset.columns, attributesColumn].map((column) => [column.name, column]));
  const needed = statement.needed(plan);
  const list: string[] = [];
  const columns: Column[] = [];
  for (const { name, type } of plan.columns) {
    if (!needed.has(name)) continue;
    if (name === '_id') {
      const column = statement.column(name, type, { stored: 'UUID', nullable: false });
      columns.push(column);
      list.push(`e.id AS ${column.identifier}`);
      continue;
    }
    const source = declared.get(name);
    if (source === undefined) throw new Error(`The dataset ${dataset.name} has no column ${name}.`);
    const stored = storedAs[source.type];
    const isNeverNull = name === dataset.timeColumn || source === attributesColumn;
    const column = statement.column(name, type, {
      nullable: !isNeverNull,
      nullMeansEmpty: type === 'string' && !plan.nullStrings,
      ...(stored !== undefined && { stored }),
    });
    columns.push(column);
    list.push(`e.${quoted(name)}${column.identifier === quoted(name) ? '' : ` AS ${column.identifier}`}`);
  }
  const time = `e.${quoted(dataset.timeColumn)}`;
  const conditions = [
    ...(plan.from === undefined ? [] : [`${time} >= ${shared.parameters.add(plan.from)}::timestamptz`]),
    ...(plan.to === undefined ? [] : [`${time} < ${shared.parameters.add(plan.to)}::timestamptz`]),
    ...(shared.ingestBatch === undefined ? [] : [`e.batch_no = ${shared.parameters.add(shared.ingestBatch)}::bigint`]),
  ];
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return statement.step('scan', select(list, `app.${quoted(dataset.name)} AS e`, where), columns, []);
}

/** How an element of a row, as jsonb under `r.v`, becomes a value. A timespan is a count of microseconds. */
function element(index: number, type: ScalarType): string {
  if (type === 'dynamic') return `nullif(r.v -> ${index}, 'null')`;
  const text = `(r.v ->> ${index})`;
  if (type === 'string') return text;
  return type === 'timespan' ? `(${text} || ' microseconds')::interval` : `${text}::${sqlTypes[type]}`;
}

/** All rows are one parameter: their number is not bound by the protocol, and the text stays the same. */
export function values(plan: Values, statement: Statement): Relation {
  const needed = statement.needed(plan);
  const positions = plan.columns.flatMap(({ name }, index) => (needed.has(name) ? [index] : []));
  const columns = positions.map((index) => statement.column(plan.columns[index]!.name, plan.columns[index]!.type));
  const rows = JSON.stringify(plan.rows.map((row) => positions.map((index) => row[index] ?? null)));
  if (hasNul(plan.rows)) refuse('The query has a text with the character U+0000, which no stored text can have.');
  const list = columns.map(({ type, identifier }, index) => `${element(index, type)} AS ${identifier}`);
  const from = `jsonb_array_elements(${statement.shared.parameters.add(rows)}::jsonb) AS r(v)`;
  return statement.step('values', select(list, from), columns, []);
}

const hasNul = (value: JsonValue): boolean => {
  if (typeof value === 'string') return value.includes('\0');
  if (value === null || typeof value !== 'object') return false;
  return Array.isArray(value)
    ? value.some(hasNul)
    : Object.entries(value).some(([key, each]) => key.includes('\0') || hasNul(each));
};

/** In the SELECT list rather than in FROM: rows are made as they are asked for, and are not stored first. */
export function rangeRows(plan: RangeRows, statement: Statement): Relation {
  const [{ name, type }] = plan.columns as [{ name: string; type: ScalarType }];
  const column = statement.column(name, type);
  const value = (expr: RangeRows['from']) => compileExpression(expr, statement.scope(), { context: 'VALUE' });
  const [from, to, step] = [value(plan.from), value(plan.to), value(plan.step)];
  const bounds = `(SELECT ${from} AS "from", ${to} AS "to", ${step} AS "step") AS b`;
  const body = `SELECT ${seriesOf(type)} AS ${column.identifier}\nFROM ${bounds}`;
  return statement.step('range', body, [column], []);
}

/** A step of 0 leads nowhere, as one that leads away. */
function seriesOf(type: ScalarType): string {
  switch (type) {
    case 'datetime':
      return `generate_series(b."from", b."to", nullif(b."step", interval '0'))`;
    case 'timespan': {
      const since = (bound: string) => `timestamp '2000-01-01' + b."${bound}"`;
      return `generate_series(${since('from')}, ${since('to')}, nullif(b."step", interval '0')) - timestamp '2000-01-01'`;
    }
    case 'real': // Sums of reals drift: each is made by itself.
      return `b."from" + b."step" * generate_series(0, floor((b."to" - b."from") / nullif(b."step", 0))::bigint)`;
    default:
      return `generate_series(b."from", b."to", nullif(b."step", 0))`;
  }
}

export function outer(plan: Outer, statement: Statement): Relation {
  const row = statement.outer;
  if (row === undefined) throw new Error('The plan has an outer row where there is none.');
  const needed = statement.needed(plan);
  const columns = [...row.columns.values()]
    .filter(({ name }) => needed.has(name))
    .map((column) => ({ ...column, weight: 1 }));
  const body = `SELECT ${columns.map(({ identifier }) => `${row.alias}.${identifier}`).join(', ')}`.trimEnd();
  return statement.step('outer', body, columns, []);
}
