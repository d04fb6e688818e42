/** Reads regular expressions as RE2 does, which is Kusto's engine; what RE2 refuses is refused here. */
import {
  anything,
  type CharSet,
  complement,
  escapedClasses,
  ignoringCase,
  namedClasses,
  newline,
  range,
  single,
  union,
} from './charset.js';

export type Assertion = 'TEXT_BEGIN' | 'TEXT_END' | 'LINE_BEGIN' | 'LINE_END' | 'WORD_EDGE' | 'NO_WORD_EDGE';

export type Node =
  | { kind: 'set'; set: CharSet }
  | { kind: 'assertion'; assertion: Assertion }
  | { kind: 'sequence'; items: Node[] }
  | { kind: 'choice'; branches: Node[] }
  | { kind: 'group'; body: Node; number: number; name?: string }
  | { kind: 'repeat'; body: Node; min: number; max: number; greedy: boolean };

export interface Pattern {
  root: Node;
  /** How many capturing groups there are. */
  groups: number;
  names: ReadonlyMap<string, number>;
}

/** A pattern that RE2 does not take, or that PostgreSQL cannot run as RE2 would. The message is a sentence. */
export class PatternError extends Error {}

/** PostgreSQL repeats nothing more often. */
const maxRepeat = 255;
const maxDepth = 200;

interface Flags {
  ignoreCase: boolean;
  multiLine: boolean;
  dotAll: boolean;
  ungreedy: boolean;
}

const simpleEscapes: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

class Reader {
  private position = 0;
  private depth = 0;
  groups = 0;
  readonly names = new Map<string, number>();
  private flags: Flags = { ignoreCase: false, multiLine: false, dotAll: false, ungreedy: false };
  private readonly text: string[];

  constructor(text: string) {
    this.text = [...text];
  }

  read(): Node {
    const root = this.readChoice();
    if (this.position < this.text.length) throw new PatternError('The regular expression has a ) without its (.');
    return root;
  }

  private get next(): string | undefined {
    return this.text[this.position];
  }

  private startsWith(wanted: string): boolean {
    return this.text.slice(this.position, this.position + wanted.length).join('') === wanted;
  }

  private take(wanted: string): boolean {
    if (!this.startsWith(wanted)) return false;
    this.position += wanted.length;
    return true;
  }

  private readChoice(): Node {
    if (++this.depth > maxDepth) throw new PatternError('The regular expression is nested too deeply.');
    const branches = [this.readSequence()];
    while (this.take('|')) branches.push(this.readSequence());
    this.depth--;
    return branches.length === 1 ? branches[0]! : { kind: 'choice', branches };
  }

  private readSequence(): Node {
    const items: Node[] = [];
    while (this.next !== undefined && this.next !== '|' && this.next !== ')') {
      const atom = this.readAtom();
      if (atom !== undefined) items.push(...(Array.isArray(atom) ? atom : [this.readRepeat(atom)]));
    }
    return items.length === 1 ? items[0]! : { kind: 'sequence', items };
  }

  private readRepeat(body: Node): Node {
    const bounds = this.readBounds();
    if (bounds === undefined) return body;
    if (body.kind === 'assertion')
      throw new PatternError('The regular expression repeats something that has no length.');
    const greedy = this.take('?') === this.flags.ungreedy;
    const [min, max] = bounds;
    if (max < min) throw new PatternError('The regular expression has a repetition whose end is before its begin.');
    if (min > maxRepeat || (max > maxRepeat && max !== Number.POSITIVE_INFINITY)) {
      throw new PatternError(`The regular expression repeats something more than ${maxRepeat} times.`);
    }
    const start = this.position;
    if (this.readBounds() !== undefined) {
      const operator = this.text.slice(start - 1, this.position).join('');
      throw new PatternError(`The regular expression has a repetition of a repetition: ${operator}.`);
    }
    return { kind: 'repeat', body, min, max, greedy };
  }

