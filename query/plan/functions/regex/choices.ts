/**
 * RE2 takes the first alternative that leads to a match, PostgreSQL the longest; for `.*?a.*` PostgreSQL makes the whole
 * match as short as it can, RE2 only its first part. What a pattern matches, and what its groups are, is the same in
 * both where there is nothing to choose, or where what is chosen first is chosen the same way. This finds out where.
 */
import { areDisjoint, type CharSet, union } from './charset.js';
import type { Node } from './parse.js';

/** How a part can end at different places from one begin. */
interface Choices {
  /** How often there is a choice between ends; Infinity where the order of choices differs from PostgreSQL's. */
  count: number;
  /** How the one choice is made. */
  greedy?: boolean;
}

const none: Choices = { count: 0 };
const unknown: Choices = { count: Number.POSITIVE_INFINITY };

/** What can follow: its first characters, and whether it can be nothing at all. */
interface Following {
  first: CharSet;
  /** The text may go on with anything. */
  open: boolean;
}

const endOfText: Following = { first: [], open: false };
const anyText: Following = { first: [], open: true };

const canBeEmpty = (node: Node): boolean => minLength(node) === 0;

export const minLength = (node: Node): number => length(node, 'min', Math.min);
const maxLength = (node: Node): number => length(node, 'max', Math.max);

function length(node: Node, bound: 'min' | 'max', among: (...lengths: number[]) => number): number {
  switch (node.kind) {
    case 'set':
      return 1;
    case 'assertion':
      return 0;
    case 'sequence':
      return node.items.reduce((sum, item) => sum + length(item, bound, among), 0);
    case 'choice':
      return among(...node.branches.map((branch) => length(branch, bound, among)));
    case 'group':
      return length(node.body, bound, among);
    case 'repeat':
      return node[bound] === 0 ? 0 : node[bound] * length(node.body, bound, among);
  }
}

function firstOf(node: Node): CharSet {
  switch (node.kind) {
    case 'set':
      return node.set;
    case 'assertion':
      return [];
    case 'sequence': {
      const parts: CharSet[] = [];
      for (const item of node.items) {
        parts.push(firstOf(item));
        if (!canBeEmpty(item)) break;
      }
      return union(...parts);
    }
    case 'choice':
      return union(...node.branches.map(firstOf));
    case 'group':
    case 'repeat':
      return firstOf(node.body);
  }
}

/** What follows when this node stands before it. */
function before(node: Node, after: Following): Following {
  if (node.kind === 'assertion') return node.assertion === 'TEXT_END' ? endOfText : after;
  if (!canBeEmpty(node)) return { first: firstOf(node), open: false };
  return { first: union(firstOf(node), after.first), open: after.open };
}

const isForced = (set: CharSet, after: Following): boolean => !after.open && areDisjoint(set, after.first);

/** The choices of a part whose ends PostgreSQL decides as a whole. */
function choicesOf(node: Node, after: Following): Choices {
  switch (node.kind) {
    case 'set':
    case 'assertion':
      return none;
    case 'group':
      return choicesOf(node.body, after);
    case 'sequence':
      return together(node.items, sequenceChoices(node.items, after));
    case 'repeat':
      return repeatChoices(node, after);
    case 'choice':
      return branchChoices(node.branches, after);
  }
}

function sequenceChoices(items: readonly Node[], after: Following): Choices[] {
  const choices: Choices[] = [];
  let following = after;
  for (const item of [...items].reverse()) {
    choices.unshift(choicesOf(item, following));
    following = before(item, following);
  }
  return choices;
}

/**
 * The one choice of a sequence. What follows it must be of one length, or the longest whole could be another than the one
 * with the longest choice: `a*(?:[ab]-)*-` in `a--`.
 */
function together(items: readonly Node[], choices: readonly Choices[]): Choices {
  const at = choices.findIndex(({ count }) => count > 0);
  if (at === -1) return none;
  return items.slice(at + 1).every((item) => maxLength(item) === minLength(item)) ? choices[at]! : unknown;
}

