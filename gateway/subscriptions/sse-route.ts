/**
 * GraphQL over server-sent events, for clients without WebSocket: one operation a request, in the "distinct connections
 * mode" of https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
 *
 * A request that is at fault as a request is answered over HTTP. What is wrong with its operation comes as an event,
 * since browsers show nothing of an event stream that does not open.
 */
import type { ServerResponse } from 'node:http';
import type { Config } from '../../platform/config.js';
import { type ErrorCode, fail, HarborwatchError, toErrorPayload } from '../../platform/errors.js';
import { forwardedFrom } from '../http/forwarded-headers.js';
import type { Exchange } from '../http/listener.js';
import type { Admission } from './admission.js';
import { drainOneByOne } from './drain.js';
import { Message } from './message.js';
import type { Caller, OperationRequest } from './prepare.js';
import { accessEnded, type SocketHost } from './socket-connection.js';
import type { Sink, Subscriber } from './subscriber.js';

const maxTimerMs = 2 ** 31 - 1;
/** A line of data, even an empty one, or browsers pass the event over. */
const complete = 'event: complete\ndata:\n\n';
const comment = ':\n\n';

export interface EventStreams {
  /** @param body the JSON of a POST */
  handle(exchange: Exchange, body: unknown): Promise<void>;
  /** Refuses new streams and ends all others. */
  close(): Promise<void>;
}

/** @param host answers what the streams ask */
export function createEventStreams(host: SocketHost, admission: Admission, config: Config): EventStreams {
  const streams = new Set<EventStream>();
  let closing = false;
  const pings = setInterval(() => {
    for (const stream of streams) stream.ping();
  }, config.streamPingMs);
  return {
    handle: async (exchange, body) => {
      const { request, response, identity, remoteIp, charge } = exchange;
      if (closing) fail('SERVICE_UNAVAILABLE', 'The gateway ends: connect again.');
      const operation = host.read(request.method === 'GET' ? fromAddress(exchange.url, host) : body);
      const { forwardHeaders } = config;
      const caller = {
        identity,
        remoteIp,
        charge,
        ...(forwardHeaders.length > 0 ? { forwardedHeaders: forwardedFrom(request, forwardHeaders) } : {}),
      };
      const prepared = await host.prepare(operation, caller);
      if (request.method === 'GET' && (prepared.kind === 'mutation' || prepared.kind === 'unknown')) {
        // Any page may send a GET for an event stream, and nobody is asked before.
        response.setHeader('allow', 'POST');
        fail('METHOD_NOT_ALLOWED', 'Only queries and subscriptions with their whole text go over GET; use POST.');
      }
      if (isGone(response)) return;
      response.once('close', admission.enter());
      const leave = await admission.enterAs(caller);
      if (isGone(response)) return leave();
      response.once('close', leave);
      const stream = new EventStream(response);
      streams.add(stream);
      response.once('close', () => {
        streams.delete(stream);
        stream.leave();
      });
      stream.expireAt(identity?.expiresAtMs, () => host.nowMs());
      const unwatch = host.watch(identity, () => stream.end('TOKEN_REVOKED', accessEnded));
      response.once('close', unwatch);
      if (prepared.kind === 'subscription') {
        stream.follow(host.subscribe(prepared, caller, stream));
      } else {
        const isRefused = prepared.kind === 'refused';
        stream.send([isRefused ? Message.ofErrors(prepared.errors) : await answerOf(host, operation, caller)]);
        stream.complete();
      }
    },
    close: async () => {
      closing = true;
      await drainOneByOne(streams, (stream) => stream.complete(), config.streamDrainMs);
      clearInterval(pings);
    },
  };
}

/** The answer to a query or mutation. What refuses it now comes as an event too: the stream is open. */
async function answerOf(host: SocketHost, operation: OperationRequest, caller: Caller): Promise<Message> {
  try {
    return await host.answer(operation, caller);
  } catch (error) {
    if (error instanceof HarborwatchError) return Message.ofErrors([toErrorPayload(error)]);
    throw error;
  }
}

class EventStream implements Sink {
  #subscriber: Subscriber | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  #unreadBytes = 0;

  constructor(private readonly response: ServerResponse) {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Proxies that collect answers would keep events back.
      'x-accel-buffering': 'no',
    });
    // The client learns that its stream is open before there is anything to say.
    response.write(comment);
    response.on('drain', () => this.#subscriber?.resume());
  }

  get ready(): boolean {
    return !this.response.writableEnded && !this.response.writableNeedDrain && !isGone(this.response);
  }

  follow(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
  }

  send(messages: readonly Message[]): void {
    if (this.response.writableEnded) return;
    const [first] = messages;
    this.response.write(messages.length === 1 ? first!.event : Buffer.concat(messages.map(({ event }) => event)));
  }

  complete(): void {
    this.leave();
    if (!this.response.writableEnded) this.response.end(complete);
  }

  /** Ends the stream with its token. */
  expireAt(expiresAtMs: number | undefined, nowMs: () => number): void {
    if (expiresAtMs === undefined) return;
    const leftMs = expiresAtMs - nowMs();
    const expire = () => {
      if (leftMs > maxTimerMs) {
        this.expireAt(expiresAtMs, nowMs);
        return;
      }
      this.end('TOKEN_EXPIRED', 'The access token has expired: subscribe again with a fresh one.');
    };
    this.#expiryTimer = setTimeout(expire, Math.min(leftMs, maxTimerMs));
  }

  /** Tells why, and completes. */
  end(code: ErrorCode, message: string): void {
    this.send([Message.ofErrors([{ message, extensions: { code } }])]);
    this.complete();
  }

  /** Shows the client and whoever is between that the stream is alive; ends one whose client has stopped to read. */
  ping(): void {
    const unread = this.response.writableLength;
    if (this.response.writableNeedDrain && this.#unreadBytes > 0 && unread >= this.#unreadBytes) {
      this.response.destroy();
      return;
    }
    this.#unreadBytes = unread;
    if (this.ready) this.response.write(comment);
  }

  /** The client wants no more. */
  leave(): void {
    clearTimeout(this.#expiryTimer);
    this.#subscriber?.leave();
  }
}

/** Whether nobody is there any more, and `close` is over. Of HTTP/2, the stream alone tells. */
const isGone = (response: ServerResponse & { stream?: { destroyed: boolean } }): boolean =>
  response.stream?.destroyed ?? response.destroyed;

/** The parameters of a GET. @throws BAD_USER_INPUT where one is not JSON */
function fromAddress({ searchParams }: URL, host: SocketHost): Record<string, unknown> {
  const json = (name: string): unknown => {
    const text = searchParams.get(name);
    if (text === null) return undefined;
    host.checkNesting(Buffer.from(text));
    try {
      return JSON.parse(text);
    } catch {
      fail('BAD_USER_INPUT', `The parameter \`${name}\` is not JSON.`, { argument: name });
    }
  };
  return {
    query: searchParams.get('query'),
    documentId: searchParams.get('documentId'),
    operationName: searchParams.get('operationName'),
    variables: json('variables'),
    extensions: json('extensions'),
  };
}
