/** How words are looked for in a text. */
import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';

/** The words of a text: runs of letters and digits. */
export const wordsOf = (text: string): string[] => text.match(/[\p{L}\p{N}]+/gu) ?? [];

/** That a text has one of the words; `empty` where there are none. */
export function anyWord(value: Expr, text: string, empty: Expr): Expr {
  const words = wordsOf(text);
  if (words.length === 0) return empty;
  if (words.length === 1) return hasWord(value, words[0]!);
  return call('has_any', [value, ...words.map((word) => literal('string', word))]);
}

/** That a text has all of the words; `empty` where there are none. */
export function allWords(value: Expr, text: string, empty: Expr): Expr {
  const words = wordsOf(text);
  if (words.length === 0) return empty;
  return words.length === 1
    ? hasWord(value, words[0]!)
    : call(
        'and',
        words.map((word) => hasWord(value, word)),
      );
}

/** That a text has the words one after the other, with nothing but other characters between them. */
export function phrase(value: Expr, text: string, empty: Expr): Expr {
  const words = wordsOf(text);
  if (words.length < 2) return anyWord(value, text, empty);
  const other = '[^A-Za-z0-9]';
  const pattern = `(?i)(^|${other})${words.join(`${other}+`)}($|${other})`;
  // Each word alone is quickly looked for; the order of all of them is not.
  return call('and', [
    ...words.map((word) => hasWord(value, word)),
    call('matches regex', [value, literal('string', pattern)]),
  ]);
}

/** That a text begins so. */
export const startsWith = (value: Expr, text: string, ignoreCase: boolean): Expr =>
  call(ignoreCase ? 'startswith' : 'startswith_cs', [value, literal('string', text)]);

/** That a word of a text begins so. */
export const hasWordPrefix = (value: Expr, text: string): Expr => call('hasprefix', [value, literal('string', text)]);

const hasWord = (value: Expr, word: string): Expr => call('has', [value, literal('string', word)]);
