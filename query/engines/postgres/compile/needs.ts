/** Which columns of each step are used above it: the others are neither read from disk nor worked out. */

import type { Expr, NamedExpr, Plan } from '../../../plan/types.js';
import { columnsRead, subexpressions } from '../../../plan/walk.js';

/** The names of the columns that a step has to give. */
export type Needs = ReadonlyMap<Plan, ReadonlySet<string>>;

/** What the refs and the outers of one place stand for. */
interface Surroundings {
  /** What is needed of each binding in sight. */
  bindings: ReadonlyMap<string, Set<string>>;
  /** What the body of the lateral needs of its row. */
  outer: Set<string> | undefined;
}

/** The needs of a plan all of whose columns are wanted. */
export function needsOf(plan: Plan): Needs {
  const analysis = new Analysis();
  analysis.visit(plan, namesOf(plan), { bindings: new Map(), outer: undefined });
  return analysis.needs;
}

const namesOf = (plan: Plan): string[] => plan.columns.map(({ name }) => name);

const isNeeded =
  (needed: ReadonlySet<string>) =>
  ({ name }: { name: string }): boolean =>
    needed.has(name);

const valuesOf = (named: readonly NamedExpr[]): Expr[] => named.map(({ value }) => value);

class Analysis {
  readonly needs = new Map<Plan, Set<string>>();

  visit(plan: Plan, names: Iterable<string>, around: Surroundings): void {
    const known = this.needs.get(plan);
    const needed = known ?? new Set<string>();
    const before = needed.size;
    for (const name of names) needed.add(name);
    if (known !== undefined && needed.size === before) return; // a step that is used twice
    this.needs.set(plan, needed);
    this.#visitInputs(plan, needed, around);
  }

  #visitInputs(plan: Plan, needed: Set<string>, around: Surroundings): void {
    /** The input gives what is needed that is its own, and what the expressions read. */
    const passOn = (input: Plan, exprs: Expr[]) => {
      const own = new Set(namesOf(input));
      this.visit(input, [...[...needed].filter((name) => own.has(name)), ...this.#reads(exprs, around)], around);
    };
    switch (plan.op) {
      case 'scan':
      case 'values':
        return;
      case 'range':
        this.#reads([plan.from, plan.to, plan.step], around);
        return;
      case 'filter':
        passOn(plan.input, [plan.predicate]);
        return;
      case 'extend':
        passOn(plan.input, valuesOf(plan.added.filter(isNeeded(needed))));
        return;
      case 'project':
        this.visit(plan.input, this.#reads(valuesOf(plan.kept.filter(isNeeded(needed))), around), around);
        return;
      case 'summarize': {
        const read = plan.aggregates.flatMap((aggregate) => {
          if (aggregate.kind === 'pick') return [aggregate.by, ...valuesOf(aggregate.columns.filter(isNeeded(needed)))];
          if (!needed.has(aggregate.name)) return [];
          return [...aggregate.args, ...(aggregate.where === undefined ? [] : [aggregate.where])];
        });
        this.visit(plan.input, this.#reads([...valuesOf(plan.keys), ...read], around), around);
        return;
      }
      case 'join':
        passOn(
          plan.left,
          plan.on.map(({ left }) => left),
        );
        passOn(
          plan.right,
          plan.on.map(({ right }) => right),
        );
        return;
      case 'union':
        for (const input of plan.inputs) this.visit(input, needed, around);
        return;
      case 'unnest':
        passOn(plan.input, valuesOf(plan.elements));
        return;
      case 'lateral': {
        const outer = new Set(plan.kept.filter((name) => needed.has(name)));
        this.visit(
          plan.body,
          namesOf(plan.body).filter((name) => needed.has(name)),
          { ...around, outer },
        );
        this.visit(plan.input, outer, around);
        return;
      }
      case 'outer':
        for (const name of needed) around.outer?.add(name);
        return;
      case 'sort':
        passOn(
          plan.input,
          plan.keys.map(({ value }) => value),
        );
        return;
      case 'limit':
        passOn(plan.input, []);
        return;
      case 'distinct':
        this.visit(plan.input, namesOf(plan.input), around);
        return;
      case 'window': {
        const added = plan.added.filter(isNeeded(needed));
        const over = added.length === 0 ? [] : [...plan.partitionBy, ...plan.orderBy.map(({ value }) => value)];
        passOn(plan.input, [...added.flatMap(({ args }) => args), ...over]);
        return;
      }
      case 'with': {
        const bindings = new Map(around.bindings);
        for (const { name } of plan.bindings) bindings.set(name, new Set());
        this.visit(plan.body, needed, { ...around, bindings });
        // A later one may use an earlier one.
        for (const { name, plan: bound } of plan.bindings.toReversed()) {
          this.visit(bound, bindings.get(name)!, { ...around, bindings });
        }
        return;
      }
      case 'ref': {
        const binding = around.bindings.get(plan.name);
        for (const name of needed) binding?.add(name);
        return;
      }
    }
  }

  /** The columns that the expressions read; plans inside them give their first column. */
  #reads(exprs: Expr[], around: Surroundings): Set<string> {
    for (const expr of exprs) {
      for (const part of subexpressions(expr)) {
        if (part.kind === 'scalar' || part.kind === 'membership') {
          this.visit(part.plan, namesOf(part.plan).slice(0, 1), around);
        }
      }
    }
    return columnsRead(exprs);
  }
}
