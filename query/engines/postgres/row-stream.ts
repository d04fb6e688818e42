/**
 * The rows of one statement as they come off the wire, no faster than they are read. The server is asked for all of them
 * at once, which leaves it free to work in parallel: a portal that is fetched piece by piece runs on one core. What keeps
 * memory bounded is the socket, which is not read while enough rows wait.
 */
import type { Connection, Submittable } from 'pg';
import type { JsonValue } from '../../result.js';
import type { Statement } from './statement.js';
import { resultTypes } from './values.js';

export interface RowField {
  name: string;
  dataTypeID: number;
}

/** The messages of the extended protocol; `pg` types none of them. */
interface ProtocolConnection {
  parse(message: { text: string; name: string; types: number[] }): void;
  bind(message: { values: unknown[] }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: { rows: number }): void;
  sync(): void;
}

type Parser = (text: string) => JsonValue;

/** Statements without parameters and rows. */
export interface Around {
  before: readonly string[];
  after: readonly string[];
}

/** How long a read waits for all the rows that it asked for; then one is enough. */
const lingerMs = 250;

export class RowStream implements Submittable {
  /** The columns; empty until the first rows have been read. */
  fields: RowField[] = [];
  #connection: Connection | undefined;
  #parsers: Parser[] = [];
  #rows: JsonValue[][] = [];
  #wanted = 0;
  #isOver = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  /** @param around goes before and after it, all in one message */
  constructor(
    private readonly statement: Pick<Statement, 'text' | 'values'>,
    private readonly around: Around = { before: [], after: [] },
  ) {}

  /** Whether all rows have been read. */
  get isOver(): boolean {
    return this.#isOver && this.#rows.length === 0;
  }

  /** The next rows: as many as asked for, or fewer where more do not come soon; none after the last one. */
  async read(count: number): Promise<JsonValue[][]> {
    this.#wanted = count;
    if (this.#rows.length < count && !this.#isOver && this.#error === undefined) {
      const waiting = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#connection?.stream.resume();
      const timer = setTimeout(() => {
        this.#wanted = 1;
        this.#wakeIfEnough();
      }, lingerMs);
      await waiting;
      clearTimeout(timer);
    }
    if (this.#error !== undefined) throw this.#error;
    return this.#rows.splice(0, count);
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    const protocol = connection as unknown as ProtocolConnection;
    const run = (text: string) => {
      protocol.parse({ text, name: '', types: [] });
      protocol.bind({ values: [] });
      protocol.execute({ rows: 0 });
    };
    // One piece on the wire: every write wakes the server.
    connection.stream.cork();
    for (const text of this.around.before) run(text);
    protocol.parse({ text: this.statement.text, name: '', types: [] });
    protocol.bind({ values: this.statement.values });
    protocol.describe({ type: 'P', name: '' });
    protocol.execute({ rows: 0 });
    for (const text of this.around.after) run(text);
    protocol.sync();
    connection.stream.uncork();
  }

  handleRowDescription({ fields }: { fields: RowField[] }): void {
    this.fields = fields;
    this.#parsers = fields.map(({ dataTypeID }) => resultTypes.getTypeParser(dataTypeID, 'text') as Parser);
  }

  /** A piece of the wire holds many rows: some come after the socket was told to wait. */
  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    if (this.#error !== undefined) return;
    try {
      this.#rows.push(this.#parsed(fields));
    } catch (error) {
      // Thrown from here it would end the process.
      this.handleError(error as Error);
    }
    this.#wakeIfEnough();
  }

  #wakeIfEnough(): void {
    if (this.#rows.length < this.#wanted) return;
    this.#connection?.stream.pause();
    this.#wake();
  }

  #parsed(fields: (string | null)[]): JsonValue[] {
    const row: JsonValue[] = new Array(fields.length);
    for (let i = 0; i < fields.length; i++) {
      const text = fields[i]!;
      row[i] = text === null ? null : this.#parsers[i]!(text);
    }
    return row;
  }

  handleCommandComplete(): void {}

  /** The connection goes on to its next statement, whether all rows have been read or not. */
  handleReadyForQuery(): void {
    this.#isOver = true;
    this.#connection?.stream.resume();
    this.#wake();
  }

  handleError(error: Error): void {
    this.#error ??= error;
    this.#connection?.stream.resume();
    this.#wake();
  }
}
