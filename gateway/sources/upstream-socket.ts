/**
 * The streams of one subgraph: all of them over one WebSocket (graphql-transport-ws), opened with the first and closed
 * after the last. Who a stream is for travels with each operation, never with the connection.
 *
 * A lost connection ends its streams with an error. To subscribe again in silence, as graphql-ws would, hides the events
 * in between: the client is told, and goes on from its cursor.
 */
import { type Client, createClient, type Sink } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type HopSigner, socketBody } from '../../platform/hop-tokens.js';
import type { Logger } from '../../platform/logging.js';
import type { RequestContext } from '../context.js';
import { type FailureCode, failed } from './failure.js';
import { checkAnswer } from './http-call.js';
import type { FetchOperation, SubgraphAnswer, Variables } from './source.js';

export interface UpstreamSocketOptions {
  /** The subgraph's name. */
  name: string;
  /** Such as `ws://127.0.0.1:4101/jobs`. */
  url: string;
  /** How long the connection may take to open. */
  timeoutMs: number;
  /** The largest event. */
  eventBytes: number;
  /** Signs the opening of the connection and every operation. */
  signer: HopSigner | undefined;
  logger: Logger;
}

/** A stream whose reader is this far behind ends. */
const maxWaitingEvents = 1_000;
/** How long an unused connection stays, for the next stream. */
const lingerMs = 5_000;
const keepAliveMs = 15_000;

export class UpstreamSocket {
  readonly #options: UpstreamSocketOptions;
  readonly #client: Client;
  readonly #streams = new Set<UpstreamStream>();
  #connected = false;
  #lastId = 0;

  constructor(options: UpstreamSocketOptions) {
    this.#options = options;
    this.#client = createClient({
      url: options.url,
      webSocketImpl: webSocketFor(options),
      lazy: true,
      lazyCloseTimeout: lingerMs,
      keepAlive: keepAliveMs,
      connectionAckWaitTimeout: options.timeoutMs,
      retryAttempts: 0,
      generateID: () => String(++this.#lastId),
      on: {
        connected: () => {
          this.#connected = true;
        },
        // Before graphql-ws looks at it, which would subscribe again after a normal closure.
        closed: (event) => {
          for (const stream of this.#streams) stream.end(this.#lost(event));
          this.#connected = false;
        },
      },
    });
  }

  subscribe(
    operation: FetchOperation,
    variables: Variables | undefined,
    context: RequestContext,
  ): AsyncIterableIterator<SubgraphAnswer> {
    const { name, signer, timeoutMs } = this.#options;
    const { identity, remoteIp, requestId, traceHeaders, forwardedHeaders } = context;
    const payload = { query: operation.text, variables };
    const deadline = Math.min(Date.now() + timeoutMs, context.deadline);
    const extensions = signer
      ? { token: signer.sign(name, socketBody(payload), { identity, remoteIp, requestId }, deadline), ...traceHeaders }
      : { headers: { 'x-request-id': requestId, ...traceHeaders, ...forwardedHeaders } };
    const stream: UpstreamStream = new UpstreamStream(
      (sink) => this.#client.subscribe({ ...payload, extensions }, sink),
      (reason) => this.#lost(reason),
      () => this.#streams.delete(stream),
    );
    this.#streams.add(stream);
    return stream;
  }

  /** Ends all streams and the connection. */
  close(): void {
    this.#client.terminate();
    void Promise.resolve(this.#client.dispose()).catch(() => {}); // There was no connection.
  }

  #lost(reason: unknown): SubgraphAnswer {
    const code: FailureCode = this.#connected ? 'SUBGRAPH_CONNECTION_LOST' : 'SUBGRAPH_UNAVAILABLE';
    const { message, code: status, reason: text } = reason as { message?: string; code?: number; reason?: string };
    this.#options.logger.warn({ code, subgraph: this.#options.name, status, error: text || message }, 'stream ended');
    return failed(code);
  }
}

/** One stream. Not an async generator: `return()` reaches the subgraph while `next()` waits. */
class UpstreamStream implements AsyncIterableIterator<SubgraphAnswer> {
  readonly #waiting: SubgraphAnswer[] = [];
  #readers: ((result: IteratorResult<SubgraphAnswer>) => void)[] = [];
  #ended = false;
  readonly #unsubscribe: () => void;

  constructor(
    open: (sink: Sink) => () => void,
    lost: (reason: unknown) => SubgraphAnswer,
    private readonly onEnd: () => void,
  ) {
    this.#unsubscribe = open({
      next: (event) => this.#take(checkAnswer(event)),
      // The subgraph's own errors, or what became of the connection.
      error: (reason) => {
        if (!this.#ended) this.end((Array.isArray(reason) && checkAnswer({ errors: reason })) || lost(reason));
      },
      complete: () => this.end(),
    });
  }

  /** Ends the stream, behind the events that wait, with a last answer where there is one. */
  end(last?: SubgraphAnswer): void {
    if (this.#ended) return;
    if (last) this.#push(last);
    this.#ended = true;
    for (const reader of this.#readers) reader(done);
    this.#readers = [];
    this.#unsubscribe?.();
    this.onEnd();
  }

  #take(event: SubgraphAnswer | undefined): void {
    if (this.#ended) return;
    if (!event) this.end(failed('SUBGRAPH_INVALID_ANSWER'));
    else if (this.#waiting.length < maxWaitingEvents) this.#push(event);
    else this.end(failed('SUBGRAPH_CONNECTION_LOST', tooSlow));
  }

  #push(event: SubgraphAnswer): void {
    const reader = this.#readers.shift();
    if (reader) reader({ done: false, value: event });
    else this.#waiting.push(event);
  }

  next(): Promise<IteratorResult<SubgraphAnswer>> {
    const event = this.#waiting.shift();
    if (event) return Promise.resolve({ done: false, value: event });
    if (this.#ended) return Promise.resolve(done);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  async return(): Promise<IteratorResult<SubgraphAnswer>> {
    this.#waiting.length = 0;
    this.end();
    return done;
  }

  async throw(error: unknown): Promise<never> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

const done = { done: true, value: undefined } as const;
const tooSlow = `More than ${maxWaitingEvents.toLocaleString('en')} events waited to be read; subscribe again, from the last cursor where there is one.`;

/** The WebSocket of a subgraph; graphql-ws makes it with an address and a protocol alone. */
function webSocketFor({ name, timeoutMs, eventBytes, signer }: UpstreamSocketOptions): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string, protocols: string) {
      const caller = { identity: undefined, remoteIp: null, requestId: crypto.randomUUID() };
      super(url, protocols, {
        perMessageDeflate: false,
        handshakeTimeout: timeoutMs,
        maxPayload: eventBytes,
        headers: signer && {
          authorization: `Bearer ${signer.sign(name, '', caller, Date.now() + timeoutMs)}`,
        },
      });
    }
  } as typeof WebSocket;
}
