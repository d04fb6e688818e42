/** Choices, and questions about null and empty values. */
import type { conditionals } from '../../../plan/functions/conditionals.js';
import { text } from './conversions.js';
import type { Argument, Template, TemplateCall } from './template.js';

/** Conditions choose when they are true, so they may be written as filters. */
const choose: Template = ({ expr, args, compile }) => {
  const cases: string[] = [];
  for (let i = 0; i + 1 < args.length; i += 2) {
    cases.push(`WHEN ${compile(expr.args[i]!, 'FILTER').sql} THEN ${args[i + 1]!.sql}`);
  }
  const last = args.at(-1)!;
  const results = [...args.filter((_, i) => i % 2 === 1), last];
  return { sql: `(CASE ${cases.join(' ')} ELSE ${last.sql} END)`, nullable: results.some(({ nullable }) => nullable) };
};

const coalesce: Template = ({ args, expr }) => {
  if (expr.type !== 'string') {
    return {
      sql: `coalesce(${args.map(({ sql }) => sql).join(', ')})`,
      nullable: args.every(({ nullable }) => nullable),
    };
  }
  return { sql: `coalesce(${args.map(({ sql }) => `nullif(${sql}, '')`).join(', ')}, '')`, nullable: false };
};

/** A column as it is stored, so that an index on it serves. */
const nullTest =
  (test: 'IS NULL' | 'IS NOT NULL'): Template =>
  ({ args: [value] }) => {
    if (!value!.nullable) return { sql: test === 'IS NULL' ? 'false' : 'true', nullable: false };
    return { sql: `(${value!.column?.sql ?? value!.sql} ${test})`, nullable: false };
  };

const isEmpty: Template = ({ args: [value] }) => {
  const { type, column, nullable } = value!;
  if (type !== 'string' && type !== 'dynamic')
    return { sql: nullable ? `(${value!.sql} IS NULL)` : 'false', nullable: false };
  if (column?.stored === 'INET') return { sql: `(${column.sql} IS NULL)`, nullable: false };
  return { sql: `(${text(value!)} = '')`, nullable: false };
};

const isNotEmpty: Template = (call) => {
  const [value] = call.args as [Argument];
  const { type, column, nullable } = value;
  if (type !== 'string' && type !== 'dynamic')
    return { sql: nullable ? `(${value.sql} IS NOT NULL)` : 'true', nullable: false };
  if (column?.stored === 'INET') return { sql: `(${column.sql} IS NOT NULL)`, nullable: false };
  if (call.context === 'FILTER' && column !== undefined && type === 'string')
    return { sql: `(${column.sql} <> '')`, nullable: true };
  return { sql: `(${text(value)} <> '')`, nullable: false };
};

const extreme =
  (name: 'least' | 'greatest'): Template =>
  ({ args, expr }: TemplateCall) => {
    const collation = expr.type === 'string' ? ' COLLATE "C"' : '';
    return {
      sql: `${name}(${args.map(({ sql }) => `${sql}${collation}`).join(', ')})`,
      nullable: args.every(({ nullable }) => nullable),
    };
  };

export const conditionalTemplates: Readonly<Record<keyof typeof conditionals, Template>> = {
  iff: choose,
  iif: choose,
  case: choose,
  coalesce,
  isnull: nullTest('IS NULL'),
  isnotnull: nullTest('IS NOT NULL'),
  isempty: isEmpty,
  isnotempty: isNotEmpty,
  min_of: extreme('least'),
  max_of: extreme('greatest'),
};
