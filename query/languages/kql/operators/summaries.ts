/** Steps that make one row of many: `summarize`, `distinct`, `count`. */
import { column, distinct, project, summarize } from '../../../plan/build.js';
import type { Expr, NamedExpr, Plan } from '../../../plan/types.js';
import { Aggregates } from '../aggregates.js';
import { ColumnNames } from '../names.js';
import { namedParameters, nameOf, type SyntaxNode } from '../syntax.js';
import type { Context, TranslateOperator } from '../translator.js';
import { madeTwice } from './rows.js';

/** https://learn.microsoft.com/kusto/query/summarize-operator */
const summarizeRows: TranslateOperator = (node, input, context) => {
  for (const [name, value] of namedParameters(node)) {
    // Hints change how Kusto works, not what comes out.
    if (!name.startsWith('hint.')) context.fail('QUERY_NOT_SUPPORTED', value, `${name} is not known here.`);
  }
  const by = node.parts.ByClause?.lists.Expressions ?? [];
  const names = new ColumnNames();
  const keys = groupKeys(by, input, names, context);
  const aggregates = new Aggregates({ columns: input.columns }, keys, names, context);
  const outputs = node.lists.Aggregates!.flatMap((each) => aggregates.add(each));
  const grouped = summarize(input, keys, aggregates.all);
  if (outputs.every(({ name, value }) => value.kind === 'column' && value.name === name)) return grouped;
  return project(grouped, [
    ...keys.map(({ name, value }) => ({ name, value: column({ name, type: value.type }) })),
    ...outputs,
  ]);
};

export function groupKeys(
  nodes: readonly SyntaxNode[],
  input: Plan,
  names: ColumnNames,
  context: Context,
): NamedExpr[] {
  return nodes.map((node) => {
    const given = node.kind === 'SimpleNamedExpression' ? nameOf(node.parts.Name)! : undefined;
    if (given !== undefined && !names.take(given)) {
      madeTwice(node, context);
    }
    const value = context.expression(given === undefined ? node : node.parts.Expression!, { columns: input.columns });
    refuseDynamicKey(value, node, context);
    return { name: given ?? names.ofUnnamed(node) ?? madeTwice(node, context), value };
  });
}

function refuseDynamicKey(value: Expr, node: SyntaxNode, context: Context): void {
  if (value.type !== 'dynamic') return;
  context.fail('QUERY_SYNTAX', node, 'Rows are not grouped by a dynamic. Make a column of it, as with tostring().');
}

/** https://learn.microsoft.com/kusto/query/distinct-operator. `*` takes dynamics too, as equal by their values. */
const distinctRows: TranslateOperator = (node, input, context) => {
  const nodes = node.lists.Expressions!;
  if (nodes.length === 1 && nodes[0]!.kind === 'StarExpression') return distinct(input);
  return distinct(project(input, groupKeys(nodes, input, new ColumnNames(), context)));
};

/** https://learn.microsoft.com/kusto/query/count-operator */
const count: TranslateOperator = (node, input) => {
  const as = node.parts.AsIdentifier === undefined ? undefined : nameOf(node.parts.AsIdentifier.parts.Identifier);
  return summarize(input, [], [{ kind: 'aggregate', name: as ?? 'Count', fn: 'count', args: [], type: 'long' }]);
};

export const summaryOperators: Record<string, TranslateOperator> = {
  SummarizeOperator: summarizeRows,
  DistinctOperator: distinctRows,
  CountOperator: count,
};
