/** The translation of one KQL text: what all its parts share, and how names, tables and pipes are resolved. */
import { type ErrorCode, fail } from '../../../platform/errors.js';
import { scan } from '../../plan/build.js';
import type { Expr, Plan, With } from '../../plan/types.js';
import { foldPlan, isPlan, type PlanNode, rewritePlan, weightOf } from '../../plan/walk.js';
import type { PlanQuery, QueryableDataset, TimeRange } from '../../prepared-query.js';
import type { SourceText } from '../../source-text.js';
import { didYouMean } from '../../suggest.js';
import { datasetColumns } from '../dataset-columns.js';
import { exactRange } from '../range.js';
import { translateExpression } from './expressions.js';
import { define } from './operators/functions.js';
import { operators, sources } from './operators/index.js';
import { named } from './operators/tables.js';
import { plainName } from './refusals.js';
import { type Obstacle, operatorObstacle } from './row-wise.js';
import { nameOf, type SyntaxNode } from './syntax.js';
import type { Binding, Context, Rows } from './translator.js';

/** More steps one after the other, or deeper expressions, are refused: engines nest them. */
const maxSteps = 300;
const maxDepth = 250;
/** What the expressions of a text may come to once every name in them stands for its value. */
const maxParts = 250_000;
/** How often parts of the text may be unfolded: bodies of functions, tables of unions. */
const maxUnfolded = 2_000;

export interface TranslateOptions {
  source: SourceText;
  datasets: readonly QueryableDataset[];
  range?: TimeRange | undefined;
}

export interface Translation {
  plan: Plan;
  render?: PlanQuery['render'];
  /** The datasets that it reads, in the order of their first use. */
  datasets: QueryableDataset[];
  obstacles: Obstacle[];
}

/** Translates a text's statements; the last one is the query. */
export function translate(statements: readonly SyntaxNode[], options: TranslateOptions): Translation {
  const shared = new Shared(options);
  const context = new TextContext(shared, new Map());
  const query = statements.at(-1);
  const first = statements.findIndex(({ kind }) => kind === 'ExpressionStatement');
  if (first !== -1 && first < statements.length - 1) {
    context.fail(
      'QUERY_MULTIPLE_STATEMENTS',
      statements[first + 1]!,
      'The text holds more than one query. Submit one at a time.',
    );
  }
  if (query?.kind !== 'ExpressionStatement') {
    const message = query === undefined ? 'The text has no query.' : 'After what `let` defines, a query is missing.';
    return fail('QUERY_SYNTAX', message, {
      argument: 'query',
      ...options.source.position(query?.end ?? options.source.text.length),
    });
  }
  const plan = context.withStatements(statements.slice(0, -1)).tabular(query.parts.Expression!);
  return {
    plan: shared.complete(plan),
    ...(shared.hint && { render: shared.hint }),
    datasets: [...shared.used],
    obstacles: shared.obstacles,
  };
}

/** What one text has once, whatever the scope. */
class Shared {
  readonly used = new Set<QueryableDataset>();
  readonly obstacles: Obstacle[] = [];
  readonly tables = new Map<string, QueryableDataset>();
  hint: PlanQuery['render'];
  depth = 0;
  parts = 0;
  unfolded = 0;
  readonly #bindings: With['bindings'] = [];
  readonly #hidden = new Map<string, number>();

  readonly range: TimeRange;

  constructor(readonly options: TranslateOptions) {
    this.range = exactRange(options.range);
    for (const dataset of options.datasets) {
      for (const name of [dataset.name, ...dataset.aliases]) this.tables.set(name, dataset);
    }
  }

