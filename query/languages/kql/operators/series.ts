/**
 * `make-series`: https://learn.microsoft.com/kusto/query/make-series-operator. The values of each bin are aggregated,
 * every bin of a series gets a row that stands for the default, and where both are, the aggregated one counts.
 */
import { column, extend, filter, literal, project, sort, summarize, union, unnest } from '../../../plan/build.js';
import { aggregate, call } from '../../../plan/functions/index.js';
import type { Aggregate, Expr, NamedExpr, Plan, PlanColumn, ScalarType } from '../../../plan/types.js';
import { Aggregates } from '../aggregates.js';
import { ColumnNames, suggestedName } from '../names.js';
import { namedParameters, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateOperator } from '../translator.js';
import { bound } from './functions.js';
import { tokenValue } from './parameters.js';
import { groupKeys } from './summaries.js';

/** What the series go along. */
interface Axis {
  name: string;
  value: Expr;
  from?: Expr;
  /** Not included. */
  to?: Expr;
  step: Expr;
}

/** The most elements of a series. */
const maxElements = 2 ** 20;

const makeSeries: TranslateOperator = (node, input, context) => {
  const isNonEmpty = kindOf(node, context) === 'nonempty';
  const names = new ColumnNames();
  const keys = groupKeys(node.parts.ByClause?.lists.Expressions ?? [], input, names, context);
  const axis = axisOf(node, input, names, context);
  if (isNonEmpty && (keys.length > 0 || axis.from === undefined || axis.to === undefined)) {
    context.fail('QUERY_NOT_SUPPORTED', node, 'kind=nonempty takes from and to, and no by.');
  }
  const rows = filter(input, within(axis));
  const hidden = (purpose: string, type: ScalarType): PlanColumn => ({ name: context.hiddenName(purpose), type });
  // A constant groups what nothing else does, so that there is no series of no rows.
  const groups = keys.length > 0 ? keys : [{ name: context.hiddenName('all'), value: literal('long', 1) }];
  const own = groups.map(({ value }) => hidden('key', value.type));
  const at = hidden('at', axis.value.type);
  const made = summarized(node, rows, [...named(own, groups), { name: at.name, value: binOf(axis) }], names, context);
  const bins = { ...made, plan: bound('bins', made.plan, true, context) };
  const places = isNonEmpty
    ? extend(
        summarize(
          rows,
          [],
          [{ kind: 'aggregate', name: context.hiddenName('rows'), fn: 'count', args: [], type: 'long' }],
        ),
        named(own, groups),
      )
    : ends(bins.plan, own, at, axis, context);
  const isHit = hidden('hit', 'long');
  const found = project(bins.plan, [
    ...own.map(same),
    same(at),
    { name: isHit.name, value: literal('long', 1) },
    ...bins.values,
  ]);
  const defaults = project(elements(places, at, axis), [
    ...own.map(same),
    same(at),
    { name: isHit.name, value: literal('long', 0) },
    ...bins.values.map(({ name }, number) => ({ name, value: bins.defaults[number]! })),
  ]);
  const values = bins.values.map(({ name, value }): PlanColumn => ({ name, type: value.type }));
  const filled = summarize(
    union([found, defaults]),
    [...own.map(same), same(at)],
    [{ kind: 'pick', by: column(isHit), which: 'GREATEST', columns: values.map(same) }],
  );
  const list = (of: PlanColumn, name: string): Aggregate => ({
    kind: 'aggregate',
    name,
    ...aggregate('make_list_with_nulls', [column(of)]),
  });
  const lists = [...values.map((of, number) => list(of, bins.names[number]!)), list(at, axis.name)];
  const inOrder = sort(filled, [{ value: column(at), descending: false, nullsFirst: false }]);
  const series = summarize(inOrder, own.map(same), lists);
  return project(series, [
    ...keys.map(({ name }, number) => ({ name, value: column(own[number]!) })),
    ...lists.map(({ name, type }) => same({ name, type })),
  ]);
};

export const seriesOperators: Record<string, TranslateOperator> = { MakeSeriesOperator: makeSeries };

const same = (of: PlanColumn): NamedExpr => ({ name: of.name, value: column(of) });

const named = (columns: readonly PlanColumn[], exprs: readonly NamedExpr[]): NamedExpr[] =>
  columns.map(({ name }, number) => ({ name, value: exprs[number]!.value }));

function kindOf(node: SyntaxNode, context: Context): string | undefined {
  let kind: string | undefined;
  for (const [name, value] of namedParameters(node)) {
    if (name === 'kind') kind = tokenValue(value);
    else if (!name.startsWith('hint.')) context.fail('QUERY_NOT_SUPPORTED', value, `${name} is not known here.`);
  }
  return kind;
}

