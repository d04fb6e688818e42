/**
 * Several statements in one message, and one round trip: what PostgreSQL calls an implicit transaction. The last statement
 * is the one that counts; those before it set the scene.
 */
import { createHash } from 'node:crypto';
import type { Connection, PoolClient, Submittable } from 'pg';
import { prepareValue } from 'pg/lib/utils.js';
import { typeParsers } from './types.js';

export interface Statement {
  text: string;
  values: readonly unknown[];
}

/** The messages of the extended protocol; `pg` types none of them. */
interface ProtocolConnection {
  stream: Connection['stream'];
  parse(message: { text: string; name: string }): void;
  bind(message: { statement: string; values: readonly unknown[]; valueMapper: (value: unknown) => unknown }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: { rows: number }): void;
  sync(): void;
}

interface RowField {
  name: string;
  dataTypeID: number;
}

/** Which statements a connection keeps parsed; false for those that must not be tried again under their name. */
const parsedStatements = new WeakMap<Connection, Map<string, boolean>>();
const namesOfTexts = new Map<string, string>();

/** Texts that are kept parsed are constants of the code: there are few. */
function nameOf(text: string): string {
  let name = namesOfTexts.get(text);
  if (name === undefined) {
    name = createHash('sha256').update(text).digest('base64url').slice(0, 22);
    namesOfTexts.set(text, name);
  }
  return name;
}

class Pipeline<Row> implements Submittable {
  readonly rows: Promise<Row[]>;
  readonly #settled = Promise.withResolvers<Row[]>();
  readonly #before: readonly Statement[];
  readonly #last: Statement;
  readonly #keepsParsed: boolean;
  #connection: Connection | undefined;
  #fields: { name: string; parse(text: string): unknown }[] | undefined;
  readonly #found: Row[] = [];
  #error: unknown;

  constructor(before: readonly Statement[], last: Statement, keepsParsed: boolean) {
    this.#before = before;
    this.#last = last;
    this.#keepsParsed = keepsParsed;
    this.rows = this.#settled.promise;
  }

  submit(connection: Connection): void {
    const protocol = connection as unknown as ProtocolConnection;
    this.#connection = connection;
    // All messages in one piece: each write would wake the server.
    protocol.stream.cork();
    try {
      for (const { text, values } of this.#before) send(protocol, '', text, values);
      const parsed = parsedOn(connection);
      const name = this.#keepsParsed && parsed.get(nameOf(this.#last.text)) !== false ? nameOf(this.#last.text) : '';
      send(protocol, name, parsed.get(name) === true ? undefined : this.#last.text, this.#last.values, true);
      protocol.sync();
    } finally {
      protocol.stream.uncork();
    }
  }

  handleRowDescription({ fields }: { fields: RowField[] }): void {
    this.#fields = fields.map(({ name, dataTypeID }) => ({ name, parse: typeParsers.getTypeParser(dataTypeID) }));
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    // Only the last statement's rows are described.
    if (this.#fields === undefined || this.#error !== undefined) return;
    const row: Record<string, unknown> = {};
    try {
      for (const [index, { name, parse }] of this.#fields.entries()) {
        const text = fields[index]!;
        row[name] = text === null ? null : parse(text);
      }
    } catch (error) {
      this.#error = error;
    }
    this.#found.push(row as Row);
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    if (this.#keepsParsed && this.#connection !== undefined) {
      const parsed = parsedOn(this.#connection);
      const name = nameOf(this.#last.text);
      if (parsed.get(name) === undefined) parsed.set(name, true);
    }
    if (this.#error === undefined) this.#settled.resolve(this.#found);
    else this.#settled.reject(this.#error);
  }

  /** Whether the statement was parsed before it failed is not known: its name is left alone from now on. */
  handleError(error: Error): void {
    if (this.#keepsParsed && this.#connection !== undefined) {
      const parsed = parsedOn(this.#connection);
      const name = nameOf(this.#last.text);
      if (parsed.get(name) === undefined) parsed.set(name, false);
    }
    this.#settled.reject(error);
  }
}

function parsedOn(connection: Connection): Map<string, boolean> {
  let parsed = parsedStatements.get(connection);
  if (parsed === undefined) {
    parsed = new Map();
    parsedStatements.set(connection, parsed);
  }
  return parsed;
}

/** @param text undefined where the connection has parsed it already */
function send(
  protocol: ProtocolConnection,
  statement: string,
  text: string | undefined,
  values: readonly unknown[],
  describes = false,
): void {
  if (text !== undefined) protocol.parse({ text, name: statement });
  protocol.bind({ statement, values, valueMapper: prepareValue });
  if (describes) protocol.describe({ type: 'P', name: '' });
  protocol.execute({ rows: 0 });
}

/**
 * Runs the statements as one transaction and answers the rows of the last.
 * @param keepsParsed keeps the last one parsed on the connection; its text must be a constant
 */
export async function runPipeline<Row>(
  client: PoolClient,
  before: readonly Statement[],
  last: Statement,
  keepsParsed: boolean,
): Promise<Row[]> {
  return client.query(new Pipeline<Row>(before, last, keepsParsed)).rows;
}
