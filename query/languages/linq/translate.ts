/**
 * The clauses of a LINQ query as a plan. They are a pipeline: each works on what the one above it left. A group begins
 * a new stage, in which the names are its keys; the aggregates that the clauses up to the next group ask for are all
 * worked out in one step, and conditions between them cut groups, never the events in them.
 */
import { column, literal, summarize } from '../../plan/build.js';
import { figure } from '../../plan/moment.js';
import type { Aggregate, Expr, NamedExpr, Pick, Plan } from '../../plan/types.js';
import { didYouMean } from '../../suggest.js';
import { asFilter, combine } from '../exprs.js';
import { aggregateNames } from './aggregates.js';
import { Expressions, type Meaning } from './expressions.js';
import { floorToPeriod } from './functions.js';
import type { Problems } from './problems.js';
import { Stage, timeName } from './stage.js';
import type { Clause, LinqQuery, Named, Node } from './syntax.js';

type GroupClause = Clause & { kind: 'group' };

/** The plan of the clauses over the rows of `stage`. */
export function translateClauses(query: LinqQuery, stage: Stage, problems: Problems): Plan {
  let current = new Scope(stage, problems);
  for (const clause of query.clauses) {
    switch (clause.kind) {
      case 'where':
        current.where(clause.conditions);
        break;
      case 'select':
        for (const item of clause.items) current.select(item);
        break;
      case 'limit':
        current.stage.keepFirst(clause.count);
        break;
      case 'group':
        current = current.group(clause);
        break;
    }
  }
  return current.stage.result();
}

/** A stage with what its names and aggregates mean. */
class Scope implements Meaning {
  readonly #expressions: Expressions;
  /** The aggregates of the group that the stage began with; those that are alike are worked out once. */
  readonly #aggregates: (Aggregate | Pick)[] = [];
  readonly #aggregateColumns = new Map<string, Expr>();

  constructor(
    readonly stage: Stage,
    readonly problems: Problems,
    /** The stage whose rows are grouped; none before the first group. */
    readonly grouped?: Scope,
  ) {
    this.#expressions = new Expressions(problems, this);
  }

  where(conditions: readonly Node[]): void {
    const all = conditions.map((condition) => this.#expressions.condition(condition));
    this.stage.keepWhere(asFilter(combine('and', all)));
  }

  select(item: '*' | Named): void {
    if (item === '*') {
      this.stage.showAll();
      return;
    }
    const name = this.#nameOf(item);
    const isItself = item.value.kind === 'name' && item.value.name === name;
    const value = this.#expressions.value(item.value);
    if (!isItself) {
      this.#refuseTaken(name, this.stage.names.keys(), item);
      this.stage.add(name, value);
    }
    this.stage.show(name);
  }

  group(clause: GroupClause): Scope {
    const { server, client } = clause;
    if (server !== undefined && client !== undefined && client.microseconds % server.microseconds !== 0n) {
      this.problems.unsupported('The client period must be a whole multiple of the server period.', client);
    }
    const keys: NamedExpr[] = [];
    const period = client ?? server;
    if (period !== undefined) {
      const time = this.stage.names.get(timeName);
      if (time === undefined || time.type !== 'datetime') {
        this.problems.syntax(`Periods need the time, and no column "${timeName}" is left here.`, period);
      }
      keys.push({ name: timeName, value: floorToPeriod(time, literal('timespan', figure(period.microseconds))) });
    }
    for (const key of clause.keys) {
      const name = this.#nameOf(key);
      this.#refuseTaken(
        name,
        keys.map((other) => other.name),
        key,
      );
      keys.push({ name, value: this.#expressions.value(key.value) });
    }
    const stage: Stage = new Stage(
      () => summarize(this.stage.rows(), keys, scope.#aggregates),
      keys.map(({ name }) => name),
    );
    stage.visible = [...stage.shown];
    for (const { name, value } of keys) stage.declare(name, column({ name, type: value.type }));
    const scope: Scope = new Scope(stage, this.problems, this);
    return scope;
  }

  column({ name, ...span }: Node & { kind: 'name' }): Expr {
    const found = this.stage.names.get(name);
    if (found !== undefined) return found;
    const lost = this.grouped?.stage.names.has(name) === true;
    const hint = lost
      ? ' After "group" there are its keys and aggregates alone, such as last(...).'
      : didYouMean(name, this.stage.names.keys());
    this.problems.fail('QUERY_UNKNOWN_COLUMN', `There is no column "${name}"${lost ? ' here' : ''}.${hint}`, span);
  }

  aggregate(node: Node & { kind: 'call' }): Expr {
    const { name, args } = node;
    const { grouped } = this;
    if (grouped === undefined) {
      this.problems.syntax(`The aggregate ${name}() follows a "group".`, node);
    }
    const { arity, needsTime, make } = aggregateNames.get(name)!;
    if (args.length < arity[0] || args.length > arity[1]) {
      const count = arity[0] === arity[1] ? `${arity[0]}` : `${arity[0]} to ${arity[1]}`;
      this.problems.syntax(`The aggregate ${name}() takes ${count} arguments, not ${args.length}.`, node);
    }
    const values = args.map((arg) => grouped.#argument(arg));
    const time = grouped.stage.names.get(timeName);
    if (needsTime === true && time === undefined) {
      this.problems.syntax(`The aggregate ${name}() needs the time, and no column "${timeName}" is left there.`, node);
    }
    const made = this.problems.checked(name, node, args, () => make(values, '', time));
    const key = JSON.stringify(made);
    const known = this.#aggregateColumns.get(key);
    if (known !== undefined) return known;
    const columnName = this.stage.freeName(name);
    const named = make(values, columnName, time);
    const type = named.kind === 'pick' ? named.columns[0]!.value.type : named.type;
    const result = column({ name: columnName, type });
    this.#aggregates.push(named);
    this.#aggregateColumns.set(key, result);
    return result;
  }

  /** An aggregate's argument: of the rows that are grouped, and without aggregates of theirs. */
  #argument(node: Node): Expr {
    const meaning: Meaning = {
      column: (name) => this.column(name),
      aggregate: ({ name, ...span }) =>
        this.problems.syntax(`The aggregate ${name}() cannot stand inside another one.`, span),
    };
    return new Expressions(this.problems, meaning).value(node);
  }

  /** Without `as` a column is called what its expression says. */
  #nameOf({ name, value }: Named): string {
    if (name !== undefined) return name;
    return value.kind === 'name' ? value.name : this.problems.textOf(value).replace(/\s+/g, ' ');
  }

  #refuseTaken(name: string, names: Iterable<string>, at: Named): void {
    for (const other of names) {
      if (other === name) this.problems.syntax(`The name "${name}" stands for something already. Choose another.`, at);
    }
  }
}
