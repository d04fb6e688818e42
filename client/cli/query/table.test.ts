import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutToWidth, displayWidth, visible } from '../terminal/width.js';
import { createWriter } from './output.js';
import { pointAt } from './position.js';
import { createTable } from './table.js';

const plain = { emphasise: (text: string) => text };
const columns = [
  { name: 'status', type: 'LONG' },
  { name: 'url', type: 'STRING' },
];

describe('a table', () => {
  it('aligns columns, numbers to the right, wide characters by the room they take', () => {
    const table = createTable(columns, { ...plain, width: undefined });
    expect(
      table([
        { status: 200, url: '/漢字' },
        { status: 4, url: 'é' },
        { status: null, url: '' },
      ]),
    ).toBe(['status  url', '──────  ─────', '   200  /漢字', '     4  é', '  null', ''].join('\n'));
  });

  it('never takes more room than the terminal has, where the columns can be narrowed', () => {
    const value = fc.string({ unit: fc.constantFrom('a', '漢', '👍🏽', '\n', 'é', ' ') });
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 100 }),
        fc.array(fc.record({ status: value, url: value })),
        (width, rows) => {
          const texts = columns.map(({ name }) => ({ name, type: 'STRING' }));
          for (const line of createTable(texts, { ...plain, width })(rows).split('\n')) {
            expect(displayWidth(line)).toBeLessThanOrEqual(width);
          }
        },
      ),
    );
  });

  it('takes room from the widest columns first', () => {
    const table = createTable(columns, { ...plain, width: 20 });
    expect(table([{ status: 200, url: '/a/very/long/address' }]).split('\n')[2]).toBe('   200  /a/very/lon…');
  });

  it('keeps the widths of the first page, lets the last column go on to the edge, and never cuts a number', () => {
    const pages = (width: number, ...rows: object[]) => {
      const table = createTable([...columns, { name: 'more', type: 'STRING' }], { ...plain, width });
      return rows.map((row) =>
        table([row as never])
          .split('\n')
          .at(-2),
      );
    };
    const first = { status: 1, url: '/short', more: 'x' };
    expect(pages(30, first, { status: 12_345_678, url: '/much/longer', more: 'more than one' })).toEqual([
      '     1  /short  x',
      '12345678  /much…  more than one',
    ]);
    expect(pages(20, first, { status: 2, url: '/', more: 'more than one' })[1]).toBe('     2  /       mor…');
  });

  it('shows control characters instead of obeying them', () => {
    expect(visible('a\x1b[2Jb\u202ec\x9b\n')).toBe('a\\u001b[2Jb\\u202ec\\u009b\\n');
    const table = createTable(columns, { ...plain, width: undefined });
    expect(table([{ status: 1, url: '\x1b]0;owned\x07' }])).not.toMatch(/(?!\n)\p{Cc}/u);
  });
});

describe('cutting', () => {
  it('keeps the text whole where it fits, and never takes more room than given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, width) => {
        const cut = cutToWidth(text, width);
        if (displayWidth(text) <= width) expect(cut).toBe(text);
        else expect(cut.endsWith('…')).toBe(true);
        expect(displayWidth(cut)).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe('whole values', () => {
  const options = { ...plain, width: undefined, spreadsheet: false };
  const rows = [
    { status: 1, url: 'a,"b"\n' },
    { status: null, url: '' },
    { status: 2, url: { deep: [1] } },
  ];

  it('as JSON are one array over all pages', () => {
    const writer = createWriter('json', columns, options);
    expect(JSON.parse(writer.page(rows.slice(0, 1)) + writer.page(rows.slice(1)) + writer.end())).toEqual(rows);
    const empty = createWriter('json', columns, options);
    expect(JSON.parse(empty.page([]) + empty.end())).toEqual([]);
  });

  it('as CSV tell null from empty text, and repeat no header', () => {
    const writer = createWriter('csv', columns, options);
    expect(writer.page(rows.slice(0, 1)) + writer.page(rows.slice(1)) + writer.end()).toBe(
      'status,url\r\n1,"a,""b""\n"\r\n,""\r\n2,"{""deep"":[1]}"\r\n',
    );
  });

  it('as CSV for a spreadsheet begin no formula', () => {
    const writer = createWriter('csv', [{ name: 'url', type: 'STRING' }], { ...options, spreadsheet: true });
    expect(writer.page(['=1+1', '@x', '-5', '-5+1'].map((url) => ({ url })))).toBe(
      "url\r\n'=1+1\r\n'@x\r\n-5\r\n'-5+1\r\n",
    );
  });
});

describe('the place of an error', () => {
  it('has a caret under its column, counted in characters', () => {
    expect(pointAt('SELECT * FORM logs', 1, 10)).toBe('  SELECT * FORM logs\n           ^');
    expect(pointAt("SELECT '漢👍'\n\tFORM logs", 2, 2)).toBe('2 |  FORM logs\n     ^');
    expect(pointAt("SELECT '漢👍' x", 1, 12)).toBe("  SELECT '漢👍' x\n               ^");
  });

  it('is shown at the end of the text and in a part of a long line', () => {
    expect(pointAt('SELECT', 1, 7)).toBe('  SELECT\n        ^');
    const [text, caret] = pointAt(`SELECT ${'a, '.repeat(200)} FROM`, 1, 301).split('\n') as [string, string];
    expect(displayWidth(text)).toBeLessThan(110);
    expect(text[caret.indexOf('^')]).toBe(`SELECT ${'a, '.repeat(200)} FROM`[300]);
  });

  it('is left out where it is not in the text', () => {
    expect([pointAt('SELECT', 2, 1), pointAt('SELECT', null, 1), pointAt('SELECT', 1, null)]).toEqual(['', '', '']);
  });
});
