import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCsvReader, createCsvSplitter } from './csv.js';
import type { Entry } from './format.js';

const split = (pieces: string[], maxChars?: number) => {
  const splitter = createCsvSplitter(maxChars);
  return [...pieces.flatMap((piece) => [...splitter.push(piece)]), ...splitter.end()];
};
const read = (text: string, columns: Record<string, string> = {}): Entry[] => {
  const reader = createCsvReader(new Map(Object.entries(columns)));
  return [...reader.push(text), ...reader.end()];
};
const events = (entries: Entry[]) => entries.map((entry) => ('json' in entry ? JSON.parse(entry.json) : entry));

/** Cuts the text at the given places. */
const cut = (text: string, places: number[]) => {
  const sorted = [0, ...places.map((place) => place % (text.length + 1)).sort((a, b) => a - b), text.length];
  return sorted.slice(1).map((end, index) => text.slice(sorted[index], end));
};

describe('CSV', () => {
  it('reads back every table, however it is quoted and wherever the pieces are cut', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', ' ', 'é', ';') });
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        table,
        fc.constantFrom('\n', '\r\n'),
        fc.array(fc.nat(), { maxLength: 5 }),
        fc.boolean(),
        (rows, end, places, last) => {
          const quoted = (value: string) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
          const text = rows.map((row) => row.map(quoted).join(',')).join(end) + (last ? end : '');
          expect(split(cut(text, places)).map((record) => record.cells)).toEqual(rows);
        },
      ),
    );
  });

  it('tells the line that each record begins at', () => {
    expect(split(['a,b\n"1\n2",x\r\n\r\ny,"z"'])).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['1\n2', 'x'] },
      { line: 5, cells: ['y', 'z'] },
    ]);
  });

  it('leaves out blank lines, and keeps a record of one empty quoted cell', () => {
    expect(split(['\n\r\n""\n\n']).map((record) => record.cells)).toEqual([['']]);
  });

  it('rejects what goes on behind a closing quote and a quote that is never closed, and reads on', () => {
    const entries = read('a,b\n"x"y,1\n2,3\n4,"5\n6');
    expect(entries[0]).toMatchObject({
      line: 2,
      code: 'UNREADABLE_LINE',
      message: expect.stringContaining('closing quote'),
    });
    expect(events([entries[1]!])).toEqual([{ a: '2', b: '3' }]);
    expect(entries[2]).toMatchObject({ line: 4, message: 'The quote that opens in line 4 is never closed.' });
  });

  it('rejects records whose cells do not match the header', () => {
    expect(read('a,b\n1\n1,2,3')).toMatchObject([
      { line: 2, message: 'The record has 1 cells, and the header 2.' },
      { line: 3, message: 'The record has 3 cells, and the header 2.' },
    ]);
  });

  it('holds no more of a record than may be held', () => {
    const records = split(['a,b\n', '"', ...Array.from({ length: 50 }, () => 'x,'.repeat(100)), '"\nc,d'], 1_000);
    expect(records).toMatchObject([
      { cells: ['a', 'b'] },
      { line: 2, problem: { kind: 'tooLong', message: expect.stringContaining('open since line 2') } },
      { line: 3, cells: ['c', 'd'] },
    ]);
  });

  it('converts cells by the types of the dataset’s columns alone, and leaves out empty ones', () => {
    const columns = { n: 'INT', big: 'LONG', r: 'REAL', yes: 'BOOLEAN', s: 'STRING', j: 'JSON', t: 'DATETIME' };
    const text =
      'n,big,r,yes,s,j,t,other\n42,9007199254740993,1.5e3,TRUE,007,"{""a"":[1]}",2026-01-31T00:00:00Z,12\nx,,,maybe,,{,,\n';
    expect(events(read(text, columns))).toEqual([
      {
        n: 42,
        big: '9007199254740993',
        r: 1500,
        yes: true,
        s: '007',
        j: { a: [1] },
        t: '2026-01-31T00:00:00Z',
        other: '12',
      },
      { n: 'x', yes: 'maybe', j: '{' },
    ]);
  });

  it('refuses a header that names no columns', () => {
    for (const [header, message] of [
      ['a,,b', 'Column 2 of the header has no name.'],
      ['a,b,a', 'The header names the column "a" twice.'],
      ['a;b;c', 'CSV separates columns by commas'],
      ['a,"b', 'The header, line 1, is broken'],
    ] as const) {
      expect(() => read(`${header}`.concat(header.includes('"') ? '' : '\n1'))).toThrow(message);
    }
  });
});
