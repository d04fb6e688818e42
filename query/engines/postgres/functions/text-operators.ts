/** `has`, `contains`, `startswith` and their like: a cheap search for the letters, and then the exact rule. */

import { searchPattern } from '../../../plan/functions/regex/index.js';
import type { Expr } from '../../../plan/types.js';
import { plainText } from './comparisons.js';
import type { Argument, Sql, Template, TemplateCall } from './template.js';

type Rule = (text: string, wanted: Argument | string, call: TemplateCall) => string;

const wantedSql = (wanted: Argument | string, { parameter }: TemplateCall): string =>
  typeof wanted === 'string' ? parameter(wanted, 'text') : wanted.sql;

/** A text that is searched: as it is stored where only a text that is not empty can be found in it. */
function searched(value: Argument, wanted: readonly string[], part: 'WHOLE' | 'PART', call: TemplateCall): Sql {
  if (call.context !== 'FILTER' || wanted.length === 0) return value;
  const plain = wanted.map((each) => (each === '' ? undefined : plainText(value, each, part, call)));
  return plain.includes(undefined) ? value : { sql: plain[0]!, nullable: true };
}

const literalText = ({ literal }: Argument): string | undefined =>
  typeof literal?.value === 'string' ? literal.value : undefined;

/** A rule as an operator, and as the opposite operator. */
function operator(rule: Rule, part: 'WHOLE' | 'PART', isNegated = false): Template {
  return (call) => {
    const [value, wanted] = call.args as [Argument, Argument];
    const word = literalText(wanted);
    const text = isNegated || word === undefined ? value : searched(value, [word], part, call);
    const found = rule(text.sql, wanted, call);
    return { sql: isNegated ? `(NOT ${found})` : found, nullable: text.nullable || wanted.nullable };
  };
}

const contains =
  (fold: (sql: string) => string): Rule =>
  (text, wanted, call) =>
    `(strpos(${fold(text)}, ${fold(wantedSql(wanted, call))}) > 0)`;
const startsWith =
  (fold: (sql: string) => string): Rule =>
  (text, wanted, call) =>
    `starts_with(${fold(text)}, ${fold(wantedSql(wanted, call))})`;
const endsWith =
  (fold: (sql: string) => string): Rule =>
  (text, wanted, call) => {
    const end = fold(wantedSql(wanted, call));
    return `(right(${fold(text)}, length(${end})) = ${end})`;
  };

const lower = (sql: string): string => `lower(${sql})`;
const exact = (sql: string): string => sql;

interface TermRule {
  /** Whether the word's begin and end are those of a term. */
  begin: boolean;
  end: boolean;
  caseSensitive: boolean;
}

/**
 * The word as a regular expression whose ends, where they are letters or digits, are the ends of a term. Terms are runs of
 * ASCII letters and digits; a phrase is found where all of its terms are whole.
 */
function termPattern(word: string, { begin, end }: Omit<TermRule, 'caseSensitive'>): string {
  const quoted = word.replace(/[^A-Za-z0-9_\s\u0080-\u{10ffff}]/gu, '\\$&');
  const before = begin && /^[A-Za-z0-9]/.test(word) ? '(?<![A-Za-z0-9])' : '';
  const after = end && /[A-Za-z0-9]$/.test(word) ? '(?![A-Za-z0-9])' : '';
  return `${before}${quoted}${after}`;
}

const term = (rule: TermRule): Rule => {
  const fold = rule.caseSensitive ? exact : lower;
  const matches = rule.caseSensitive ? '~' : '~*';
  return (text, wanted, call) => {
    const word = typeof wanted === 'string' ? wanted : literalText(wanted);
    const prefilter = contains(fold)(text, wanted, call);
    const pattern =
      word === undefined
        ? `fn.term_pattern(${wantedSql(wanted, call)}, ${rule.begin}, ${rule.end})`
        : call.parameter(termPattern(word, rule), 'text');
    return `(${prefilter} AND ${text} ${matches} ${pattern})`;
  };
};

const hasRule = { begin: true, end: true, caseSensitive: false };

