/**
 * Reads a LINQ text. Keywords are in lower case, as Devo writes them; what its documentation says of the forms is
 * kept: clauses come in any number and order after `from`, a comma between conditions is `and`, comparisons may be
 * chained (`a <= eventdate < b`).
 */
import { fail } from '../../../platform/errors.js';
import type { SourceText } from '../../source-text.js';
import { didYouMean } from '../../suggest.js';
import { Lexer, type Token } from './lexer.js';
import type { BinaryOperator, Clause, LinqQuery, Named, Node, Period } from './syntax.js';

/** Deeper expressions are refused. Long chains make deep trees without depth here: the translator bounds those. */
const maxDepth = 200;
/** Each clause is a step of the plan. */
const maxClauses = 500;

const clauseWords = ['where', 'select', 'group', 'every', 'limit', 'pragma'];
const reserved = new Set([...clauseWords, 'from', 'by', 'as', 'and', 'or', 'not', 'in', 'true', 'false', 'null']);

const comparisons: Record<string, BinaryOperator> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '/=': '!=',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
  '->': '->',
  '->>': '->>',
  '<-': '<-',
  '~': '~',
};
const ordering = new Set<BinaryOperator>(['=', '<', '<=', '>', '>=']);

/** Operators of equal rank, from the loosest to the tightest, below the comparisons. */
const arithmetic: BinaryOperator[][] = [['?:'], ['+', '-'], ['*', '/', '\\', '%', '%%']];

export function parseLinq(source: SourceText): LinqQuery {
  return new Parser(new Lexer(source)).query();
}

class Parser {
  #token: Token;
  /** Where the token before the one in hand ended. */
  #lastEnd = 0;
  #depth = 0;

  constructor(readonly lexer: Lexer) {
    this.#token = lexer.next();
  }

