/** One SELECT, or several under UNION, as a plan. */
import { column, distinct, filter, limit, project, sort, summarize, union, values } from '../../../plan/build.js';
import type { Plan, SortKey } from '../../../plan/types.js';
import { uniqueNames } from '../../../result.js';
import { asFilter } from '../../exprs.js';
import type { TreeNode } from '../parse.js';
import { asKind, constantInteger, listOf, stringsOf } from '../tree.js';
import { Groups, holdsAggregate } from './aggregates.js';
import { nodeOf, ordered, SqlExpressions } from './expressions.js';
import { type FromContext, from } from './from.js';
import { nameOf } from './names.js';
import type { Relation, ScopeColumn } from './scope.js';
import { implicitly, type SqlType, type Typed, Untranslatable, unify } from './typed.js';

interface Output {
  name: string;
  value: Typed;
}

/** As many as PostgreSQL takes. */
const maxColumns = 1_664;

const sortable = (type: SqlType): boolean => ordered.has(type) || type === 'bool';

export function translateSelect(node: TreeNode, context: FromContext): Relation {
  if (node.op !== undefined && node.op !== 'SETOP_NONE') return setOperation(node, context);
  if (node.valuesLists !== undefined) throw new Untranslatable('VALUES', nodeOf(listOf(node.valuesLists)[0]));
  if (node.windowClause !== undefined) throw new Untranslatable('a window', nodeOf(listOf(node.windowClause)[0]));
  const rows = source(node, context);
  const where = node.whereClause;
  const cut =
    where === undefined ? rows.plan : filter(rows.plan, asFilter(new SqlExpressions(rows.columns).condition(where)));
  const groups = groupsOf(node, rows.columns);
  const expressions = new SqlExpressions(rows.columns, groups?.standIn);
  const outputs = outputsOf(node, rows.columns, expressions);
  const having = node.havingClause === undefined ? undefined : expressions.condition(node.havingClause);
  const isDistinct = listOf(node.distinctClause).length > 0;
  if (isDistinct) checkDistinct(node, outputs);
  const keys = listOf(node.sortClause).map((key) => sortKey(key, outputs, isDistinct ? undefined : expressions));
  let plan = groups === undefined ? cut : summarize(cut, groups.keys, groups.aggregates);
  if (having !== undefined) plan = filter(plan, asFilter(having));
  const names = uniqueNames(outputs.map(({ name }) => name));
  const kept = outputs.map(({ value }, i) => ({ name: names[i]!, value: value.expr }));
  const result = outputs.map(({ name, value }, i) => resultColumn(name, names[i]!, value));
  if (!isDistinct) {
    const inOrder =
      keys.length === 0
        ? plan
        : sort(
            plan,
            keys.map(({ key }) => key),
          );
    return { plan: project(cutTo(node, inOrder), kept), columns: result };
  }
  const different = distinct(project(plan, kept));
  const overResult = keys.map(({ key, output }): SortKey => ({ ...key, value: result[output!]!.value.expr }));
  const inOrder = keys.length === 0 ? different : sort(different, overResult);
  return { plan: cutTo(node, inOrder), columns: result };
}

const resultColumn = (name: string, planName: string, { expr, type }: Typed): ScopeColumn => ({
  table: '',
  name,
  value: { expr: column({ name: planName, type: expr.type }), type: type === 'unknown' ? 'text' : type },
});

/** Without FROM there is one row without columns. */
function source(node: TreeNode, context: FromContext): Relation {
  const items = listOf(node.fromClause);
  return items.length === 0 ? { plan: values([], [[]]), columns: [] } : from(items, context);
}

function groupsOf(node: TreeNode, columns: readonly ScopeColumn[]): Groups | undefined {
  const clause = listOf(node.groupClause);
  const hasAggregates = holdsAggregate([node.targetList, node.havingClause, node.sortClause]);
  if (clause.length === 0 && !hasAggregates && node.havingClause === undefined) return undefined;
  const groups = new Groups(columns);
  for (const item of clause) groups.addKey(keyExpression(item, node, columns), nodeOf(item));
  return groups;
}

