/**
 * Traversal of plans and expressions with a stack of its own: a filter of 10,000 terms is as deep as its author's
 * language made it. What is shared in the input is worked on once and stays shared.
 */
import { extend, filter, join, lateral, limit, project, rangeRows, sort, summarize, unnest, window } from './build.js';
import type { Aggregate, Expr, NamedExpr, Pick, Plan, SortKey } from './types.js';

export type PlanNode = Plan | Expr;

export const isPlan = (node: PlanNode): node is Plan => 'op' in node;

/** From the leaves up: `combine` sees each node with what came of its children. */
function fold<N extends PlanNode, T>(
  root: N,
  children: (node: N) => readonly N[],
  combine: (node: N, results: T[]) => T,
): T {
  const results = new Map<N, T>();
  const pending: { node: N; children?: readonly N[] }[] = [{ node: root }];
  while (pending.length > 0) {
    const frame = pending.at(-1)!;
    if (results.has(frame.node)) {
      pending.pop();
    } else if (frame.children === undefined) {
      frame.children = children(frame.node);
      for (const child of frame.children) if (!results.has(child)) pending.push({ node: child });
    } else {
      pending.pop();
      results.set(
        frame.node,
        combine(
          frame.node,
          frame.children.map((child) => results.get(child)!),
        ),
      );
    }
  }
  return results.get(root)!;
}

// ---------------------------------------------------------------- expressions

/** The expressions directly in an expression. Plans in it are another scope and are left out. */
export function operandsOf(expr: Expr): Expr[] {
  if (expr.kind === 'call') return expr.args;
  return expr.kind === 'membership' ? [expr.value] : [];
}

/** Makes something of an expression from its operands up; `operands` may say that others count as such. */
export const foldExpr = <T>(
  expr: Expr,
  combine: (expr: Expr, results: T[]) => T,
  operands: (expr: Expr) => Expr[] = operandsOf,
): T => fold(expr, operands, combine);

/** The expression with other operands; itself where they are its own. */
export function withOperands(expr: Expr, operands: Expr[]): Expr {
  const own = operandsOf(expr);
  if (operands.length === own.length && operands.every((operand, index) => operand === own[index])) return expr;
  if (expr.kind === 'call') return { ...expr, args: operands };
  return expr.kind === 'membership' ? { ...expr, value: operands[0]! } : expr;
}

/** Changes an expression from its operands up. Plans inside it stay as they are: their columns are not its columns. */
export const rewriteExpr = (expr: Expr, change: (expr: Expr) => Expr): Expr =>
  foldExpr<Expr>(expr, (node, operands) => change(withOperands(node, operands)));

/** Every expression in one, itself included and first; not what is in plans inside it. */
export function subexpressions(expr: Expr): Expr[] {
  const all: Expr[] = [];
  const pending = [expr];
  while (pending.length > 0) {
    const next = pending.pop()!;
    all.push(next);
    const operands = operandsOf(next);
    for (let index = operands.length - 1; index >= 0; index--) pending.push(operands[index]!);
  }
  return all;
}

/** Steps and expressions never change, and rules ask the same of them again and again. */
function remembered<N extends PlanNode, T>(find: (node: N) => T): (node: N) => T {
  const known = new WeakMap<N, { value: T }>();
  return (node) => {
    let found = known.get(node);
    if (found === undefined) {
      found = { value: find(node) };
      known.set(node, found);
    }
    return found.value;
  };
}

const columnsIn = remembered(
  (expr: Expr): ReadonlySet<string> =>
    new Set(subexpressions(expr).flatMap((part) => (part.kind === 'column' ? [part.name] : []))),
);

/** The plans that an expression holds, not those that are in them. */
const plansIn = remembered((expr: Expr): readonly Plan[] =>
  subexpressions(expr).flatMap((part) => (part.kind === 'scalar' || part.kind === 'membership' ? [part.plan] : [])),
);

/** The names of the columns that the expressions read. */
export function columnsRead(exprs: Iterable<Expr>): Set<string> {
  const names = new Set<string>();
  for (const expr of exprs) for (const name of columnsIn(expr)) names.add(name);
  return names;
}

/** The expression with the plans that it holds changed. */
export function withPlans(expr: Expr, change: (plan: Plan) => Plan): Expr {
  if (plansIn(expr).length === 0) return expr;
  return rewriteExpr(expr, (part) => {
    if (part.kind !== 'scalar' && part.kind !== 'membership') return part;
    const plan = change(part.plan);
    return plan === part.plan ? part : { ...part, plan };
  });
}

