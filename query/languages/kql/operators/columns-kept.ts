/** Steps that leave columns out, rename them or put them in another order. */
import { column, project } from '../../../plan/build.js';
import type { PlanColumn } from '../../../plan/types.js';
import { nameOf, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateOperator } from '../translator.js';
import { columnAt, kept } from './columns.js';

/** https://learn.microsoft.com/kusto/query/project-away-operator */
const projectAway: TranslateOperator = (node, input, context) => {
  const left = new Set(node.lists.Expressions!.flatMap((each) => matching(each, input.columns, context)));
  if (left.size === input.columns.length) context.fail('QUERY_NOT_SUPPORTED', node, 'This leaves no column.');
  return project(input, kept(input.columns.filter((each) => !left.has(each))));
};

/** https://learn.microsoft.com/kusto/query/project-keep-operator: in the order that they had. */
const projectKeep: TranslateOperator = (node, input, context) => {
  const taken = new Set(node.lists.Expressions!.flatMap((each) => matching(each, input.columns, context)));
  return project(input, kept(input.columns.filter((each) => taken.has(each))));
};

/** https://learn.microsoft.com/kusto/query/project-rename-operator */
const projectRename: TranslateOperator = (node, input, context) => {
  const names = new Map<PlanColumn, string>();
  for (const each of node.lists.Expressions!) {
    if (each.kind !== 'SimpleNamedExpression') {
      context.fail('QUERY_SYNTAX', each, 'Renaming is written as new = old.');
    }
    const from = columnAt(each.parts.Expression!, input.columns, context);
    const to = nameOf(each.parts.Name)!;
    if (names.has(from)) context.fail('QUERY_SYNTAX', each, `The column "${from.name}" is renamed twice.`);
    const isTaken =
      input.columns.some((other) => other.name === to && other !== from) || [...names.values()].includes(to);
    if (isTaken) context.fail('QUERY_SYNTAX', each, `There is a column "${to}" already.`);
    names.set(from, to);
  }
  return project(
    input,
    input.columns.map((each) => ({ name: names.get(each) ?? each.name, value: column(each) })),
  );
};

/** https://learn.microsoft.com/kusto/query/project-reorder-operator: columns that are not named follow as they were. */
const projectReorder: TranslateOperator = (node, input, context) => {
  const placed = new Set<PlanColumn>();
  for (const each of node.lists.Expressions!) {
    const of = each.kind === 'OrderedExpression' ? each.parts.Expression! : each;
    for (const next of ordered(matching(of, input.columns, context), each)) placed.add(next);
  }
  return project(input, kept([...placed, ...input.columns.filter((each) => !placed.has(each))]));
};

/** In the order of the table, or by name; `granny` counts the digits in names as numbers. */
function ordered(columns: PlanColumn[], node: SyntaxNode): PlanColumn[] {
  const order = node.parts.Ordering?.parts.AscOrDescKeyword?.text.toLowerCase();
  if (order === undefined) return columns;
  const { compare } = new Intl.Collator('en', { numeric: order.startsWith('granny'), sensitivity: 'base' });
  const sign = order.endsWith('desc') ? -1 : 1;
  return columns.toSorted((a, b) => sign * compare(a.name, b.name));
}

const patternOf = ({ kind, parts }: SyntaxNode): string | undefined =>
  kind === 'NameReference' && parts.Name?.kind === 'WildcardedName' ? parts.Name.parts.Pattern!.text : undefined;

/** The columns that a name or a pattern such as `Target*` stands for. */
function matching(node: SyntaxNode, columns: readonly PlanColumn[], context: Context): PlanColumn[] {
  const pattern = patternOf(node);
  if (pattern === undefined) return [columnAt(node, columns, context)];
  const parts = pattern.split(/\*+/).map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  const form = new RegExp(`^${parts.join('.*')}$`);
  const found = columns.filter(({ name }) => form.test(name));
  if (found.length > 0) return found;
  return context.fail('QUERY_UNKNOWN_COLUMN', node, `There is no column like "${pattern}".`);
}

export const columnOperators: Record<string, TranslateOperator> = {
  ProjectAwayOperator: projectAway,
  ProjectKeepOperator: projectKeep,
  ProjectRenameOperator: projectRename,
  ProjectReorderOperator: projectReorder,
};
