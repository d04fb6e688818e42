/**
 * What keeps a query from being run over new rows alone with the same answer: anything that looks at more than the one
 * row in hand, or at the clock.
 */
import { allowedFunctions } from './functions.js';
import type { TreeNode } from './parse.js';
import { asKind, constantString, functionName, listOf } from './tree.js';

const kinds: Record<string, string> = {
  SubLink: 'a subquery',
  RangeSubselect: 'a subquery in FROM',
  CommonTableExpr: 'a WITH query',
  RangeFunction: 'a function in FROM',
  JoinExpr: 'a join',
  JsonTable: 'JSON_TABLE',
  JsonArrayQueryConstructor: 'a subquery',
  JsonArrayAgg: 'an aggregate',
  JsonObjectAgg: 'an aggregate',
  GroupingFunc: 'GROUPING',
  SQLValueFunction: 'the current time',
};

const clauses: Record<string, string> = {
  distinctClause: 'DISTINCT',
  groupClause: 'GROUP BY',
  havingClause: 'HAVING',
  windowClause: 'a window',
  limitCount: 'LIMIT',
  limitOffset: 'OFFSET',
  valuesLists: 'VALUES',
  larg: 'a set operation',
  withClause: 'a WITH query',
};

const functions: Partial<Record<string, string>> = {
  aggregate: 'the aggregate',
  window: 'the window function',
  set: 'the set-returning function',
  clock: 'the time-dependent function',
  volatile: 'the volatile function',
};

/** What about a node, seen by itself, keeps the query from being row-wise; undefined where nothing does. */
export function rowWiseObstacle(kind: string, node: TreeNode): string | undefined {
  if (kind === 'SelectStmt') return selectObstacle(node);
  if (kind === 'FuncCall') return functionObstacle(node);
  if (kind === 'A_Const') return constantObstacle(node);
  if (kind === 'A_Indirection') {
    const field = listOf(node.indirection).some((step) => asKind(step, 'A_Indices') === undefined);
    return field ? 'a field of a composite value' : undefined;
  }
  return kinds[kind];
}

function selectObstacle(select: TreeNode): string | undefined {
  for (const [clause, reason] of Object.entries(clauses)) if (Object.hasOwn(select, clause)) return reason;
  const tables = listOf(select.fromClause).length;
  if (tables === 0) return 'no dataset';
  return tables > 1 ? 'a join' : undefined;
}

function functionObstacle(call: TreeNode): string | undefined {
  const name = functionName(call);
  if (call.over !== undefined) return 'a window';
  const reason = functions[allowedFunctions.get(name) ?? 'volatile'];
  return reason === undefined ? undefined : `${reason} ${name}()`;
}

/** 'now', 'today 08:00' and their like are read as times of the run wherever a date is expected. */
export const isRelativeTime = (text: string | undefined): boolean =>
  text !== undefined && /^[\s\d:.+-]*(now|today|tomorrow|yesterday)\b[\w\s:./+-]*$/i.test(text);

function constantObstacle(constant: TreeNode): string | undefined {
  const text = constantString({ A_Const: constant });
  return isRelativeTime(text) ? `the relative time '${text!.trim()}'` : undefined;
}
