/** The forms of a result: each turns pages of rows into text, as they come. */
import { createTable, type ResultColumn, type ResultRow } from './table.js';

/** Writes one result, page by page. */
export interface ResultWriter {
  /** @param rows may be empty: the first page of an empty result still has its columns */
  page(rows: readonly ResultRow[]): string;
  end(): string;
}

export const outputFormats = ['table', 'json', 'csv'] as const;

/** One JSON array with a row a line. */
function jsonWriter(): ResultWriter {
  let first = true;
  return {
    page: (rows) =>
      rows
        .map((row) => {
          const separator = first ? '[\n' : ',\n';
          first = false;
          return separator + JSON.stringify(row);
        })
        .join(''),
    end: () => (first ? '[]\n' : '\n]\n'),
  };
}

/** RFC 4180. A null is an empty cell, an empty text is `""`, so that both can be told apart. */
function csvWriter(columns: readonly ResultColumn[], spreadsheet: boolean): ResultWriter {
  let header = `${columns.map((column) => csvCell(column.name, spreadsheet)).join(',')}\r\n`;
  return {
    page: (rows) => {
      const text =
        header +
        rows.map((row) => `${columns.map((column) => csvCell(row[column.name], spreadsheet)).join(',')}\r\n`).join('');
      header = '';
      return text;
    },
    end: () => '',
  };
}

function csvCell(value: unknown, spreadsheet: boolean): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // What begins like this a spreadsheet runs as a formula, and logs hold what strangers sent.
  const formula = spreadsheet && /^[=+\-@\t\r]/.test(text) && !/^[+-]?\d+(\.\d+)?$/.test(text);
  const whole = formula ? `'${text}` : text;
  return whole === '' || /[",\r\n]|^\s|\s$/.test(whole) ? `"${whole.replaceAll('"', '""')}"` : whole;
}

interface WriterOptions {
  width: number | undefined;
  emphasise: (text: string) => string;
  spreadsheet: boolean;
}

/** The writer of a format. Any other than json and csv is the table. */
export function createWriter(format: string, columns: readonly ResultColumn[], options: WriterOptions): ResultWriter {
  if (format === 'json') return jsonWriter();
  if (format === 'csv') return csvWriter(columns, options.spreadsheet);
  return { page: createTable(columns, options), end: () => '' };
}
