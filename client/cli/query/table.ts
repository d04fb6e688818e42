/** Prints rows as an aligned table, page by page: the first page decides the widths. */
import { cutToWidth, displayWidth, visible } from '../terminal/width.js';

export interface ResultColumn {
  name: string;
  type: string;
}

/** One row of a result: values by column name. */
export type ResultRow = Record<string, unknown>;

type Emphasis = (text: string) => string;

interface TableOptions {
  /** The columns of the terminal; without one, cells are cut only where they are very long. */
  width: number | undefined;
  /** How the header is set off. */
  emphasise: Emphasis;
}

const gap = '  ';
/** No column is squeezed below this while others have more. */
const narrowest = 6;
/** The widest cell where no terminal sets a limit. */
const widestCell = 80;
const numeric = new Set(['LONG', 'REAL', 'DECIMAL']);
/** What may be cut; half a number would be a wrong one. */
const cuttable = new Set(['STRING', 'DYNAMIC']);

/** A printer for the pages of one result; each call answers the text of a page, the first one with the header. */
export function createTable(
  columns: readonly ResultColumn[],
  { width, emphasise }: TableOptions,
): (rows: readonly ResultRow[]) => string {
  const names = columns.map((column) => visible(column.name));
  const last = columns.length - 1;
  let widths: number[] | undefined;

  /** How much of a cell is shown: the last column may go on to the edge, whatever the first page needed. */
  const roomOf = (index: number): number => {
    if (!cuttable.has(columns[index]!.type)) return Number.POSITIVE_INFINITY;
    if (index < last) return widths![index]!;
    return width === undefined
      ? widestCell
      : Math.max(widths![index]!, width - sum(widths!.slice(0, -1)) - gap.length * last);
  };
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const cut = cutToWidth(cell, roomOf(index));
        const padding = ' '.repeat(Math.max(widths![index]! - displayWidth(cut), 0));
        return numeric.has(columns[index]!.type) ? padding + cut : cut + padding;
      })
      .join(gap)
      .trimEnd();

  return (rows) => {
    const page = rows.map((row) => columns.map((column) => cellText(row[column.name])));
    const lines: string[] = [];
    if (!widths) {
      const natural = names.map((name, index) =>
        page.reduce((widest, cells) => Math.max(widest, displayWidth(cells[index]!)), displayWidth(name)),
      );
      const mayShrink = columns.map(({ type }) => cuttable.has(type));
      const room = width === undefined ? Number.POSITIVE_INFINITY : width - gap.length * last;
      widths = squeeze(natural, mayShrink, room).map((value, index) =>
        mayShrink[index] ? Math.min(value, widestOf(width)) : value,
      );
      lines.push(emphasise(line(names)), widths.map((value) => '─'.repeat(value)).join(gap));
    }
    for (const cells of page) lines.push(line(cells));
    return `${lines.join('\n')}\n`;
  };
}

const widestOf = (width: number | undefined): number => (width === undefined ? widestCell : Number.POSITIVE_INFINITY);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** A value in one line of text, safe to show. */
export function cellText(value: unknown): string {
  if (typeof value === 'string') return visible(value);
  if (value === null || value === undefined) return 'null';
  return visible(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

/** Takes room from the widest columns that may shrink until all fit, or those are as narrow as they may be. */
function squeeze(natural: readonly number[], mayShrink: readonly boolean[], room: number): number[] {
  const limited = (limit: number) => natural.map((value, index) => (mayShrink[index] ? Math.min(value, limit) : value));
  let high = Math.max(...natural, narrowest);
  if (sum(natural) <= room) return [...natural];
  let low = narrowest;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (sum(limited(middle)) <= room) low = middle;
    else high = middle - 1;
  }
  const widths = limited(low);
  // What rounding left over goes to the columns that were cut, from the left.
  let left = room - sum(widths);
  return widths.map((value, index) => {
    const more = left > 0 && value < natural[index]! ? 1 : 0;
    left -= more;
    return value + more;
  });
}