  query(): LinqQuery {
    if (this.#token.kind === 'end') this.lexer.fail(0, 'The query is empty. Write: from <dataset> ...');
    if (!this.#isWord('from')) this.#unexpected('A query begins with "from <dataset>"');
    const token = this.lexer.table();
    if (token.kind !== 'quoted') this.lexer.fail(token.start, 'Here stands the name of a dataset.');
    const table = { name: token.text, start: token.start, end: token.end };
    this.#lastEnd = token.end;
    this.#token = this.lexer.next();
    const clauses: Clause[] = [];
    while (this.#token.kind !== 'end') {
      if (clauses.length === maxClauses) this.#tooMuch(`The query has more than ${maxClauses} clauses. Use fewer.`);
      this.#clause(clauses);
    }
    return { table, clauses };
  }

  #clause(clauses: Clause[]): void {
    const { start } = this.#token;
    const done = (): { start: number; end: number } => ({ start, end: this.#lastEnd });
    if (this.#takeWord('where')) {
      const conditions = this.#list(() => this.#expression());
      clauses.push({ kind: 'where', conditions, ...done() });
    } else if (this.#takeWord('select')) {
      const items = this.#list(() => (this.#takeSign('*') ? ('*' as const) : this.#named()));
      clauses.push({ kind: 'select', items, ...done() });
    } else if (this.#takeWord('group')) {
      const server = this.#takeWord('every') ? this.#period() : undefined;
      const keys = this.#takeWord('by') ? this.#list(() => this.#named()) : [];
      clauses.push({ kind: 'group', ...(server === undefined ? {} : { server }), keys, ...done() });
    } else if (this.#takeWord('every')) {
      this.#clientPeriod(clauses, start);
    } else if (this.#takeWord('limit')) {
      clauses.push({ kind: 'limit', count: this.#count(), ...done() });
    } else if (this.#takeWord('pragma')) {
      clauses.push({ ...this.#pragma(), ...done() });
    } else {
      const word = this.#token.kind === 'word' ? this.#token.text : '';
      const hint = didYouMean(word, clauseWords);
      this.#unexpected(`Here stands a clause (${clauseWords.join(', ')}) or the query’s end`, hint);
    }
  }

  /** An `every` of its own belongs to the group before it, wherever between them other clauses stand. */
  #clientPeriod(clauses: Clause[], start: number): void {
    const period = this.#period();
    const group = clauses.findLast((clause) => clause.kind === 'group');
    if (group === undefined) this.lexer.fail(start, '"every" follows a "group".');
    if (group.client !== undefined) this.lexer.fail(start, 'The group has a client period already.');
    if (period !== undefined) group.client = period;
  }

  /** `-` and 0 are no period. */
  #period(): Period | undefined {
    const token = this.#token;
    if (this.#takeSign('-')) return undefined;
    if (token.kind === 'number' && token.digits === '0') {
      this.#advance();
      return undefined;
    }
    if (token.kind !== 'period') this.#unexpected('Here stands a period, such as 30s, 5m, 1h, 1d, or -');
    this.#advance();
    const { microseconds, start, end } = token;
    if (microseconds === 0n) this.lexer.fail(start, 'A period is longer than nothing.');
    if (microseconds > maxMicroseconds) this.lexer.fail(start, 'The period is longer than time itself.');
    return { microseconds, start, end };
  }

  #count(): number {
    const token = this.#token;
    if (token.kind !== 'number' || !/^\d{1,15}$/.test(token.digits)) this.#unexpected('Here stands a whole number');
    this.#advance();
    return Number(token.digits);
  }

  #pragma(): { kind: 'pragma'; name: string; value: string } {
    let name = this.#name();
    while (this.#takeSign('.')) name += `.${this.#name()}`;
    if (!this.#takeSign(':')) return { kind: 'pragma', name, value: '' };
    const token = this.#token;
    this.#advance();
    if (token.kind === 'string') return { kind: 'pragma', name, value: token.value };
    if (token.kind === 'end' || token.kind === 'sign') {
      this.lexer.fail(token.start, 'Here stands the value of the pragma, such as a text in quotes.');
    }
    return { kind: 'pragma', name, value: this.lexer.source.text.slice(token.start, token.end) };
  }

  #named(): Named {
    const { start } = this.#token;
    const value = this.#expression();
    const end = this.#lastEnd;
    if (!this.#takeWord('as')) return { value, start, end };
    // Devo's own examples name a column with a text in quotes too.
    const token = this.#token;
    if (token.kind !== 'string' || token.value === '') return { value, name: this.#name(), start, end: this.#lastEnd };
    this.#advance();
    return { value, name: token.value, start, end: this.#lastEnd };
  }

  // ---------------------------------------------------------------- expressions

  #expression(): Node {
    return this.#deeper(() => this.#logical('or', () => this.#logical('and', () => this.#negation())));
  }

  #logical(operator: 'and' | 'or', operand: () => Node): Node {
    const first = operand();
    if (!this.#isWord(operator)) return first;
    const operands = [first];
    while (this.#takeWord(operator)) operands.push(operand());
    return { kind: 'logical', operator, operands, start: first.start, end: this.#lastEnd };
  }

  #negation(): Node {
    const { start } = this.#token;
    if (!this.#takeWord('not')) return this.#comparison();
    const operand = this.#deeper(() => this.#negation());
    return { kind: 'unary', operator: 'not', operand, start, end: this.#lastEnd };
  }

  #comparison(): Node {
    const first = this.#binary(0);
    const { start } = first;
    const links: { operator: BinaryOperator; value: Node }[] = [];
    for (;;) {
      const isNegated = this.#isWord('not');
      if (isNegated || this.#isWord('in')) {
        if (links.length > 0) this.#unexpected('"in" cannot be chained with other comparisons');
        return this.#membership(first, isNegated);
      }
      const operator = this.#token.kind === 'sign' ? comparisons[this.#token.text] : undefined;
      if (operator === undefined) break;
      this.#advance();
      links.push({ operator, value: this.#binary(0) });
    }
    const [link] = links;
    if (link === undefined) return first;
    const end = this.#lastEnd;
    if (links.length === 1)
      return { kind: 'binary', operator: link.operator, left: first, right: link.value, start, end };
    const wrong = links.find(({ operator }) => !ordering.has(operator));
    if (wrong !== undefined) {
      this.lexer.fail(wrong.value.start, `"${wrong.operator}" cannot be chained with other comparisons.`);
    }
    return { kind: 'chain', first, links, start, end };
  }

  #membership(left: Node, isNegated: boolean): Node {
    const { start } = left;
    if (isNegated) this.#advance();
    if (!this.#takeWord('in')) this.#unexpected('After this "not" stands "in"');
    const right = this.#isSign('(') ? this.#listOf('(', ')') : this.#binary(0);
    const node: Node = { kind: 'binary', operator: 'in', left, right, start, end: this.#lastEnd };
    return isNegated ? { kind: 'unary', operator: 'not', operand: node, start, end: this.#lastEnd } : node;
  }

  #binary(rank: number): Node {
    const operators = arithmetic[rank];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(rank + 1);
    for (;;) {
      const text = this.#token.kind === 'sign' ? this.#token.text : '';
      const operator = operators.find((candidate) => candidate === text);
      if (operator === undefined) return left;
      this.#advance();
      const right = this.#binary(rank + 1);
      left = { kind: 'binary', operator, left, right, start: left.start, end: this.#lastEnd };
    }
  }

  #unary(): Node {
    const { start } = this.#token;
    if (!this.#takeSign('-')) return this.#postfix(this.#primary());
    const operand = this.#deeper(() => this.#unary());
    return { kind: 'unary', operator: '-', operand, start, end: this.#lastEnd };
  }

  #postfix(primary: Node): Node {
    let node = primary;
    for (;;) {
      const { start } = this.#token;
      if (this.#takeSign('.')) {
        const key: Node = { kind: 'string', value: this.#name(), start: start + 1, end: this.#lastEnd };
        node = { kind: 'element', of: node, key, start: node.start, end: this.#lastEnd };
      } else if (this.#takeSign('[')) {
        const key = this.#expression();
        this.#expectSign(']');
        node = { kind: 'element', of: node, key, start: node.start, end: this.#lastEnd };
      } else return node;
    }
  }

  #primary(): Node {
    const token = this.#token;
    const { start, end } = token;
    switch (token.kind) {
      case 'string':
        this.#advance();
        return { kind: 'string', value: token.value, start, end };
      case 'number':
        this.#advance();
        return { kind: 'number', digits: token.digits, start, end };
      case 'period':
        this.#advance();
        return { kind: 'period', microseconds: token.microseconds, start, end };
      case 'address':
        this.#advance();
        return { kind: 'address', address: token.text, start, end };
      case 'network':
        this.#advance();
        return { kind: 'network', network: token.text, start, end };
      case 'quoted':
      case 'word':
        return this.#nameOrCall(token);
    }
    if (this.#isSign('{')) return this.#listOf('{', '}');
    if (!this.#takeSign('(')) this.#unexpected('Here stands an expression');
    const inner = this.#expression();
    this.#expectSign(')');
    return inner;
  }

  #nameOrCall(token: Token & { kind: 'quoted' | 'word' }): Node {
    const { start, end, text } = token;
    if (token.kind === 'word') {
      if (text === 'true' || text === 'false' || text === 'null') {
        this.#advance();
        return { kind: 'constant', value: text === 'null' ? null : text === 'true', start, end };
      }
      if (text === 'from') this.#refuseSubquery();
      if (reserved.has(text)) this.#unexpected('Here stands an expression');
    }
    this.#advance();
    if (!this.#takeSign('(')) return { kind: 'name', name: text, start, end };
    const args = this.#isSign(')') ? [] : this.#list(() => this.#expression());
    this.#expectSign(')');
    return { kind: 'call', name: text, args, start, end: this.#lastEnd };
  }

  #listOf(open: string, close: string): Node {
    const { start } = this.#token;
    this.#expectSign(open);
    const elements = this.#isSign(close) ? [] : this.#list(() => this.#expression());
    this.#expectSign(close);
    return { kind: 'set', elements, start, end: this.#lastEnd };
  }

  #list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.#takeSign(',')) items.push(item());
    return items;
  }

  // ---------------------------------------------------------------- tokens

  #advance(): void {
    this.#lastEnd = this.#token.end;
    this.#token = this.lexer.next();
  }

  #isWord(text: string): boolean {
    return this.#token.kind === 'word' && this.#token.text === text;
  }

  #takeWord(text: string): boolean {
    if (!this.#isWord(text)) return false;
    this.#advance();
    return true;
  }

  #isSign(text: string): boolean {
    return this.#token.kind === 'sign' && this.#token.text === text;
  }

  #takeSign(text: string): boolean {
    if (!this.#isSign(text)) return false;
    this.#advance();
    return true;
  }

  #expectSign(text: string): void {
    if (!this.#takeSign(text)) this.#unexpected(`Here stands "${text}"`);
  }

  #name(): string {
    const token = this.#token;
    if (token.kind !== 'quoted' && (token.kind !== 'word' || reserved.has(token.text))) {
      this.#unexpected('Here stands a name');
    }
    this.#advance();
    return token.text;
  }

  #deeper(parse: () => Node): Node {
    if (++this.#depth > maxDepth) this.#tooDeep();
    const node = parse();
    this.#depth--;
    return node;
  }

  #unexpected(expected: string, hint = ''): never {
    const { kind, start, end } = this.#token;
    const found =
      kind === 'end' ? 'the query’s end' : `"${this.lexer.source.text.slice(start, Math.min(end, start + 40))}"`;
    this.lexer.fail(start, `${expected}, not ${found}.${hint}`);
  }

  #tooDeep(): never {
    this.#tooMuch('The query is nested too deeply. Use fewer levels, or in {...} for long lists.');
  }

  #tooMuch(message: string): never {
    fail('QUERY_NOT_SUPPORTED', message, {
      argument: 'query',
      ...this.lexer.source.position(this.#token.start),
    });
  }

  #refuseSubquery(): never {
    this.#tooMuch('A query inside a query is not supported. Write the values as {"a", "b"}.');
  }
}

/** 64 bits of 100 ns ticks: the longest timespan of a plan. */
const maxMicroseconds = 2n ** 63n / 10n;
