/** The command line's standard streams: data goes to stdout, everything else to stderr. */
import type { Readable } from 'node:stream';
import { cutToWidth } from './width.js';

/** A standard stream as far as the command line needs it. */
export interface OutputStream extends NodeJS.WritableStream {
  isTTY?: boolean;
  columns?: number;
}

/** What a command runs in; `process` has this shape. */
export interface Surroundings {
  stdin: Readable & { isTTY?: boolean; setRawMode?(on: boolean): unknown };
  stdout: OutputStream;
  stderr: OutputStream;
  env: Record<string, string | undefined>;
}

/** The reader of stdout has gone, as `head` does: a reason to end quietly. */
export class ReaderGone extends Error {}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
const codes: Record<Style, [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** How often the status line is drawn at most. */
const redrawMs = 100;

export class Terminal {
  readonly surroundings: Surroundings;
  readonly #out: OutputStream;
  readonly #err: OutputStream;
  #readerGone = false;
  #status = '';
  #drawnAtMs = Number.NEGATIVE_INFINITY;

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
    this.#out = surroundings.stdout;
    this.#err = surroundings.stderr;
    this.#out.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#readerGone = true;
    });
    // Progress that nobody reads is no reason to stop.
    this.#err.on('error', () => {});
  }

  /** Whether stderr is a terminal, where a status line can be redrawn. */
  get live(): boolean {
    return this.#err.isTTY === true && this.surroundings.env.TERM !== 'dumb';
  }

  /** The columns of stdout where it is a terminal; undefined for files and pipes. */
  get dataColumns(): number | undefined {
    return this.#out.isTTY ? (this.#out.columns ?? 80) : undefined;
  }

  /** The room for the status line. */
  get statusColumns(): number {
    return (this.#err.columns ?? 80) - 1;
  }

  /** Whether the password prompt can be shown. */
  get canAsk(): boolean {
    return this.surroundings.stdin.isTTY === true && this.#err.isTTY === true;
  }

  /**
   * Writes data to stdout and waits until there is room for more.
   * @throws ReaderGone
   */
  async data(text: string): Promise<void> {
    if (this.#readerGone) throw new ReaderGone();
    if (this.#out.write(text)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const event of ['drain', 'close', 'error']) this.#out.off(event, done);
        resolve();
      };
      for (const event of ['drain', 'close', 'error']) this.#out.on(event, done);
    });
    if (this.#readerGone) throw new ReaderGone();
  }

  /** Writes a message to stderr, above the status line. */
  message(text: string): void {
    const status = this.#status;
    this.clearStatus();
    this.#err.write(`${text}\n`);
    if (status) this.#draw(status);
  }

  /** Writes what ended a command; its first line says what, the others where or what to do. */
  failure(text: string): void {
    const [what = '', ...more] = text.split('\n');
    this.message([this.style('red', what), ...more].join('\n'));
  }

  /** Shows the line in place of the last one, at most ten times a second; does nothing where stderr is no terminal. */
  status(line: string): void {
    if (!this.live || performance.now() - this.#drawnAtMs < redrawMs) return;
    this.#drawnAtMs = performance.now();
    this.#draw(line);
  }

  clearStatus(): void {
    if (this.#status === '') return;
    this.#err.write('\r\x1b[K');
    this.#status = '';
    this.#drawnAtMs = Number.NEGATIVE_INFINITY;
  }

  /** The text in a style for stderr; as it is where stderr is no terminal or NO_COLOR is set. */
  style(style: Style, text: string): string {
    return this.#styled(this.#err, style, text);
  }

  /** The text in a style for stdout. */
  dataStyle(style: Style, text: string): string {
    return this.#styled(this.#out, style, text);
  }

  #styled(stream: OutputStream, style: Style, text: string): string {
    const { env } = this.surroundings;
    if (!stream.isTTY || env.NO_COLOR || env.TERM === 'dumb') return text;
    const [on, off] = codes[style];
    return `\x1b[${on}m${text}\x1b[${off}m`;
  }

  #draw(line: string): void {
    const cut = cutToWidth(line, this.statusColumns);
    this.#err.write(`\r${cut}\x1b[K`);
    this.#status = line;
  }
}
