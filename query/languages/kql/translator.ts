/**
 * KQL's syntax tree to a plan. This file has what every step of the translation shares; each operator is a function of
 * its own in `operators/`, found by its syntax kind. They import types alone from here.
 */
import type { ErrorCode } from '../../../platform/errors.js';
import type { Expr, Plan, PlanColumn } from '../../plan/types.js';
import type { PlanQuery, QueryableDataset } from '../../prepared-query.js';
import type { SyntaxNode } from './syntax.js';

/** What a name stands for where no column has it: what `let`, `as` and the parameters of functions define. */
export type Binding =
  | { kind: 'scalar'; value: Expr }
  /** Cheap to repeat: a `ref` to what `Context.bind` was given, or rows of a parameter. */
  | { kind: 'table'; plan: Plan }
  | {
      kind: 'function';
      isTabular: boolean;
      /** `let V = view () {...}`: the wildcards of union and search find it. */
      isView?: boolean;
      /** Translates one call. `call` is the FunctionCallExpression; `rows` is undefined where a table is expected. */
      call(call: SyntaxNode, rows: Rows | undefined, context: Context): Expr | Plan;
    };

/** The rows that an expression is over. */
export interface Rows {
  columns: readonly PlanColumn[];
  /** Where aggregates may stand: the column that stands for the value of a call. */
  aggregate?: (call: SyntaxNode) => Expr;
  /** The columns that stand inside those aggregates alone. */
  aggregated?: readonly PlanColumn[];
  /** Where prev(), row_number() and their like may stand. */
  windows?: Windows;
}

/** What calls of prev(), row_number() and their like make of a step's input. */
export interface Windows {
  /** The step's input; each call adds a hidden column to it, which stands in the expression for the call. */
  input: Plan;
}

/** A step with an input; `node` is the operator's own node. */
export type TranslateOperator = (node: SyntaxNode, input: Plan, context: Context) => Plan;

/** Something that gives rows by itself: `print`, `range`, `datatable`, `union` and `search` without an input. */
export type TranslateSource = (node: SyntaxNode, context: Context) => Plan;

export interface Context {
  readonly datasets: readonly QueryableDataset[];
  /** The names that are defined here. */
  readonly scope: ReadonlyMap<string, Binding>;

  /** A scalar expression over the rows. Names are columns first, then what the scope defines. */
  expression(node: SyntaxNode, rows: Rows): Expr;

  /** An expression without a row: literals and what `let` has named. */
  constant(node: SyntaxNode): Expr;

  /**
   * A table: a pipe, a dataset's name, a name of the scope, `(...)`, a source. With `input`, the node is the inside of a
   * subquery, as mv-apply has it: its first operator gets that input.
   */
  tabular(node: SyntaxNode, input?: Plan): Plan;

  /** Whether the node is a table rather than a scalar. */
  isTabular(node: SyntaxNode): boolean;

  /** A dataset's rows with its declared columns and `attributes`. */
  scan(dataset: QueryableDataset): Plan;

  /** The same translation with further names, which hide those of the scope. */
  withNames(names: Iterable<readonly [string, Binding]>): Context;

  /** Names a relation for the whole query, so that it can be used many times without being copied. Gives its `ref`. */
  bind(name: string, plan: Plan, materialized: boolean): Plan;

  /** A column name that no text can have, for steps in between. */
  hiddenName(purpose: string): string;

  /** KQL's `render`: the last one that is asked for is kept. */
  render(hint: NonNullable<PlanQuery['render']>): void;

  /** The same translation with what `let` statements define, as a function's body has them. */
  withStatements(statements: readonly SyntaxNode[]): Context;

  /** Counts a part of the text that is unfolded once more; ends the translation where that grows without bound. */
  unfold(node: SyntaxNode): void;

  /** Notes what keeps the query from being run over new rows alone with the same answer. */
  obstacle(node: SyntaxNode, reason: string): void;

  /** Ends the translation with an error at a node. */
  fail(code: ErrorCode, node: SyntaxNode, message: string): never;
}
