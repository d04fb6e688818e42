/** What predicates are put together from, and what clauses have in common. */
import { literal } from '../../plan/build.js';
import { call } from '../../plan/functions/index.js';
import type { Expr } from '../../plan/types.js';
import type { Json } from './json.js';

export const always = literal('bool', true);
export const never = literal('bool', false);

export const all = (terms: Expr[]): Expr => combine('and', terms, always);
export const any = (terms: Expr[]): Expr => combine('or', terms, never);
/** Events for which a clause is neither true nor false, having no such field, are among those that do not match. */
export const none = (term: Expr): Expr => call('not', [call('sql_coalesce', [term, never])]);

const combine = (fn: 'and' | 'or', terms: Expr[], empty: Expr): Expr =>
  terms.length === 0 ? empty : terms.length === 1 ? terms[0]! : call(fn, terms);

/** A part that a clause cannot do without. */
export function required(value: Json | undefined, name: string, of: Json): Json {
  return value ?? of.fail(`"${of.name}" needs "${name}".`);
}

/** `message^2` weighs a field, which changes only scores. */
export const withoutBoost = (name: Json): string => name.string().replace(/\^[\d.]+$/, '');
