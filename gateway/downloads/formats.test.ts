import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FormatName, formats, type ResultColumn, type ResultRow } from './formats.js';
import { rangeOf } from './range.js';

const isDeep = process.env.HARBORWATCH_DEEP !== undefined;

const write = (format: FormatName, columns: ResultColumn[], rows: ResultRow[], cuts: number[] = []) => {
  const encoder = formats[format].encoder(columns, false);
  let text = encoder.head;
  const bounds = [0, ...cuts.map((cut) => cut % (rows.length + 1)).sort((a, b) => a - b), rows.length];
  bounds.slice(1).forEach((end, index) => {
    text += encoder.rows(rows.slice(bounds[index], end), bounds[index] === 0);
  });
  return text + encoder.tail(rows.length === 0);
};

/** RFC 4180 by its grammar: records end with CRLF, quotes are doubled inside of quotes. */
function parseCsv(text: string): { value: string; quoted: boolean }[][] {
  const records: { value: string; quoted: boolean }[][] = [];
  let record: { value: string; quoted: boolean }[] = [];
  for (let at = 0; at < text.length; ) {
    const cell = /"((?:[^"]|"")*)"|([^",\r\n]*)/y;
    cell.lastIndex = at;
    const [whole, quoted, plain] = cell.exec(text)!;
    record.push({ value: quoted?.replaceAll('""', '"') ?? plain!, quoted: quoted !== undefined });
    at += whole.length;
    if (text.startsWith('\r\n', at)) {
      records.push(record);
      record = [];
      at += 2;
    } else if (text[at] === ',') at += 1;
    else throw new Error(`Neither a comma nor the end of a record at ${at}: ${text.slice(at, at + 20)}`);
  }
  return records;
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      ',',
      '\r',
      '\n',
      '\t',
      ' ',
      '=',
      '+',
      '-',
      '@',
      '＝',
      '＠',
      "'",
      'a',
      '\ufeff',
      '\u2028',
    ),
  }),
);
const jsonValue = fc.jsonValue({ maxDepth: 2 });
const names = fc.uniqueArray(fc.oneof(text, fc.constantFrom('__proto__', '1')), { minLength: 1, maxLength: 5 });
/** Columns with rows of values as the engine makes them. */
const result = names.chain((all) =>
  fc
    .record({
      types: fc.array(fc.constantFrom('STRING', 'DYNAMIC', 'LONG', 'DECIMAL'), {
        minLength: all.length,
        maxLength: all.length,
      }),
      cuts: fc.array(fc.nat(), { maxLength: 3 }),
    })
    .chain(({ types, cuts }) => {
      const arbitraryOf = { STRING: text, DYNAMIC: jsonValue, LONG: fc.integer(), DECIMAL: fc.bigInt().map(String) };
      const row = fc.tuple(...types.map((type) => fc.option(arbitraryOf[type] as fc.Arbitrary<unknown>)));
      return fc.record({
        columns: fc.constant(all.map((name, index) => ({ name, type: types[index]! }))),
        rows: fc.array(row as fc.Arbitrary<unknown[]>, { maxLength: 5 }),
        cuts: fc.constant(cuts),
      });
    }),
);
const numRuns = isDeep ? 20_000 : 1_000;

describe('csv', () => {
  const safe = (value: string) => (/^[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : value);

  test('is read by RFC 4180 as what was written, of any values and names', () => {
    fc.assert(
      fc.property(result, ({ columns, rows, cuts }) => {
        const [header, ...records] = parseCsv(write('csv', columns, rows, cuts));
        expect(header!.map(({ value }) => value)).toEqual(columns.map(({ name }) => safe(name)));
        expect(records.length).toBe(rows.length);
        rows.forEach((row, index) => {
          const expected = row.map((value, column) => {
            if (value === null) return '';
            const cell = typeof value === 'string' ? value : JSON.stringify(value);
            const { type } = columns[column]!;
            const isGuarded = (type === 'STRING' || type === 'DYNAMIC') && typeof value === 'string';
            return isGuarded ? safe(cell) : cell;
          });
          expect(records[index]!.map(({ value }) => value)).toEqual(expected);
        });
      }),
      { numRuns },
    );
  });

  test('has no cell that a spreadsheet would run, and leaves numbers as they are', () => {
    const columns = [
      { name: '=cmd()', type: 'STRING' },
      { name: 'n', type: 'LONG' },
      { name: 'd', type: 'DECIMAL' },
    ];
    const hostile = ['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '\nx', '＝1+1', '＋1', '－1', '＠SUM(A1)'];
    const rows = hostile.map((value) => [value, -5, '-12345678901234567890.5']);
    const lines = parseCsv(write('csv', columns, rows));
    expect(lines.map(([first]) => first!.value)).toEqual(["'=cmd()", ...hostile.map((value) => `'${value}`)]);
    for (const line of lines.slice(1))
      expect(line.slice(1).map(({ value }) => value)).toEqual(['-5', '-12345678901234567890.5']);
  });

  test('tells a null from an empty text, and has a line for every row', () => {
    const one = { name: 'a', type: 'STRING' };
    expect(write('csv', [one, { ...one, name: 'b' }], [[null, '']])).toBe('a,b\r\n,""\r\n');
    expect(write('csv', [one], [[null], ['x']])).toBe('a\r\n""\r\nx\r\n');
  });
});

test('json and ndjson are read as the rows’ objects, of any values and names', () => {
  fc.assert(
    fc.property(result, ({ columns, rows, cuts }) => {
      const objects = rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
      // As JSON, since -0 is 0 there.
      const whole = JSON.stringify(JSON.parse(write('json', columns, rows, cuts)));
      expect(whole).toBe(JSON.stringify(objects));
      const lines = write('ndjson', columns, rows, cuts).split('\n');
      expect(lines.pop()).toBe('');
      expect(JSON.stringify(lines.map((line) => JSON.parse(line)))).toBe(JSON.stringify(objects));
    }),
    { numRuns },
  );
});

test.each([
  ['bytes=0-0', { start: 0, end: 0 }],
  ['bytes=0-', { start: 0, end: 9 }],
  ['bytes=9-', { start: 9, end: 9 }],
  ['BYTES = 3-99', { start: 3, end: 9 }],
  ['bytes=-3', { start: 7, end: 9 }],
  ['bytes=-99', { start: 0, end: 9 }],
  ['bytes=10-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=5-4', undefined],
  ['bytes=-', undefined],
  ['bytes=1-2,4-5', undefined],
  ['lines=1-2', undefined],
  ['bytes=1x-2', undefined],
  ['bytes=1-99999999999999999999', undefined],
  ['', undefined],
] as const)('of 10 bytes, "%s" is %o', (header, expected) => {
  expect(rangeOf(header, 10)).toEqual(expected);
});