/** The expression with expressions in the place of columns. */
export const substitute = (expr: Expr, replacements: ReadonlyMap<string, Expr>): Expr =>
  rewriteExpr(expr, (part) => (part.kind === 'column' ? (replacements.get(part.name) ?? part) : part));

/** Whether both are written alike. Plans inside them are the same only where they are one and the same object. */
export function isSameExpr(left: Expr, right: Expr): boolean {
  const pending: [Expr, Expr][] = [[left, right]];
  while (pending.length > 0) {
    const [a, b] = pending.pop()!;
    if (a === b) continue;
    if (a.type !== b.type) return false;
    if (a.kind === 'column' && b.kind === 'column' && a.name === b.name) continue;
    if (a.kind === 'literal' && b.kind === 'literal' && JSON.stringify(a.value) === JSON.stringify(b.value)) continue;
    if (a.kind !== 'call' || b.kind !== 'call' || a.fn !== b.fn || a.args.length !== b.args.length) return false;
    for (const [index, arg] of a.args.entries()) pending.push([arg, b.args[index]!]);
  }
  return true;
}

// ---------------------------------------------------------------- steps

interface Change {
  input: (plan: Plan) => Plan;
  expr: (expr: Expr) => Expr;
}

/** The step with its inputs and expressions changed, its columns worked out anew; itself where nothing changes. */
export function mapStep(step: Plan, change: Change): Plan {
  let isSame = true;
  const see = <T>(before: T, after: T): T => {
    if (before !== after) isSame = false;
    return after;
  };
  const input = (plan: Plan) => see(plan, change.input(plan));
  const expr = (value: Expr) => see(value, change.expr(value));
  const named = <T extends NamedExpr>(items: T[]): T[] => items.map((item) => ({ ...item, value: expr(item.value) }));
  const keys = (items: SortKey[]) => items.map((key) => ({ ...key, value: expr(key.value) }));
  const aggregates = (items: (Aggregate | Pick)[]) =>
    items.map((item) =>
      item.kind === 'pick'
        ? { ...item, by: expr(item.by), columns: named(item.columns) }
        : { ...item, args: item.args.map(expr), ...(item.where && { where: expr(item.where) }) },
    );
  const make = (): Plan => {
    switch (step.op) {
      case 'scan':
      case 'values':
      case 'outer':
      case 'ref':
        return step;
      case 'range':
        return rangeRows(step.columns[0]!.name, expr(step.from), expr(step.to), expr(step.step));
      case 'filter':
        return filter(input(step.input), expr(step.predicate));
      case 'extend':
        return extend(input(step.input), named(step.added));
      case 'project':
        return project(input(step.input), named(step.kept));
      case 'summarize':
        return summarize(input(step.input), named(step.keys), aggregates(step.aggregates));
      case 'join': {
        const on = step.on.map(({ left, right }) => ({ left: expr(left), right: expr(right) }));
        return join(step.kind, input(step.left), input(step.right), on);
      }
      case 'union': {
        const inputs = step.inputs.map(input);
        return { op: 'union', columns: inputs[0]!.columns, inputs };
      }
      case 'unnest': {
        const { index, keepEmpty, limit } = step;
        const options = { keepEmpty, ...(index !== undefined && { index }), ...(limit !== undefined && { limit }) };
        return unnest(input(step.input), named(step.elements), options);
      }
      case 'lateral':
        return lateral(input(step.input), step.kept, input(step.body));
      case 'sort':
        return sort(input(step.input), keys(step.keys));
      case 'limit':
        return limit(input(step.input), step.count, step.offset);
      case 'distinct': {
        const changed = input(step.input);
        return { ...step, columns: changed.columns, input: changed };
      }
      case 'window': {
        const partitionBy = step.partitionBy.map(expr);
        const added = step.added.map((item) => ({ ...item, args: item.args.map(expr) }));
        return window(input(step.input), { partitionBy, orderBy: keys(step.orderBy) }, added);
      }
      case 'with': {
        const bindings = step.bindings.map((binding) => ({ ...binding, plan: input(binding.plan) }));
        const body = input(step.body);
        return { op: 'with', columns: body.columns, bindings, body };
      }
    }
  };
  const made = make();
  return isSame ? step : made;
}