  private readBounds(): [number, number] | undefined {
    if (this.take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.take('?')) return [0, 1];
    const counted = /^\{(\d{1,6})(?:(,)(\d{1,6})?)?\}/.exec(
      this.text.slice(this.position, this.position + 16).join(''),
    );
    if (counted === null) return undefined;
    this.position += counted[0].length;
    const min = Number(counted[1]);
    const max =
      counted[2] === undefined ? min : counted[3] === undefined ? Number.POSITIVE_INFINITY : Number(counted[3]);
    return [min, max];
  }

  /** Several nodes for a quoted text, whose last one is repeated by what follows; undefined for a change of flags. */
  private readAtom(): Node | Node[] | undefined {
    const character = this.next!;
    this.position++;
    switch (character) {
      case '(':
        return this.readGroup();
      case '[':
        return { kind: 'set', set: this.readClass() };
      case '.':
        return { kind: 'set', set: this.flags.dotAll ? anything : complement(newline) };
      case '^':
        return { kind: 'assertion', assertion: this.flags.multiLine ? 'LINE_BEGIN' : 'TEXT_BEGIN' };
      case '$':
        return { kind: 'assertion', assertion: this.flags.multiLine ? 'LINE_END' : 'TEXT_END' };
      case '*':
      case '+':
      case '?':
        throw new PatternError(`The regular expression has a ${character} with nothing before it to repeat.`);
      case '\\':
        return this.readEscape();
      default:
        return this.literal(character.codePointAt(0)!);
    }
  }

  private literal(codePoint: number): Node {
    return { kind: 'set', set: this.folded(single(codePoint)) };
  }

  private folded(set: CharSet): CharSet {
    return this.flags.ignoreCase ? ignoringCase(set) : set;
  }

  private readGroup(): Node | undefined {
    const outer = this.flags;
    let number = 0;
    let name: string | undefined;
    if (this.take('?')) {
      if (this.startsWith('=') || this.startsWith('!') || this.startsWith('<=') || this.startsWith('<!')) {
        throw new PatternError('The regular expression looks around (?=, ?!, ?<=, ?<!), which Kusto’s cannot.');
      }
      if (this.take('>'))
        throw new PatternError('The regular expression has an atomic group (?>, which Kusto’s cannot.');
      const named = /^P?<(\w+)>/.exec(this.text.slice(this.position, this.position + 80).join(''));
      if (named !== null) {
        this.position += named[0].length;
        name = named[1]!;
        if (this.names.has(name)) throw new PatternError(`The regular expression has two groups ${name}.`);
        number = ++this.groups;
        this.names.set(name, number);
      } else if (this.readFlags()) {
        return undefined;
      }
    } else {
      number = ++this.groups;
    }
    const body = this.readChoice();
    if (!this.take(')')) throw new PatternError('The regular expression has a ( without its ).');
    this.flags = outer;
    return number === 0 ? body : { kind: 'group', body, number, ...(name !== undefined && { name }) };
  }

  /** `(?i)` changes the rest of the enclosing group and gives true; `(?i:` begins a group. */
  private readFlags(): boolean {
    const flags = { ...this.flags };
    let on = true;
    for (;;) {
      const character = this.next;
      this.position++;
      switch (character) {
        case 'i':
          flags.ignoreCase = on;
          break;
        case 'm':
          flags.multiLine = on;
          break;
        case 's':
          flags.dotAll = on;
          break;
        case 'U':
          flags.ungreedy = on;
          break;
        case '-':
          on = false;
          break;
        case ':':
        case ')':
          this.flags = flags;
          return character === ')';
        default:
          throw new PatternError('The regular expression has a (? that is none of Kusto’s.');
      }
    }
  }

  private readEscape(): Node | Node[] {
    const character = this.next;
    if (character === undefined) throw new PatternError('The regular expression ends with a backslash.');
    if (Object.hasOwn(escapedClasses, character)) {
      this.position++;
      return { kind: 'set', set: escapedClasses[character]! };
    }
    const assertions: Record<string, Assertion> = { b: 'WORD_EDGE', B: 'NO_WORD_EDGE', A: 'TEXT_BEGIN', z: 'TEXT_END' };
    if (Object.hasOwn(assertions, character)) {
      this.position++;
      return { kind: 'assertion', assertion: assertions[character]! };
    }
    if (character === 'Q') return this.readQuoted();
    return this.literal(this.readEscapedCharacter());
  }

