import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxRecordChars } from './format.js';
import { createLineReader } from './lines.js';
import { createNdjsonReader } from './ndjson.js';

describe('lines', () => {
  it('are the same wherever the text is cut, with LF and CRLF', () => {
    const pieces = fc.array(fc.string({ unit: fc.constantFrom('a', '\n', '\r\n', 'b') }));
    fc.assert(
      fc.property(pieces, (parts) => {
        const reader = createLineReader((json, line) => ({ line, json }));
        const entries = [...parts.flatMap((part) => [...reader.push(part)]), ...reader.end()];
        const expected = parts.join('').split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(entries).toEqual(expected.map((text, index) => ({ line: index + 1, json: text.replace(/\r$/, '') })));
      }),
    );
  });

  it('that are longer than may be held are rejected, and the next one is read', () => {
    const reader = createLineReader((json, line) => ({ line, json }));
    const long = 'x'.repeat(maxRecordChars / 2 + 1);
    const entries = [
      ...reader.push('a\n'),
      ...reader.push(long),
      ...reader.push(long),
      ...reader.push(`${long}\nb`),
      ...reader.end(),
    ];
    expect(entries).toMatchObject([{ json: 'a' }, { line: 2, code: 'EVENT_TOO_LARGE' }, { line: 3, json: 'b' }]);
  });
});

describe('NDJSON', () => {
  const read = (text: string) => {
    const reader = createNdjsonReader();
    return [...reader.push(text), ...reader.end()];
  };

  it('sends objects on as they stand, digit for digit', () => {
    expect(read('{"n": 12345678901234567890}\r\n\n  {"a":"\\u2028"}  ')).toEqual([
      { line: 1, json: '{"n": 12345678901234567890}' },
      { line: 3, json: '{"a":"\\u2028"}' },
    ]);
  });

  it('rejects what is no object, with what to do about the usual mistakes', () => {
    expect(read('[{"a":1}]\n7\nnull\n{"a":\n}\n')).toMatchObject([
      { line: 1, message: expect.stringContaining('jq -c ".[]"') },
      { line: 2, message: 'An event is a JSON object, and this line is a number.' },
      { line: 3, message: 'An event is a JSON object, and this line is null.' },
      { line: 4, code: 'UNREADABLE_LINE', text: '{"a":' },
      { line: 5, message: expect.stringContaining('Each event takes one line') },
    ]);
  });
});
