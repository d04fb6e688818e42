/** GROUP BY: its keys and aggregates, for which columns of the groups stand in SELECT, HAVING and ORDER BY. */
import { column } from '../../../plan/build.js';
import { aggregate } from '../../../plan/functions/index.js';
import type { Aggregate, Expr, NamedExpr } from '../../../plan/types.js';
import { asFilter, ExpressionSizes } from '../../exprs.js';
import { allowedFunctions } from '../functions.js';
import type { TreeNode } from '../parse.js';
import { functionName, listOf } from '../tree.js';
import { ordered, SqlExpressions } from './expressions.js';
import { findColumn, type ScopeColumn } from './scope.js';
import { implicitly, isNumber, planTypeOf, type Typed, Untranslatable } from './typed.js';

export const isAggregate = (node: TreeNode): boolean => allowedFunctions.get(functionName(node)) === 'aggregate';

export class Groups {
  readonly keys: NamedExpr[] = [];
  readonly aggregates: Aggregate[] = [];
  /** What stands for a key or an aggregate, by the expression that it is over the input. */
  readonly #columns = new Map<string, Typed>();
  readonly #input: SqlExpressions;
  readonly #sizes = new ExpressionSizes();
  /** How large the keys are: only what is as large can be one. */
  readonly #keySizes = new Set<number>();

  constructor(readonly columns: readonly ScopeColumn[]) {
    this.#input = new SqlExpressions(columns, (kind, node) => {
      if (kind === 'FuncCall' && isAggregate(node))
        throw new Untranslatable('an aggregate inside another or in GROUP BY', node);
      return undefined;
    });
  }

  addKey(wrapped: unknown, node: TreeNode): void {
    const value = this.#input.typed(wrapped);
    if (value.type === 'jsonb' || value.type === 'interval' || value.type === 'unknown') {
      throw new Untranslatable(`GROUP BY of ${value.type}`, node);
    }
    const id = JSON.stringify(value.expr);
    if (this.#columns.has(id)) return;
    const name = `key_${this.keys.length + 1}`;
    this.keys.push({ name, value: value.expr });
    this.#keySizes.add(this.#sizes.of(value.expr));
    this.#columns.set(id, { expr: column({ name, type: value.expr.type }), type: value.type });
  }

  /** What stands for a node over the groups. A column that is no key has no value there. */
  readonly standIn = (kind: string, node: TreeNode): Typed | undefined => {
    if (kind === 'FuncCall' && isAggregate(node)) return this.#aggregate(node);
    if (kind === 'ColumnRef') {
      const found = this.#columns.get(JSON.stringify(findColumn(node, this.columns).value.expr));
      if (found === undefined) throw new Untranslatable('a column that is not in GROUP BY', node);
      return found;
    }
    // Whole expressions can be keys. Constants and what holds an aggregate cannot.
    if (kind === 'A_Const' || this.keys.length === 0) return undefined;
    const whole = this.#overInput(kind, node)?.expr;
    if (whole === undefined || !this.#keySizes.has(this.#sizes.of(whole))) return undefined;
    return this.#columns.get(JSON.stringify(whole));
  };

  #overInput(kind: string, node: TreeNode): Typed | undefined {
    try {
      return this.#input.typed({ [kind]: node });
    } catch (error) {
      if (error instanceof Untranslatable) return undefined;
      throw error;
    }
  }

  #aggregate(node: TreeNode): Typed {
    const name = functionName(node);
    const isPlain = ['over', 'agg_order', 'agg_within_group', 'func_variadic'].every(
      (field) => node[field] === undefined || node[field] === false,
    );
    if (!isPlain) throw new Untranslatable(`${name}() in this form`, node);
    const args = listOf(node.args).map((arg) => this.#input.typed(arg));
    const where = node.agg_filter === undefined ? undefined : asFilter(this.#input.condition(node.agg_filter));
    const { fn, value, type } = choose(name, node, args);
    const made = aggregate(fn, value === undefined ? [] : [value]);
    const id = JSON.stringify([made, where]);
    const known = this.#columns.get(id);
    if (known !== undefined) return known;
    const columnName = `aggregate_${this.aggregates.length + 1}`;
    this.aggregates.push({ kind: 'aggregate', name: columnName, ...made, ...(where === undefined ? {} : { where }) });
    const result: Typed = { expr: column({ name: columnName, type: made.type }), type };
    if (made.type !== planTypeOf[type]) throw new Error(`${fn} gives ${made.type}, not ${type}.`);
    this.#columns.set(id, result);
    return result;
  }
}

/** The plan's aggregate with PostgreSQL's own result type. */
function choose(
  name: string,
  node: TreeNode,
  args: readonly Typed[],
): { fn: string; value?: Expr; type: Typed['type'] } {
  const isDistinct = node.agg_distinct === true;
  const [arg] = args;
  if (name === 'count') {
    if (node.agg_star === true) return { fn: 'count', type: 'int8' };
    if (arg === undefined || args.length > 1) throw new Untranslatable('count() of several values', node);
    if (isDistinct && (arg.type === 'jsonb' || arg.type === 'interval'))
      throw new Untranslatable(`count(DISTINCT ...) of ${arg.type}`, node);
    return { fn: isDistinct ? 'dcount' : 'count', value: arg.expr, type: 'int8' };
  }
  const refuse = (): never => {
    throw new Untranslatable(`${name}() of these types`, node);
  };
  if (arg === undefined || args.length > 1) refuse();
  const value = arg!;
  if (name === 'min' || name === 'max') {
    if (!ordered.has(value.type)) refuse();
    return { fn: name, value: value.expr, type: value.type };
  }
  if (isDistinct) throw new Untranslatable(`${name}(DISTINCT ...)`, node);
  if (name !== 'sum' && name !== 'avg') throw new Untranslatable(`the aggregate ${name}()`, node);
  if (!isNumber(value.type)) refuse();
  if (name === 'sum' && value.type === 'int4') return { fn: 'sql_sum_long', value: value.expr, type: 'int8' };
  if (value.type === 'float8') return { fn: `sql_${name}`, value: value.expr, type: 'float8' };
  return { fn: `sql_${name}`, value: implicitly(value, 'numeric')!.expr, type: 'numeric' };
}

/** Whether an aggregate stands anywhere in the nodes, sub-selects apart, which are refused anyway. */
export function holdsAggregate(value: unknown): boolean {
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null) continue;
    for (const [field, child] of Object.entries(next)) {
      if (field === 'FuncCall' && isAggregate(child as TreeNode)) return true;
      pending.push(child);
    }
  }
  return false;
}
