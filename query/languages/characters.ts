/** What a text, a string or a name in it may be made of, whatever its language. */
import { fail } from '../../platform/errors.js';
import type { SourceText } from '../source-text.js';

/** No stored text has them, and UTF-8 would make another character of half of a pair: a query for one would find others. */
const notText = /\0|\p{Surrogate}/u;

export const notTextMessage = 'The query holds a character that is not text (NUL, or half of a surrogate pair).';

export const isText = (value: string): boolean => !notText.test(value);

/** @throws QUERY_SYNTAX with the place of the first character that is not text */
export function refuseNonText(source: SourceText): void {
  const at = source.text.search(notText);
  if (at !== -1) fail('QUERY_SYNTAX', notTextMessage, { argument: 'query', ...source.position(at) });
}
