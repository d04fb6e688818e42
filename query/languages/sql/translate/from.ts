/** FROM: datasets, sub-selects, WITH queries and joins of them. */
import { column, filter, join, project, scan } from '../../../plan/build.js';
import type { Expr, Join, Plan } from '../../../plan/types.js';
import type { QueryableDataset, TimeRange } from '../../../prepared-query.js';
import { datasetColumns } from '../../dataset-columns.js';
import { asFilter, combine } from '../../exprs.js';
import type { TreeNode } from '../parse.js';
import { asKind, listOf, stringsOf } from '../tree.js';
import { nodeOf, SqlExpressions } from './expressions.js';
import type { Relation, ScopeColumn } from './scope.js';
import { type SqlType, Untranslatable } from './typed.js';

export interface FromContext {
  dataset(name: string): QueryableDataset | undefined;
  range: TimeRange;
  /** The rows of a WITH query that is visible here. */
  withQuery(name: string): Relation | undefined;
  select(node: TreeNode): Relation;
  /** Counts a table, and refuses more of them than a plan of columns by the thousand can be made of. */
  countTable(node: TreeNode): void;
}

const sqlTypes: Record<QueryableDataset['columns'][number]['type'], SqlType> = {
  STRING: 'text',
  INT: 'int4',
  LONG: 'int8',
  REAL: 'float8',
  BOOLEAN: 'bool',
  DATETIME: 'timestamptz',
  IP: 'inet',
  JSON: 'jsonb',
};

/** All items of a FROM list, each beside each. */
export function from(items: readonly unknown[], context: FromContext): Relation {
  return items.map((item) => fromItem(item, context)).reduce((left, right) => beside('CROSS', left, right, []));
}

function fromItem(wrapped: unknown, context: FromContext): Relation {
  const table = asKind(wrapped, 'RangeVar');
  if (table !== undefined) return fromTable(table, context);
  const select = asKind(wrapped, 'RangeSubselect');
  if (select !== undefined) {
    if (select.lateral === true) throw new Untranslatable('LATERAL', select);
    const inner = context.select(asKind(select.subquery, 'SelectStmt') ?? {});
    return select.alias === undefined ? inner : named(inner, select.alias as TreeNode, select);
  }
  const joined = asKind(wrapped, 'JoinExpr');
  if (joined !== undefined) return fromJoin(joined, context);
  throw new Untranslatable(
    asKind(wrapped, 'RangeFunction') === undefined ? 'JSON_TABLE' : 'a function in FROM',
    nodeOf(wrapped),
  );
}

function fromTable(node: TreeNode, context: FromContext): Relation {
  context.countTable(node);
  const name = String(node.relname);
  const relation = context.withQuery(name) ?? fromDataset(name, node, context);
  return named(relation, (node.alias as TreeNode | undefined) ?? { aliasname: name }, node);
}

function fromDataset(name: string, node: TreeNode, { dataset: find, range }: FromContext): Relation {
  const dataset = find(name);
  if (dataset === undefined) throw new Untranslatable(`"${name}" here`, node);
  const columns = datasetColumns(dataset);
  const types = new Map(dataset.columns.map((each) => [each.name, sqlTypes[each.type]]));
  return {
    plan: scan({ dataset: dataset.name, timeColumn: dataset.timeColumn, columns, nullStrings: true, ...range }),
    columns: columns.map((each) => ({
      table: name,
      name: each.name,
      value: { expr: column(each), type: types.get(each.name) ?? 'jsonb' },
    })),
  };
}

/** Under an alias, whose list may rename the first columns. */
function named({ plan, columns }: Relation, alias: TreeNode, node: TreeNode): Relation {
  const names = stringsOf(alias.colnames);
  if (names.length > columns.length) throw new Untranslatable('more column names than columns', node);
  const table = String(alias.aliasname);
  return { plan, columns: columns.map((each, i) => ({ ...each, table, name: names[i] ?? each.name })) };
}

