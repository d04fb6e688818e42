/** Cuts a LINQ text into tokens. */
import { fail } from '../../../platform/errors.js';
import type { SourceText } from '../../source-text.js';
import { isText, notTextMessage, refuseNonText } from '../characters.js';
import type { Span } from './syntax.js';

export type Token = Span &
  (
    | { kind: 'word'; text: string }
    /** A name in backticks: never a keyword. */
    | { kind: 'quoted'; text: string }
    | { kind: 'string'; value: string }
    | { kind: 'number'; digits: string }
    | { kind: 'period'; microseconds: bigint }
    | { kind: 'address'; text: string }
    | { kind: 'network'; text: string }
    | { kind: 'sign'; text: string }
    | { kind: 'end' }
  );

/** One MB of ASCII; the language is cut in one pass, so this much takes some tens of milliseconds. */
const maxTextLength = 1_048_576;

const blanks = /(?:[\s\u200b]+|\/\/[^\n]*)+/y;
const word = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const address = /\d{1,3}(?:\.\d{1,3}){3}(\/\d{1,2})?(?![\w.])/y;
const period = /(\d+)(ms|[smhd])(?![\w.])/y;
const number = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w])/y;
const figures = /\d[\w.]*/y;
// The longest first.
const sign = /->>|->|<-|<=|>=|!=|\/=|<>|==|%%|\?:|[=<>~+\-*/\\%(),{}[\].:]/y;
const tableName = /[\p{L}\p{N}_.*-]+/uy;

const microsecondsOf: Record<string, bigint> = {
  ms: 1_000n,
  s: 1_000_000n,
  m: 60_000_000n,
  h: 3_600_000_000n,
  d: 86_400_000_000n,
};

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'", '/': '/' };

export class Lexer {
  #at = 0;

  constructor(readonly source: SourceText) {
    const { length } = source.text;
    if (length > maxTextLength) {
      const figures = `${length.toLocaleString('en')} characters, at most ${maxTextLength.toLocaleString('en')}`;
      fail('QUERY_NOT_SUPPORTED', `The query is too long: ${figures} are read.`, {
        argument: 'query',
        ...source.position(0),
      });
    }
    refuseNonText(source);
  }

  next(): Token {
    this.#match(blanks);
    const start = this.#at;
    const { text } = this.source;
    const first = text[start];
    if (first === undefined) return { kind: 'end', start, end: start };
    if (first === '"' || first === "'") return { kind: 'string', value: this.#string(first), start, end: this.#at };
    if (first === '`') return { kind: 'quoted', text: this.#backticks(), start, end: this.#at };
    const token = this.#plain(start);
    if (token !== undefined) return token;
    const figure = this.#match(figures);
    if (figure !== undefined) {
      this.fail(start, `"${figure[0].slice(0, 40)}" is neither a number nor a period, such as 30s, 5m, 1h or 1d.`);
    }
    this.fail(
      start,
      `The character ${JSON.stringify(String.fromCodePoint(text.codePointAt(start)!))} has no meaning here.`,
    );
  }

  /** A table's name, in which `-` and `*` are letters like others. */
  table(): Token {
    this.#match(blanks);
    const start = this.#at;
    let name = '';
    for (;;) {
      if (this.source.text[this.#at] === '`') name += this.#backticks();
      const part = this.#match(tableName);
      if (part !== undefined) name += part[0];
      else if (this.source.text[this.#at] !== '`') break;
    }
    return name === '' ? this.next() : { kind: 'quoted', text: name, start, end: this.#at };
  }

  fail(index: number, message: string): never {
    fail('QUERY_SYNTAX', message, { argument: 'query', ...this.source.position(index) });
  }

  #plain(start: number): Token | undefined {
    let match = this.#match(word);
    if (match !== undefined) return { kind: 'word', text: match[0], start, end: this.#at };
    match = this.#match(address);
    if (match !== undefined) {
      return { kind: match[1] === undefined ? 'address' : 'network', text: match[0], start, end: this.#at };
    }
    match = this.#match(period);
    if (match !== undefined) {
      const microseconds = BigInt(match[1]!) * microsecondsOf[match[2]!]!;
      return { kind: 'period', microseconds, start, end: this.#at };
    }
    match = this.#match(number);
    if (match !== undefined) return { kind: 'number', digits: match[0], start, end: this.#at };
    match = this.#match(sign);
    return match === undefined ? undefined : { kind: 'sign', text: match[0], start, end: this.#at };
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.source.text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }

  /** In double quotes a backslash starts an escape; in single quotes it is a character, and '' is a quote. */
  #string(quote: string): string {
    const { text } = this.source;
    const start = this.#at++;
    let value = '';
    for (;;) {
      const from = this.#at;
      while (this.#at < text.length && text[this.#at] !== quote && (text[this.#at] !== '\\' || quote === "'"))
        this.#at++;
      value += text.slice(from, this.#at);
      if (this.#at >= text.length) this.fail(start, `The text that starts here has no closing ${quote}.`);
      if (text[this.#at++] === '\\') value += this.#escape();
      else if (quote === "'" && text[this.#at] === "'") value += text[this.#at++];
      else break;
    }
    if (!isText(value)) this.fail(start, notTextMessage);
    return value;
  }

  #escape(): string {
    const { text } = this.source;
    const letter = text[this.#at++] ?? '';
    const hex = letter === 'u' ? /^[0-9a-fA-F]{4}/.exec(text.slice(this.#at, this.#at + 4))?.[0] : undefined;
    if (hex !== undefined) {
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const plain = Object.hasOwn(escapes, letter) ? escapes[letter] : undefined;
    if (plain !== undefined) return plain;
    this.fail(this.#at - 2, `"\\${letter}" is no escape. Write a backslash twice, or the text in single quotes.`);
  }

  #backticks(): string {
    const start = this.#at;
    const close = this.source.text.indexOf('`', start + 1);
    if (close === -1) this.fail(start, 'The name that starts here has no closing `.');
    if (close === start + 1) this.fail(start, 'A name in backticks is not empty.');
    this.#at = close + 1;
    return this.source.text.slice(start + 1, close);
  }
}
