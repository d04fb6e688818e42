/**
 * Functions of SQL's manners, for the languages whose strings can be null: null in, null out, and PostgreSQL's own
 * errors, such as division by zero. `=`, `<>` and `sql_in` stand with the operators.
 */
import { withShare } from './aggregates.js';
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const page = (name: string): string => `https://www.postgresql.org/docs/18/functions-${name}.html`;
const text = page('string');
const math = page('math');

const arithmetic = (description: string): FunctionSpec =>
  spec(math, `${description} Out of range is an error.`, 'N, N -> N');
const trimmed = (where: string): FunctionSpec =>
  spec(
    text,
    `The text without the characters of the second argument (default: spaces) at its ${where}.`,
    'string, string? -> string',
  );

export const strictFunctions = {
  sql_isnull: spec(page('comparison'), 'Whether the value is null, in strings too. Never null.', 'any -> bool'),
  sql_coalesce: spec(page('conditional'), 'The first value that is not null; an empty string is one.', 'T, T... -> T'),
  sql_nullif: spec(page('conditional'), 'Null where both values are equal, else the first.', 'O, O -> O'),
  sql_text: spec(
    page('formatting'),
    'The value as text, a moment in RFC 3339, a dynamic string without quotes. Null stays null.',
    'any -> string',
  ),

  'sql_+': arithmetic('The sum.'),
  'sql_-': arithmetic('The difference.'),
  'sql_*': arithmetic('The product.'),
  'sql_/': arithmetic('The quotient: of longs a long, cut off towards zero; by zero is an error.'),
  'sql_%': spec(
    math,
    'The remainder, of the first argument’s sign; by zero is an error.',
    'long, long -> long',
    'decimal, decimal -> decimal',
  ),
  sql_neg: spec(math, 'The number with its other sign.', 'N -> N'),
  sql_abs: spec(math, 'The number without its sign.', 'N -> N'),
  sql_int4: spec(math, 'The number itself; beyond 32 bits it is an error, as in an `integer`.', 'long -> long'),

  sql_like: spec(
    page('matching'),
    'LIKE: % is any text, _ one character, a backslash takes their meaning away.',
    'string, string -> bool',
  ),
  sql_ilike: spec(page('matching'), 'As LIKE, upper and lower case alike.', 'string, string -> bool'),
  sql_concat: spec(text, 'Both texts in a row.', 'string, string -> string'),
  sql_lower: spec(text, 'The text in lower case.', 'string -> string'),
  sql_upper: spec(text, 'The text in upper case.', 'string -> string'),
  sql_length: spec(text, 'The number of characters.', 'string -> long'),
  sql_trim: trimmed('ends'),
  sql_ltrim: trimmed('beginning'),
  sql_rtrim: trimmed('end'),
  sql_substring: spec(
    text,
    'From a character on, counted from 1, so many characters or all.',
    'string, long, long? -> string',
  ),
  sql_position: spec(
    text,
    'Where the second text begins in the first, from 1; 0 where it does not.',
    'string, string -> long',
  ),
  sql_replace: spec(
    text,
    'The text with every occurrence of the second replaced by the third.',
    'string, string, string -> string',
  ),
  sql_part: spec(
    page('array'),
    'The piece between separators, counted from 1; null where there is none.',
    'string, string, long -> string',
  ),

  sql_json: spec(page('json'), 'The JSON that a text is; an error where it is none.', 'string -> dynamic'),
  sql_json_get: spec(
    page('json'),
    'What stands under a key or number, as JSON; JSON’s null is no null of SQL.',
    'dynamic, string|long! -> dynamic',
  ),
  sql_json_text: spec(
    page('json'),
    'What stands under a key or number, as text; JSON’s null is null.',
    'dynamic, string|long! -> string',
  ),
} satisfies Record<string, FunctionSpec>;

const totals = page('aggregate');

/** Aggregates of SQL's manners: null over no values. */
export const strictAggregates = {
  sql_sum: spec(
    totals,
    'The sum, in decimals for integers: it cannot overflow. Null over no values.',
    'real -> real',
    'decimal -> decimal',
  ),
  sql_sum_long: spec(totals, 'The sum; beyond 64 bits it is an error. Null over no values.', 'long -> long'),
  sql_avg: spec(totals, 'The mean. Null over no values.', 'real -> real', 'decimal -> decimal'),
  percentile_cont: withShare(
    spec(
      totals,
      'The percentile, in percent, with values between two neighbours worked out linearly.',
      'real, long|real! -> real',
    ),
  ),
} satisfies Record<string, FunctionSpec>;
