/** An answer on its way to subscribers: serialised once, however many get it. */
import type { GraphQLFormattedError } from 'graphql';
import type { OperationResult } from '../execution/compiled-operation.js';

export class Message {
  /** The answer as JSON, in UTF-8. */
  readonly json: Buffer;
  #characters: string | undefined;
  #event: Buffer | undefined;

  constructor({ data, errors, extensions }: OperationResult) {
    this.json = Buffer.from(JSON.stringify({ errors, data, extensions }));
  }

  /** An answer that tells errors alone. */
  static ofErrors(errors: readonly GraphQLFormattedError[]): Message {
    return new Message({ errors: [...errors] });
  }

  get bytes(): number {
    return this.json.length;
  }

  /** The JSON with one character for each byte of it: what `write(…, 'latin1')` sends as those bytes. */
  get characters(): string {
    this.#characters ??= this.json.toString('latin1');
    return this.#characters;
  }

  /** The JSON as a server-sent event. It holds no line break, so it is one line of data. */
  get event(): Buffer {
    this.#event ??= Buffer.from(`event: next\ndata: ${this.json}\n\n`);
    return this.#event;
  }
}

/** Stands in a stream for events that did not fit into a queue. */
export class Gap {
  constructor(public missed: number) {}
}

/** What a subscriber is given, in order. */
export type Item = Message | Gap;
