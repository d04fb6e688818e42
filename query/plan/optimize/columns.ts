import { column, extend, join, lateral, project, summarize, union, values, window } from '../build.js';
import type { Aggregate, Expr, Lateral, Pick, Plan, PlanColumn, Scan, Values, With } from '../types.js';
import { columnsRead, expressionsOf, mapStep, rewritePlan, stepsOf, withPlans } from '../walk.js';

/**
 * Drops the columns that nothing reads, from the scans upward: a scan gives what is used of it, and what `extend`,
 * `project`, `summarize` and windows make for nobody is not made.
 *
 * Exact: no value that is left depends on one that goes. The arrays of an unnest stay, which say how many rows there
 * are, and so do all columns under a `distinct` and all keys of a group. At least one column stays everywhere.
 */
export function pruneColumns(plan: Plan): Plan {
  return new Pruner().whole(plan);
}

type Names = ReadonlySet<string>;

const namesOf = (columns: readonly { name: string }[]): Set<string> => new Set(columns.map(({ name }) => name));
const isIn = (names: Names) => (item: { name: string }) => names.has(item.name);
const atLeastOne = <T>(kept: T[], all: T[]): T[] => (kept.length > 0 ? kept : all.slice(0, 1));
const sameNames = (left: PlanColumn[], right: PlanColumn[]): boolean =>
  left.length === right.length && left.every(({ name }, index) => name === right[index]!.name);

class Pruner {
  /** What is read of the relations that `with` steps name, the innermost step last. */
  readonly #scopes: Map<string, Set<string>>[] = [];

  whole(plan: Plan): Plan {
    return this.#prune(plan, namesOf(plan.columns));
  }

  /** With these columns, and no others. */
  #exactly(plan: Plan, needed: Names): Plan {
    const columns = atLeastOne(plan.columns.filter(isIn(needed)), plan.columns);
    const pruned = this.#prune(plan, namesOf(columns));
    if (sameNames(pruned.columns, columns)) return pruned;
    return project(
      pruned,
      columns.map((item) => ({ name: item.name, value: column(item) })),
    );
  }

  /** With these columns and perhaps others of the plan's, in the plan's order. */
  #prune(plan: Plan, needed: Names): Plan {
    switch (plan.op) {
      case 'scan':
      case 'outer': {
        const read = plan.columns.filter(isIn(needed));
        const columns = read.length > 0 ? read : leastColumn(plan);
        return columns.length === plan.columns.length ? plan : { ...plan, columns };
      }
      case 'values':
        return prunedValues(plan, needed);
      case 'ref': {
        const names = this.#scopes.findLast((scope) => scope.has(plan.name))?.get(plan.name);
        for (const name of needed) names?.add(name);
        return plan;
      }
      case 'extend': {
        const added = plan.added.filter(isIn(needed));
        const step = added.length === plan.added.length ? plan : extend(plan.input, added);
        return step.op === 'extend' ? this.#step(step, needed) : this.#prune(step, needed);
      }
      case 'project': {
        const kept = atLeastOne(plan.kept.filter(isIn(needed)), plan.kept);
        return this.#step(kept.length === plan.kept.length ? plan : project(plan.input, kept), new Set());
      }
      case 'window': {
        const { partitionBy, orderBy } = plan;
        const added = plan.added.filter(isIn(needed));
        if (added.length === 0) return this.#prune(plan.input, needed);
        return this.#step(
          added.length === plan.added.length ? plan : window(plan.input, { partitionBy, orderBy }, added),
          needed,
        );
      }
      case 'summarize': {
        const aggregates = prunedAggregates(plan.aggregates, needed);
        const kept = plan.keys.length > 0 ? aggregates : atLeastOne(aggregates, plan.aggregates);
        const isSame = kept.every((item, index) => item === plan.aggregates[index]);
        const step = isSame && kept.length === plan.aggregates.length ? plan : summarize(plan.input, plan.keys, kept);
        return this.#step(step, new Set());
      }
      case 'union': {
        const names = namesOf(atLeastOne(plan.columns.filter(isIn(needed)), plan.columns));
        const inputs = plan.inputs.map((input) => this.#exactly(input, names));
        return inputs.every((input, index) => input === plan.inputs[index]) ? plan : union(inputs);
      }
      case 'join': {
        const reads = (side: 'left' | 'right') => needed.union(columnsRead(plan.on.map((pair) => pair[side])));
        const left = this.#prune(plan.left, reads('left').intersection(namesOf(plan.left.columns)));
        const right = this.#prune(plan.right, reads('right').intersection(namesOf(plan.right.columns)));
        const on = plan.on.map((pair) => ({ left: this.#expr(pair.left), right: this.#expr(pair.right) }));
        const isSame =
          left === plan.left &&
          right === plan.right &&
          on.every((pair, index) => pair.left === plan.on[index]!.left && pair.right === plan.on[index]!.right);
        return isSame ? plan : join(plan.kind, left, right, on);
      }
      case 'distinct':
        return mapStep(plan, { input: (input) => this.#exactly(input, namesOf(input.columns)), expr: (expr) => expr });
      case 'lateral':
        return this.#lateral(plan, needed);
      case 'with':
        return this.#with(plan, needed);
      case 'range':
      case 'filter':
      case 'unnest':
      case 'sort':
      case 'limit':
        return this.#step(plan, needed);
    }
  }

  /** A step of one input, which needs what is needed of the step and what the step's own expressions read. */
  #step(step: Plan, needed: Names): Plan {
    const reads = columnsRead(expressionsOf(step)).union(needed);
    return mapStep(step, {
      input: (input) => this.#prune(input, reads.intersection(namesOf(input.columns))),
      expr: (expr) => this.#expr(expr),
    });
  }

  #expr(expr: Expr): Expr {
    return withPlans(expr, (plan) => this.whole(plan));
  }

  #lateral(plan: Lateral, needed: Names): Plan {
    const steps = [...stepsOf(plan.body)];
    // Which row an `outer` inside an inner lateral stands for is not looked into.
    if (steps.some(({ op }) => op === 'lateral')) {
      return mapStep(plan, { input: (input) => this.whole(input), expr: (expr) => expr });
    }
    const body = this.#prune(plan.body, needed.intersection(namesOf(plan.body.columns)));
    const kept = plan.kept.filter((name) => needed.has(name));
    const seen = [...stepsOf(body)].flatMap((step) => (step.op === 'outer' ? step.columns : []));
    const input = this.#prune(plan.input, namesOf(seen).union(new Set(kept)));
    const isSame = body === plan.body && input === plan.input && kept.length === plan.kept.length;
    return isSame ? plan : lateral(input, kept, body);
  }

  /** The body says what is needed of the bindings, and a binding what is needed of those before it. */
  #with(plan: With, needed: Names): Plan {
    const scope = new Map(plan.bindings.map(({ name }) => [name, new Set<string>()]));
    const isAmbiguous = scope.size < plan.bindings.length || hidesOneOf(plan, scope);
    this.#scopes.push(scope);
    let body = this.#prune(plan.body, needed);
    const bindings = plan.bindings.toReversed().map((binding) => {
      const all = namesOf(binding.plan.columns);
      return { ...binding, plan: this.#exactly(binding.plan, isAmbiguous ? all : scope.get(binding.name)!) };
    });
    bindings.reverse();
    this.#scopes.pop();
    if (!isAmbiguous) {
      for (const [index, { name, plan: bound }] of bindings.entries()) {
        if (sameNames(bound.columns, plan.bindings[index]!.plan.columns)) continue;
        for (const later of bindings.slice(index + 1)) later.plan = refitted(later.plan, name, bound.columns);
        body = refitted(body, name, bound.columns);
      }
    }
    const isSame = body === plan.body && bindings.every((item, index) => item.plan === plan.bindings[index]!.plan);
    return isSame ? plan : { op: 'with', columns: body.columns, bindings, body };
  }
}

