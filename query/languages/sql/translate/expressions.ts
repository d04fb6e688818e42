/** SQL's expressions as expressions of the plan, each with PostgreSQL's type. */
import { literal } from '../../../plan/build.js';
import { call } from '../../../plan/functions/index.js';
import type { Expr } from '../../../plan/types.js';
import { asFilter, combine, ExpressionSizes, fitting } from '../../exprs.js';
import type { TreeNode } from '../parse.js';
import { asKind, constantInteger, constantString, functionName, listOf, stringsOf } from '../tree.js';
import { cast } from './casts.js';
import { constant } from './constants.js';
import { functionCall } from './functions.js';
import { findColumn, type ScopeColumn } from './scope.js';
import { implicitly, isNumber, type SqlType, type Typed, Untranslatable, unify, widerOf } from './typed.js';

/** Deeper trees are left to PostgreSQL, so that no walk over a plan comes to the end of the stack. */
const maxDepth = 400;

/** Looks at every node first: a key of GROUP BY and an aggregate stand for a column of the group. */
type Intercept = (kind: string, node: TreeNode) => Typed | undefined;

/** Types whose values `=` compares alike on every engine, and those that have the same order everywhere. */
const equatable = new Set<SqlType>(['bool', 'int4', 'int8', 'float8', 'numeric', 'text', 'timestamptz', 'inet']);
export const ordered = new Set<SqlType>(['int4', 'int8', 'float8', 'numeric', 'text', 'timestamptz']);