function axisOf(node: SyntaxNode, input: Plan, names: ColumnNames, context: Context): Axis {
  const { OnClause, RangeClause } = node.parts;
  const of = OnClause!.parts.Expression!;
  const value = context.expression(of.kind === 'SimpleNamedExpression' ? of.parts.Expression! : of, {
    columns: input.columns,
  });
  if (!/^(long|datetime|timespan)$/.test(value.type)) {
    context.fail(
      'QUERY_NOT_SUPPORTED',
      of,
      `A series goes along a datetime, a timespan or a long here, not a ${value.type}.`,
    );
  }
  if (RangeClause?.kind !== 'MakeSeriesFromToStepClause') {
    // There the documentation leaves open which bin is the first.
    return context.fail(
      'QUERY_NOT_SUPPORTED',
      RangeClause ?? node,
      'Write from ... to ... step ... instead of a range().',
    );
  }
  const parts = RangeClause.parts;
  const limit = (clause: SyntaxNode | undefined): Expr | undefined => {
    if (clause === undefined) return undefined;
    const place = clause.parts.Expression!;
    const end = context.constant(place);
    if (end.type === value.type) return end;
    return context.fail('QUERY_SYNTAX', place, `The series goes along a ${value.type}, and this is a ${end.type}.`);
  };
  const from = limit(parts.MakeSeriesFromClause);
  const to = limit(parts.MakeSeriesToClause);
  const stepNode = parts.MakeSeriesStepClause!.parts.Expression!;
  const step = context.constant(stepNode);
  if (
    step.type !== (value.type === 'long' ? 'long' : 'timespan') ||
    (step.kind === 'literal' && !(Number(step.value) > 0))
  ) {
    context.fail(
      'QUERY_SYNTAX',
      stepNode,
      `The step of this series is a ${value.type === 'long' ? 'long' : 'timespan'} above 0.`,
    );
  }
  if (lengthOf(from, to, step) > maxElements) {
    context.fail('QUERY_NOT_SUPPORTED', RangeClause, `A series has at most ${maxElements} elements.`);
  }
  const name = suggestedName(of) ?? names.free(undefined);
  return { name, value, step, ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

/** How many elements there are, where the text alone tells. */
function lengthOf(from: Expr | undefined, to: Expr | undefined, step: Expr): number {
  if (from?.kind !== 'literal' || to?.kind !== 'literal' || step.kind !== 'literal') return 0;
  const number = ({ type, value }: typeof from): number =>
    type === 'datetime' ? Date.parse(String(value)) * 1_000 : Number(value);
  return (number(to) - number(from)) / Number(step.value);
}

function within({ value, from, to }: Axis): Expr {
  const conditions = [
    ...(from === undefined ? [] : [call('>=', [value, from])]),
    ...(to === undefined ? [] : [call('<', [value, to])]),
  ];
  if (conditions.length === 0) return call('isnotnull', [value]);
  return conditions.length === 1 ? conditions[0]! : call('and', conditions);
}

const binOf = ({ value, from, step }: Axis): Expr =>
  from === undefined ? call('bin', [value, step]) : call('bin_at', [value, step, from]);

interface Summarized {
  /** A row for each bin that has rows: keys, place, aggregates. */
  plan: Plan;
  /** Names of the results. */
  names: string[];
  values: NamedExpr[];
  defaults: Expr[];
}

function summarized(node: SyntaxNode, rows: Plan, keys: NamedExpr[], names: ColumnNames, context: Context): Summarized {
  const aggregates = new Aggregates({ columns: rows.columns }, keys, names, context);
  const results = (node.lists.Aggregates ?? []).map(({ parts }) => {
    const of = parts.Expression!;
    const [made, more] = aggregates.add(of);
    if (made === undefined || more !== undefined || !/^(long|real|decimal)$/.test(made.value.type)) {
      return context.fail('QUERY_SYNTAX', of, 'A series is made of one number for each bin.');
    }
    const clause = parts.DefaultExpression?.parts.Expression;
    const otherwise = clause === undefined ? literal('long', 0) : context.constant(clause);
    const [value, fitting] = alike(made.value, otherwise, clause ?? of, context);
    return { name: made.name, value, otherwise: fitting };
  });
  return {
    plan: summarize(rows, keys, aggregates.all),
    names: results.map(({ name }) => name),
    values: results.map(({ value }) => ({ name: context.hiddenName('value'), value })),
    defaults: results.map(({ otherwise }) => otherwise),
  };
}

/** The value and its default as numbers of one type. */
function alike(value: Expr, otherwise: Expr, node: SyntaxNode, context: Context): [value: Expr, otherwise: Expr] {
  if (otherwise.kind === 'literal' && otherwise.value === null) return [value, literal(value.type, null)];
  if (otherwise.type === value.type) return [value, otherwise];
  if (value.type === 'long' && otherwise.type === 'real') return [call('todouble', [value]), otherwise];
  if (otherwise.type === 'long' && value.type !== 'long') {
    return [value, call(value.type === 'real' ? 'todouble' : 'todecimal', [otherwise])];
  }
  return context.fail('QUERY_SYNTAX', node, `The default of a ${value.type} cannot be a ${otherwise.type}.`);
}

/** A row for each series, with the first and the last of its places where the text does not give them. */
function ends(bins: Plan, own: PlanColumn[], at: PlanColumn, { from, to }: Axis, context: Context): Plan {
  const end = (fn: 'min' | 'max', purpose: string): Aggregate => ({
    kind: 'aggregate',
    name: context.hiddenName(purpose),
    ...aggregate(fn, [column(at)]),
  });
  return summarize(bins, own.map(same), [
    ...(from === undefined ? [end('min', 'first')] : []),
    ...(to === undefined ? [end('max', 'last')] : []),
  ]);
}

/** A row for each place of each series. */
function elements(series: Plan, at: PlanColumn, { from, to, step }: Axis): Plan {
  const ofSeries = (purpose: string): Expr =>
    column(series.columns.find(({ name }) => name.startsWith(`$${purpose}`))!);
  const places = call('range', [from ?? ofSeries('first'), to ?? ofSeries('last'), step]);
  const all = unnest(series, [{ name: at.name, value: places, type: at.type }], { keepEmpty: false });
  return to === undefined ? all : filter(all, call('<', [column(at), to]));
}
