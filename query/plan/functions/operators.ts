/** Operators, under the names that KQL spells them with, and SQL's strict ones beside them. */
import type { Expr } from '../types.js';
import { patternProblem } from './regex/index.js';
import type { FunctionSpec } from './signatures.js';
import { spec } from './spec.js';

const strings = 'datatypes-string-operators';
const numbers = 'numerical-operators';
const times = 'datetime-timespan-arithmetic';
const logic = 'logical-operators';
const sqlLogic = 'https://www.postgresql.org/docs/18/functions-logical.html';
const nulls = 'scalar-data-types/null-values';

/** Kusto compares a dynamic by its value: as the text, number, moment, ... that the other side is. */
const comparable = [
  'O, O -> bool',
  'dynamic, long|real|decimal -> bool',
  'long|real|decimal, dynamic -> bool',
] as const;
const equatable = [...comparable, 'dynamic, dynamic -> bool', 'bool, long -> bool', 'long, bool -> bool'] as const;

const equality = (description: string): FunctionSpec => spec(nulls, description, ...equatable);
const order = (description: string): FunctionSpec =>
  spec(nulls, `${description} Null where a side is null.`, ...comparable);
const text = (description: string): FunctionSpec => spec(strings, description, 'string, string -> bool');
const numeric: readonly string[] = ['long', 'real', 'decimal'];
/** Elements are compared by `==`, so each must be of a type that the value can be compared with. */
const comparableElements: NonNullable<FunctionSpec['check']> = ([value, ...others]) => {
  const type = value!.type;
  const misfit = others.findIndex(
    (other) =>
      other.type !== type &&
      other.type !== 'dynamic' &&
      type !== 'dynamic' &&
      !(numeric.includes(type) && numeric.includes(other.type)) &&
      !(other.kind === 'literal' && other.value === null),
  );
  if (misfit === -1) return undefined;
  return { argument: misfit + 1, message: `A ${type} cannot be among values of type ${others[misfit]!.type}.` };
};
const membership = (description: string, source = 'in-cs-operator'): FunctionSpec => ({
  ...spec(source, description, 'O, any... -> bool', 'dynamic, any... -> bool'),
  check: comparableElements,
});
const range = (description: string): FunctionSpec =>
  spec(
    'between-operator',
    `${description} Null where a value is null.`,
    'O, O, O -> bool',
    'datetime, datetime, timespan -> bool',
  );

