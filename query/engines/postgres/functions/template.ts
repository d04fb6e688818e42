/** How the SQL of functions is written. */
import type { CallExpr, Expr, LiteralExpr, ScalarType } from '../../../plan/types.js';

/** PostgreSQL's type for each type of the plan. */
export const sqlTypes: Readonly<Record<ScalarType, string>> = {
  bool: 'boolean',
  long: 'bigint',
  real: 'double precision',
  decimal: 'numeric',
  string: 'text',
  datetime: 'timestamptz',
  timespan: 'interval',
  dynamic: 'jsonb',
  guid: 'uuid',
};

/**
 * Where an expression stands. In a FILTER only the rows count for which it is true, so null may stand for false and
 * comparisons stay plain ones that use indexes. A VALUE is exact.
 */
export type Context = 'FILTER' | 'VALUE';

/** How a column is reached, and what its SQL is when that is not just the plan's type. */
export interface ColumnSql {
  /** Quoted and qualified. */
  sql: string;
  /** The table's own type: an `integer` where the plan has a long, an `inet` or a `uuid` where it has a string. */
  stored?: 'INTEGER' | 'INET' | 'UUID';
  /** Whether the SQL can be null. Default true. */
  nullable?: boolean;
  /** Whether a null in it stands for the empty string: a string column of a scan with `nullStrings: false`. */
  nullMeansEmpty?: boolean;
  /** How many operations PostgreSQL may repeat wherever the column stands. Default 1: it only reads it. */
  weight?: number;
}

/** An expression as SQL, in brackets where it is no single term. */
export interface Sql {
  sql: string;
  nullable: boolean;
}

/** An argument of a call, as exact as a VALUE. */
export interface Argument extends Sql {
  type: ScalarType;
  expr: Expr;
  /** The column that the argument is, as it is stored. */
  column?: ColumnSql;
  /** The literal that the argument is. */
  literal?: LiteralExpr;
}

export interface TemplateCall {
  expr: CallExpr;
  args: readonly Argument[];
  context: Context;
  /** A value that PostgreSQL gets as a parameter of this SQL type, in the text form of that type. */
  parameter(value: unknown, sqlType: string): string;
  /** A column that expressions can name here. */
  column(name: string): ColumnSql;
  /** An expression of the plan as SQL, for templates that build on others. */
  compile(expr: Expr, context: Context): Sql;
}

/** A string is an SQL text that is null exactly where an argument is, or at most there. */
export type Template = (call: TemplateCall) => Sql | string;

/** A template that is SQL over its arguments alone; the result is null where an argument is. */
export const sql =
  (text: (...args: string[]) => string): Template =>
  ({ args }) =>
    text(...args.map((arg) => arg.sql));

/** As `sql`, and the result is never null. */
export const total =
  (text: (...args: string[]) => string): Template =>
  ({ args }) => ({ sql: text(...args.map((arg) => arg.sql)), nullable: false });

/** As `sql`, and the result may be null where no argument is. */
export const partial =
  (text: (...args: string[]) => string): Template =>
  ({ args }) => ({ sql: text(...args.map((arg) => arg.sql)), nullable: true });
