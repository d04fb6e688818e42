/** A download at work: its bytes from any place on, read page by page as they are taken. */
import { fail } from '../../platform/errors.js';
import type { Encoder, ResultRow } from './formats.js';
import type { ResultPage } from './pages.js';

/** Rows are written in pieces, between which others have their turn. */
const pieceRows = 1_000;

/**
 * Where the pages of a download begin, as far as it was read. The same rows always make the same bytes, so that it holds
 * for every later download of them.
 */
export class Layout {
  readonly #pages: { row: number; byte: number }[];
  /** The size of the whole; undefined before its end was seen. */
  size: number | undefined;

  constructor(firstRow: number) {
    this.#pages = [{ row: firstRow, byte: 0 }];
  }

  /** The last page that begins at a byte or before it. */
  pageAt(byte: number): { row: number; byte: number } {
    return this.#pages.findLast((page) => page.byte <= byte)!;
  }

  /** A page was read to its end. */
  note(next: { row: number; byte: number }, isLast: boolean): void {
    if (isLast) this.size = next.byte;
    else if (next.row > this.#pages.at(-1)!.row) this.#pages.push(next);
  }
}

export interface DownloadOptions {
  encoder: Encoder;
  layout: Layout;
  /** The rows that it has: from `firstRow` up to, and without, `endRow`. */
  firstRow: number;
  endRow: number;
  /** The rows' version; they are all of it. */
  version: string;
  pageRows: number;
  read(start: number, count: number): Promise<ResultPage>;
}

export class Download {
  constructor(private readonly options: DownloadOptions) {}

  /** The bytes from `start` up to `end`, and with it. Leaving the loop ends the reading. */
  async *bytes(start = 0, end = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer, void, undefined> {
    const page = this.options.layout.pageAt(start);
    let at = page.byte;
    for await (const text of this.#texts(page)) {
      const bytes = Buffer.from(text);
      const wanted = bytes.subarray(Math.max(0, start - at), end + 1 - at);
      at += bytes.length;
      if (wanted.length > 0) yield wanted;
      if (at > end) return;
    }
  }

  /** How many bytes it has in all, where that is known without reading it. */
  get knownSize(): number | undefined {
    return this.options.layout.size;
  }

  /** How many bytes it has in all: what was not read yet, is read once. @param signal ends it with its reason */
  async size(signal: AbortSignal): Promise<number> {
    const { layout } = this.options;
    if (layout.size === undefined) {
      for await (const _text of this.#texts(layout.pageAt(Number.POSITIVE_INFINITY))) signal.throwIfAborted();
    }
    return layout.size!;
  }

  async *#texts(from: { row: number; byte: number }): AsyncGenerator<string, void, undefined> {
    const { encoder, layout, firstRow, endRow, pageRows } = this.options;
    let { row, byte } = from;
    if (row === firstRow) {
      byte += Buffer.byteLength(encoder.head);
      yield encoder.head;
    }
    for (let isLast = false; !isLast; ) {
      const { rows, hasNextPage } = await this.#read(row, Math.min(pageRows, endRow - row));
      for (const piece of pieces(rows)) {
        const text = encoder.rows(piece, row === firstRow);
        row += piece.length;
        byte += Buffer.byteLength(text);
        yield text;
      }
      isLast = !hasNextPage || row >= endRow;
      if (!isLast && rows.length === 0) throw new Error('A page of a result has no rows, and more follow it.');
      const tail = isLast ? encoder.tail(row === firstRow) : '';
      byte += Buffer.byteLength(tail);
      layout.note({ row, byte }, isLast);
      yield tail;
    }
  }

  async #read(start: number, count: number): Promise<ResultPage> {
    const page = await this.options.read(start, count);
    if (page.version !== this.options.version) fail('INVALID_CURSOR', 'The rows were replaced while they were read.');
    return page;
  }
}

function* pieces(rows: readonly ResultRow[]): Generator<readonly ResultRow[], void, undefined> {
  for (let start = 0; start < rows.length; start += pieceRows) yield rows.slice(start, start + pieceRows);
}
