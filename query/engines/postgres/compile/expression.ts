/** Expressions of a plan as parameterised SQL. */
import type { Expr, LiteralExpr, MembershipExpr, Plan, ScalarType } from '../../../plan/types.js';
import type { JsonValue } from '../../../result.js';
import { templates } from '../functions/index.js';
import { type Argument, type ColumnSql, type Context, type Sql, sqlTypes } from '../functions/template.js';

export { type ColumnSql, type Context, sqlTypes } from '../functions/template.js';

/** What expressions of one place can name, and where their values go. */
export interface ExpressionScope {
  /** The SQL of an input column. */
  column(name: string): ColumnSql;
  /** Adds a value to the statement's parameters, in the text form of an SQL type, and gives its place in the text. */
  parameter(value: unknown): string;
  /** The query of an inner plan, without brackets; its columns are in the plan's order, each of its SQL type. */
  subquery(plan: Plan): string;
}

/** The expression as SQL of the type that `sqlTypes` gives, in brackets where it is no single term. */
export function compileExpression(expr: Expr, scope: ExpressionScope, { context }: { context: Context }): string {
  return compile(expr, scope, context).sql;
}

function compile(expr: Expr, scope: ExpressionScope, context: Context): Sql {
  switch (expr.kind) {
    case 'column':
      return columnValue(scope.column(expr.name));
    case 'literal':
      return literalValue(expr, scope);
    case 'call': {
      const template = templates[expr.fn as keyof typeof templates];
      const args = expr.args.map((arg) => new CompiledArgument(arg, scope));
      const result = template({
        expr,
        args,
        context,
        column: (name) => scope.column(name),
        parameter: (value, type) => `${scope.parameter(value)}::${type}`,
        compile: (inner, innerContext) => compile(inner, scope, innerContext),
      });
      return typeof result === 'string' ? { sql: result, nullable: args.some(({ nullable }) => nullable) } : result;
    }
    case 'scalar':
      return { sql: `(SELECT s.v FROM (${scope.subquery(expr.plan)}) AS s(v) LIMIT 1)`, nullable: true };
    case 'membership':
      return membership(expr, scope, context);
  }
}

/** Written when a template first asks for it. */
class CompiledArgument implements Argument {
  #value: Sql | undefined;

  constructor(
    readonly expr: Expr,
    private readonly scope: ExpressionScope,
  ) {}

  get type(): ScalarType {
    return this.expr.type;
  }

  get sql(): string {
    return this.#compiled.sql;
  }

  get nullable(): boolean {
    const { expr } = this;
    return expr.kind === 'literal' ? expr.value === null : this.#compiled.nullable;
  }

  get column(): ColumnSql | undefined {
    return this.expr.kind === 'column' ? this.scope.column(this.expr.name) : undefined;
  }

  get literal(): LiteralExpr | undefined {
    return this.expr.kind === 'literal' ? this.expr : undefined;
  }

  get #compiled(): Sql {
    this.#value ??= compile(this.expr, this.scope, 'VALUE');
    return this.#value;
  }
}

/** A column as a value of the plan's type. `abbrev` prints an address as PostgreSQL does, a cast adds `/32`. */
function columnValue({ sql, stored, nullable = true, nullMeansEmpty = false }: ColumnSql): Sql {
  const value =
    stored === 'INTEGER'
      ? `${sql}::bigint`
      : stored === 'INET'
        ? `abbrev(${sql})`
        : stored === 'UUID'
          ? `${sql}::text`
          : sql;
  return nullMeansEmpty ? { sql: `coalesce(${value}, '')`, nullable: false } : { sql: value, nullable };
}

function literalValue({ type, value }: LiteralExpr, scope: ExpressionScope): Sql {
  if (value === null) return { sql: `NULL::${sqlTypes[type]}`, nullable: true };
  if (type === 'bool') return { sql: value ? 'true' : 'false', nullable: false };
  return { sql: `${scope.parameter(literalText(type, value))}::${sqlTypes[type]}`, nullable: false };
}

/** A literal's value in the text form of its SQL type. */
function literalText(type: ScalarType, value: JsonValue): string {
  if (type === 'dynamic') return JSON.stringify(value);
  if (type === 'timespan') return `${value} microseconds`;
  return String(value);
}

/** IN rather than EXISTS: the inner plan is planned once, as a hashed subplan or a semi join; nulls are kept out of it. */
function membership({ value, plan, ignoreCase }: MembershipExpr, scope: ExpressionScope, context: Context): Sql {
  const fold = (sql: string) => (ignoreCase ? `lower(${sql})` : sql);
  const compared = compile(value, scope, 'VALUE');
  const among = `${fold(compared.sql)} IN (SELECT ${fold('s.v')} FROM (${scope.subquery(plan)}) AS s(v) WHERE s.v IS NOT NULL)`;
  const isExact = context === 'FILTER' || !compared.nullable;
  return { sql: isExact ? `(${among})` : `coalesce(${among}, false)`, nullable: compared.nullable && isExact };
}
