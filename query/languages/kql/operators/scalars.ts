/** Values that tables give. */
import { literal } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr } from '../../../plan/types.js';
import type { SyntaxNode } from '../syntax.js';
import type { Context, Rows } from '../translator.js';

/** https://learn.microsoft.com/kusto/query/toscalar-function: the first column of the first row, once for the query. */
function toScalar(node: SyntaxNode, _rows: Rows, context: Context): Expr {
  const of = node.parts.Expression!;
  if (!context.isTabular(of)) return context.constant(of);
  const plan = context.tabular(of);
  const first = plan.columns[0];
  if (first === undefined) return context.fail('QUERY_SYNTAX', of, 'This table has no column.');
  const value: Expr = { kind: 'scalar', plan, type: first.type };
  // Kusto's strings are never null, not even where there is no row.
  return first.type === 'string' ? call('coalesce', [value, literal('string', '')]) : value;
}

export const scalarSources: Record<string, (node: SyntaxNode, rows: Rows, context: Context) => Expr> = {
  ToScalarExpression: toScalar,
};
