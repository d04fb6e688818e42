/** The search's JSON with the place of every value, so that what is wrong can be pointed at. */
import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { fail } from '../../../platform/errors.js';
import type { JsonValue } from '../../result.js';
import { SourceText } from '../../source-text.js';
import { didYouMean } from '../../suggest.js';
import { isText, notTextMessage, refuseNonText } from '../characters.js';

/** Deeper searches are refused: nobody writes them, and the walks stay far from the stack's end. */
const maxDepth = 50;
/** OpenSearch's own bound is 1,024 clauses; more is a list for `terms`. */
const maxNodes = 200_000;

/** A value of the search. */
export class Json {
  constructor(
    readonly node: Node,
    readonly source: SourceText,
    /** What it is in words, such as `"range"`: the key that it stands under. */
    readonly name: string,
  ) {}

  /** Refuses this value; the error points at it. */
  fail(message: string, code: 'QUERY_SYNTAX' | 'QUERY_NOT_SUPPORTED' | 'QUERY_UNKNOWN_COLUMN' = 'QUERY_SYNTAX'): never {
    return fail(code, message, { argument: 'query', ...this.source.position(this.node.offset) });
  }

  get isObject(): boolean {
    return this.node.type === 'object';
  }

  get isList(): boolean {
    return this.node.type === 'array';
  }

  /** The properties of an object in the order of the text. */
  entries(): [string, Json][] {
    if (!this.isObject) this.fail(`"${this.name}" takes an object.`);
    return (this.node.children ?? []).map((property) => {
      const [key, value] = property.children!;
      return [key!.value as string, new Json(value!, this.source, key!.value as string)];
    });
  }

  /** The properties of an object that may have these and no others. */
  fields<Key extends string>(...known: Key[]): Partial<Record<Key, Json>> {
    const found: Partial<Record<Key, Json>> = {};
    for (const [key, value] of this.entries()) {
      if (!known.includes(key as Key)) {
        value.fail(`"${this.name}" has no option "${key}" here.${didYouMean(key, known)}`, 'QUERY_NOT_SUPPORTED');
      }
      found[key as Key] = value;
    }
    return found;
  }

  /** The one property of an object, such as the kind of a query. */
  only(what: string): [string, Json] {
    const entries = this.entries();
    if (entries.length !== 1) this.fail(`"${this.name}" takes an object of one property: ${what}.`);
    return entries[0]!;
  }

  /** The elements of a list; a single value counts as a list of it. */
  items(): Json[] {
    if (!this.isList) return [this];
    return (this.node.children ?? []).map((item) => new Json(item, this.source, this.name));
  }

  string(): string {
    return this.node.type === 'string' ? (this.node.value as string) : this.fail(`"${this.name}" takes a string.`);
  }

  boolean(): boolean {
    return this.node.type === 'boolean'
      ? (this.node.value as boolean)
      : this.fail(`"${this.name}" takes true or false.`);
  }

  oneOf<Value extends string>(...values: Value[]): Value {
    const given = this.string() as Value;
    if (values.includes(given)) return given;
    return this.fail(`"${this.name}" takes ${values.join(', ')}, not "${given}".${didYouMean(given, values)}`);
  }

  integer(min: number, max: number): number {
    const value = this.number();
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    return this.fail(`"${this.name}" takes a whole number from ${min} to ${max.toLocaleString('en')}.`);
  }

  number(): number {
    return this.node.type === 'number' ? (this.node.value as number) : this.fail(`"${this.name}" takes a number.`);
  }

  /** A string, number or boolean. Integers that a double cannot hold come as their digits. */
  scalar(): string | number | boolean {
    const { type, value } = this.node;
    if (type === 'string' || type === 'boolean') return value;
    if (type !== 'number') return this.fail(`"${this.name}" takes a string, a number, or true or false here.`);
    const written = this.source.text.slice(this.node.offset, this.node.offset + this.node.length);
    return /^-?\d+$/.test(written) && !Number.isSafeInteger(value) ? written : value;
  }

  /** The value as plain JSON. */
  plain(): JsonValue {
    if (this.isList) return this.items().map((item) => item.plain());
    if (this.isObject) return Object.fromEntries(this.entries().map(([key, value]) => [key, value.plain()]));
    return this.node.value as JsonValue;
  }
}

/** @throws QUERY_SYNTAX with the place of the first thing that is no JSON */
export function parseJson(text: string): Json {
  const source = new SourceText(text);
  const refuse = (message: string, offset: number): never =>
    fail('QUERY_SYNTAX', message, { argument: 'query', ...source.position(offset) });
  refuseNonText(source);
  checkDepth(text, refuse);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
  const first = errors[0];
  if (first !== undefined) refuse(`The search is no JSON: ${inWords(printParseErrorCode(first.error))}.`, first.offset);
  if (root === undefined) return refuse('The search is empty. An empty object {} finds everything.', 0);
  checkNodes(root, source);
  return new Json(root, source, 'search');
}

/** Before the parser, which calls itself once a level. Brackets in strings are no levels. */
function checkDepth(text: string, refuse: (message: string, offset: number) => never): void {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') {
      if (++depth > maxDepth) refuse(`The search is nested more than ${maxDepth} levels deep.`, index);
    } else if (character === '}' || character === ']') depth--;
  }
}

/** A property that is written twice means two things at once; escapes can name characters that no text has. */
function checkNodes(root: Node, source: SourceText): void {
  const pending = [root];
  for (let count = 0; pending.length > 0; count++) {
    const node = pending.pop()!;
    const refuse = (code: 'QUERY_SYNTAX' | 'QUERY_NOT_SUPPORTED', message: string): never =>
      fail(code, message, { argument: 'query', ...source.position(node.offset) });
    if (count > maxNodes) refuse('QUERY_NOT_SUPPORTED', `The search has more than ${maxNodes} values.`);
    if (node.type === 'string' && !isText(node.value)) refuse('QUERY_SYNTAX', notTextMessage);
    if (node.type === 'object') {
      const seen = new Set<string>();
      for (const { children } of node.children ?? []) {
        const key = children![0]!;
        if (seen.has(key.value)) {
          const position = source.position(key.offset);
          fail('QUERY_SYNTAX', `"${key.value}" stands twice in one object.`, { argument: 'query', ...position });
        }
        seen.add(key.value);
      }
    }
    for (const child of node.children ?? []) pending.push(child);
  }
}

/** `CloseBraceExpected` -> `close brace expected`. */
const inWords = (code: string): string => code.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim();
