/**
 * How words are looked for in a text. A word is a run of ASCII letters and digits and of other characters that are neither
 * punctuation nor symbols; upper and lower case are alike.
 */
import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';
import { never } from './predicates.js';

/** What stands between words, as the inside of a class of a regular expression. */
const between =
  '\\x{0}-/:-@[-`{-\\x{a9}\\x{ab}-\\x{b1}\\x{b4}\\x{b6}-\\x{b8}\\x{bb}\\x{bf}\\x{d7}\\x{f7}\\x{60c}\\x{61b}\\x{61f}\\x{6d4}\\x{964}\\x{965}\\x{2000}-\\x{206f}\\x{20a0}-\\x{20cf}\\x{2190}-\\x{245f}\\x{2500}-\\x{2bff}\\x{3000}-\\x{3004}\\x{3008}-\\x{3020}\\x{3030}\\x{303d}-\\x{303f}\\x{fe10}-\\x{fe1f}\\x{fe30}-\\x{fe6f}\\x{ff00}-\\x{ff0f}\\x{ff1a}-\\x{ff20}\\x{ff3b}-\\x{ff40}\\x{ff5b}-\\x{ff65}\\x{1f000}-\\x{1faff}';
const separators = new RegExp(`[${between.replaceAll('\\x{', '\\u{')}]+`, 'u');

/** The words of a text. */
export const wordsOf = (text: string): string[] => text.split(separators).filter((word) => word !== '');

/** That a text has one of the words; `empty` where there are none. */
export function anyWord(value: Expr, text: string, empty: Expr): Expr {
  const words = wordsOf(text);
  if (words.length === 0) return empty;
  return call('and', [
    words.length === 1
      ? has(value, words[0]!)
      : call('has_any', [value, ...words.map((word) => literal('string', word))]),
    matches(value, `(?i:${words.join('|')})`),
  ]);
}

/** That a text has all of the words; `empty` where there are none. */
export function allWords(value: Expr, text: string, empty: Expr): Expr {
  const words = wordsOf(text).map((word) => anyWord(value, word, never));
  return words.length === 0 ? empty : words.length === 1 ? words[0]! : call('and', words);
}

/**
 * That a text has the words one after the other, with nothing but what is between words between them; `empty` where there
 * are none. Of the last one, the beginning is enough where it is `open`.
 */
export function phrase(value: Expr, text: string, empty: Expr, { open = false } = {}): Expr {
  const words = wordsOf(text);
  if (words.length === 0) return empty;
  // Each word alone is quickly looked for; the order of all of them is not.
  const quickly = words.map((word, index) =>
    open && index === words.length - 1 ? call('hasprefix', [value, literal('string', word)]) : has(value, word),
  );
  return call('and', [...quickly, matches(value, words.map((word) => `(?i:${word})`).join(`[${between}]+`), { open })]);
}

/** That a text begins so. */
export const startsWith = (value: Expr, text: string, ignoreCase: boolean): Expr =>
  call(ignoreCase ? 'startswith' : 'startswith_cs', [value, literal('string', text)]);

/** KQL's `has` takes what is beyond ASCII for the end of a word: it finds all that is to be found, and more. */
const has = (value: Expr, word: string): Expr => call('has', [value, literal('string', word)]);

const matches = (value: Expr, words: string, { open = false } = {}): Expr =>
  call('matches regex', [value, literal('string', `(?:^|[${between}])${words}${open ? '' : `(?:$|[${between}])`}`)]);
