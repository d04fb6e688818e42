/** CSV as RFC 4180 has it, with a header; read piece by piece, at most one record in memory. */
import { usageError } from '../failure.js';
import { type ColumnTypes, type Entry, maxRecordChars, type RecordReader, tooLong, unreadable } from './format.js';

/** One record's cells, or what is wrong with it. */
export interface CsvRecord {
  /** The line that it begins at, from 1. */
  line: number;
  cells: string[];
  problem?: { kind: 'unreadable' | 'tooLong'; message: string };
}

/** Splits text into records. Blank lines are left out. */
export interface CsvSplitter {
  push(text: string): Iterable<CsvRecord>;
  end(): Iterable<CsvRecord>;
}

const quote = 0x22;
const comma = 0x2c;
const newline = 0x0a;

/** Makes a splitter. A record of more than `maxChars` characters is `tooLong`. */
export function createCsvSplitter(maxChars = maxRecordChars): CsvSplitter {
  let line = 1;
  let recordLine = 1;
  let cells: string[] = [];
  let cell = '';
  let size = 0;
  let problem: CsvRecord['problem'];
  // `quoteSeen`: the last character within quotes was a quote, which ends the cell unless another one follows.
  let state: 'start' | 'bare' | 'quoted' | 'quoteSeen' = 'start';
  let quoteLine = 0;

  const endCell = () => {
    if (problem?.kind !== 'tooLong') cells.push(cell);
    size += 1;
    cell = '';
    state = 'start';
  };
  const endRecord = (): CsvRecord | undefined => {
    if (state === 'bare' && cell.endsWith('\r')) cell = cell.slice(0, -1);
    const blank = state !== 'quoteSeen' && cells.length === 0 && cell === '';
    endCell();
    const record: CsvRecord = { line: recordLine, cells, ...(problem ? { problem } : {}) };
    cells = [];
    size = 0;
    problem = undefined;
    return blank && !record.problem ? undefined : record;
  };
  const keep = (text: string) => {
    size += text.length;
    if (size <= maxChars) cell += text;
    else {
      const where = state === 'quoted' ? ` A quote is open since line ${quoteLine}.` : '';
      problem ??= { kind: 'tooLong', message: `The record is far longer than an event may be.${where}` };
    }
  };

  return {
    *push(text) {
      let at = 0;
      while (at < text.length) {
        if (state === 'quoted') {
          const end = text.indexOf('"', at);
          const part = text.slice(at, end === -1 ? undefined : end);
          for (let next = part.indexOf('\n'); next !== -1; next = part.indexOf('\n', next + 1)) line += 1;
          keep(part);
          if (end === -1) break;
          state = 'quoteSeen';
          at = end + 1;
          continue;
        }
        const code = text.charCodeAt(at);
        if (state === 'quoteSeen' && code === quote) {
          keep('"');
          state = 'quoted';
          at += 1;
        } else if (state === 'start' && code === quote) {
          state = 'quoted';
          quoteLine = line;
          at += 1;
        } else if (code === comma) {
          endCell();
          at += 1;
        } else if (code === newline) {
          const record = endRecord();
          line += 1;
          recordLine = line;
          at += 1;
          if (record) yield record;
        } else if (state === 'quoteSeen') {
          // A CR belongs to the line's end; anything else has no place behind a closing quote.
          if (code !== 0x0d)
            problem ??= { kind: 'unreadable', message: `Cell ${cells.length + 1} goes on behind its closing quote.` };
          at += 1;
        } else {
          let end = at + 1;
          while (end < text.length && text.charCodeAt(end) !== comma && text.charCodeAt(end) !== newline) end += 1;
          state = 'bare';
          keep(text.slice(at, end));
          at = end;
        }
      }
    },
    *end() {
      if (state === 'quoted')
        problem ??= { kind: 'unreadable', message: `The quote that opens in line ${quoteLine} is never closed.` };
      if (state === 'start' && cells.length === 0) return;
      const record = endRecord();
      if (record) yield record;
    },
  };
}

/**
 * A reader that makes an event of each record: empty cells are left out, and figures, truth values and JSON are
 * converted where the dataset's column is of such a type.
 * @throws CommandFailure for a header that names no columns
 */
export function createCsvReader(columns: ColumnTypes): RecordReader {
  const splitter = createCsvSplitter();
  let header: string[] | undefined;

  const toEntry = ({ line, cells, problem }: CsvRecord): Entry | undefined => {
    const text = cells.join(',');
    if (problem && !header) throw usageError(`The header, line ${line}, is broken: ${problem.message}`);
    if (problem) return (problem.kind === 'tooLong' ? tooLong : unreadable)(line, problem.message, text);
    if (!header) {
      header = checkHeader(cells);
      return undefined;
    }
    if (cells.length !== header.length) {
      return unreadable(line, `The record has ${cells.length} cells, and the header ${header.length}.`, text);
    }
    const event: [string, unknown][] = [];
    header.forEach((name, index) => {
      const cell = cells[index]!;
      if (cell !== '') event.push([name, convert(cell, columns.get(name))]);
    });
    return { line, json: JSON.stringify(Object.fromEntries(event)) };
  };
  function* read(records: Iterable<CsvRecord>): Iterable<Entry> {
    for (const record of records) {
      const entry = toEntry(record);
      if (entry) yield entry;
    }
  }
  return {
    push: (text) => read(splitter.push(text)),
    end: () => read(splitter.end()),
  };
}

function checkHeader(cells: string[]): string[] {
  const names = cells.map((cell) => cell.trim());
  const empty = names.indexOf('');
  if (empty !== -1) throw usageError(`Column ${empty + 1} of the header has no name.`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw usageError(`The header names the column "${twice}" twice.`);
  const [only] = names;
  if (names.length === 1 && only && /[;\t]/.test(only)) {
    throw usageError(
      `The header has one column, "${only.slice(0, 60)}". CSV separates columns by commas, not by ${only.includes(';') ? 'semicolons' : 'tabs'}.`,
    );
  }
  return names;
}

const wholeNumber = /^[+-]?\d{1,19}$/;
const realNumber = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** The cell as its column's type; as it stands where it does not fit, so that the server's refusal quotes it. */
function convert(cell: string, type: string | undefined): unknown {
  const text = cell.trim();
  switch (type) {
    case 'INT':
    case 'LONG':
      // A JSON number cannot hold more than 2^53 exactly; the server takes digits as text too.
      return wholeNumber.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : cell;
    case 'REAL':
      return realNumber.test(text) ? Number(text) : cell;
    case 'BOOLEAN':
      return /^(true|false)$/i.test(text) ? text.toLowerCase() === 'true' : cell;
    case 'JSON':
      try {
        return JSON.parse(text);
      } catch {
        return cell;
      }
    default:
      return cell;
  }
}