/** `has_any` and `has_all`: words one by one, or the elements of a dynamic. */
const several =
  (word: 'OR' | 'AND'): Template =>
  (call) => {
    const [value, ...rest] = call.args as [Argument, ...Argument[]];
    const words = wordsOf(rest.map(({ expr }) => expr));
    const has = term(hasRule);
    if (words !== undefined) {
      if (words.length === 0) return { sql: word === 'AND' ? 'true' : 'false', nullable: false };
      const text = searched(value, words, 'PART', call);
      if (word === 'AND' || words.length <= 4) {
        return {
          sql: `(${words.map((each) => has(text.sql, each, call)).join(` ${word} `)})`,
          nullable: text.nullable,
        };
      }
      return { sql: anyOfMany(text.sql, words, call), nullable: text.nullable };
    }
    const parts = rest.map((arg) =>
      arg.type === 'dynamic'
        ? `fn.has_${word === 'OR' ? 'any' : 'all'}(${value.sql}, ${arg.sql})`
        : has(value.sql, arg, call),
    );
    return `(${parts.join(` ${word} `)})`;
  };

/** As many words in one regular expression as PostgreSQL compiles quickly. */
const wordsPerPattern = 100;

function anyOfMany(text: string, words: string[], { parameter }: TemplateCall): string {
  const patterns: string[] = [];
  for (let i = 0; i < words.length; i += wordsPerPattern) {
    const chunk = words.slice(i, i + wordsPerPattern).map((each) => termPattern(each, hasRule));
    patterns.push(`${text} ~* ${parameter(chunk.join('|'), 'text')}`);
  }
  return `(${patterns.join(' OR ')})`;
}

/** The words, where all are literals; the elements of a dynamic array count each. */
function wordsOf(exprs: readonly Expr[]): string[] | undefined {
  const words: string[] = [];
  for (const expr of exprs) {
    if (expr.kind !== 'literal') return undefined;
    const elements = Array.isArray(expr.value) ? expr.value : [expr.value];
    words.push(
      ...elements.map((each) => (typeof each === 'string' ? each : each === null ? '' : JSON.stringify(each))),
    );
  }
  return words;
}

/** A regular expression of RE2, said in PostgreSQL's. */
const matchesRegex: Template = (call) => {
  const [value, pattern] = call.args as [Argument, Argument];
  const { literal } = pattern;
  if (literal === undefined || literal.value === null) return { sql: 'NULL::boolean', nullable: true };
  return `(${value.sql} ~ ${call.parameter(searchPattern(String(literal.value)), 'text')})`;
};

const ignoringCase =
  (sign: '=' | '<>'): Template =>
  (call) => {
    const [value, wanted] = call.args as [Argument, Argument];
    const word = literalText(wanted);
    const text = sign === '<>' || word === undefined ? value : searched(value, [word], 'WHOLE', call);
    return { sql: `(lower(${text.sql}) ${sign} lower(${wanted.sql}))`, nullable: text.nullable || wanted.nullable };
  };

const terms = (begin: boolean, end: boolean, caseSensitive: boolean): Rule => term({ begin, end, caseSensitive });
const both = <N extends string>(name: N, rule: Rule) =>
  ({ [name]: operator(rule, 'PART'), [`!${name}`]: operator(rule, 'PART', true) }) as Record<N | `!${N}`, Template>;

export const textOperatorTemplates = {
  '=~': ignoringCase('='),
  '!~': ignoringCase('<>'),
  ...both('has', terms(true, true, false)),
  ...both('has_cs', terms(true, true, true)),
  ...both('hasprefix', terms(true, false, false)),
  ...both('hasprefix_cs', terms(true, false, true)),
  ...both('hassuffix', terms(false, true, false)),
  ...both('hassuffix_cs', terms(false, true, true)),
  ...both('contains', contains(lower)),
  ...both('contains_cs', contains(exact)),
  ...both('startswith', startsWith(lower)),
  ...both('startswith_cs', startsWith(exact)),
  ...both('endswith', endsWith(lower)),
  ...both('endswith_cs', endsWith(exact)),
  'matches regex': matchesRegex,
  has_any: several('OR'),
  has_all: several('AND'),
} satisfies Record<string, Template>;
