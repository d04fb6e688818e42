/** Members of arrays and property bags. */
import type { CallExpr, Expr } from '../../../plan/types.js';
import type { Template, TemplateCall } from './template.js';

type Compile = TemplateCall['compile'];

/** `->` with the key’s type said: it reads an untyped one as it likes. A literal number is written as it is. */
function steps(path: CallExpr, compile: Compile): { json: string; keys: string[] } {
  const [root, ...keys] = path.args as [Expr, ...Expr[]];
  return { json: compile(root, 'VALUE').sql, keys: keys.map((key) => keySql(key, compile)) };
}

function keySql(key: Expr, compile: Compile): string {
  if (key.type === 'string') return compile(key, 'VALUE').sql;
  if (key.kind === 'literal') {
    const index = Number(key.value);
    return key.value !== null && Math.abs(index) < 2 ** 31 ? `(${index})` : 'NULL::int';
  }
  return `fn.to_int(${compile(key, 'VALUE').sql})::int`;
}

/** Whether the expression is a member of a dynamic. */
export const isPath = (expr: Expr): expr is CallExpr =>
  expr.kind === 'call' && expr.fn === 'path' && expr.args.length > 1;

/** A path’s value as a text: of arrays and bags PostgreSQL’s own JSON, which has more spaces than Kusto’s. */
export function pathText(path: CallExpr, compile: Compile): string {
  const { json, keys } = steps(path, compile);
  return `(${[json, ...keys.slice(0, -1)].join(' -> ')} ->> ${keys.at(-1)})`;
}

export const path: Template = ({ expr, compile }) => {
  const { json, keys } = steps(expr, compile);
  if (keys.length === 0) return { sql: json, nullable: true };
  return { sql: `nullif(${[json, ...keys].join(' -> ')}, 'null')`, nullable: true };
};
