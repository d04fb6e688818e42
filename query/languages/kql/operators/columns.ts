/** Columns of a step by their names, and the names of new ones. */
import { column, extend, literal, project } from '../../../plan/build.js';
import type { Expr, NamedExpr, Plan, PlanColumn, ScalarType } from '../../../plan/types.js';
import { didYouMean } from '../../../suggest.js';
import { nameOf, type SyntaxNode } from '../syntax.js';
import type { Context } from '../translator.js';

/** The name, with the first number behind it that makes it free where it is taken: `Key1` beside `Key`. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let n = 1; taken.has(free); n++) free = `${name}${n}`;
  return free;
}

export const namesOf = (columns: readonly PlanColumn[]): Set<string> => new Set(columns.map(({ name }) => name));

/** Columns as they are, as a projection takes them. */
export const kept = (columns: readonly PlanColumn[]): NamedExpr[] =>
  columns.map((each) => ({ name: each.name, value: column(each) }));

/** The input with these columns: one that has a name already stands in that one's place, others at the end. */
export function withColumns(input: Plan, added: readonly NamedExpr[]): Plan {
  const replaced = new Map(added.map(({ name, value }) => [name, value]));
  const names = namesOf(input.columns);
  const fresh = added.filter(({ name }) => !names.has(name));
  if (fresh.length === added.length) return extend(input, [...added]);
  const old = input.columns.map((each) => ({ name: each.name, value: replaced.get(each.name) ?? column(each) }));
  return project(input, [...old, ...fresh]);
}

/** The input's columns alone, in their order, where steps in between added others. */
export const only = (columns: readonly PlanColumn[], plan: Plan): Plan =>
  plan.columns.length === columns.length ? plan : project(plan, kept(columns));

/** What a column without a value holds: Kusto's strings are never null. */
export const nothing = (type: ScalarType): Expr => literal(type, type === 'string' ? '' : null);

/** The column that a name stands for. */
export function columnAt(node: SyntaxNode, columns: readonly PlanColumn[], context: Context): PlanColumn {
  const name = nameOf(node) ?? '';
  const found = columns.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = columns.map((each) => each.name);
  return context.fail('QUERY_UNKNOWN_COLUMN', node, `There is no column "${name}" here.${didYouMean(name, names)}`);
}