  private readQuoted(): Node[] {
    this.position++;
    const items: Node[] = [];
    while (this.next !== undefined && !this.take('\\E')) {
      items.push(this.literal(this.next.codePointAt(0)!));
      this.position++;
    }
    const last = items.pop();
    return last === undefined ? [] : [...items, this.readRepeat(last)];
  }

  /** The character after a backslash, as it is in a class and outside of one. */
  private readEscapedCharacter(): number {
    const character = this.next!;
    this.position++;
    if (Object.hasOwn(simpleEscapes, character)) return simpleEscapes[character]!;
    if (character === 'x') {
      const digits = /^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2}))/.exec(
        this.text.slice(this.position, this.position + 8).join(''),
      );
      const codePoint = Number.parseInt(digits?.[1] ?? digits?.[2] ?? '', 16);
      if (!(codePoint <= 0x10ffff)) throw new PatternError('The regular expression has a \\x without its digits.');
      this.position += digits![0].length;
      return codePoint;
    }
    if (character === '0') {
      const octal = /^[0-7]{0,2}/.exec(this.text.slice(this.position, this.position + 2).join(''))![0];
      this.position += octal.length;
      return Number.parseInt(`0${octal}`, 8);
    }
    if (/[1-9]/.test(character))
      throw new PatternError(`The regular expression refers back (\\${character}), which Kusto’s cannot.`);
    if (character === 'p' || character === 'P') {
      throw new PatternError(
        `The regular expression has a class of Unicode characters (\\${character}), which is not supported. List the characters.`,
      );
    }
    if (/[A-Za-z0-9]/.test(character))
      throw new PatternError(`The regular expression has an escape that is none: \\${character}.`);
    return character.codePointAt(0)!;
  }

  private readClass(): CharSet {
    const isNegated = this.take('^');
    const parts: CharSet[] = [];
    for (let isFirst = true; isFirst || this.next !== ']'; isFirst = false) {
      if (this.next === undefined) throw new PatternError('The regular expression has a [ without its ].');
      parts.push(this.readClassItem());
    }
    this.position++;
    const set = this.folded(union(...parts));
    return isNegated ? complement(set) : set;
  }

  private readClassItem(): CharSet {
    const named = /^\[:(\^?)(\w+):\]/.exec(this.text.slice(this.position, this.position + 16).join(''));
    if (named !== null) {
      const set = Object.hasOwn(namedClasses, named[2]!) ? namedClasses[named[2]!] : undefined;
      if (set === undefined) throw new PatternError(`The regular expression has no class [:${named[2]}:].`);
      this.position += named[0].length;
      return named[1] === '' ? set : complement(set);
    }
    if (this.next === '\\' && Object.hasOwn(escapedClasses, this.text[this.position + 1] ?? '')) {
      this.position += 2;
      return escapedClasses[this.text[this.position - 1]!]!;
    }
    const first = this.readClassCharacter();
    if (this.next !== '-' || this.text[this.position + 1] === ']' || this.text[this.position + 1] === undefined) {
      return single(first);
    }
    this.position++;
    const last = this.readClassCharacter();
    if (last < first) throw new PatternError('The regular expression has a range whose end is before its begin.');
    return range(first, last);
  }

  private readClassCharacter(): number {
    const character = this.next!;
    this.position++;
    if (character !== '\\') return character.codePointAt(0)!;
    if (this.next === undefined) throw new PatternError('The regular expression ends with a backslash.');
    return this.readEscapedCharacter();
  }
}

/** @throws PatternError */
export function parsePattern(text: string): Pattern {
  const reader = new Reader(text);
  const root = reader.read();
  return { root, groups: reader.groups, names: reader.names };
}
