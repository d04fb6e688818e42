/** Makes plan steps with their columns worked out. Names and types are the caller's care: languages check them first. */
import type { JsonValue } from '../result.js';
import type {
  Aggregate,
  ColumnExpr,
  Expr,
  Join,
  LiteralExpr,
  NamedExpr,
  Pick,
  Plan,
  PlanColumn,
  ScalarType,
  Scan,
  SortKey,
  Summarize,
  Unnest,
  Values,
  WindowColumn,
} from './types.js';

export const column = ({ name, type }: PlanColumn): ColumnExpr => ({ kind: 'column', name, type });

export const literal = (type: ScalarType, value: JsonValue): LiteralExpr => ({ kind: 'literal', type, value });

const columnsOf = (named: readonly NamedExpr[]): PlanColumn[] =>
  named.map(({ name, value }) => ({ name, type: value.type }));

export const scan = (of: Omit<Scan, 'op'>): Plan => ({ op: 'scan', ...of });

export const values = (columns: PlanColumn[], rows: JsonValue[][]): Values => ({ op: 'values', columns, rows });

export const rangeRows = (name: string, from: Expr, to: Expr, step: Expr): Plan => ({
  op: 'range',
  columns: [{ name, type: from.type }],
  from,
  to,
  step,
});

export const filter = (input: Plan, predicate: Expr): Plan => ({
  op: 'filter',
  columns: input.columns,
  input,
  predicate,
});

export const extend = (input: Plan, added: NamedExpr[]): Plan =>
  added.length === 0 ? input : { op: 'extend', columns: [...input.columns, ...columnsOf(added)], input, added };

export const project = (input: Plan, kept: NamedExpr[]): Plan => ({
  op: 'project',
  columns: columnsOf(kept),
  input,
  kept,
});

export const summarize = (input: Plan, keys: NamedExpr[], aggregates: (Aggregate | Pick)[]): Summarize => ({
  op: 'summarize',
  columns: [
    ...columnsOf(keys),
    ...aggregates.flatMap((aggregate) =>
      aggregate.kind === 'pick' ? columnsOf(aggregate.columns) : [{ name: aggregate.name, type: aggregate.type }],
    ),
  ],
  input,
  keys,
  aggregates,
});

export const join = (kind: Join['kind'], left: Plan, right: Plan, on: Join['on']): Plan => ({
  op: 'join',
  columns: kind === 'LEFT_SEMI' || kind === 'LEFT_ANTI' ? left.columns : [...left.columns, ...right.columns],
  kind,
  left,
  right,
  on,
});

export const union = (inputs: Plan[]): Plan =>
  inputs.length === 1 ? inputs[0]! : { op: 'union', columns: inputs[0]!.columns, inputs };

export const unnest = (
  input: Plan,
  elements: Unnest['elements'],
  options: { index?: string; keepEmpty: boolean; limit?: number },
): Plan => ({
  op: 'unnest',
  columns: [
    ...input.columns,
    ...elements.map(({ name, type }) => ({ name, type })),
    ...(options.index === undefined ? [] : [{ name: options.index, type: 'long' as const }]),
  ],
  input,
  elements,
  ...options,
});

export const lateral = (input: Plan, kept: string[], body: Plan): Plan => ({
  op: 'lateral',
  columns: [...input.columns.filter(({ name }) => kept.includes(name)), ...body.columns],
  input,
  body,
  kept,
});

export const sort = (input: Plan, keys: SortKey[]): Plan => ({ op: 'sort', columns: input.columns, input, keys });

export const limit = (input: Plan, count: number, offset = 0): Plan => ({
  op: 'limit',
  columns: input.columns,
  input,
  count,
  offset,
});

export const distinct = (input: Plan): Plan => ({ op: 'distinct', columns: input.columns, input });

export const window = (input: Plan, by: { partitionBy: Expr[]; orderBy: SortKey[] }, added: WindowColumn[]): Plan => ({
  op: 'window',
  columns: [...input.columns, ...added.map(({ name, type }) => ({ name, type }))],
  input,
  ...by,
  added,
});
