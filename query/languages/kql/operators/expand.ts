/** `mv-expand` and `mv-apply`: https://learn.microsoft.com/kusto/query/mv-expand-operator and .../mv-apply-operator. */
import { column, filter, lateral, literal, project, unnest } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr, NamedExpr, Plan, PlanColumn, ScalarType } from '../../../plan/types.js';
import { ColumnNames, suggestedName } from '../names.js';
import { namedParameters, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateOperator } from '../translator.js';
import { freeName, kept, namesOf } from './columns.js';
import { tokenValue } from './parameters.js';
import { typeAt } from './types.js';

/** An array that is expanded, and the column that its elements go to. */
interface Expansion {
  name: string;
  /** An array with one element for each row. */
  items: Expr;
  type: ScalarType;
}

interface Options {
  expansions: Expansion[];
  index?: string;
  limit?: number;
}

const mvExpand: TranslateOperator = (node, input, context) => expand(input, optionsOf(node, input, context), context);

const mvApply: TranslateOperator = (node, input, context) => {
  const options = optionsOf(node, input, context);
  const sourceColumns = input.columns.filter(({ name }) => !options.expansions.some((each) => each.name === name));
  const subtable = expand({ op: 'outer', columns: input.columns }, options, context);
  const subquery = context.tabular(node.parts.Subquery!.parts.Expression!, subtable);
  const sourceNames = namesOf(sourceColumns);
  for (const { name } of subquery.columns) {
    if (sourceNames.has(name) && !isPassedOn(subquery, name, name)) {
      context.fail('QUERY_NOT_SUPPORTED', node, `The subquery of mv-apply makes another "${name}" than the input has.`);
    }
  }
  const results = subquery.columns.filter(({ name }) => !sourceNames.has(name));
  // A row with nothing to expand has no subtable: not even a summarize gives a row for it.
  const [first, ...others] = options.expansions.map(({ items }) => hasItems(items));
  const filled = filter(input, others.length === 0 ? first! : call('or', [first!, ...others]));
  return lateral(filled, [...sourceNames], project(subquery, kept(results)));
};

export const expandOperators: Record<string, TranslateOperator> = {
  MvExpandOperator: mvExpand,
  MvApplyOperator: mvApply,
};

function optionsOf(node: SyntaxNode, input: Plan, context: Context): Options {
  let areBagsPairs = false;
  let index: string | undefined;
  for (const [name, value] of namedParameters(node)) {
    if (name === 'with_itemindex') index = tokenValue(value);
    else if ((name === 'kind' || name === 'bagexpansion') && node.kind === 'MvExpandOperator') {
      areBagsPairs = tokenValue(value) === 'array';
    } else context.fail('QUERY_NOT_SUPPORTED', value, `${name} is not known here.`);
  }
  const names = namesOf(input.columns);
  const unnamed = new ColumnNames(names);
  const expansions = (node.lists.Expressions ?? []).map((item): Expansion => {
    const expression = item.parts.Expression!;
    const isNamed = expression.kind === 'SimpleNamedExpression';
    const value = context.expression(isNamed ? expression.parts.Expression! : expression, { columns: input.columns });
    if (value.type !== 'dynamic') {
      context.fail('QUERY_SYNTAX', expression, `Only a dynamic can be expanded, not a ${value.type}.`);
    }
    const typeName = item.parts.ToTypeOf?.parts.TypeOf?.lists.Types?.[0];
    const type = typeName === undefined ? 'dynamic' : typeAt(typeName, context);
    if (type === 'timespan' || type === 'decimal') {
      context.fail('QUERY_NOT_SUPPORTED', typeName!, `Elements cannot be taken as ${type}. Expand them as they are.`);
    }
    const name = suggestedName(expression) ?? unnamed.free(undefined);
    names.add(name);
    return { name, items: itemsOf(value, areBagsPairs), type };
  });
  const limit = limitOf(node, context);
  return {
    expansions,
    ...(index !== undefined && { index: freeName(index, names) }),
    ...(limit !== undefined && { limit }),
  };
}

/** The old spelling `mvexpand` gives at most 128 rows for one. */
function limitOf(node: SyntaxNode, context: Context): number | undefined {
  const clause = node.parts.RowLimitClause?.parts.RowLimit;
  if (clause === undefined) return node.parts.MvExpandKeyword?.text === 'mvexpand' ? 128 : undefined;
  const value = context.constant(clause);
  if (value.kind === 'literal' && value.type === 'long' && Number(value.value) >= 0) return Number(value.value);
  return context.fail('QUERY_SYNTAX', clause, 'The limit must be a whole number.');
}

