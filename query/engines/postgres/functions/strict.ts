/** The SQL of SQL's own functions. */
import type { strictFunctions } from '../../../plan/functions/strict.js';
import { partial, type Sql, sql, sqlTypes, type Template, total } from './template.js';

const operator = (name: string): Template => sql((a, b) => `(${a} ${name} ${b})`);

/** Numbers keep the type that the plan says: PostgreSQL's own choice for mixed ones is another. */
const arithmetic =
  (name: string): Template =>
  ({ args, expr }) =>
    `(${args[0]!.sql} ${name} ${args[1]!.sql})::${sqlTypes[expr.type]}`;

const asText: Template = ({ args: [value] }): Sql => {
  const { sql, type, nullable } = value!;
  if (type === 'string') return { sql, nullable };
  if (type === 'dynamic') return { sql: `(${sql} #>> '{}')`, nullable: true };
  if (type !== 'datetime') return { sql: `(${sql})::text`, nullable };
  return { sql: `to_char(${sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`, nullable };
};

const index = (sql: string): string => `(${sql})::integer`;

/** A key is written with its type: `->` reads an untyped one as a text or a number as it likes. */
const step =
  (name: '->' | '->>'): Template =>
  ({ args: [json, key] }) => ({
    sql: `(${json!.sql} ${name} ${key!.type === 'long' ? index(key!.sql) : key!.sql})`,
    nullable: true,
  });

export const strictTemplates: Readonly<Record<keyof typeof strictFunctions, Template>> = {
  sql_isnull: total((a) => `(${a} IS NULL)`),
  sql_coalesce: ({ args }) => ({
    sql: `coalesce(${args.map((arg) => arg.sql).join(', ')})`,
    nullable: args.every(({ nullable }) => nullable),
  }),
  sql_nullif: partial((a, b) => `nullif(${a}, ${b})`),
  sql_text: asText,

  'sql_+': arithmetic('+'),
  'sql_-': arithmetic('-'),
  'sql_*': arithmetic('*'),
  'sql_/': arithmetic('/'),
  'sql_%': arithmetic('%'),
  sql_neg: sql((a) => `(- ${a})`),
  sql_abs: sql((a) => `abs(${a})`),
  sql_int4: sql((a) => `(${a})::integer::bigint`),

  sql_like: operator('LIKE'),
  sql_ilike: operator('ILIKE'),
  sql_concat: operator('||'),
  sql_lower: sql((a) => `lower(${a})`),
  sql_upper: sql((a) => `upper(${a})`),
  sql_length: sql((a) => `length(${a})::bigint`),
  sql_trim: sql((...args) => `btrim(${args.join(', ')})`),
  sql_ltrim: sql((...args) => `ltrim(${args.join(', ')})`),
  sql_rtrim: sql((...args) => `rtrim(${args.join(', ')})`),
  sql_substring: sql(
    (a, from, count) => `substr(${a}, ${index(from!)}${count === undefined ? '' : `, ${index(count)}`})`,
  ),
  sql_position: sql((a, b) => `strpos(${a}, ${b})::bigint`),
  sql_replace: sql((a, b, c) => `replace(${a}, ${b}, ${c})`),
  sql_part: partial((a, separator, n) => `(string_to_array(${a}, ${separator}))[${index(n!)}]`),

  sql_json: sql((text) => `(${text})::jsonb`),
  sql_json_get: step('->'),
  sql_json_text: step('->>'),
};
