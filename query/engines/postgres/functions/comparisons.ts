/** Comparisons: plain ones wherever that is exact, so that indexes and the planner's statistics work. */
import { isIPv4, isIPv6 } from 'node:net';
import type { Expr } from '../../../plan/types.js';
import { isPath, pathText } from './paths.js';
import type { Argument, Sql, Template, TemplateCall } from './template.js';

const isNumber = (type: string): boolean => type === 'long' || type === 'real' || type === 'decimal';

/** Whether a real may be NaN, which PostgreSQL holds equal to itself and above all others. */
const mayBeNaN = ({ type, literal }: Argument): boolean => type === 'real' && typeof literal?.value !== 'number';
const notNaN = ({ sql }: Argument): string => `${sql} <> 'NaN'`;

/** A literal text that is not empty: no null that stands for the empty string is equal to it. */
export const hasText = ({ literal }: Argument): boolean => typeof literal?.value === 'string' && literal.value !== '';

/** The two sides as SQL that PostgreSQL's own operators compare, whatever the columns are stored as. */
function sides([a, b]: readonly [Argument, Argument]): [string, string] {
  if (a.type === 'dynamic' && isNumber(b.type)) return [jsonNumber(a, b), b.sql];
  if (b.type === 'dynamic' && isNumber(a.type)) return [a.sql, jsonNumber(b, a)];
  if (a.type === 'bool' && b.type === 'long') return [`${a.sql}::int`, b.sql];
  if (b.type === 'bool' && a.type === 'long') return [a.sql, `${b.sql}::int`];
  return [stored(a), stored(b)];
}

const jsonNumber = ({ sql }: Argument, other: Argument): string =>
  `fn.json_${other.type === 'real' ? 'real' : 'number'}(${sql})`;

/** PostgreSQL compares an integer with a bigint as it is, and by an index on it. */
const stored = (arg: Argument): string => (arg.column?.stored === 'INTEGER' ? arg.column.sql : arg.sql);

/** `=` where both sides have a value. What only equals when it is not null may come as it is stored. */
function equal(pair: readonly [Argument, Argument], call: TemplateCall): Sql {
  const [a, b] = pair;
  const quick = equalToLiteral(a, b, call) ?? equalToLiteral(b, a, call);
  if (quick !== undefined) return { sql: quick, nullable: true };
  const [left, right] = sides(pair);
  const nan = [a, b].every(mayBeNaN) ? ` AND ${notNaN(a)}` : '';
  const isConverted = a.type !== b.type && (a.type === 'dynamic' || b.type === 'dynamic');
  return { sql: `(${left} = ${right}${nan})`, nullable: a.nullable || b.nullable || isConverted };
}

function equalToLiteral(value: Argument, literal: Argument, call: TemplateCall): string | undefined {
  if (!hasText(literal)) return undefined;
  if (value.column?.stored === 'INET' && isCanonicalAddress(literal.literal!.value as string)) {
    return `(${value.column.sql} = ${literal.sql}::inet)`;
  }
  const plain = plainText(value, literal.literal!.value as string, 'WHOLE', call);
  if (
    value.column?.stored === 'UUID' &&
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(literal.literal!.value as string)
  ) {
    return `(${value.column.sql} = ${literal.sql}::uuid)`;
  }
  return plain === undefined ? undefined : `(${plain} = ${literal.sql})`;
}

/**
 * SQL of a text, null where the text is empty, in which a literal that is not empty is found exactly when it is found in
 * the text; undefined where that takes the text itself. JSON's own text differs from Kusto's in white space only.
 */