function repeatChoices({ body, min, max, greedy }: Node & { kind: 'repeat' }, after: Following): Choices {
  if (body.kind === 'set') return min === max || isForced(body.set, after) ? none : { count: 1, greedy };
  if (max <= 1 && min === max) return choicesOf(body, after);
  // RE2 keeps what a group had in an earlier turn, PostgreSQL forgets it.
  if (hasOptionalGroup(body, false)) return unknown;
  // Each turn must have one end only, and end for sure; then only the number of turns is chosen.
  const again: Following = { first: union(firstOf(body), after.first), open: after.open };
  if (canBeEmpty(body) || choicesOf(body, again).count > 0) return unknown;
  return min === max || isForced(firstOf(body), after) ? none : { count: 1, greedy };
}

function hasOptionalGroup(node: Node, isOptional: boolean): boolean {
  switch (node.kind) {
    case 'set':
    case 'assertion':
      return false;
    case 'group':
      return isOptional || hasOptionalGroup(node.body, isOptional);
    case 'sequence':
      return node.items.some((item) => hasOptionalGroup(item, isOptional));
    case 'choice':
      return node.branches.some((branch) => hasOptionalGroup(branch, true));
    case 'repeat':
      return hasOptionalGroup(node.body, isOptional || node.min === 0);
  }
}

function branchChoices(branches: readonly Node[], after: Following): Choices {
  const inner = branches.map((branch) => choicesOf(branch, after));
  const areExclusive = branches.every(
    (branch, i) =>
      !canBeEmpty(branch) && branches.slice(i + 1).every((other) => areDisjoint(firstOf(branch), firstOf(other))),
  );
  const chosen = inner.filter(({ count }) => count > 0);
  if (areExclusive || branches.every((branch) => branch.kind === 'set')) {
    if (chosen.length === 0) return none;
    return chosen.every(({ count, greedy }) => count === 1 && greedy === true) ? { count: 1, greedy: true } : unknown;
  }
  // Words of fixed length: the first that fits is the longest where no word stands after one that it begins with.
  const words = branches.map(wordOf);
  if (words.includes(undefined)) return unknown;
  const inOrder = words.every((word, i) => words.slice(i + 1).every((later) => !isPrefix(word!, later!)));
  if (!inOrder) return unknown;
  const isAmbiguous = words.some((word, i) => words.slice(i + 1).some((later) => isPrefix(later!, word!)));
  return isAmbiguous ? { count: 1, greedy: true } : none;
}

/** The sets of a part that is nothing but sets in a row. */
function wordOf(node: Node): CharSet[] | undefined {
  if (node.kind === 'set') return [node.set];
  if (node.kind === 'group') return wordOf(node.body);
  if (node.kind !== 'sequence') return undefined;
  const parts = node.items.map(wordOf);
  return parts.includes(undefined) ? undefined : (parts as CharSet[][]).flat();
}

const isPrefix = (word: readonly CharSet[], of: readonly CharSet[]): boolean =>
  word.length <= of.length && word.every((set, i) => !areDisjoint(set, of[i]!));

/** Also the assertions that are written as branches. */
const hasBranches = (node: Node): boolean =>
  node.kind === 'choice' ||
  (node.kind === 'assertion' && node.assertion !== 'TEXT_BEGIN' && node.assertion !== 'TEXT_END') ||
  (node.kind === 'sequence' && node.items.some(hasBranches)) ||
  ((node.kind === 'group' || node.kind === 'repeat') && hasBranches(node.body));

/** A part with at most one choice, as PostgreSQL makes it for the whole part; undefined where it has more. */
function unit(node: Node, { count, greedy = true }: Choices): { isChosen: boolean; greedy: boolean } | undefined {
  // PostgreSQL makes any part with branches as long as it can.
  if (count > 1 || (!greedy && hasBranches(node))) return undefined;
  return { isChosen: count === 1, greedy };
}

/** How PostgreSQL finds the same match and groups as RE2: by itself, or undefined. */
export const asWhole = (root: Node): { greedy: boolean } | undefined => unit(root, choicesOf(root, anyText));

/**
 * The items of the outermost sequence, each with the choice that it makes in its turn. That is how PostgreSQL chooses too,
 * once the length of the whole is no choice any more, and each item has a group of its own.
 */
export function inOrder(root: Node): { node: Node; isChosen: boolean; greedy: boolean }[] | undefined {
  const items = root.kind === 'sequence' ? root.items : [root];
  const choices = sequenceChoices(items, anyText);
  const units = items.map((node, i) => {
    const made = unit(node, choices[i]!);
    return made && { node, ...made };
  });
  return units.includes(undefined) ? undefined : (units as NonNullable<(typeof units)[number]>[]);
}
