/** A SELECT in the making: its steps as common table expressions, and what the steps share. */
import type { Expr, Plan, ScalarType, SortKey } from '../../../plan/types.js';
import type { Context } from '../functions/template.js';
import { compileExpression, type ExpressionScope } from './expression.js';
import type { Needs } from './needs.js';
import { type Parameters, refuse } from './parameters.js';
import {
  byName,
  type Column,
  columnSql,
  type OrderTerm,
  type Relation,
  repeatedWeight,
  type Step,
  weightOf,
} from './relation.js';

/** PostgreSQL merges steps by recursion, in a time that grows with the square of their number. */
const maxMergedSteps = 30;
/** Measured: 500 steps take PostgreSQL a second to plan, 1,000 take five. */
const maxHeight = 500;
/** How many operations a row may be repeated before it is better to keep what they gave. */
const maxRepeatedWeight = 40;
/** PostgreSQL cuts longer names off. */
const maxIdentifierBytes = 63;

/** A relation that refs name. It is written when the first of them is. */
export interface Binding {
  plan: Plan;
  materialized: boolean;
  /** The statement whose step it becomes. */
  statement: Statement;
  relation?: Relation;
  /** How many refs there are. */
  uses: number;
}

/** What is one for the whole text. */
export interface Shared {
  parameters: Parameters;
  needs: Needs;
  ingestBatch: string | undefined;
  /** Writes a step and all below it. */
  write(plan: Plan, statement: Statement): Relation;
  nextNumber(): number;
  identifiers: Identifiers;
}

/** The names of columns in SQL: the plan's own, as far as PostgreSQL takes them. */
export class Identifiers {
  readonly #others = new Map<string, string>();

  of(name: string): string {
    // Indentation would change a name with a line's end in it, and UTF-8 makes one of all halves of characters.
    const isText = name !== '' && name.isWellFormed() && !/\p{Cc}/u.test(name);
    const isPlain = isText && Buffer.byteLength(name) <= maxIdentifierBytes && !name.startsWith('~');
    if (isPlain) return `"${name.replaceAll('"', '""')}"`;
    let identifier = this.#others.get(name);
    if (identifier === undefined) {
      identifier = `"~${this.#others.size + 1}"`;
      this.#others.set(name, identifier);
    }
    return identifier;
  }
}

/** Columns that no text can name. */
const hiddenName = (number: number): string => `~\0${number}`;

export class Statement {
  readonly #steps: Step[];

  constructor(
    readonly shared: Shared,
    readonly bindings: ReadonlyMap<string, Binding> = new Map(),
    /** The row that the statement is about, where it stands in a lateral. */
    readonly outer?: { alias: string; columns: ReadonlyMap<string, Column> },
    steps: Step[] = [],
  ) {
    this.#steps = steps;
  }

  /** A statement inside this one, which sees the same bindings and the same row, or the one given. */
  inner(outer: Statement['outer'] = this.outer): Statement {
    return new Statement(this.shared, this.bindings, outer);
  }