/** Elements stand where a column of their name stood, or at the end; the element's number stands last. */
function expand(input: Plan, { expansions, index, limit }: Options, context: Context): Plan {
  const elements = expansions.map(({ items }) => ({
    name: context.hiddenName('element'),
    value: items,
    type: 'dynamic' as const,
  }));
  const rows = unnest(input, elements, {
    keepEmpty: false,
    ...(index !== undefined && { index }),
    ...(limit !== undefined && { limit }),
  });
  const made = new Map<string, Expr>(
    expansions.map(({ name, type }, i) => [name, converted(column(elements[i]!), type)]),
  );
  const old: NamedExpr[] = input.columns.map((each) => ({
    name: each.name,
    value: made.get(each.name) ?? column(each),
  }));
  const oldNames = namesOf(input.columns);
  const fresh = [...made].filter(([name]) => !oldNames.has(name)).map(([name, value]) => ({ name, value }));
  const number: PlanColumn[] = index === undefined ? [] : [{ name: index, type: 'long' }];
  return project(rows, [...old, ...fresh, ...kept(number)]);
}

/** Null and everything that is neither an array nor a bag is one element; a bag has its properties. */
function itemsOf(value: Expr, areBagsPairs: boolean): Expr {
  const spread = areBagsPairs ? choose([isOfType(value, 'dictionary'), call('bag_pairs', [value])], value) : value;
  return choose([isOfType(value, 'array', 'dictionary'), spread], call('pack_array', [value]));
}

function hasItems(items: Expr): Expr {
  const count = choose(
    [isOfType(items, 'dictionary'), call('array_length', [call('bag_keys', [items])])],
    call('array_length', [items]),
  );
  return call('>', [count, literal('long', 0)]);
}

const isOfType = (value: Expr, ...types: string[]): Expr =>
  call('in', [call('gettype', [value]), ...types.map((type) => literal('string', type))]);

const choose = ([condition, value]: [Expr, Expr], otherwise: Expr): Expr => call('iff', [condition, value, otherwise]);

/** What `gettype` calls numbers in a dynamic. */
const numbers = ['int', 'long', 'real', 'double'];

/** The types of JSON that an element of a type comes from; moments and guids are strings there. */
const sources: Partial<Record<ScalarType, readonly [convert: string, ...from: string[]]>> = {
  long: ['tolong', ...numbers],
  real: ['todouble', ...numbers],
  bool: ['tobool', 'bool', 'int', 'long'],
  datetime: ['todatetime', 'string'],
  guid: ['toguid', 'string'],
};

/** An element as a type: it is not parsed, so a string is no number. Only `typeof(string)` takes the text of everything. */
function converted(element: Expr, type: ScalarType): Expr {
  if (type === 'string') return call('tostring', [element]);
  const source = sources[type];
  if (source === undefined) return element;
  const [convert, ...from] = source;
  return choose([isOfType(element, ...from), call(convert, [element])], literal(type, null));
}

/** Whether a column of the plan is nothing but one of the outer row. */
function isPassedOn(plan: Plan, name: string, source: string): boolean {
  const follow = (input: Plan, named: NamedExpr[]): boolean => {
    const value = named.find((each) => each.name === name)?.value;
    return value?.kind === 'column' && isPassedOn(input, value.name, source);
  };
  switch (plan.op) {
    case 'outer':
      return name === source;
    case 'filter':
    case 'sort':
    case 'limit':
    case 'distinct':
      return isPassedOn(plan.input, name, source);
    case 'extend':
    case 'unnest':
    case 'window':
      return namesOf(plan.input.columns).has(name) && isPassedOn(plan.input, name, source);
    case 'lateral':
      return plan.kept.includes(name) && isPassedOn(plan.input, name, source);
    case 'project':
      return follow(plan.input, plan.kept);
    case 'summarize': {
      const picked = plan.aggregates.flatMap((each) => (each.kind === 'pick' ? each.columns : []));
      // Without keys there is a row over no rows too, in which nothing is passed on.
      return follow(plan.input, plan.keys.length === 0 ? [] : [...plan.keys, ...picked]);
    }
    case 'join':
      return plan.kind === 'INNER' && isPassedOn(plan.left, name, source);
    default:
      return false;
  }
}
