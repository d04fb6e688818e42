/** Aggregates of `summarize` and `make-series`: https://learn.microsoft.com/kusto/query/aggregation-functions. */
import { column, literal } from '../../plan/build.js';
import { aggregate, call, aggregates as plain } from '../../plan/functions/index.js';
import type { Aggregate, ColumnExpr, Expr, NamedExpr, Pick, PlanColumn } from '../../plan/types.js';
import { made } from './apply.js';
import { loadKusto } from './kusto.js';
import { argumentsOf, type ColumnNames, percentileNames, suggestedName } from './names.js';
import { nameOf, type SyntaxNode } from './syntax.js';
import type { Context, Rows } from './translator.js';

/** Forms with a condition as their second argument, whose names do not say it by an `if` at their end alone. */
const conditional: Record<string, string> = {
  make_list_if: 'make_list',
  make_set_if: 'make_set',
  make_bag_if: 'make_bag',
};
/** What gives whole rows, or parts of them. */
const picks: Record<string, Pick['which']> = {
  arg_max: 'GREATEST',
  argmax: 'GREATEST',
  arg_min: 'LEAST',
  argmin: 'LEAST',
  take_any: 'ANY',
  take_anyif: 'ANY',
  any: 'ANY',
  anyif: 'ANY',
};

/** Whether a call is one of an aggregate, known here or to Kusto alone. */
export function isAggregateCall(node: SyntaxNode): boolean {
  if (node.kind !== 'FunctionCallExpression') return false;
  const name = nameOf(node)!;
  const { aggregates, functions } = loadKusto();
  // `any` is a function of graphs too.
  return aggregates.has(name) && (!functions.has(name) || name === 'any');
}

/** Gathers the aggregates of one step, and what the text makes of them. */
export class Aggregates {
  readonly all: (Aggregate | Pick)[] = [];

  /**
   * @param rows what is aggregated
   * @param keys what it is grouped by, which `*` leaves out
   */
  constructor(
    readonly rows: Rows,
    readonly keys: readonly NamedExpr[],
    readonly names: ColumnNames,
    readonly context: Context,
  ) {}

  /** The columns that one item of the text gives, over the columns of the aggregates. */
  add(node: SyntaxNode): NamedExpr[] {
    const given = this.#given(node);
    const of = given === undefined ? node : node.parts.Expression!;
    const name = nameOf(of);
    if (isAggregateCall(of) && name !== undefined) {
      if (Object.hasOwn(picks, name)) return this.#pick(of, name, given ?? []);
      if (name === 'percentiles') return this.#percentiles(of, given ?? []);
      const only = this.#only(given, node);
      return [this.#named(of, only ?? this.names.free(suggestedName(of)))];
    }
    const only = this.#only(given, node);
    const value = this.context.expression(of, {
      columns: [],
      aggregated: this.rows.columns,
      aggregate: (call) => this.#named(call, this.context.hiddenName('aggregate')).value,
    });
    return [{ name: only ?? this.names.free(suggestedName(of)), value }];
  }

  /** The names that the text gives: `n = ...` or `(a, b) = ...`. */
  #given(node: SyntaxNode): string[] | undefined {
    const nodes =
      node.kind === 'SimpleNamedExpression'
        ? [node.parts.Name!]
        : node.kind === 'CompoundNamedExpression'
          ? node.parts.Names!.lists.Names!
          : undefined;
    return nodes?.map((each) => {
      const name = nameOf(each)!;
      if (this.names.take(name)) return name;
      return this.context.fail('QUERY_SYNTAX', each, `A column "${name}" is made twice in this step.`);
    });
  }

