import type { TextEdit, TextPosition } from './prepared-query.js';

/**
 * A query text with its offsets. PostgreSQL's parser counts UTF-8 bytes in its tree and code points in its errors,
 * JavaScript counts UTF-16 units, and people count characters; all of them meet here.
 */
export class SourceText {
  readonly #ascii: boolean;
  /** UTF-16 index of each UTF-8 byte, built at the first use with a text beyond ASCII. */
  #indexOfByte: Uint32Array | undefined;

  constructor(readonly text: string) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII
    this.#ascii = /^[\x00-\x7f]*$/.test(text);
  }

  /** The UTF-16 index of a UTF-8 byte offset. An offset past the end is the end. */
  indexOfByte(byte: number): number {
    if (this.#ascii) return Math.min(byte, this.text.length);
    this.#indexOfByte ??= mapBytes(this.text);
    return this.#indexOfByte[byte] ?? this.text.length;
  }

  /** The UTF-16 index of a code point's number, from 0. A number past the end is the end. */
  indexOfCodePoint(codePoint: number): number {
    if (this.#ascii) return Math.min(codePoint, this.text.length);
    let index = 0;
    for (let seen = 0; seen < codePoint && index < this.text.length; seen++) index += widthAt(this.text, index);
    return index;
  }

  /** The line and column, both from 1, of a UTF-16 index. */
  position(index: number): TextPosition {
    const before = this.text.slice(0, index);
    const lineStart = before.lastIndexOf('\n') + 1;
    let line = 1;
    for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line++;
    let column = 1;
    for (let at = lineStart; at < index; at += widthAt(this.text, at)) column++;
    return { line, column };
  }
}

/** Applies edits, given in ascending order, to a text. */
export function applyEdits(source: string, edits: TextEdit[]): string {
  let text = '';
  let from = 0;
  for (const { start, end, replacement } of edits) {
    text += source.slice(from, start) + replacement;
    from = end;
  }
  return text + source.slice(from);
}

/** The index in the source of an index in the edited text; inside a replacement it is where the replacement starts. */
export function indexInSource(edits: TextEdit[], index: number): number {
  let shift = 0;
  for (const { start, end, replacement } of edits) {
    const startInText = start + shift;
    if (index < startInText) break;
    if (index < startInText + replacement.length) return start;
    shift += replacement.length - (end - start);
  }
  return index - shift;
}

function widthAt(text: string, index: number): 1 | 2 {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
}

function mapBytes(text: string): Uint32Array {
  const map = new Uint32Array(Buffer.byteLength(text) + 1);
  let byte = 0;
  for (let index = 0; index < text.length; index += widthAt(text, index)) {
    const point = text.codePointAt(index) ?? 0;
    const bytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    map.fill(index, byte, byte + bytes);
    byte += bytes;
  }
  map[byte] = text.length;
  return map;
}