  /** This statement, where more bindings are in sight. */
  binding(bound: readonly { name: string; plan: Plan; materialized: boolean }[]): Statement {
    const bindings = new Map(this.bindings);
    const same = new Statement(this.shared, bindings, this.outer, this.#steps);
    for (const { name, plan, materialized } of bound) {
      bindings.set(name, { plan, materialized, statement: same, uses: 0 });
    }
    return same;
  }

  /** The relation of a binding. One that is to be worked out once is so also where each row of a lateral asks for it. */
  reference(name: string): Relation {
    const binding = this.bindings.get(name);
    if (binding === undefined) throw new Error(`The plan names a binding that it does not have: ${name}.`);
    binding.relation ??= binding.statement.write(binding.plan);
    const { step } = binding.relation;
    binding.uses++;
    const isRepeated = binding.uses > 1 || this.#steps !== binding.statement.#steps;
    if (binding.materialized && isRepeated) step.materialized = true;
    if (!binding.materialized) step.materialized ??= false;
    return binding.relation;
  }

  /** Writes the plan's steps into this statement. */
  write(plan: Plan): Relation {
    return this.shared.write(plan, this);
  }

  /** Which columns of a step are used above it. */
  needed(plan: Plan): ReadonlySet<string> {
    return this.shared.needs.get(plan) ?? new Set();
  }

  /** A name that is used once in the whole text. */
  alias(prefix: string): string {
    return `${prefix}${this.shared.nextNumber()}`;
  }

  /** A column that a step makes. */
  column(name: string, type: ScalarType, traits: Partial<Column> = {}): Column {
    return { name, type, identifier: this.shared.identifiers.of(name), weight: 1, ...traits };
  }

  /** A column that carries an order and is not in the relation. */
  hiddenColumn({ type, ...traits }: Partial<Column> & { type: ScalarType }): Column {
    const name = hiddenName(this.shared.nextNumber());
    return { ...traits, ...this.column(name, type, { weight: traits.weight ?? 1 }) };
  }

  /** Adds a step; `inputs` are those that it reads. */
  step(
    op: string,
    body: string,
    columns: Iterable<Column>,
    inputs: readonly Relation[],
    order: readonly OrderTerm[] = [],
  ): Relation {
    const step: Step = { name: this.alias(op), body, uses: 0, depth: 1, height: 1 };
    for (const { step: input } of inputs) {
      input.uses++;
      step.depth = Math.max(step.depth, input.depth + 1);
      step.height = Math.max(step.height, input.height + 1);
    }
    if (step.height > maxHeight) refuse(`The query has more than ${maxHeight} steps one after another. Use fewer.`);
    let made = byName(columns);
    if (step.depth >= maxMergedSteps) {
      step.materialized = true;
      step.depth = 0;
      made = byName([...made.values()].map((column) => ({ ...column, weight: 1 })));
    }
    this.#steps.push(step);
    return { step, columns: made, order };
  }

  /** The scope of expressions over relations, each under a qualifier. */
  scope(...inputs: { qualifier: string; columns: ReadonlyMap<string, Column> }[]): ExpressionScope {
    return {
      column: (name) => {
        for (const { qualifier, columns } of inputs) {
          const column = columns.get(name);
          if (column !== undefined) return columnSql(qualifier, column);
        }
        throw new Error(`The plan reads a column that its input does not give: ${name}.`);
      },
      parameter: (value) => this.shared.parameters.add(value),
      subquery: (plan) => this.inner().query(plan, this.needed(plan)),
    };
  }

  /** The expression over one relation, under its own name. */
  expression(expr: Expr, input: Relation, context: Context = 'VALUE'): string {
    return compileExpression(expr, this.scope({ qualifier: input.step.name, columns: input.columns }), { context });
  }

  /** Keeps PostgreSQL from merging the relation into a step that would work the same out again and again. */
  guardRepetition(input: Relation, exprs: readonly Expr[]): Relation {
    if (repeatedWeight(exprs, input.columns) <= maxRepeatedWeight) return input;
    return this.fenced(input);
  }

  /** The relation as PostgreSQL works it out by itself, each row once. */
  fenced(input: Relation): Relation {
    input.step.isFenced = true;
    const lighter = ([name, column]: [string, Column]): [string, Column] => [name, { ...column, weight: 1 }];
    return { ...input, columns: new Map([...input.columns].map(lighter)) };
  }

  /** The columns of `names` and those of the order, as a step passes them on. */
  passedOn(input: Relation, names: ReadonlySet<string>): Column[] {
    const kept = [...input.columns.values()].filter(({ name }) => names.has(name));
    return [...kept, ...orderColumns(input.order, kept)];
  }

  /** The input with a hidden column for each key that is not a column already. */
  keyed(input: Relation, keys: readonly SortKey[]): { input: Relation; order: OrderTerm[] } {
    const made: { column: Column; value: Expr }[] = [];
    const order = keys.map(({ value, descending, nullsFirst }): OrderTerm => {
      const own = value.kind === 'column' ? input.columns.get(value.name) : undefined;
      const column = own ?? this.hiddenColumn({ type: value.type, weight: weightOf(value, input.columns) });
      if (own === undefined) made.push({ column, value });
      return { column, descending, nullsFirst };
    });
    if (made.length === 0) return { input, order };
    const guarded = this.guardRepetition(
      input,
      made.map(({ value }) => value),
    );
    const passed = this.passedOn(guarded, new Set(guarded.columns.keys()));
    const list = [
      ...passed.map(({ identifier }) => `${guarded.step.name}.${identifier}`),
      ...made.map(({ column, value }) => `${this.expression(value, guarded)} AS ${column.identifier}`),
    ];
    const body = select(list, guarded.step.name);
    const columns = [...passed, ...made.map(({ column }) => column)];
    return { input: this.step('key', body, columns, [guarded], input.order), order };
  }

  /** ` ORDER BY ...`, or nothing. */
  orderBy(order: readonly OrderTerm[], qualifier: string): string {
    return order.length === 0 ? '' : `ORDER BY ${this.orderTerms(order, qualifier)}`;
  }

  orderTerms(order: readonly OrderTerm[], qualifier: string): string {
    return order
      .map(({ column, descending, nullsFirst }) => {
        // As it is stored where that has the same order: an index gives it.
        const isAsStored = column.stored === 'INTEGER';
        const sql = isAsStored ? `${qualifier}.${column.identifier}` : this.value(column, qualifier);
        const isNullable = column.nullable !== false && column.nullMeansEmpty !== true;
        const nulls = !isNullable || nullsFirst === descending ? '' : nullsFirst ? ' NULLS FIRST' : ' NULLS LAST';
        return `${sql}${descending ? ' DESC' : ''}${nulls}`;
      })
      .join(', ');
  }

  /** The column as a value of the plan's type. */
  value(column: Column, qualifier: string): string {
    const scope = this.scope({ qualifier, columns: new Map([[column.name, column]]) });
    return compileExpression({ kind: 'column', name: column.name, type: column.type }, scope, { context: 'VALUE' });
  }

  /**
   * The column in a form of which equal values are one value: as it is stored, but for texts, where both a null and the
   * empty text mean the empty text. PostgreSQL groups short stored values faster than texts made of them.
   */
  groupKey(column: Column, qualifier: string): { column: Column; sql: string } {
    const { sql } = columnSql(qualifier, column);
    if (column.nullMeansEmpty !== true || column.stored !== undefined) return { column: { ...column, weight: 1 }, sql };
    return {
      column: { ...column, weight: 1, nullMeansEmpty: false, nullable: false },
      sql: this.value(column, qualifier),
    };
  }

  /**
   * The whole text: the plan's columns of these names, in its order, each of its own type; `asResult` writes timespans in
   * days and hours, however they were added up.
   */
  query(plan: Plan, names: ReadonlySet<string>, { asResult = false } = {}): string {
    const last = this.write(plan);
    last.step.uses++;
    const list = plan.columns
      .filter(({ name }) => names.has(name))
      .map(({ name }) => {
        const column = last.columns.get(name)!;
        const value = this.value(column, last.step.name);
        return `${asResult && column.type === 'timespan' ? `justify_hours(${value})` : value} AS ${column.identifier}`;
      });
    const main = select(list, last.step.name, this.orderBy(last.order, last.step.name));
    return this.#steps.length === 0 ? main : `WITH ${this.#steps.map(stepText).join(',\n')}\n${main}`;
  }
}

function stepText({ name, body, uses, materialized, isFenced, isCut }: Step): string {
  // PostgreSQL merges what is read once, and keeps what is read more often.
  const isMerged = materialized === false && uses > 1;
  const hint = materialized === true ? 'MATERIALIZED ' : isMerged ? 'NOT MATERIALIZED ' : '';
  return `${name} AS ${hint}(\n${indent(body)}${isFenced === true && !isCut ? '\n  OFFSET 0' : ''}\n)`;
}

const indent = (text: string): string => `  ${text.replaceAll('\n', '\n  ')}`;

/** A SELECT, a clause a line. */
export const select = (list: readonly string[], from: string, ...clauses: string[]): string =>
  [`SELECT ${list.join(', ')}`.trimEnd(), `FROM ${from}`, ...clauses].filter((clause) => clause !== '').join('\n');

/** The columns of an order that are not among others. */
export function orderColumns(order: readonly OrderTerm[], others: readonly Column[]): Column[] {
  const known = new Set(others.map(({ identifier }) => identifier));
  const missing: Column[] = [];
  for (const { column } of order) {
    if (known.has(column.identifier)) continue;
    known.add(column.identifier);
    missing.push(column);
  }
  return missing;
}