/** GROUP BY 1 is the first column of the result; a name is a column of FROM, or else one of the result. */
function keyExpression(item: unknown, node: TreeNode, columns: readonly ScopeColumn[]): unknown {
  if (asKind(item, 'GroupingSet') !== undefined) throw new Untranslatable('grouping sets', nodeOf(item));
  const targets = listOf(node.targetList).map((target) => asKind(target, 'ResTarget')!);
  const number = constantInteger(item);
  if (number !== undefined) {
    const target = targets[number - 1];
    // A star stands for several columns, so the number would not be the target's.
    if (target === undefined || targets.some(({ val }) => isStar(val)))
      throw new Untranslatable('this number in GROUP BY', nodeOf(item));
    return target.val;
  }
  const names = stringsOf(asKind(item, 'ColumnRef')?.fields);
  if (names.length !== 1 || columns.some(({ name }) => name === names[0])) return item;
  return targets.find(({ name }) => name === names[0])?.val ?? item;
}

const isStar = (wrapped: unknown): boolean =>
  listOf(asKind(wrapped, 'ColumnRef')?.fields).some((field) => asKind(field, 'A_Star') !== undefined);

function outputsOf(node: TreeNode, columns: readonly ScopeColumn[], expressions: SqlExpressions): Output[] {
  const outputs: Output[] = [];
  for (const wrapped of listOf(node.targetList)) {
    const { name, val } = asKind(wrapped, 'ResTarget')!;
    if (isStar(val)) outputs.push(...starred(asKind(val, 'ColumnRef')!, columns, expressions));
    else outputs.push({ name: typeof name === 'string' ? name : nameOf(val), value: expressions.typed(val) });
    if (outputs.length > maxColumns) throw new Untranslatable(`more than ${maxColumns} columns`, node);
  }
  if (outputs.length === 0) throw new Untranslatable('a SELECT without columns', node);
  const odd = outputs.find(({ value }) => value.type === 'interval');
  if (odd !== undefined) throw new Untranslatable('an interval in the result', node);
  return outputs;
}

/** The columns of all tables, or of one. Of groups they are keys, or nothing. */
function starred(star: TreeNode, columns: readonly ScopeColumn[], expressions: SqlExpressions): Output[] {
  const table = stringsOf(star.fields)[0];
  const found = columns.filter((each) => table === undefined || each.table === table);
  if (found.length === 0) throw new Untranslatable('a star of no table', star);
  return found.map((each) => {
    const reference = { ...star, fields: [text(each.table), text(each.name)] };
    return { name: each.name, value: expressions.intercept('ColumnRef', reference) ?? each.value };
  });
}

const text = (sval: string): unknown => ({ String: { sval } });

function checkDistinct(node: TreeNode, outputs: readonly Output[]): void {
  const [first] = listOf(node.distinctClause);
  if (Object.keys((first as object) ?? {}).length > 0) throw new Untranslatable('DISTINCT ON', nodeOf(first));
  if (outputs.some(({ value }) => value.type === 'jsonb')) throw new Untranslatable('DISTINCT of JSON', node);
}

/** A number or name is a column of the result first; anything else is over the rows, where there are any to be over. */
function sortKey(
  wrapped: unknown,
  outputs: readonly Output[],
  expressions: SqlExpressions | undefined,
): { key: SortKey; output?: number } {
  const node = asKind(wrapped, 'SortBy')!;
  if (node.sortby_dir === 'SORTBY_USING') throw new Untranslatable('ORDER BY USING', node);
  const output = outputIndex(node.node, outputs);
  if (output === undefined && expressions === undefined)
    throw new Untranslatable('ORDER BY of anything but a column of the result', node);
  const value = output === undefined ? expressions!.typed(node.node) : outputs[output]!.value;
  if (!sortable(value.type)) throw new Untranslatable(`ORDER BY of ${value.type}`, nodeOf(node.node));
  const descending = node.sortby_dir === 'SORTBY_DESC';
  const nulls = node.sortby_nulls;
  const nullsFirst = nulls === 'SORTBY_NULLS_FIRST' || (descending && nulls !== 'SORTBY_NULLS_LAST');
  return { key: { value: value.expr, descending, nullsFirst }, ...(output === undefined ? {} : { output }) };
}