const comparisons: Record<string, string> = {
  '=': '=',
  '<>': '<>',
  '!=': '<>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

export class SqlExpressions {
  #depth = 0;
  readonly #sizes = new ExpressionSizes();
  readonly #translated = new WeakMap<TreeNode, Typed>();

  constructor(
    readonly columns: readonly ScopeColumn[],
    readonly intercept: Intercept = () => undefined,
  ) {}

  /** A condition: WHERE's, ON's, HAVING's. */
  condition(wrapped: unknown): Expr {
    return this.as(wrapped, 'bool').expr;
  }

  as(wrapped: unknown, type: SqlType): Typed {
    const value = this.typed(wrapped);
    const converted = implicitly(value, type);
    if (converted === undefined) throw new Untranslatable(`a value that is not ${type} here`, nodeOf(wrapped));
    return converted;
  }

  /** The value of a wrapped node, such as `{ ColumnRef: {...} }`. */
  typed(wrapped: unknown): Typed {
    const [kind, node] = Object.entries(wrapped as Record<string, TreeNode>)[0]!;
    const known = this.#translated.get(node);
    if (known !== undefined) return known;
    if (++this.#depth > maxDepth) throw new Untranslatable('nesting this deep', node);
    const value = this.#below(kind, node);
    if (this.#sizes.isTooLarge(value.expr)) throw new Untranslatable('an expression this large', node);
    this.#translated.set(node, value);
    return value;
  }

  /** Whoever catches what is thrown here goes on at the depth at which it asked. */
  #below(kind: string, node: TreeNode): Typed {
    try {
      return this.intercept(kind, node) ?? this.#translate(kind, node);
    } finally {
      this.#depth--;
    }
  }

  #translate(kind: string, node: TreeNode): Typed {
    switch (kind) {
      case 'ColumnRef':
        return findColumn(node, this.columns).value;
      case 'A_Const':
        return constant(node);
      case 'A_Expr':
        return this.#operator(node);
      case 'BoolExpr':
        return this.#logical(node);
      case 'NullTest': {
        const test = call('sql_isnull', [this.typed(node.arg).expr]);
        return bool(node.nulltesttype === 'IS_NOT_NULL' ? call('not', [test]) : test);
      }
      case 'BooleanTest':
        return this.#truth(node);
      case 'CaseExpr':
        return this.#choice(node);
      case 'CoalesceExpr': {
        const values = this.#unified(listOf(node.args), node);
        return {
          expr: call(
            'sql_coalesce',
            values.map(({ expr }) => expr),
          ),
          type: values[0]!.type,
        };
      }
      case 'TypeCast':
        return cast(node, (arg) => this.typed(arg));
      case 'FuncCall':
        return functionCall(node, functionName(node), this);
      case 'SQLValueFunction':
        if (node.op === 'SVFOP_CURRENT_TIMESTAMP') return { expr: call('now', []), type: 'timestamptz' };
        throw new Untranslatable(String(node.op).replace('SVFOP_', ''), node);
    }
    throw new Untranslatable(kindNames[kind] ?? kind, node);
  }

  #operator(node: TreeNode): Typed {
    const name = stringsOf(node.name)[0] ?? '';
    switch (node.kind) {
      case 'AEXPR_OP':
        return node.lexpr === undefined ? this.#prefix(name, node) : this.#infix(name, node);
      case 'AEXPR_IN':
        return this.#in(node, name === '<>');
      case 'AEXPR_LIKE':
        return this.#like(node, 'sql_like', name === '!~~');
      case 'AEXPR_ILIKE':
        return this.#like(node, 'sql_ilike', name === '!~~*');
      case 'AEXPR_BETWEEN':
      case 'AEXPR_NOT_BETWEEN': {
        const [low, high] = listOf(asKind(node.rexpr, 'List')?.items).map((bound) => this.typed(bound));
        const value = this.typed(node.lexpr);
        const within = combine('and', [
          this.#compare('>=', value, low!, node).expr,
          this.#compare('<=', value, high!, node).expr,
        ]);
        return bool(node.kind === 'AEXPR_BETWEEN' ? within : call('not', [within]));
      }
      case 'AEXPR_NULLIF': {
        const first = this.typed(node.lexpr);
        const [a, b] = this.#inOneType([first, this.typed(node.rexpr)], node);
        // It gives the first value in its own type; only where both have one type is that the common one.
        if (first.type !== a!.type || !equatable.has(a!.type)) throw new Untranslatable('NULLIF of these types', node);
        return { expr: call('sql_nullif', [a!.expr, b!.expr]), type: a!.type };
      }
    }
    throw new Untranslatable(`the operator ${name || node.kind}`, node);
  }

  #prefix(name: string, node: TreeNode): Typed {
    if (name !== '-') throw new Untranslatable(`the operator ${name}`, node);
    const value = this.typed(node.rexpr);
    if (!isNumber(value.type)) throw new Untranslatable('a minus before this', node);
    const { expr } = value;
    if (expr.kind === 'literal' && typeof expr.value === 'number' && expr.type === 'long') {
      return { expr: literal('long', -expr.value), type: value.type };
    }
    return inType(call('sql_neg', [expr]), value.type);
  }

  #infix(name: string, node: TreeNode): Typed {
    if (comparisons[name] !== undefined) {
      return this.#compare(name, this.typed(node.lexpr), this.typed(node.rexpr), node);
    }
    if (name === '->' || name === '->>') return this.#jsonStep(name, node);
    if (name === '||') {
      const [a, b] = [this.typed(node.lexpr), this.typed(node.rexpr)];
      const [left, right] = [implicitly(a, 'text'), implicitly(b, 'text')];
      if (left === undefined || right === undefined) throw new Untranslatable('|| of anything but texts', node);
      return { expr: call('sql_concat', [left.expr, right.expr]), type: 'text' };
    }
    if (/^[-+*/%]$/.test(name)) return this.#arithmetic(name, this.typed(node.lexpr), this.typed(node.rexpr), node);
    throw new Untranslatable(`the operator ${name}`, node);
  }

  #arithmetic(name: string, left: Typed, right: Typed, node: TreeNode): Typed {
    if (left.type === 'timestamptz' && right.type === 'interval' && (name === '+' || name === '-')) {
      // Moments of the data could leave the years that a plan knows; the clock and constants do not.
      if (!isFixed(left.expr)) throw new Untranslatable('a column’s moment moved by an interval', node);
      return { expr: call(name, [left.expr, right.expr]), type: 'timestamptz' };
    }
    if (!isNumber(left.type) || !isNumber(right.type)) throw new Untranslatable(`${name} of these types`, node);
    const type = widerOf(left.type, right.type);
    const [a, b] = [implicitly(left, type)!, implicitly(right, type)!];
    if (name === '%' && type === 'float8') throw new Untranslatable('% of these types', node);
    return inType(call(`sql_${name}`, [a.expr, b.expr]), type);
  }

  #jsonStep(name: '->' | '->>', node: TreeNode): Typed {
    const json = this.typed(node.lexpr);
    const text = constantString(node.rexpr);
    const key = text === undefined ? constantInteger(node.rexpr) : text;
    if (json.type !== 'jsonb' || key === undefined)
      throw new Untranslatable(`${name} of anything but JSON and a constant`, node);
    const step = literal(typeof key === 'string' ? 'string' : 'long', key);
    return name === '->'
      ? { expr: call('sql_json_get', [json.expr, step]), type: 'jsonb' }
      : { expr: call('sql_json_text', [json.expr, step]), type: 'text' };
  }

  #compare(name: string, left: Typed, right: Typed, node: TreeNode): Typed {
    const [a, b] = this.#inOneType([left, right], node);
    const fn = comparisons[name]!;
    const allowed = fn === '=' || fn === '<>' ? equatable : ordered;
    if (!allowed.has(a!.type)) throw new Untranslatable(`${name} of ${a!.type}`, node);
    return bool(fitting(fn, [a!.expr, b!.expr]));
  }

  #in(node: TreeNode, isNegated: boolean): Typed {
    const values = this.#unified([node.lexpr, ...listOf(asKind(node.rexpr, 'List')?.items)], node);
    if (!equatable.has(values[0]!.type)) throw new Untranslatable(`IN of ${values[0]!.type}`, node);
    const test = call(
      'sql_in',
      values.map(({ expr }) => expr),
    );
    return bool(isNegated ? call('not', [test]) : test);
  }

  #like(node: TreeNode, fn: string, isNegated: boolean): Typed {
    const pattern = constantString(node.rexpr);
    if (pattern === undefined) throw new Untranslatable('LIKE with a pattern that is no constant', node);
    // A lone backslash at the end is an error while PostgreSQL runs.
    if (/(?<!\\)(?:\\\\)*\\$/.test(pattern))
      throw new Untranslatable('a LIKE pattern that ends with a backslash', node);
    const text = this.typed(node.lexpr);
    if (text.type !== 'text' && text.type !== 'unknown') throw new Untranslatable('LIKE of anything but texts', node);
    const test = call(fn, [text.expr, literal('string', pattern)]);
    return bool(isNegated ? call('not', [test]) : test);
  }

  #logical(node: TreeNode): Typed {
    const operands = listOf(node.args).map((arg) => this.condition(arg));
    if (node.boolop === 'NOT_EXPR') return bool(call('not', [operands[0]!]));
    return bool(combine(node.boolop === 'AND_EXPR' ? 'and' : 'or', operands));
  }

  #truth(node: TreeNode): Typed {
    const test = String(node.booltesttype);
    const value = this.condition(node.arg);
    if (test.endsWith('UNKNOWN')) {
      const isUnknown = call('sql_isnull', [value]);
      return bool(test === 'IS_UNKNOWN' ? isUnknown : call('not', [isUnknown]));
    }
    const sought = test.endsWith('TRUE') ? value : call('not', [value]);
    const holds = call('sql_coalesce', [sought, literal('bool', false)]);
    return bool(test.startsWith('IS_NOT') ? call('not', [holds]) : holds);
  }

  #choice(node: TreeNode): Typed {
    if (node.arg !== undefined) throw new Untranslatable('CASE with a value behind it', node);
    const branches = listOf(node.args).map((when) => asKind(when, 'CaseWhen')!);
    const otherwise = node.defresult ?? { A_Const: { isnull: true } };
    // PostgreSQL looks at ELSE first when it looks for the common type; with these types the order does not matter.
    const values = this.#unified([...branches.map(({ result }) => result), otherwise], node);
    const args = branches.flatMap(({ expr }, i) => [asFilter(this.condition(expr)), values[i]!.expr]);
    return { expr: call('case', [...args, values.at(-1)!.expr]), type: values[0]!.type };
  }

  #unified(wrapped: readonly unknown[], node: TreeNode): Typed[] {
    return this.#inOneType(
      wrapped.map((each) => this.typed(each)),
      node,
    );
  }

  #inOneType(given: readonly Typed[], node: TreeNode): Typed[] {
    const values = unify(given);
    if (values === undefined) throw new Untranslatable('values of these types beside each other', node);
    return values;
  }
}