  bind(name: string, plan: Plan, materialized: boolean): Plan {
    // What is as small as a `ref` is not worth one.
    if (plan.op === 'ref' || (!materialized && (plan.op === 'scan' || plan.op === 'outer'))) return plan;
    const names = new Set(this.#bindings.map((binding) => binding.name));
    let free = name;
    for (let n = 2; names.has(free); n++) free = `${name}_${n}`;
    this.#bindings.push({ name: free, plan, materialized });
    return { op: 'ref', columns: plan.columns, name: free };
  }

  hiddenName(purpose: string): string {
    const number = (this.#hidden.get(purpose) ?? 0) + 1;
    this.#hidden.set(purpose, number);
    return `$${purpose}_${number}`;
  }

  /** The whole plan: a relation that is named once stands where it is named, and one that nothing names is left out. */
  complete(body: Plan): Plan {
    const uses = new Map<string, number>();
    const count = (plan: Plan): void => {
      for (const [name, number] of refsIn(plan)) uses.set(name, (uses.get(name) ?? 0) + number);
    };
    count(body);
    for (const { name, plan } of this.#bindings.toReversed()) if (uses.has(name)) count(plan);
    const inPlace = new Map<string, Plan>();
    const put = (plan: Plan): Plan =>
      inPlace.size === 0
        ? plan
        : rewritePlan(plan, { step: (step) => (step.op === 'ref' ? (inPlace.get(step.name) ?? step) : step) });
    const bindings: With['bindings'] = [];
    for (const binding of this.#bindings) {
      if (!uses.has(binding.name)) continue;
      const plan = put(binding.plan);
      if (uses.get(binding.name) === 1) inPlace.set(binding.name, plan);
      else bindings.push({ ...binding, plan });
    }
    const whole = put(body);
    return bindings.length === 0 ? whole : { op: 'with', columns: whole.columns, bindings, body: whole };
  }
}

/** How often a plan names each relation: once, or twice for more. What stands in several places counts in each. */
const refsIn = (plan: Plan): ReadonlyMap<string, number> =>
  foldPlan<ReadonlyMap<string, number>>(plan, (step, parts) => {
    const found = parts.filter(({ size }) => size > 0);
    if (step.op === 'ref') found.push(new Map([[step.name, 1]]));
    if (found.length < 2) return found[0] ?? new Map();
    const sums = new Map<string, number>();
    for (const part of found)
      for (const [name, number] of part) sums.set(name, Math.min(2, (sums.get(name) ?? 0) + number));
    return sums;
  });

class TextContext implements Context {
  constructor(
    readonly shared: Shared,
    readonly scope: ReadonlyMap<string, Binding>,
  ) {}

  get datasets(): readonly QueryableDataset[] {
    return this.shared.options.datasets;
  }

  expression(node: SyntaxNode, rows: Rows): Expr {
    const { shared } = this;
    shared.depth += 1;
    if (shared.depth > maxDepth) {
      this.fail('QUERY_NOT_SUPPORTED', node, `The query is nested too deeply: more than ${maxDepth} levels.`);
    }
    const value = translateExpression(node, rows, this);
    shared.depth -= 1;
    shared.parts += node.kind === 'NameReference' ? sizeOf(value) : 1;
    if (shared.parts > maxParts) {
      this.fail(
        'QUERY_NOT_SUPPORTED',
        node,
        `The query comes to more than ${maxParts} parts, with its names unfolded.`,
      );
    }
    return value;
  }

  constant(node: SyntaxNode): Expr {
    return this.expression(node, { columns: [] });
  }

  tabular(node: SyntaxNode, input?: Plan): Plan {
    const steps: SyntaxNode[] = [];
    let base = node;
    for (; base.kind === 'PipeExpression'; base = base.parts.Expression!) steps.push(base.parts.Operator!);
    if (steps.length > maxSteps) {
      this.fail(
        'QUERY_NOT_SUPPORTED',
        steps[maxSteps]!,
        `The query has more than ${maxSteps} steps one after the other.`,
      );
    }
    let context: TextContext = this;
    let plan = input !== undefined && operators[base.kind] !== undefined ? this.#step(base, input) : this.#table(base);
    for (const step of steps.reverse()) {
      plan = context.#step(step, plan);
      if (step.kind === 'AsOperator') {
        context = context.withNames([[nameOf(step.parts.Name)!, { kind: 'table', plan }]]);
      }
    }
    return plan;
  }

  isTabular(node: SyntaxNode): boolean {
    if (node.kind === 'ParenthesizedExpression') return this.isTabular(node.parts.Expression!);
    if (node.kind === 'PipeExpression' || sources[node.kind] !== undefined) return true;
    const name = nameOf(node);
    const binding = name === undefined ? undefined : this.scope.get(name);
    if (node.kind === 'FunctionCallExpression') return binding?.kind === 'function' && binding.isTabular;
    if (node.kind !== 'NameReference' || name === undefined) return false;
    return binding === undefined ? this.shared.tables.has(name) : binding.kind === 'table';
  }

  scan(dataset: QueryableDataset): Plan {
    this.shared.used.add(dataset);
    return scan({
      dataset: dataset.name,
      timeColumn: dataset.timeColumn,
      columns: datasetColumns(dataset),
      nullStrings: false,
      ...this.shared.range,
    });
  }

  withNames(names: Iterable<readonly [string, Binding]>): TextContext {
    return new TextContext(this.shared, new Map([...this.scope, ...names]));
  }

  withStatements(statements: readonly SyntaxNode[]): TextContext {
    // One map that grows: a text may have thousands of names, and each sees those before it.
    const scope = new Map(this.scope);
    const context = new TextContext(this.shared, scope);
    const own = new Set<string>();
    for (const statement of statements) {
      if (statement.kind !== 'LetStatement') {
        this.fail('QUERY_NOT_SUPPORTED', statement, 'Only `let` statements stand before a query.');
      }
      const name = nameOf(statement.parts.Name)!;
      if (own.has(name)) this.fail('QUERY_SYNTAX', statement.parts.Name!, `"${name}" is defined twice.`);
      own.add(name);
      const expression = statement.parts.Expression!;
      // A function sees what stands before it and no more, and so cannot call itself.
      const seen = expression.kind === 'FunctionDeclaration' ? context.withNames([]) : context;
      scope.set(name, define(name, expression, seen));
    }
    return context;
  }

  bind(name: string, plan: Plan, materialized: boolean): Plan {
    return this.shared.bind(name, plan, materialized);
  }

  hiddenName(purpose: string): string {
    return this.shared.hiddenName(purpose);
  }

  render(hint: NonNullable<PlanQuery['render']>): void {
    this.shared.hint = hint;
  }

  unfold(node: SyntaxNode): void {
    this.shared.unfolded += 1;
    if (this.shared.unfolded > maxUnfolded) {
      this.fail(
        'QUERY_NOT_SUPPORTED',
        node,
        `The query unfolds to more than ${maxUnfolded} tables and function calls.`,
      );
    }
  }

  obstacle(node: SyntaxNode, reason: string): void {
    this.shared.obstacles.push({ reason, start: node.start });
  }

  fail(code: ErrorCode, node: SyntaxNode, message: string): never {
    return fail(code, message, { argument: 'query', ...this.shared.options.source.position(node.start) });
  }

  #step(node: SyntaxNode, input: Plan): Plan {
    const translateStep = operators[node.kind];
    if (translateStep === undefined) {
      return this.fail('QUERY_NOT_SUPPORTED', node, `The operator ${plainName(node)} is not supported here.`);
    }
    const reason = operatorObstacle(node);
    if (reason !== undefined) this.obstacle(node, reason);
    return translateStep(node, input, this);
  }

  #table(node: SyntaxNode): Plan {
    if (node.kind === 'ParenthesizedExpression') return this.tabular(node.parts.Expression!);
    const source = sources[node.kind];
    if (source !== undefined) {
      this.obstacle(node, operatorObstacle(node) ?? plainName(node));
      return source(node, this);
    }
    if (node.kind === 'NameReference') return this.#namedTable(node);
    if (node.kind === 'FunctionCallExpression') return this.#calledTable(node);
    const isStep = operators[node.kind] !== undefined || node.kind.endsWith('Operator');
    const message = isStep
      ? `Before ${plainName(node)} stands a table and "|".`
      : 'A table is expected here: the name of a dataset, or a query in brackets.';
    return this.fail('QUERY_SYNTAX', node, message);
  }

  #namedTable(node: SyntaxNode): Plan {
    const name = nameOf(node);
    const binding = name === undefined ? undefined : this.scope.get(name);
    if (binding?.kind === 'table') return binding.plan;
    if (binding?.kind === 'function' && binding.isTabular) return this.#calledTable(node);
    if (binding !== undefined) return this.fail('QUERY_SYNTAX', node, `"${name}" is no table, and one is expected.`);
    const dataset = name === undefined ? undefined : this.shared.tables.get(name);
    if (dataset !== undefined) {
      if (this.shared.used.size > 0) this.obstacle(node, 'a second table');
      return named(this.scan(dataset), name!);
    }
    const written = name ?? this.shared.options.source.text.slice(node.start, node.end);
    const shown = written.length > 80 ? `${written.slice(0, 80)}…` : written;
    const candidates = [...this.shared.tables.keys()];
    for (const [defined, { kind }] of this.scope) if (kind !== 'scalar') candidates.push(defined);
    return this.fail('QUERY_UNKNOWN_TABLE', node, `There is no table "${shown}".${didYouMean(shown, candidates)}`);
  }

  #calledTable(node: SyntaxNode): Plan {
    const name = nameOf(node)!;
    const binding = this.scope.get(name);
    if (binding?.kind === 'function') {
      const result = binding.call(node, undefined, this);
      if ('op' in result) return result;
      return this.fail('QUERY_SYNTAX', node, `${name}() gives a value, and a table is expected.`);
    }
    if (binding?.kind === 'table') return binding.plan;
    return this.fail('QUERY_FUNCTION_NOT_ALLOWED', node, `There is no function ${name}() that gives a table.`);
  }
}

const sizes = new WeakMap<PlanNode, number>();
/** What a step weighs against a part of an expression: tables that values are read from are worked out one by one. */
const stepWeight = 50;

/** How many parts an expression has when its names are unfolded, with the steps of the tables in it. */
const sizeOf = (expr: Expr): number => weightOf(expr, (node) => (isPlan(node) ? stepWeight : 1), sizes);