function outputIndex(wrapped: unknown, outputs: readonly Output[]): number | undefined {
  const number = constantInteger(wrapped);
  if (number !== undefined) {
    if (outputs[number - 1] === undefined) throw new Untranslatable('this number in ORDER BY', nodeOf(wrapped));
    return number - 1;
  }
  const names = stringsOf(asKind(wrapped, 'ColumnRef')?.fields);
  if (names.length !== 1) return undefined;
  const found = outputs.flatMap(({ name }, i) => (name === names[0] ? [i] : []));
  const isSame = found.every((i) => JSON.stringify(outputs[i]!.value) === JSON.stringify(outputs[found[0]!]!.value));
  if (!isSame) throw new Untranslatable(`"${names[0]}" in ORDER BY, which several columns are called`, nodeOf(wrapped));
  return found[0];
}

function cutTo(node: TreeNode, plan: Plan): Plan {
  const { limitCount, limitOffset } = node;
  if (limitCount === undefined && limitOffset === undefined) return plan;
  if (node.limitOption === 'LIMIT_OPTION_WITH_TIES') throw new Untranslatable('WITH TIES', nodeOf(limitCount));
  const count = isAll(limitCount) ? Number.MAX_SAFE_INTEGER : wholeNumber(limitCount);
  const offset = isAll(limitOffset) ? 0 : wholeNumber(limitOffset);
  return isAll(limitCount) && offset === 0 ? plan : limit(plan, count, offset);
}

const isAll = (wrapped: unknown): boolean => wrapped === undefined || asKind(wrapped, 'A_Const')?.isnull === true;

function wholeNumber(wrapped: unknown): number {
  const number = constantInteger(wrapped);
  if (number === undefined || number < 0)
    throw new Untranslatable('a LIMIT or OFFSET that is no whole number', nodeOf(wrapped));
  return number;
}

function setOperation(node: TreeNode, context: FromContext): Relation {
  if (node.op !== 'SETOP_UNION') throw new Untranslatable(node.op === 'SETOP_EXCEPT' ? 'EXCEPT' : 'INTERSECT', node);
  const sides = [node.larg, node.rarg].map((side) => translateSelect(side as TreeNode, context));
  const [left, right] = sides as [Relation, Relation];
  if (left.columns.length !== right.columns.length)
    throw new Untranslatable('UNION of different numbers of columns', node);
  const names = uniqueNames(left.columns.map(({ name }) => name));
  const types = left.columns.map((each, i) => {
    const both = unify([each.value, right.columns[i]!.value]);
    if (both === undefined) throw new Untranslatable('UNION of columns of different types', node);
    return both[0]!.type;
  });
  const plans = sides.map(({ plan, columns }) => {
    const kept = columns.map(({ value }, i) => ({ name: names[i]!, value: implicitly(value, types[i]!)!.expr }));
    return project(plan, kept);
  });
  const isDistinct = node.all !== true;
  if (isDistinct && types.includes('jsonb')) throw new Untranslatable('UNION of JSON without ALL', node);
  const all = union(plans);
  const columns = left.columns.map(({ name }, i) =>
    resultColumn(name, names[i]!, { expr: column(all.columns[i]!), type: types[i]! }),
  );
  const rows = isDistinct ? distinct(all) : all;
  const keys = listOf(node.sortClause).map((key) => sortKey(key, columns, undefined).key);
  return { plan: cutTo(node, keys.length === 0 ? rows : sort(rows, keys)), columns };
}
