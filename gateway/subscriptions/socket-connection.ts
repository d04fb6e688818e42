/**
 * One client's WebSocket in the protocol graphql-transport-ws:
 * https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
 *
 * The protocol is answered here rather than by a library, because libraries serialise every message for every socket.
 * Messages go to the socket's stream in frames of our own, beside those of `ws`: each is written as a whole, so that
 * they never mix.
 */
import type { Duplex } from 'node:stream';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { RawData, WebSocket } from 'ws';
import { errorRegistry, fail, HarborwatchError, toErrorPayload } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import type { Logger } from '../../platform/logging.js';
import { frameHead, toCharacters } from './frame.js';
import { Message } from './message.js';
import type { Caller, OperationRequest, Prepared, SubscriptionPlan } from './prepare.js';
import type { Sink, Subscriber } from './subscriber.js';

/** Close codes of the protocol, and of RFC 6455. */
export const closeCode = {
  goingAway: 1001,
  internalError: 1011,
  tryAgainLater: 1013,
  badMessage: 4400,
  unauthorized: 4401,
  forbidden: 4403,
  initTimeout: 4408,
  operationExists: 4409,
  tooMany: 4429,
};

/** A longer id would go out with every message. */
const maxIdCharacters = 256;
/** A client that sends and does not read is not read either, from so many unread bytes on. */
const maxUnreadBytes = 1_048_576;
/** Longer messages are not copied into a frame: they are written from memory that all sockets share. */
const maxCopiedBytes = 2_048;
const maxTimerMs = 2 ** 31 - 1;

const internalError: GraphQLFormattedError = {
  message: 'Something went wrong on our side; it was logged.',
  extensions: { code: 'INTERNAL_SERVER_ERROR' },
};

/** What a client is told whose access is taken back while it is connected. */
export const accessEnded = 'your access was ended, or your rights changed. Connect again with a fresh access token.';

/** What a connection asks of the gateway. */
export interface SocketHost {
  logger: Logger;
  initTimeoutMs: number;
  maxOperations: number;
  nowMs(): number;
  /** @throws what is wrong with the token; RATE_LIMITED for an address that makes too many mistakes */
  authenticate(authorization: string | undefined, remoteIp: string | null): Promise<Identity | undefined>;
  /** Calls back once when the caller's access is taken back. @returns what ends the watch */
  watch(identity: Identity | undefined, onEnded: () => void): () => void;
  /** @throws TOO_MANY_STREAMS, TOO_MANY_CONNECTIONS. @returns what to call when the connection is closed */
  admit(caller: Caller): Promise<() => void>;
  /** The caller with a charge of its own for one operation. */
  charged(caller: Caller): Promise<Caller>;
  /** @throws OPERATION_LIMIT_EXCEEDED for JSON that nests too deep */
  checkNesting(json: Uint8Array): void;
  /** @throws what is wrong with the fields of an operation */
  read(payload: unknown): OperationRequest;
  /** @throws RATE_LIMITED */
  prepare(request: OperationRequest, caller: Caller): Promise<Prepared>;
  subscribe(plan: SubscriptionPlan, caller: Caller, sink: Sink): Subscriber;
  /** Runs a query or mutation. @throws RATE_LIMITED */
  answer(request: OperationRequest, caller: Caller): Promise<Message>;
}

export class SocketConnection {
  readonly #operations = new Map<string, SocketOperation>();
  #initialised = false;
  #caller: Caller | undefined;
  #closed = false;
  #initTimer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  #leave: () => void = () => {};
  #unwatch: () => void = () => {};
  #answeredPing = true;
  #unreadBytes = 0;

