/** Several tables as one: what `union` and `search` have in common. */

import { HarborwatchError } from '../../../../platform/errors.js';
import { globMatcher } from '../../../glob.js';
import { column, literal, project, union } from '../../../plan/build.js';
import type { NamedExpr, Plan, PlanColumn, ScalarType } from '../../../plan/types.js';
import { marked, marksOf } from '../marks.js';
import type { SyntaxNode } from '../syntax.js';
import type { Context } from '../translator.js';
import { freeName, namesOf, nothing } from './columns.js';

/** One of the tables, and what its rows are told to come from. */
export interface Leg {
  plan: Plan;
  label: string;
}

/** The same rows under a name: that of a table, of a view, or the one that `as` gives. Further steps lose it. */
export const named = (plan: Plan, table: string): Plan => marked(plan, { table });

/** What has no name is called by its number, as Kusto does. */
const labelOf = (plan: Plan, number: number): string => marksOf(plan).table ?? `union_arg${number}`;

/** The tables that the nodes name, wildcards included; `input` is the one before the bar. */
export function legsOf(
  nodes: readonly SyntaxNode[],
  context: Context,
  options: { input?: Plan | undefined; isFuzzy?: boolean } = {},
): Leg[] {
  const legs: Leg[] = [];
  const add = (plan: Plan): void => {
    legs.push({ plan, label: labelOf(plan, legs.length) });
  };
  if (options.input !== undefined) add(options.input);
  let unknown: unknown;
  for (const node of nodes) {
    context.unfold(node);
    const pattern = wildcardOf(node);
    try {
      if (pattern === undefined) add(context.tabular(node));
      else for (const plan of matching(node, pattern, context)) add(plan);
    } catch (error) {
      if (!options.isFuzzy || !(error instanceof HarborwatchError) || error.code !== 'QUERY_UNKNOWN_TABLE') throw error;
      unknown ??= error;
    }
  }
  if (legs.length === 0) throw unknown;
  return legs;
}

const wildcardOf = ({ kind, parts }: SyntaxNode): string | undefined =>
  kind === 'NameReference' && parts.Name?.kind === 'WildcardedName' ? parts.Name.parts.Pattern?.text : undefined;

/** All datasets and views: what `search` goes through where it names no table. */
export const allTables = (node: SyntaxNode, context: Context): Leg[] =>
  matching(node, '*', context).map((plan, number) => ({ plan, label: labelOf(plan, number) }));

/** Every dataset once and every view whose name fits, in the order in which they are declared. */
function matching(node: SyntaxNode, pattern: string, context: Context): Plan[] {
  const fits = globMatcher(pattern);
  const found: Plan[] = [];
  for (const dataset of context.datasets) {
    const name = [dataset.name, ...dataset.aliases].find((each) => fits(each));
    if (name !== undefined) found.push(named(context.scan(dataset), name));
  }
  for (const [name, binding] of context.scope) {
    if (binding.kind === 'function' && binding.isView === true && fits(name)) {
      found.push(named(binding.call(node, undefined, context) as Plan, name));
    }
  }
  if (found.length === 0) context.fail('QUERY_UNKNOWN_TABLE', node, `No table has a name like ${pattern}.`);
  return found;
}

/**
 * A dataset is refused where it is named twice and once by a wildcard: Kusto does not say whether its rows count twice.
 */
export function refuseOverlaps(nodes: readonly SyntaxNode[], legs: readonly Leg[], context: Context): void {
  if (!nodes.some((node) => wildcardOf(node) !== undefined)) return;
  const seen = new Set<string>();
  for (const { plan } of legs) {
    if (plan.op !== 'scan') continue;
    if (seen.has(plan.dataset)) {
      context.fail('QUERY_NOT_SUPPORTED', nodes[0]!, `${plan.dataset} is among these tables more than once.`);
    }
    seen.add(plan.dataset);
  }
}

/**
 * All rows of the tables. Columns go by name and type, in the order in which they first come up; a name that has several
 * types becomes a column for each of them, with the type behind it. A table leaves the columns empty that it lacks.
 * @param source the name of a first column that tells each row's table
 */
export function unite(legs: readonly Leg[], columns: readonly UnitedColumn[], source?: string): Plan {
  return union(
    legs.map(({ plan, label }) => {
      const own: NamedExpr[] = columns.map(({ name, from, type }) => {
        const found = plan.columns.find((each) => each.name === from && each.type === type);
        return { name, value: found === undefined ? nothing(type) : column(found) };
      });
      return project(plan, source === undefined ? own : [{ name: source, value: literal('string', label) }, ...own]);
    }),
  );
}

/** A column of the united tables, and its name in each of them. */
interface UnitedColumn extends PlanColumn {
  from: string;
}

/** Every column of every table. `reserved` names are not given to a column that is renamed. */
export function allColumns(legs: readonly Leg[], reserved: readonly string[] = []): UnitedColumn[] {
  const types = new Map<string, Set<ScalarType>>();
  for (const { plan } of legs) {
    for (const { name, type } of plan.columns) types.set(name, (types.get(name) ?? new Set()).add(type));
  }
  const taken = new Set(reserved);
  for (const [name, { size }] of types) if (size === 1) taken.add(name);
  return [...types].flatMap(([from, each]) =>
    [...each].map((type) => {
      if (each.size === 1) return { name: from, from, type };
      const name = freeName(`${from}_${type}`, taken);
      taken.add(name);
      return { name, from, type };
    }),
  );
}

/** The columns that every table has. */
export function commonColumns(legs: readonly Leg[], node: SyntaxNode, context: Context): UnitedColumn[] {
  const [first, ...others] = legs.map(({ plan }) => plan.columns);
  return first!.flatMap(({ name, type }) => {
    if (!others.every((columns) => namesOf(columns).has(name))) return [];
    const isOneType = others.every((columns) => columns.some((each) => each.name === name && each.type === type));
    // The documentation does not say which of the types such a column has.
    if (!isOneType) {
      context.fail('QUERY_NOT_SUPPORTED', node, `The column "${name}" has a different type in each table.`);
    }
    return [{ name, from: name, type }];
  });
}