const bool = (expr: Expr): Typed => ({ expr, type: 'bool' });

/** The result of arithmetic in its type: an `integer` is checked for its range. */
const inType = (expr: Expr, type: SqlType): Typed => ({
  expr: type === 'int4' ? call('sql_int4', [expr]) : expr,
  type,
});

const isFixed = (expr: Expr): boolean =>
  expr.kind === 'literal' ||
  (expr.kind === 'call' && (expr.fn === 'now' || expr.fn === '+' || expr.fn === '-') && expr.args.every(isFixed));

/** The node in its wrapper. */
export const nodeOf = (wrapped: unknown): TreeNode => Object.values(wrapped as Record<string, TreeNode>)[0] ?? {};

const kindNames: Record<string, string> = {
  SubLink: 'a subquery in an expression',
  GroupingFunc: 'GROUPING',
  A_ArrayExpr: 'an array',
  A_Indirection: 'an element or field of a value',
  MinMaxExpr: 'GREATEST and LEAST',
  RowExpr: 'a row',
  CollateClause: 'COLLATE',
  JsonFuncExpr: 'a JSON function',
  JsonIsPredicate: 'IS JSON',
  JsonObjectConstructor: 'JSON_OBJECT',
  JsonArrayConstructor: 'JSON_ARRAY',
  JsonObjectAgg: 'JSON_OBJECTAGG',
  JsonArrayAgg: 'JSON_ARRAYAGG',
};