/** Whether an inner `with` gives one of the names to another relation. */
function hidesOneOf(plan: With, names: ReadonlyMap<string, unknown>): boolean {
  for (const step of stepsOf(plan)) {
    if (step !== plan && step.op === 'with' && step.bindings.some(({ name }) => names.has(name))) return true;
  }
  return false;
}

const refitted = (plan: Plan, name: string, columns: PlanColumn[]): Plan =>
  rewritePlan(plan, { step: (step) => (step.op === 'ref' && step.name === name ? { ...step, columns } : step) });

/** What stays of a leaf of which only the number of rows counts. */
function leastColumn(plan: Extract<Plan, { op: 'scan' | 'outer' }>): PlanColumn[] {
  const time = plan.columns.find(({ name }) => name === (plan as Scan).timeColumn);
  return time === undefined ? plan.columns.slice(0, 1) : [time];
}

function prunedValues(plan: Values, needed: Names): Plan {
  const columns = atLeastOne(plan.columns.filter(isIn(needed)), plan.columns);
  if (columns.length === plan.columns.length) return plan;
  const places = columns.map(({ name }) => plan.columns.findIndex((item) => item.name === name));
  return values(
    columns,
    plan.rows.map((row) => places.map((place) => row[place]!)),
  );
}

function prunedAggregates(aggregates: (Aggregate | Pick)[], needed: Names): (Aggregate | Pick)[] {
  return aggregates.flatMap((item): (Aggregate | Pick)[] => {
    if (item.kind === 'aggregate') return needed.has(item.name) ? [item] : [];
    const columns = item.columns.filter(isIn(needed));
    if (columns.length === item.columns.length) return [item];
    return columns.length === 0 ? [] : [{ ...item, columns }];
  });
}
