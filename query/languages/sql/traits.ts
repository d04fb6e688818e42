/** What of a query its plan would tell, read off the parser's tree: for SQL that has no plan. */
import type { SqlTraits } from '../../prepared-query.js';
import { allowedFunctions } from './functions.js';
import type { TreeNode } from './parse.js';
import { isRelativeTime } from './row-wise.js';
import { constantString, functionName, listOf } from './tree.js';

const combining = new Set(['JoinExpr', 'SubLink', 'RangeSubselect', 'CommonTableExpr', 'JsonTable']);

export const noTraits = (): SqlTraits => ({ combinesRelations: false, readsClock: false, isVolatile: false });

/** Adds what a node shows by itself. */
export function noteTraits(traits: SqlTraits, kind: string, node: TreeNode): void {
  if (combining.has(kind)) traits.combinesRelations = true;
  else if (kind === 'SQLValueFunction') traits.readsClock = true;
  else if (kind === 'A_Const') traits.readsClock ||= isRelativeTime(constantString({ A_Const: node }));
  else if (kind === 'SelectStmt') {
    const isCombined = node.larg !== undefined || node.windowClause !== undefined || listOf(node.fromClause).length > 1;
    traits.combinesRelations ||= isCombined;
  } else if (kind === 'FuncCall') {
    traits.combinesRelations ||= node.over !== undefined;
    const effect = allowedFunctions.get(functionName(node));
    traits.readsClock ||= effect === 'clock';
    traits.isVolatile ||= effect === 'volatile';
  }
}
