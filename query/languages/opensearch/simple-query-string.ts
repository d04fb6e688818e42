/**
 * The small language of `simple_query_string`: words, "phrases", prefix*, + and |, - before what must not be there, and
 * parentheses. What is not understood is text, as in OpenSearch: nothing here is a syntax error.
 * https://docs.opensearch.org/latest/query-dsl/full-text/simple-query-string/
 */
import type { Expr } from '../../plan/types.js';
import { asText, type Field, type Fields } from './fields.js';
import type { Json } from './json.js';
import { all, any, never, none, required, withoutBoost } from './predicates.js';
import { allWords, anyWord, phrase, wordsOf } from './text.js';

interface Token {
  kind: 'WORD' | 'PHRASE' | 'PREFIX' | '+' | '|' | '-' | '(' | ')';
  text: string;
}

const maxNesting = 20;
/** OpenSearch's own bound. */
const maxTerms = 1_024;

export function simpleQueryString(value: Json, fields: Fields): Expr {
  const options = value.fields('query', 'fields', 'default_operator', 'lenient', 'analyze_wildcard', 'flags', 'boost');
  if (options.flags !== undefined && options.flags.string().toUpperCase() !== 'ALL') {
    options.flags.fail('All operators are understood; leave "flags" out.', 'QUERY_NOT_SUPPORTED');
  }
  const names = options.fields?.items() ?? [];
  const searched =
    names.length === 0 ? fields.texts : names.flatMap((name) => fields.matching(withoutBoost(name), name));
  const isAnd = options.default_operator?.string().toLowerCase() === 'and';
  const query = required(options.query, 'query', value);
  const found = tokens(query);
  if (found.length > maxTerms) {
    query.fail(`The text has more than ${maxTerms.toLocaleString('en')} words and signs.`, 'QUERY_NOT_SUPPORTED');
  }
  const words = new Words(found, searched, isAnd, query);
  return words.expression(0) ?? never;
}

function tokens(query: Json): Token[] {
  const found: Token[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)"(~\d+)?|([+|()])|(-)(?=\S)|((?:[^\s"+|()\\]|\\.)+)/gs;
  for (const [, quoted, slop, symbol, minus, word] of query.string().matchAll(pattern)) {
    if ((slop !== undefined && slop !== '~0') || (word !== undefined && /[^\\]~[1-9]?\d*$/.test(word))) {
      query.fail(
        'Words and phrases that are nearly the same, as after "~", are not looked for.',
        'QUERY_NOT_SUPPORTED',
      );
    }
    if (quoted !== undefined) found.push({ kind: 'PHRASE', text: withoutEscapes(quoted) });
    else if (symbol !== undefined) found.push({ kind: symbol as Token['kind'], text: symbol });
    else if (minus !== undefined) found.push({ kind: '-', text: minus });
    else if (word !== undefined) {
      const isPrefix = word.endsWith('*') && !word.endsWith('\\*');
      const plain = withoutEscapes(isPrefix ? word.slice(0, -1) : word);
      found.push({ kind: isPrefix ? 'PREFIX' : 'WORD', text: plain });
    }
  }
  return found;
}

const withoutEscapes = (text: string): string => text.replace(/\\(.)/gs, '$1');

class Words {
  #at = 0;

  constructor(
    readonly tokens: Token[],
    readonly fields: Field[],
    readonly isAnd: boolean,
    readonly source: Json,
  ) {}

  /** Terms up to the end or a closing parenthesis; undefined where there are none. */
  expression(depth: number): Expr | undefined {
    if (depth > maxNesting)
      this.source.fail(`Parentheses are nested more than ${maxNesting} deep.`, 'QUERY_NOT_SUPPORTED');
    let result: Expr | undefined;
    let operator: '+' | '|' | undefined;
    while (this.#at < this.tokens.length) {
      const { kind } = this.tokens[this.#at]!;
      if (kind === ')') {
        if (depth > 0) break;
        this.#at++;
        continue;
      }
      if (kind === '+' || kind === '|') {
        operator = kind;
        this.#at++;
        continue;
      }
      const term = this.#term(depth);
      if (term === undefined) continue;
      const joined = operator ?? (this.isAnd ? '+' : '|');
      result = result === undefined ? term : joined === '+' ? all([result, term]) : any([result, term]);
      operator = undefined;
    }
    return result;
  }

  #term(depth: number): Expr | undefined {
    const token = this.tokens[this.#at++];
    if (token === undefined) return undefined;
    if (token.kind === '-') {
      const term = this.#term(depth);
      return term === undefined ? undefined : none(term);
    }
    if (token.kind === '(') {
      const inner = this.expression(depth + 1);
      if (this.tokens[this.#at]?.kind === ')') this.#at++;
      return inner;
    }
    if (wordsOf(token.text).length === 0) return undefined;
    return any(this.fields.map((field) => this.#inField(asText(field), token)));
  }

  #inField(value: Expr, { kind, text }: Token): Expr {
    if (kind === 'WORD') return (this.isAnd ? allWords : anyWord)(value, text, never);
    return phrase(value, text, never, { open: kind === 'PREFIX' });
  }
}
