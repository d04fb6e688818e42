/** Sets of characters as ascending, separate ranges of code points. */
export type CharSet = readonly (readonly [first: number, last: number])[];

const lastCodePoint = 0x10ffff;

export const range = (first: number, last: number): CharSet => [[first, last]];
export const single = (codePoint: number): CharSet => [[codePoint, codePoint]];

export function union(...sets: CharSet[]): CharSet {
  const sorted = sets.flat().sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [first, last] of sorted) {
    const previous = merged.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

export function complement(set: CharSet): CharSet {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [first, last] of set) {
    if (first > next) rest.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= lastCodePoint) rest.push([next, lastCodePoint]);
  return rest;
}

export const areDisjoint = (a: CharSet, b: CharSet): boolean =>
  a.every(([first, last]) => b.every(([otherFirst, otherLast]) => last < otherFirst || otherLast < first));

/** Unicode's simple folding knows no Turkish i: these two are no cases of i. */
const withoutCases: readonly number[] = [0x130, 0x131];

/** The letters that are the same but for their case, by the one that stands for all of them. */
let lettersByFold: Map<string, number[]> | undefined;

const foldOf = (codePoint: number): string => {
  const folded = String.fromCodePoint(codePoint).toUpperCase().toLowerCase();
  return [...folded].length === 1 && !withoutCases.includes(codePoint) ? folded : String.fromCodePoint(codePoint);
};

function casesOf(codePoint: number): readonly number[] {
  if (lettersByFold === undefined) {
    lettersByFold = new Map();
    for (let each = 0; each <= 0x1ffff; each++) {
      if (each >= 0xd800 && each <= 0xdfff) continue;
      const fold = foldOf(each);
      if (fold === String.fromCodePoint(each) && fold.toUpperCase() === fold) continue;
      const letters = lettersByFold.get(fold);
      if (letters === undefined) lettersByFold.set(fold, [each]);
      else letters.push(each);
    }
  }
  return lettersByFold.get(foldOf(codePoint)) ?? [codePoint];
}

/** The set with each letter's other cases. Ranges of thousands of characters stay as they are: they have both. */
export function ignoringCase(set: CharSet): CharSet {
  const added: CharSet[] = [set];
  for (const [first, last] of set) {
    if (last - first > 4_096) continue;
    for (let codePoint = first; codePoint <= last; codePoint++) added.push(...casesOf(codePoint).map(single));
  }
  return union(...added);
}

const digits = range(0x30, 0x39);
const letters = union(range(0x41, 0x5a), range(0x61, 0x7a));
const spaces = union(range(0x09, 0x0a), range(0x0c, 0x0d), single(0x20));
const word = union(digits, letters, single(0x5f));
export const anything = range(0, lastCodePoint);
export const newline = single(0x0a);

/** What RE2 means by `\d` and its like: ASCII alone. */
export const escapedClasses: Readonly<Record<string, CharSet>> = {
  d: digits,
  D: complement(digits),
  w: word,
  W: complement(word),
  s: spaces,
  S: complement(spaces),
};

/** What RE2 means by `[:alpha:]` and its like. */
export const namedClasses: Readonly<Record<string, CharSet>> = {
  alnum: union(digits, letters),
  alpha: letters,
  ascii: range(0, 0x7f),
  blank: union(single(0x09), single(0x20)),
  cntrl: union(range(0, 0x1f), single(0x7f)),
  digit: digits,
  graph: range(0x21, 0x7e),
  lower: range(0x61, 0x7a),
  print: range(0x20, 0x7e),
  punct: union(range(0x21, 0x2f), range(0x3a, 0x40), range(0x5b, 0x60), range(0x7b, 0x7e)),
  space: union(range(0x09, 0x0d), single(0x20)),
  upper: range(0x41, 0x5a),
  word,
  xdigit: union(digits, range(0x41, 0x46), range(0x61, 0x66)),
};