  /**
   * @param stream what the WebSocket runs over
   * @param origin what is known of the caller before it has shown a token
   */
  constructor(
    private readonly webSocket: WebSocket,
    private readonly stream: Duplex,
    private readonly host: SocketHost,
    private readonly origin: Omit<Caller, 'identity'>,
    onClosed: () => void,
  ) {
    this.#initTimer = setTimeout(
      () => this.close(closeCode.initTimeout, `No connection_init within ${host.initTimeoutMs} ms`),
      host.initTimeoutMs,
    );
    webSocket.on('message', (data) => this.#receive(data));
    webSocket.on('pong', () => {
      this.#answeredPing = true;
    });
    // `ws` has closed the socket by itself, with the code for what was wrong with the frame.
    webSocket.on('error', () => {});
    webSocket.on('close', () => {
      this.#end();
      onClosed();
    });
    stream.on('drain', () => this.#resume());
  }

  /** Whether a message may be written: the client reads what it was sent. */
  get ready(): boolean {
    return !this.#closed && !this.stream.writableNeedDrain;
  }

  /** Pings the client, or ends the connection where it has not answered the last ping. */
  ping(): void {
    const unread = this.stream.writableLength;
    // A client that reads slowly finds the ping behind what it has not read yet.
    if (!this.#answeredPing && unread >= this.#unreadBytes) {
      this.webSocket.terminate();
      return;
    }
    this.#unreadBytes = unread;
    this.#answeredPing = false;
    if (this.webSocket.readyState === this.webSocket.OPEN) this.webSocket.ping();
  }

  /** Completes all operations and closes. */
  drain(): void {
    for (const operation of [...this.#operations.values()]) operation.complete();
    this.close(closeCode.goingAway, 'The gateway ends: connect again');
  }

  close(code: number, reason: string): void {
    this.#end();
    // The reason of a close frame is short.
    this.webSocket.close(
      code,
      Buffer.from(reason)
        .subarray(0, 120)
        .toString()
        .replace(/\uFFFD+$/, ''),
    );
    this.webSocket.resume();
  }

  /** Writes text messages whose head every socket has for itself. @param head one character for each byte */
  sendWith(head: string, messages: readonly Message[]): void {
    if (this.#closed) return;
    let small = '';
    for (const message of messages) {
      const start = frameHead(head.length + message.bytes + 1) + head;
      if (message.bytes <= maxCopiedBytes) {
        small += `${start + message.characters}}`;
      } else {
        this.stream.cork();
        this.stream.write(small + start, 'latin1');
        this.stream.write(message.json);
        this.stream.uncork();
        small = '}';
      }
    }
    if (small !== '') this.stream.write(small, 'latin1');
  }

  send(message: object): void {
    if (this.#closed) return;
    const text = toCharacters(JSON.stringify(message));
    this.stream.write(frameHead(text.length) + text, 'latin1');
    // Whoever makes us answer and does not read the answers is not read.
    if (this.stream.writableLength > maxUnreadBytes) this.webSocket.pause();
  }

  /** The operation has ended by itself. */
  forget(operation: SocketOperation): void {
    if (this.#operations.get(operation.id) === operation) this.#operations.delete(operation.id);
  }

  #receive(data: RawData): void {
    if (this.#closed) return;
    let message: Record<string, unknown> | null;
    try {
      this.host.checkNesting(data as Buffer);
      message = JSON.parse(String(data)) as typeof message;
    } catch (error) {
      this.close(closeCode.badMessage, error instanceof GraphQLError ? error.message : 'The message is not JSON');
      return;
    }
    this.#dispatch(message).catch((error) => {
      this.host.logger.error({ err: error }, 'unexpected error on a WebSocket');
      this.close(closeCode.internalError, 'INTERNAL_SERVER_ERROR: it was logged');
    });
  }

  async #dispatch(message: Record<string, unknown> | null): Promise<void> {
    switch (message?.type) {
      case 'connection_init':
        return this.#init(message.payload);
      case 'ping':
        return this.send({ type: 'pong', ...(message.payload === undefined ? {} : { payload: message.payload }) });
      case 'pong':
        return;
      case 'subscribe':
        return this.#subscribe(message.id, message.payload);
      case 'complete':
        return this.#operations.get(message.id as string)?.leave();
      default:
        this.close(closeCode.badMessage, 'The message has no type of graphql-transport-ws');
    }
  }

  async #init(payload: unknown): Promise<void> {
    if (this.#initialised) return this.close(closeCode.tooMany, 'Too many initialisation requests');
    this.#initialised = true;
    clearTimeout(this.#initTimer);
    const given = (payload ?? {}) as Record<string, unknown>;
    const authorization = given.authorization ?? given.Authorization;
    try {
      const identity = await this.host.authenticate(
        typeof authorization === 'string' ? authorization : undefined,
        this.origin.remoteIp,
      );
      if (this.#closed) return;
      const caller = { ...this.origin, identity };
      const leave = await this.host.admit(caller);
      if (this.#closed) return leave();
      this.#leave = leave;
      this.#unwatch = this.host.watch(identity, () => this.close(closeCode.forbidden, `TOKEN_REVOKED: ${accessEnded}`));
      if (this.#closed) return;
      this.#caller = caller;
      this.#expireAt(identity?.expiresAtMs);
      this.send({ type: 'connection_ack' });
    } catch (error) {
      if (!(error instanceof HarborwatchError)) throw error;
      const { status } = errorRegistry[error.code];
      const { forbidden, tooMany, tryAgainLater, unauthorized } = closeCode;
      const code = { 403: forbidden, 429: tooMany, 503: tryAgainLater }[status] ?? unauthorized;
      this.close(code, `${error.code}: ${error.message}`);
    }
  }

  async #subscribe(id: unknown, payload: unknown): Promise<void> {
    if (!this.#caller) return this.close(closeCode.unauthorized, 'UNAUTHENTICATED: send connection_init first');
    if (typeof id !== 'string' || id === '' || id.length > maxIdCharacters) {
      return this.close(closeCode.badMessage, `An operation needs an id of 1 to ${maxIdCharacters} characters`);
    }
    if (this.#operations.has(id)) {
      return this.close(closeCode.operationExists, `Subscriber for ${id} already exists`);
    }
    let request: OperationRequest;
    try {
      request = this.host.read(payload);
      this.#checkRoom();
    } catch (error) {
      if (!(error instanceof HarborwatchError)) throw error;
      return this.send({ id, type: 'error', payload: [toErrorPayload(error)] });
    }
    const operation = new SocketOperation(id, this);
    this.#operations.set(id, operation);
    try {
      await operation.run(request, await this.host.charged(this.#caller), this.host);
    } catch (error) {
      if (error instanceof HarborwatchError) return operation.fail([toErrorPayload(error)]);
      // A fault of ours ends this operation, and none of the others on the connection.
      this.host.logger.error({ err: error }, 'unexpected error in an operation on a WebSocket');
      operation.fail([internalError]);
    }
  }

  #checkRoom(): void {
    const { maxOperations } = this.host;
    if (this.#operations.size < maxOperations) return;
    const message = `${maxOperations} operations run on this WebSocket already, the most allowed. Complete one first.`;
    fail('TOO_MANY_OPERATIONS', message, { limit: maxOperations });
  }

  #expireAt(expiresAtMs: number | undefined): void {
    if (expiresAtMs === undefined) return;
    const leftMs = expiresAtMs - this.host.nowMs();
    const expire = () => {
      if (leftMs > maxTimerMs) this.#expireAt(expiresAtMs);
      else this.close(closeCode.unauthorized, 'TOKEN_EXPIRED: connect again with a fresh access token');
    };
    this.#expiryTimer = setTimeout(expire, Math.min(leftMs, maxTimerMs));
  }

  #resume(): void {
    this.webSocket.resume();
    for (const operation of this.#operations.values()) operation.resume();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#initTimer);
    clearTimeout(this.#expiryTimer);
    this.#leave();
    this.#unwatch();
    for (const operation of [...this.#operations.values()]) operation.leave();
  }
}

/** One operation on a connection. */
class SocketOperation implements Sink {
  readonly #head: string;
  #subscriber: Subscriber | undefined;
  #left = false;

  constructor(
    readonly id: string,
    private readonly connection: SocketConnection,
  ) {
    this.#head = toCharacters(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
  }

  async run(request: OperationRequest, caller: Caller, host: SocketHost): Promise<void> {
    const prepared = await host.prepare(request, caller);
    if (this.#left) return;
    if (prepared.kind === 'subscription') {
      const subscriber = host.subscribe(prepared, caller, this);
      this.#subscriber = subscriber;
      return;
    }
    if (prepared.kind === 'refused' && prepared.early) {
      this.fail(prepared.errors);
      return;
    }
    const message =
      prepared.kind === 'refused' ? Message.ofErrors(prepared.errors) : await host.answer(request, caller);
    if (this.#left) return;
    this.send([message]);
    this.complete();
  }

  get ready(): boolean {
    return this.connection.ready;
  }

  send(messages: readonly Message[]): void {
    this.connection.sendWith(this.#head, messages);
  }

  complete(): void {
    this.leave();
    this.connection.send({ id: this.id, type: 'complete' });
  }

  resume(): void {
    this.#subscriber?.resume();
  }

  /** The client wants no more of it. */
  leave(): void {
    this.#left = true;
    this.connection.forget(this);
    this.#subscriber?.leave();
  }

  fail(errors: readonly GraphQLFormattedError[]): void {
    this.leave();
    this.connection.send({ id: this.id, type: 'error', payload: errors });
  }
}
