/** How text takes room on a terminal, and what of it must not reach one. */

const plain = /^[\x20-\x7e]*$/;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const emoji = /\p{Emoji_Presentation}|\ufe0f/u;
const invisible = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]/u;

/** The blocks of wide and full-width characters in Unicode's East Asian Width, as [first, last] code points. */
const wideBlocks = [
  [0x1100, 0x115f], // Hangul Jamo
  [0x2e80, 0x303e], // CJK radicals and punctuation
  [0x3041, 0x33ff], // Kana, Bopomofo, CJK symbols
  [0x3400, 0x4dbf], // CJK extension A
  [0x4e00, 0x9fff], // CJK ideographs
  [0xa000, 0xa4cf], // Yi
  [0xa960, 0xa97f], // Hangul Jamo extended
  [0xac00, 0xd7a3], // Hangul syllables
  [0xf900, 0xfaff], // CJK compatibility
  [0xfe30, 0xfe6f], // CJK forms
  [0xff00, 0xff60], // full-width forms
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff], // Tangut
  [0x1b000, 0x1b2ff], // Kana supplement
  [0x20000, 0x3fffd], // CJK extensions
] as const;

function graphemeWidth(grapheme: string): number {
  if (invisible.test(grapheme)) return 0;
  if (emoji.test(grapheme)) return 2;
  const code = grapheme.codePointAt(0)!;
  return wideBlocks.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/** How many columns of a terminal the text takes. */
export function displayWidth(text: string): number {
  if (plain.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** The text, cut with `…` where it takes more than `width` columns. */
export function cutToWidth(text: string, width: number): string {
  if (text.length <= width && plain.test(text)) return text;
  let used = 0;
  let kept = '';
  for (const { segment } of graphemes.segment(text)) {
    const next = graphemeWidth(segment);
    // The last column is for the ellipsis, unless nothing follows.
    if (used + next > width - 1 && displayWidthUpTo(text.slice(kept.length), width - used + 1) > width - used)
      return `${kept}…`;
    used += next;
    kept += segment;
  }
  return text;
}

/** The width, counted no further than needed to tell that it is at least `enough`. */
function displayWidthUpTo(text: string, enough: number): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    width += graphemeWidth(segment);
    if (width >= enough) break;
  }
  return width;
}

// Control characters, what turns the direction of writing, and line separators.
const unsafe = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const named: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from logs and servers for a terminal: control characters become visible escapes. Whoever writes into a log could
 * otherwise move the reader's cursor, hide rows or retitle the window.
 */
export function visible(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(unsafe, (char) => named[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
