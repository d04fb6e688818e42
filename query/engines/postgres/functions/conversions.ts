/** Conversions. What converts texts is in the schema `fn`, since a bad text must not end the query. */

import type { conversions } from '../../../plan/functions/conversions.js';
import type { ScalarType } from '../../../plan/types.js';
import { isPath, pathText } from './paths.js';
import { type Argument, type Sql, sqlTypes, type Template } from './template.js';

const ticks = {
  datetime: (sql: string) => `((extract(epoch FROM ${sql}) + 62135596800) * 10000000)`,
  timespan: (sql: string) => `(extract(epoch FROM ${sql}) * 10000000)`,
};

/** The text of a value, null where the value is. */
function rawText({ sql, type }: Pick<Argument, 'sql' | 'type'>): string {
  switch (type) {
    case 'string':
      return sql;
    case 'real':
      return `replace(${sql}::text, 'e', 'E')`;
    case 'datetime':
      return `(to_char(${sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '0Z')`;
    case 'timespan':
      return `fn.timespan_text(${sql})`;
    case 'dynamic':
      return `fn.json_text(${sql})`;
    default:
      return `${sql}::text`;
  }
}

/** The text of any value, as Kusto writes it: empty for null. */
export function text(arg: Argument): string {
  if (arg.literal?.value === null) return `''::text`;
  const raw = rawText(arg);
  return arg.nullable ? `coalesce(${raw}, '')` : raw;
}

/** A value as JSON: what JSON has no type for is a text. */
export function asJson({ sql, type }: Pick<Argument, 'sql' | 'type'>): string {
  switch (type) {
    case 'dynamic':
      return sql;
    case 'datetime':
    case 'timespan':
      return `to_jsonb(${rawText({ sql, type })})`;
    default:
      return `to_jsonb(${sql})`;
  }
}

/** How each type becomes another; what is not named never does. */
type Conversions = Partial<Record<ScalarType, (sql: string) => string>>;

/** Types that convert without a value becoming null. */
const converter =
  (to: ScalarType, from: Conversions, whole: readonly ScalarType[]): Template =>
  ({ args: [value] }): Sql => {
    const { sql, type, nullable } = value!;
    if (type === to) return { sql, nullable };
    const convert = from[type];
    if (convert === undefined) return { sql: `NULL::${sqlTypes[to]}`, nullable: true };
    return { sql: convert(sql), nullable: nullable || !whole.includes(type) };
  };

const toLong = converter(
  'long',
  {
    string: (sql) => `fn.to_long(${sql})`,
    real: (sql) => `fn.to_long(${sql})`,
    decimal: (sql) => `fn.to_long(${sql})`,
    bool: (sql) => `${sql}::int::bigint`,
    dynamic: (sql) => `fn.json_long(${sql})`,
    datetime: (sql) => `${ticks.datetime(sql)}::bigint`,
    timespan: (sql) => `${ticks.timespan(sql)}::bigint`,
  },
  ['bool', 'datetime', 'timespan'],
);

const toReal = converter(
  'real',
  {
    string: (sql) => `fn.to_real(${sql})`,
    long: (sql) => `${sql}::float8`,
    decimal: (sql) => `${sql}::float8`,
    bool: (sql) => `${sql}::int::float8`,
    dynamic: (sql) => `fn.json_real(${sql})`,
    datetime: (sql) => `${ticks.datetime(sql)}::float8`,
    timespan: (sql) => `${ticks.timespan(sql)}::float8`,
  },
  ['long', 'decimal', 'bool', 'datetime', 'timespan'],
);

const toDecimal = converter(
  'decimal',
  {
    string: (sql) => `fn.to_decimal(${sql})`,
    long: (sql) => `${sql}::numeric`,
    // By its shortest digits: PostgreSQL's own cast keeps 15 of up to 17.
    real: (sql) => `fn.to_decimal(${sql}::text)`,
    bool: (sql) => `${sql}::int::numeric`,
    dynamic: (sql) => `fn.json_number(${sql})`,
  },
  ['long', 'bool'],
);

const toBool = converter(
  'bool',
  {
    string: (sql) => `fn.to_bool(${sql})`,
    long: (sql) => `(${sql} <> 0)`,
    real: (sql) => `(${sql} <> 0)`,
    decimal: (sql) => `(${sql} <> 0)`,
    dynamic: (sql) => `fn.json_bool(${sql})`,
  },
  ['long', 'real', 'decimal'],
);

const toDatetime = converter(
  'datetime',
  {
    string: (sql) => `fn.to_datetime(${sql})`,
    long: (sql) => `fn.from_ticks(${sql})`,
    dynamic: (sql) => `fn.json_datetime(${sql})`,
  },
  [],
);

const toTimespan = converter(
  'timespan',
  {
    string: (sql) => `fn.to_timespan(${sql})`,
    long: (sql) => `fn.timespan(${sql} / 10)`,
    dynamic: (sql) => `fn.json_timespan(${sql})`,
  },
  ['long'],
);

const toGuid = converter(
  'guid',
  { string: (sql) => `fn.to_guid(${sql})`, dynamic: (sql) => `fn.to_guid(${sql} #>> '{}')` },
  [],
);

/** A number of 32 bits. */
const toInt: Template = (call) => {
  const long = toLong(call) as Sql;
  return { sql: `fn.to_int(${long.sql})`, nullable: true };
};

const parseJson: Template = ({ args: [value] }) => {
  const { type, sql, nullable } = value!;
  if (type === 'string') return { sql: `fn.parse_json(${sql})`, nullable: true };
  return { sql: asJson(value!), nullable };
};

/**
 * Of a member, PostgreSQL's own text is Kusto's but for arrays and bags; finding the member is what takes the time. It
 * stands in the SQL several times, so it must be a member of what is only read.
 */
const toText: Template = ({ args: [value], compile, column }) => {
  const { expr, sql } = value!;
  const root = isPath(expr) ? expr.args[0] : undefined;
  if (!isPath(expr) || root?.kind !== 'column' || (column(root.name).weight ?? 1) > 1) {
    return { sql: text(value!), nullable: false };
  }
  const plain = pathText(expr, compile);
  const whole = `fn.json_text(${sql})`;
  const cases = `CASE left(${plain}, 1) WHEN '{' THEN ${whole} WHEN '[' THEN ${whole} ELSE ${plain} END`;
  return { sql: `coalesce(${cases}, '')`, nullable: false };
};

/** The names of types that are in JSON; `int` and `long` as the number needs. */
const getType: Template = ({ args: [value] }) => {
  const { type, sql } = value!;
  if (type === 'dynamic') return { sql: `fn.json_type(${sql})`, nullable: false };
  return { sql: `'${type}'::text`, nullable: false };
};

export const conversionTemplates: Readonly<Record<keyof typeof conversions, Template>> = {
  tostring: toText,
  tolong: toLong,
  toint: toInt,
  todouble: toReal,
  toreal: toReal,
  todecimal: toDecimal,
  tobool: toBool,
  toboolean: toBool,
  toguid: toGuid,
  todatetime: toDatetime,
  totimespan: toTimespan,
  todynamic: parseJson,
  parse_json: parseJson,
  gettype: getType,
  tohex: ({ args: [value, length] }) => {
    const hex = `to_hex(${value!.sql})`;
    return { sql: `coalesce(${length === undefined ? hex : `fn.pad(${hex}, ${length.sql})`}, '')`, nullable: false };
  },
};