  #only(given: string[] | undefined, node: SyntaxNode): string | undefined {
    if (given === undefined || given.length === 1) return given?.[0];
    return this.context.fail('QUERY_SYNTAX', node, 'This gives one column, and several names stand before it.');
  }

  /** An aggregate under a name, and the column that it gives. */
  #named(call: SyntaxNode, name: string): { name: string; value: ColumnExpr } {
    const made = this.#aggregate(call, name);
    this.all.push(made);
    return { name, value: column(made) };
  }

  #aggregate(node: SyntaxNode, name: string): Aggregate {
    const { context, rows } = this;
    const written = nameOf(node)!;
    const base = baseOf(written);
    if (base === undefined) {
      return context.fail('QUERY_FUNCTION_NOT_ALLOWED', node, `The aggregate ${written}() is not supported here.`);
    }
    const { fn, isConditional } = base;
    const args = [...argumentsOf(node)];
    let where: Expr | undefined;
    if (isConditional) {
      const [condition] = args.splice(fn === 'count' ? 0 : 1, 1);
      if (condition === undefined) return context.fail('QUERY_SYNTAX', node, `${written}() takes a condition.`);
      where = context.expression(condition, rows);
      if (where.type !== 'bool') context.fail('QUERY_SYNTAX', condition, `The condition of ${written}() is no bool.`);
    }
    // How exactly to count: here it is always exact.
    if (fn === 'dcount') args.splice(1, 1);
    const values = args.map((arg) => context.expression(arg, rows));
    if ((fn === 'min' || fn === 'max') && values[0]?.type === 'dynamic') {
      context.fail('QUERY_SYNTAX', args[0]!, `${written}() needs values that have an order, and a dynamic has none.`);
    }
    const found = made(node, args, () => aggregate(fn, values), context);
    return { kind: 'aggregate', name, ...found, ...(where !== undefined && { where }) };
  }

  #percentiles(node: SyntaxNode, given: readonly string[]): NamedExpr[] {
    const { context, rows } = this;
    const [of, ...percentages] = argumentsOf(node);
    if (of === undefined || percentages.length === 0) {
      return context.fail('QUERY_SYNTAX', node, 'percentiles() takes a value and one or more percentages.');
    }
    const value = context.expression(of, rows);
    const suggested = percentileNames(node);
    return percentages.map((percentage, index) => {
      const name = given[index] ?? this.names.free(suggested[index]);
      const share = context.expression(percentage, rows);
      const found = made(node, [of, percentage], () => aggregate('percentile', [value, share]), context);
      const each: Aggregate = { kind: 'aggregate', name, ...found };
      this.all.push(each);
      return { name, value: column(each) };
    });
  }

  /** arg_max(by, columns or *), arg_min, take_any(columns or *) */
  #pick(node: SyntaxNode, fn: string, given: readonly string[]): NamedExpr[] {
    const { context, rows } = this;
    const args = [...argumentsOf(node)];
    const which = picks[fn]!;
    if (args.length === 0) return context.fail('QUERY_SYNTAX', node, `${fn}() takes the columns that it gives.`);
    if (fn.endsWith('if')) {
      return context.fail('QUERY_NOT_SUPPORTED', node, `${fn}() is not supported here. Use where and take_any().`);
    }
    const isPlain = which === 'ANY';
    const values: { suggested: string | undefined; value: Expr }[] = [];
    for (const [index, arg] of args.entries()) {
      if (arg.kind === 'StarExpression' && (isPlain || index > 0)) {
        for (const each of this.#starColumns(values.map(({ value }) => value))) {
          values.push({ suggested: each.name, value: column(each) });
        }
        continue;
      }
      const isNamed = arg.kind === 'SimpleNamedExpression';
      const suggested =
        index === 0 && !isPlain && !isNamed ? (suggestedName(arg) ?? `${fn.slice(-3)}_`) : suggestedName(arg);
      values.push({ suggested, value: context.expression(isNamed ? arg.parts.Expression! : arg, rows) });
    }
    if (values.length === 0) return context.fail('QUERY_SYNTAX', node, 'There is no column left to give.');
    if (given.length > values.length) {
      context.fail('QUERY_SYNTAX', node, `${fn}() gives ${values.length} columns, and more names stand before it.`);
    }
    const prefix = fn.startsWith('any') ? 'any_' : '';
    const columns = values.map(({ suggested, value }, index): NamedExpr => {
      const wanted = suggested === undefined ? undefined : `${prefix}${suggested}`;
      return { name: given[index] ?? this.names.free(wanted), value };
    });
    const first = values[0]!.value;
    if (!isPlain && first.type === 'dynamic') {
      context.fail('QUERY_SYNTAX', args[0]!, `${fn}() needs values that have an order, and a dynamic has none.`);
    }
    const by = !isPlain ? first : args.length > 1 ? literal('long', 0) : presence(first);
    this.all.push({ kind: 'pick', by, which, columns });
    return columns.map(({ name, value }) => ({ name, value: column({ name, type: value.type }) }));
  }

  /** What `*` stands for: every column that neither groups the rows nor stands before it. */
  #starColumns(before: readonly Expr[]): PlanColumn[] {
    const left = new Set<string>();
    for (const each of [...before, ...this.keys.map(({ value }) => value)])
      if (each.kind === 'column') left.add(each.name);
    return this.rows.columns.filter(({ name }) => !left.has(name));
  }
}

/** Null where there is nothing to take: one column alone is taken where it is neither null nor empty, if it is so at all. */
const presence = (value: Expr): Expr =>
  value.type === 'string' ? call('iff', [call('isempty', [value]), literal('long', null), literal('long', 0)]) : value;

/** The plan's aggregate behind a name: itself, the one without its `if`, or the newer one of an older name. */
function baseOf(written: string): { fn: string; isConditional: boolean } | undefined {
  const newer = loadKusto().aggregates.get(written)?.Alternative;
  const name = typeof newer === 'string' && newer !== '' ? newer : written;
  if (Object.hasOwn(conditional, name)) return { fn: conditional[name]!, isConditional: true };
  if (Object.hasOwn(plain, name)) return { fn: name, isConditional: false };
  const base = name.endsWith('if') ? name.slice(0, -2) : '';
  return Object.hasOwn(plain, base) ? { fn: base, isConditional: true } : undefined;
}

/** Whether calls of an aggregate are translated. */
export const isKnownAggregate = (name: string): boolean =>
  name === 'percentiles' || (Object.hasOwn(picks, name) && !name.endsWith('if')) || baseOf(name) !== undefined;

/** What an aggregate gives, in a sentence. */
export function describeAggregate(name: string): string {
  if (Object.hasOwn(picks, name)) return pickDescriptions[picks[name]!];
  const base = baseOf(name);
  if (base === undefined) return 'The values that the given shares of the values, in percent, do not exceed.';
  return `${plain[base.fn]!.description}${base.isConditional ? ' Rows for which the condition is not true do not count.' : ''}`;
}

const pickDescriptions: Record<Pick['which'], string> = {
  GREATEST: 'The columns of the row in which the first expression is greatest.',
  LEAST: 'The columns of the row in which the first expression is least.',
  ANY: 'The columns of any one row.',
};