export function plainText(
  { column, expr }: Argument,
  literal: string,
  part: 'WHOLE' | 'PART',
  { compile }: TemplateCall,
): string | undefined {
  if (column?.nullMeansEmpty && column.stored === undefined) return column.sql;
  const path = expr.kind === 'call' && expr.fn === 'tostring' ? expr.args[0] : undefined;
  if (path === undefined || !isPath(path)) return undefined;
  const isSafe = part === 'WHOLE' ? /^[^[{]/.test(literal) : /^[^\s:,"\\{}[\]]+$/.test(literal);
  return isSafe ? pathText(path, compile) : undefined;
}

/** An address in the form in which PostgreSQL prints it; of IPv6 only where that is sure. */
export function isCanonicalAddress(text: string): boolean {
  if (isIPv4(text)) return true;
  return (
    isIPv6(text) && !text.includes('.') && !text.includes('%') && new URL(`http://[${text}]/`).hostname === `[${text}]`
  );
}

const pairOf = ({ args }: TemplateCall): readonly [Argument, Argument] => [args[0]!, args[1]!];

/** Kusto's equality: false where one side is null, null where both are. */
const kustoEqual: Template = (call) => {
  const pair = pairOf(call);
  const [a, b] = pair;
  if (call.context === 'FILTER' || !a.nullable || !b.nullable) {
    const plain = equal(pair, call);
    if (call.context === 'FILTER' || !plain.nullable) return plain;
    return { sql: `coalesce(${plain.sql}, false)`, nullable: false };
  }
  const [left, right] = sides(pair);
  return { sql: `fn.equals(${left}, ${right})`, nullable: true };
};

const kustoUnequal: Template = (call) => {
  const pair = pairOf(call);
  const [a, b] = pair;
  const [left, right] = sides(pair);
  const nan = [a, b].every(mayBeNaN) ? ` OR ${a.sql} = 'NaN'` : '';
  const isConverted = a.type !== b.type;
  if (!a.nullable && !b.nullable && !isConverted) return { sql: `(${left} <> ${right}${nan})`, nullable: false };
  if (call.context === 'FILTER') return { sql: `(${left} IS DISTINCT FROM ${right}${nan})`, nullable: false };
  if (!a.nullable || !b.nullable) return { sql: `coalesce(${left} <> ${right}${nan}, true)`, nullable: false };
  return { sql: `(NOT fn.equals(${left}, ${right}))`, nullable: true };
};

/** SQL's own. */
const strict =
  (operator: '=' | '<>'): Template =>
  (call) => {
    const pair = pairOf(call);
    // Turned round, a null that stands for the empty string would still be none.
    const isAsStored = call.context === 'FILTER' || !pair.some(({ column }) => column?.nullMeansEmpty);
    if (operator === '=' && isAsStored) return equal(pair, call);
    const [left, right] = sides(pair);
    return { sql: `(${left} ${operator} ${right})`, nullable: true };
  };

const ordered =
  (operator: '<' | '<=' | '>' | '>='): Template =>
  (call) => {
    const pair = pairOf(call);
    const [left, right] = sides(pair);
    const greater = operator.startsWith('>') ? pair[0] : pair[1];
    const nan = mayBeNaN(greater) ? ` AND ${notNaN(greater)}` : '';
    const collation = pair[0].type === 'string' ? ' COLLATE "C"' : '';
    return { sql: `(${left}${collation} ${operator} ${right}${nan})`, nullable: true };
  };

const between =
  (negation: '' | 'NOT '): Template =>
  ({ args }) => {
    const [value, low, high] = args as [Argument, Argument, Argument];
    const collation = value.type === 'string' ? ' COLLATE "C"' : '';
    const isDistance = value.type === 'datetime' && high.type === 'timespan';
    const end = isDistance ? `fn.shift(${low.sql}, ${high.sql})` : stored(high);
    const nan = mayBeNaN(high) ? ` AND ${notNaN(high)}` : '';
    return {
      sql: `(${negation}(${stored(value)}${collation} BETWEEN ${stored(low)} AND ${end}${nan}))`,
      nullable: true,
    };
  };

/** Kusto’s take null as false, so each operand may be written as a filter. */
const kusto =
  (word: 'AND' | 'OR'): Template =>
  (call) => {
    const { sql, nullable } = connect({ ...call, context: 'FILTER' }, word);
    if (call.context === 'FILTER' || !nullable) return { sql, nullable };
    return { sql: `coalesce(${sql}, false)`, nullable: false };
  };

/** Chains of thousands of terms become one flat list, without a level of brackets (or of recursion) for each. */
function connect({ expr, context, compile }: TemplateCall, word: 'AND' | 'OR'): Sql {
  const operands: Sql[] = [];
  const waiting: Expr[] = [...expr.args].reverse();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.kind === 'call' && next.fn === expr.fn) waiting.push(...[...next.args].reverse());
    else operands.push(compile(next, context));
  }
  return {
    sql: `(${operands.map(({ sql }) => sql).join(` ${word} `)})`,
    nullable: operands.some(({ nullable }) => nullable),
  };
}

export const comparisonTemplates = {
  and: kusto('AND'),
  or: kusto('OR'),
  sql_and: (call) => connect(call, 'AND'),
  sql_or: (call) => connect(call, 'OR'),
  not: ({ args }) => `(NOT ${args[0]!.sql})`,
  '==': kustoEqual,
  '!=': kustoUnequal,
  '=': strict('='),
  '<>': strict('<>'),
  '<': ordered('<'),
  '<=': ordered('<='),
  '>': ordered('>'),
  '>=': ordered('>='),
  between: between(''),
  '!between': between('NOT '),
} satisfies Record<string, Template>;
