/** What rows of a result look like in a file: each format is written piece by piece, and always to the same bytes. */

export interface ResultColumn {
  name: string;
  type: string;
}

/** A row's values, in the order of the columns. */
export type ResultRow = readonly unknown[];

/** Writes one result. The pieces, one after the other, are the file. */
export interface Encoder {
  head: string;
  /** @param isFirst whether no row was written before */
  rows(rows: readonly ResultRow[], isFirst: boolean): string;
  /** @param isEmpty whether no row was written */
  tail(isEmpty: boolean): string;
}

export interface Format {
  mediaType: string;
  /** @param continues whether the file goes on where an earlier one ended */
  encoder(columns: readonly ResultColumn[], continues: boolean): Encoder;
}

export const formats = {
  json: {
    mediaType: 'application/json; charset=utf-8',
    encoder(columns) {
      const write = objectWriter(columns);
      return {
        head: '[',
        rows: (rows, isFirst) => (rows.length === 0 ? '' : `${isFirst ? '\n' : ',\n'}${rows.map(write).join(',\n')}`),
        tail: (isEmpty) => (isEmpty ? ']\n' : '\n]\n'),
      };
    },
  },
  ndjson: {
    mediaType: 'application/x-ndjson; charset=utf-8',
    encoder(columns) {
      const write = objectWriter(columns);
      return { head: '', rows: (rows) => rows.map((row) => `${write(row)}\n`).join(''), tail: () => '' };
    },
  },
  csv: {
    mediaType: 'text/csv; charset=utf-8',
    encoder(columns, continues) {
      const isText = columns.map(({ type }) => type === 'STRING' || type === 'DYNAMIC');
      const line = (cells: readonly string[]) => `${cells.join()}\r\n`;
      const write =
        columns.length === 1
          ? // A line without a character is skipped by readers: the row would be lost.
            ([value]: ResultRow) => line([csvCell(value, isText[0]!) || '""'])
          : (row: ResultRow) => line(isText.map((text, index) => csvCell(row[index], text)));
      return {
        head: continues ? '' : line(columns.map(({ name }) => csvCell(name, true))),
        rows: (rows) => rows.map(write).join(''),
        tail: () => '',
      };
    },
  },
} satisfies Record<string, Format>;

export type FormatName = keyof typeof formats;

export const isFormatName = (name: string): name is FormatName => Object.hasOwn(formats, name);

/** Writes a row as JSON without making an object of it. */
function objectWriter(columns: readonly ResultColumn[]): (row: ResultRow) => string {
  const keys = columns.map(({ name }, index) => `${index === 0 ? '' : ','}${JSON.stringify(name)}:`);
  return (row) => {
    let text = '{';
    for (let index = 0; index < keys.length; index += 1) {
      const value = row[index];
      text += keys[index]! + (typeof value === 'number' ? value : JSON.stringify(value ?? null));
    }
    return `${text}}`;
  };
}

/** What spreadsheets take for the start of a formula (OWASP, CSV injection), in full width as well. */
const formulaStart = /^[=+\-@\t\r\n＝＋－＠]/;
const needsQuotes = /[",\r\n]|^\s|\s$/;

/**
 * A cell of RFC 4180. A null is an empty cell, an empty text is `""`, so that both can be told apart.
 * @param isText whether strangers may have written it; numbers and moments come from the engine
 */
function csvCell(value: unknown, isText: boolean): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const safe = isText && formulaStart.test(text) ? `'${text}` : text;
  return safe === '' || needsQuotes.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