export const operators = {
  and: spec(
    logic,
    'Whether all are true. A null counts as false, so the result is never null.',
    'bool, bool, bool... -> bool',
  ),
  or: spec(
    logic,
    'Whether one is true. A null counts as false, so the result is never null.',
    'bool, bool, bool... -> bool',
  ),
  sql_and: spec(sqlLogic, 'SQL’s AND: null where that hangs on a null.', 'bool, bool, bool... -> bool'),
  sql_or: spec(sqlLogic, 'SQL’s OR: null where that hangs on a null.', 'bool, bool, bool... -> bool'),
  not: spec('not-function', 'The opposite; null stays null.', 'bool -> bool'),
  neg: spec(
    numbers,
    'The number or timespan with its other sign. An error where a long has none.',
    'N -> N',
    'timespan -> timespan',
  ),
  '+': spec(
    numbers,
    'The sum. A long that overflows is an error; a datetime out of range is null.',
    'N, N -> N',
    'datetime, timespan -> datetime',
    'timespan, datetime -> datetime',
    'timespan, timespan -> timespan',
  ),
  '-': spec(
    times,
    'The difference. A long that overflows is an error; a datetime out of range is null.',
    'N, N -> N',
    'datetime, datetime -> timespan',
    'datetime, timespan -> datetime',
    'timespan, timespan -> timespan',
  ),
  '*': spec(
    numbers,
    'The product. A long that overflows is an error.',
    'N, N -> N',
    'timespan, long|real -> timespan',
    'long|real, timespan -> timespan',
  ),
  '/': spec(
    numbers,
    'The quotient: of longs a long, cut off towards zero, and null by zero; of reals by IEEE 754.',
    'N, N -> N',
    'timespan, timespan -> real',
    'timespan, long|real -> timespan',
  ),
  '%': spec(
    numbers,
    'What division leaves: of longs never negative, null by zero.',
    'N, N -> N',
    'timespan, timespan -> timespan',
  ),

  '==': equality('Whether both are the same value: false where one is null, null where both are.'),
  '!=': equality('Whether the values differ: true where one is null, null where both are.'),
  '<': order('Whether the left value comes before the right one.'),
  '<=': order('Whether the left value comes before the right one or is the same.'),
  '>': order('Whether the left value comes after the right one.'),
  '>=': order('Whether the left value comes after the right one or is the same.'),
  '=': spec(
    'https://www.postgresql.org/docs/18/functions-comparison.html',
    'SQL’s equality: null where a side is null.',
    ...equatable,
  ),
  '<>': spec(
    'https://www.postgresql.org/docs/18/functions-comparison.html',
    'SQL’s inequality: null where a side is null.',
    ...equatable,
  ),
  '=~': text('Whether both are the same text, upper and lower case alike.'),
  '!~': text('Whether the texts differ in more than upper and lower case.'),

  has: text('Whether the text holds the word or phrase as whole terms, upper and lower case alike.'),
  '!has': text('Whether `has` is not so.'),
  has_cs: text('As `has`, upper and lower case apart.'),
  '!has_cs': text('Whether `has_cs` is not so.'),
  hasprefix: text('Whether a term of the text begins so, upper and lower case alike.'),
  '!hasprefix': text('Whether `hasprefix` is not so.'),
  hasprefix_cs: text('As `hasprefix`, upper and lower case apart.'),
  '!hasprefix_cs': text('Whether `hasprefix_cs` is not so.'),
  hassuffix: text('Whether a term of the text ends so, upper and lower case alike.'),
  '!hassuffix': text('Whether `hassuffix` is not so.'),
  hassuffix_cs: text('As `hassuffix`, upper and lower case apart.'),
  '!hassuffix_cs': text('Whether `hassuffix_cs` is not so.'),
  contains: text('Whether the text holds the other one anywhere, upper and lower case alike.'),
  '!contains': text('Whether `contains` is not so.'),
  contains_cs: text('As `contains`, upper and lower case apart.'),
  '!contains_cs': text('Whether `contains_cs` is not so.'),
  startswith: text('Whether the text begins with the other one, upper and lower case alike.'),
  '!startswith': text('Whether `startswith` is not so.'),
  startswith_cs: text('As `startswith`, upper and lower case apart.'),
  '!startswith_cs': text('Whether `startswith_cs` is not so.'),
  endswith: text('Whether the text ends with the other one, upper and lower case alike.'),
  '!endswith': text('Whether `endswith` is not so.'),
  endswith_cs: text('As `endswith`, upper and lower case apart.'),
  '!endswith_cs': text('Whether `endswith_cs` is not so.'),
  'matches regex': {
    ...spec(
      're2',
      'Whether the regular expression, which is a literal, matches a part of the text.',
      'string, string! -> bool',
    ),
    check: ([, pattern]: readonly Expr[]) => {
      const text = pattern?.kind === 'literal' && pattern.value !== null ? String(pattern.value) : '';
      const message = patternProblem(text, 'SEARCH');
      return message === undefined ? undefined : { argument: 1, message };
    },
  },
  has_any: spec('has-anyoperator', 'Whether the text has one of the words.', 'string, string|dynamic... -> bool'),
  has_all: spec('has-all-operator', 'Whether the text has all of the words.', 'string, string|dynamic... -> bool'),

  in: membership('Whether the value is one of the others; false for null. Elements of a dynamic array count each.'),
  '!in': membership('Whether `in` is not so.'),
  'in~': spec(
    'in-operator',
    'Whether the text is one of the others, upper and lower case alike.',
    'string, string|dynamic... -> bool',
  ),
  '!in~': spec('in-operator', 'Whether `in~` is not so.', 'string, string|dynamic... -> bool'),
  sql_in: membership(
    'SQL’s IN: null where the value is null, or is not found among others of which one is null.',
    'https://www.postgresql.org/docs/18/functions-comparisons.html',
  ),
  between: range('Whether the value lies between the two others or is one of them; a timespan is a distance.'),
  '!between': range('Whether `between` is not so.'),
  path: spec(
    'scalar-data-types/dynamic',
    'The value under a name (string) or number (long, from 0; negative from the end) step by step; null where there is none.',
    'dynamic, string|long... -> dynamic',
  ),
} satisfies Record<string, FunctionSpec>;
