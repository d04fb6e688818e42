import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyEdits, indexInSource, SourceText } from './source-text.js';

/** Well-formed texts with newlines and characters of one to four bytes. */
const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', 'é', '日', '😀', '"'), maxLength: 60 });

test('bytes, code points and UTF-16 units of one character are one place', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const source = new SourceText(before + after);
      expect(source.indexOfByte(Buffer.byteLength(before))).toBe(before.length);
      expect(source.indexOfCodePoint([...before].length)).toBe(before.length);
    }),
  );
});

test('a position counts lines and the characters since the line began', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = before.split('\n');
      expect(new SourceText(before + after).position(before.length)).toEqual({
        line: lines.length,
        column: [...lines.at(-1)!].length + 1,
      });
    }),
  );
});

test('offsets past the end are the end', () => {
  for (const string of ['abc', 'é😀']) {
    const source = new SourceText(string);
    expect(source.indexOfByte(99)).toBe(string.length);
    expect(source.indexOfCodePoint(99)).toBe(string.length);
  }
});

test('what an edit leaves alone is found again in the source', () => {
  const part = fc.record({
    kept: text,
    edited: fc.string({ minLength: 1, maxLength: 5 }),
    replacement: fc.string({ minLength: 1 }),
  });
  fc.assert(
    fc.property(fc.array(part), text, (parts, last) => {
      let source = '';
      const edits = parts.map(({ kept, edited, replacement }) => {
        const start = source.length + kept.length;
        source += kept + edited;
        return { start, end: start + edited.length, replacement };
      });
      source += last;
      const run = applyEdits(source, edits);
      let at = 0;
      let inSource = 0;
      for (const { kept, edited, replacement } of parts) {
        for (let i = 0; i < kept.length; i++) expect(indexInSource(edits, at + i)).toBe(inSource + i);
        at += kept.length;
        inSource += kept.length;
        for (let i = 0; i < replacement.length; i++) expect(indexInSource(edits, at + i)).toBe(inSource);
        at += replacement.length;
        inSource += edited.length;
      }
      expect(run.slice(at)).toBe(last);
      expect(indexInSource(edits, run.length)).toBe(source.length);
    }),
  );
});