const kinds: Record<string, Join['kind']> = {
  JOIN_INNER: 'INNER',
  JOIN_LEFT: 'LEFT',
  JOIN_RIGHT: 'RIGHT',
  JOIN_FULL: 'FULL',
};

function fromJoin(node: TreeNode, context: FromContext): Relation {
  const kind = kinds[String(node.jointype)];
  if (kind === undefined) throw new Untranslatable('this join', node);
  if (node.isNatural === true || node.usingClause !== undefined) throw new Untranslatable('USING and NATURAL', node);
  if (node.alias !== undefined) throw new Untranslatable('an alias for a whole join', node);
  const [left, right] = [fromItem(node.larg, context), fromItem(node.rarg, context)];
  if (node.quals === undefined) return beside('CROSS', left, right, []);
  const both = apart(left, right);
  const conditions = conjuncts(node.quals);
  const expressions = new SqlExpressions([...left.columns, ...both.columns]);
  const on: Join['on'] = [];
  const rest: Expr[] = [];
  for (const condition of conditions) {
    const expr = expressions.condition(condition);
    const pair = pairOf(expr, left.plan, both.plan);
    if (pair === undefined) rest.push(expr);
    else on.push(pair);
  }
  if (rest.length === 0) return merged(kind, left, both, on);
  if (kind !== 'INNER')
    throw new Untranslatable('a condition of an outer join that is no equality of both sides', nodeOf(node.quals));
  const relation = merged(on.length === 0 ? 'CROSS' : 'INNER', left, both, on);
  return { ...relation, plan: filter(relation.plan, asFilter(combine('and', rest))) };
}

function conjuncts(wrapped: unknown): unknown[] {
  const node = asKind(wrapped, 'BoolExpr');
  return node?.boolop === 'AND_EXPR' ? listOf(node.args).flatMap(conjuncts) : [wrapped];
}

/** An equality of which each side is of one side of the join. */
function pairOf(expr: Expr, left: Plan, right: Plan): Join['on'][number] | undefined {
  if (expr.kind !== 'call' || expr.fn !== '=') return undefined;
  const [a, b] = expr.args as [Expr, Expr];
  if (isOver(a, left) && isOver(b, right)) return { left: a, right: b };
  return isOver(b, left) && isOver(a, right) ? { left: b, right: a } : undefined;
}

/** Whether an expression names columns, and of that plan alone. */
function isOver(expr: Expr, plan: Plan): boolean {
  const used: string[] = [];
  const collect = (each: Expr): void => {
    if (each.kind === 'column') used.push(each.name);
    else if (each.kind === 'call') for (const arg of each.args) collect(arg);
  };
  collect(expr);
  return used.length > 0 && used.every((name) => plan.columns.some((each) => each.name === name));
}

const beside = (kind: Join['kind'], left: Relation, right: Relation, on: Join['on']): Relation =>
  merged(kind, left, apart(left, right), on);

const merged = (kind: Join['kind'], left: Relation, right: Relation, on: Join['on']): Relation => ({
  plan: join(kind, left.plan, right.plan, on),
  columns: [...left.columns, ...right.columns],
});

/** The right side with names of its own: the plan's columns are unique, whatever the text calls them. */
function apart(left: Relation, right: Relation): Relation {
  const taken = new Set(left.plan.columns.map(({ name }) => name));
  const renamed = new Map<string, string>();
  for (const { name } of right.plan.columns) {
    let free = name;
    for (let n = 2; taken.has(free); n++) free = `${name}_${n}`;
    taken.add(free);
    renamed.set(name, free);
  }
  if ([...renamed].every(([name, free]) => name === free)) return right;
  const plan = project(
    right.plan,
    right.plan.columns.map((each) => ({ name: renamed.get(each.name)!, value: column(each) })),
  );
  const columns = right.columns.map((each): ScopeColumn => {
    const { expr, type } = each.value;
    return {
      ...each,
      value: { expr: column({ name: renamed.get((expr as { name: string }).name)!, type: expr.type }), type },
    };
  });
  return { plan, columns };
}
