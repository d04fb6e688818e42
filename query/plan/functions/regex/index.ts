/** Regular expressions of RE2, which Kusto has, said in those of PostgreSQL: https://github.com/google/re2/wiki/Syntax. */
import type { CharSet } from './charset.js';
import { asWhole, inOrder, minLength } from './choices.js';
import { type Assertion, type Node, PatternError, parsePattern } from './parse.js';

export { PatternError } from './parse.js';

/** A pattern of PostgreSQL's, and where the groups of the original stand in it. */
export interface GroupPattern {
  pattern: string;
  /** The number in `pattern` of each group of the original; group 0, the whole match, is 0. */
  groups: number[];
  names: ReadonlyMap<string, number>;
  /** The group that holds the rest of the text behind the match; 0 where the match ends by itself. */
  tail: number;
  canBeEmpty: boolean;
}

/** Whether the text has a match: that takes no groups, and PostgreSQL needs no more than its DFA. @throws PatternError */
export function searchPattern(text: string): string {
  return new Writer(false).write(parsePattern(text).root, true);
}

/** @throws PatternError where the match or its groups would not be RE2's. */
export function groupPattern(text: string): GroupPattern {
  const { root, groups, names } = parsePattern(text);
  const writer = new Writer(true);
  const base = { names, canBeEmpty: minLength(root) === 0 };
  const whole = asWhole(root);
  if (whole !== undefined) {
    const pattern = writer.write(root, whole.greedy);
    return { ...base, pattern, groups: numbers(groups, writer), tail: 0 };
  }
  const items = inOrder(root);
  if (items === undefined) {
    throw new PatternError(
      'The regular expression leaves open which of its parts takes what, so that its groups cannot be found exactly. Use classes that exclude what follows, as [^;]*; for .*?;',
    );
  }
  const parts = items.map(({ node, isChosen, greedy }) =>
    isChosen ? writer.group(node, greedy) : writer.write(node, greedy),
  );
  const tail = writer.count + 1;
  return { ...base, pattern: `${parts.join('')}(.*)$`, groups: numbers(groups, writer), tail };
}

const numbers = (groups: number, { numberOf }: Writer): number[] =>
  Array.from({ length: groups + 1 }, (_, i) => (i === 0 ? 0 : numberOf.get(i)!));

/** Why a pattern cannot be searched for, or, with `groups`, why its groups cannot be found. */
export function patternProblem(text: string, needs: 'SEARCH' | 'GROUPS'): string | undefined {
  try {
    if (needs === 'SEARCH') searchPattern(text);
    else groupPattern(text);
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

const wordClass = '[0-9A-Za-z_]';
const assertions: Readonly<Record<Assertion, string>> = {
  TEXT_BEGIN: '^',
  TEXT_END: '$',
  LINE_BEGIN: '(?:^|(?<=\\n))',
  LINE_END: '(?:$|(?=\\n))',
  WORD_EDGE: `(?:(?<=${wordClass})(?!${wordClass})|(?<!${wordClass})(?=${wordClass}))`,
  NO_WORD_EDGE: `(?:(?<=${wordClass})(?=${wordClass})|(?<!${wordClass})(?!${wordClass}))`,
};

class Writer {
  /** How many groups have been written. */
  count = 0;
  readonly numberOf = new Map<number, number>();

  constructor(private readonly withGroups: boolean) {}

  /** `greedy` says how the part makes its one choice; its other repetitions have one end only, so it goes for all of them. */
  write(node: Node, greedy: boolean): string {
    switch (node.kind) {
      case 'set':
        return writeSet(node.set);
      case 'assertion':
        return assertions[node.assertion];
      case 'sequence':
        return node.items.map((item) => this.write(item, greedy)).join('');
      case 'choice':
        return `(?:${node.branches.map((branch) => this.write(branch, greedy)).join('|')})`;
      case 'group':
        return this.withGroups ? this.group(node, greedy) : `(?:${this.write(node.body, greedy)})`;
      case 'repeat':
        return this.repeat(node, greedy);
    }
  }

  /** The part as a group of its own, which is also the original's where the part is one. */
  group(node: Node, greedy: boolean): string {
    const number = ++this.count;
    if (node.kind === 'group') this.numberOf.set(node.number, number);
    return `(${this.write(node.kind === 'group' ? node.body : node, greedy)})`;
  }

  private repeat({ body, min, max }: Node & { kind: 'repeat' }, greedy: boolean): string {
    const inner = this.write(body, greedy);
    const atom = body.kind === 'set' || body.kind === 'group' || body.kind === 'choice' ? inner : `(?:${inner})`;
    if (min === 1 && max === 1) return atom;
    const bounds =
      max === Number.POSITIVE_INFINITY
        ? min === 0
          ? '*'
          : min === 1
            ? '+'
            : `{${min},}`
        : min === 0 && max === 1
          ? '?'
          : min === max
            ? `{${min}}`
            : `{${min},${max}}`;
    return `${atom}${bounds}${greedy || min === max ? '' : '?'}`;
  }
}

/** PostgreSQL's texts have no character 0. */
function writeSet(set: CharSet): string {
  const [only] = set;
  if (set.length === 1 && only![0] === only![1] && only![0] !== 0) return character(only![0]);
  if (set.length === 1 && only![0] === 0 && only![1] === 0x10ffff) return '.';
  const parts = set.flatMap(([first, last]) => {
    if (last === 0) return [];
    const from = Math.max(first, 1);
    return from === last ? [character(from)] : [`${character(from)}-${character(last)}`];
  });
  // A class without characters matches nothing.
  return parts.length === 0 ? '(?!)' : `[${parts.join('')}]`;
}

function character(codePoint: number): string {
  const text = String.fromCodePoint(codePoint);
  if (/[A-Za-z0-9_ ]/.test(text)) return text;
  if (codePoint > 0xffff) return `\\U${codePoint.toString(16).padStart(8, '0')}`;
  return `\\u${codePoint.toString(16).padStart(4, '0')}`;
}
