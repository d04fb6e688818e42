/** A step that has been written: where its rows are, in which columns, and in which order. */
import type { Expr, ScalarType } from '../../../plan/types.js';
import { subexpressions } from '../../../plan/walk.js';
import type { ColumnSql } from './expression.js';

/** A column of a common table expression. */
export interface Column extends Omit<ColumnSql, 'sql'> {
  name: string;
  type: ScalarType;
  /** Its quoted name in SQL. */
  identifier: string;
  /** As long as PostgreSQL merges the step into the next one. */
  weight: number;
}

/** Columns that are only for the order are not among the relation's columns. */
export interface OrderTerm {
  column: Column;
  descending: boolean;
  nullsFirst: boolean;
}

export interface Relation {
  step: Step;
  columns: ReadonlyMap<string, Column>;
  /** Empty where the rows come in any order. */
  order: readonly OrderTerm[];
}

/** One common table expression. */
export interface Step {
  name: string;
  body: string;
  /** How often other steps read it. */
  uses: number;
  /** How many steps PostgreSQL merges into this one. */
  depth: number;
  /** How many steps lead to it. */
  height: number;
  /** Where it matters: whether it is worked out once and kept, or merged into each step that reads it. */
  materialized?: boolean;
  /** PostgreSQL works each row out once, before the steps above see it. */
  isFenced?: boolean;
  /** It has a LIMIT, which PostgreSQL merges nothing beyond as it is. */
  isCut?: boolean;
}

/** The column where it is read, qualified by the relation's name or alias. */
export const columnSql = (
  qualifier: string,
  { identifier, stored, nullable, nullMeansEmpty, weight }: Column,
): ColumnSql => ({
  sql: `${qualifier}.${identifier}`,
  weight,
  ...(stored !== undefined && { stored }),
  ...(nullable !== undefined && { nullable }),
  ...(nullMeansEmpty !== undefined && { nullMeansEmpty }),
});

/** The columns by name. */
export const byName = (columns: Iterable<Column>): Map<string, Column> => {
  const map = new Map<string, Column>();
  for (const column of columns) map.set(column.name, column);
  return map;
};

/** What one use of the expression makes PostgreSQL do. */
export function weightOf(expr: Expr, columns: ReadonlyMap<string, Column>): number {
  let weight = 0;
  for (const part of subexpressions(expr)) weight += part.kind === 'column' ? (columns.get(part.name)?.weight ?? 0) : 1;
  return weight;
}

/**
 * What PostgreSQL would repeat if it merged the relation into a step with these expressions: what is made once and used
 * three times is worked out twice too often. Unbounded, thirty steps of `x = strcat(x, x)` are 2^30 operations.
 */
export function repeatedWeight(exprs: readonly Expr[], columns: ReadonlyMap<string, Column>): number {
  const uses = new Map<string, number>();
  for (const expr of exprs) {
    for (const part of subexpressions(expr)) {
      if (part.kind === 'column') uses.set(part.name, (uses.get(part.name) ?? 0) + 1);
    }
  }
  let repeated = 0;
  for (const [name, count] of uses) repeated += (count - 1) * (columns.get(name)?.weight ?? 0);
  return repeated;
}