/** The step over another input. */
export const overAnother = (step: Plan, input: Plan): Plan =>
  mapStep(step, { input: () => input, expr: (expr) => expr });

/** Changes nothing, and keeps what it saw. */
const noting =
  <N>(seen: N[]) =>
  <T extends N>(part: T): T => {
    seen.push(part);
    return part;
  };

/** The relations that a step reads, in the order in which it names them; not those in its expressions. */
export function inputsOf(step: Plan): Plan[] {
  switch (step.op) {
    case 'join':
      return [step.left, step.right];
    case 'union':
      return step.inputs;
    case 'lateral':
      return [step.input, step.body];
    case 'with':
      return [...step.bindings.map(({ plan }) => plan), step.body];
    default:
      return 'input' in step ? [step.input] : [];
  }
}

/** The expressions of a step itself. */
export const expressionsOf = remembered((step: Plan): readonly Expr[] => {
  const exprs: Expr[] = [];
  mapStep(step, { input: (plan) => plan, expr: noting(exprs) });
  return exprs;
});

/** What a node directly consists of: steps and expressions alike, the plans in expressions too. */
function partsOf(node: PlanNode): PlanNode[] {
  if (isPlan(node)) {
    const parts: PlanNode[] = [];
    mapStep(node, { input: noting(parts), expr: noting(parts) });
    return parts;
  }
  return node.kind === 'scalar' || node.kind === 'membership' ? [...operandsOf(node), node.plan] : operandsOf(node);
}

/** The relations that a step reads and those in its expressions. */
const relationsOf = remembered((step: Plan): readonly Plan[] => [
  ...inputsOf(step),
  ...expressionsOf(step).flatMap(plansIn),
]);

/** Makes something of a plan from its leaves up: of every step, those inside its expressions too. */
export const foldPlan = <T>(plan: Plan, combine: (step: Plan, results: T[]) => T): T =>
  fold(plan, relationsOf, combine);

/** Changes every step and every expression of a plan from the leaves up, those inside its expressions too. */
export function rewritePlan(
  plan: Plan,
  {
    step: changeStep = (same) => same,
    expr: changeExpr,
  }: Partial<{ step: (step: Plan) => Plan; expr: (expr: Expr) => Expr }>,
): Plan {
  return foldPlan<Plan>(plan, (step, results) => {
    const isOverSame = relationsOf(step).every((relation, index) => relation === results[index]);
    if (isOverSame && changeExpr === undefined) return changeStep(step);
    const changed = new Map(relationsOf(step).map((relation, index) => [relation, results[index]!]));
    const relation = (before: Plan) => changed.get(before)!;
    const expr = (before: Expr) => {
      const over = withPlans(before, relation);
      return changeExpr === undefined ? over : rewriteExpr(over, changeExpr);
    };
    return changeStep(mapStep(step, { input: relation, expr }));
  });
}

/** Every step and expression of a plan, each once, those inside its expressions too. */
export function* partsWithin(root: PlanNode): Generator<PlanNode, void> {
  const seen = new Set<PlanNode>([root]);
  for (const node of seen) {
    yield node;
    for (const part of partsOf(node)) seen.add(part);
  }
}

/**
 * What a plan or an expression comes to when all that is shared in it is written out. `weigh` gives a part's own weight;
 * parts that `known` has are not looked into again.
 */
export const weightOf = (root: PlanNode, weigh: (node: PlanNode) => number, known: WeakMap<PlanNode, number>): number =>
  fold<PlanNode, number>(
    root,
    (node) => (known.has(node) ? [] : partsOf(node)),
    (node, weights) => {
      const weight = known.get(node) ?? weights.reduce((sum, each) => sum + each, weigh(node));
      known.set(node, weight);
      return weight;
    },
  );

/** Every step of a plan, each once, those inside its expressions too. */
export function stepsOf(plan: Plan): Set<Plan> {
  const seen = new Set([plan]);
  for (const step of seen) for (const relation of relationsOf(step)) seen.add(relation);
  return seen;
}

/** How many steps lie on the longest way from the plan to a leaf. */
export const depthOf = (plan: Plan): number =>
  foldPlan<number>(plan, (_step, depths) => 1 + depths.reduce((most, depth) => Math.max(most, depth), 0));
