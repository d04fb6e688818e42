/**
 * The only way to OpenSearch. It may vanish at any time: everything in it comes from PostgreSQL, and what needs it says
 * so with SERVICE_UNAVAILABLE.
 */

import type { Readable } from 'node:stream';
import { Client, errors } from '@opensearch-project/opensearch';
import { type Config, ConfigError } from './config.js';
import { fail } from './errors.js';
import { parseLargeJson } from './json.js';

/** OpenSearch understood a request and refused it. Its reason may hold values of events: it is never shown or logged. */
export class SearchRefusal extends Error {
  override readonly name = 'SearchRefusal';
  constructor(
    readonly status: number,
    /** OpenSearch's name for the error, such as `index_not_found_exception`. */
    readonly type: string,
    readonly reason: string,
  ) {
    super(`OpenSearch refused a request: ${type}`);
  }
}

/** An answer has more bytes than its request allows. */
export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

export interface SearchRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  path: string;
  query?: Record<string, string | number | boolean>;
  /** An object, or the lines of a bulk request as one text. */
  body?: object | string;
  /** Default OPENSEARCH_TIMEOUT_MS. */
  timeoutMs?: number;
  /** What the answer may weigh, AnswerTooLarge beyond. Default 256 MiB. */
  maxBytes?: number;
  /** Ends the request; its reason is thrown. */
  signal?: AbortSignal | undefined;
}

export interface SearchAnswer<Body> {
  status: number;
  /** Integers beyond 2^53 are strings of their digits. */
  body: Body;
}

/** What passes by itself: OpenSearch starts, is overloaded, or looks for its leader. */
const passing = new Set([429, 502, 503, 504]);

const unavailable = (): never =>
  fail('SERVICE_UNAVAILABLE', 'The search index does not answer at the moment. Try again in a few seconds.');

/** The connection to one OpenSearch. */
export class Search {
  readonly #client: Client;
  readonly #timeoutMs: number;
  /** What the names of this installation's indexes start with. */
  readonly prefix: string;

  constructor(client: Client, prefix: string, timeoutMs: number) {
    this.#client = client;
    this.prefix = prefix;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends one request.
   * @throws AnswerTooLarge
   * @throws SERVICE_UNAVAILABLE where OpenSearch is away, overloaded or too slow
   * @throws SearchRefusal where it refuses the request; `signal.reason` where that aborts it
   */
  async request<Body = Record<string, unknown>>(request: SearchRequest): Promise<SearchAnswer<Body>> {
    const { method, path, query, body, timeoutMs = this.#timeoutMs, maxBytes = defaultMaxBytes, signal } = request;
    signal?.throwIfAborted();
    const late = AbortSignal.timeout(timeoutMs);
    const ended = signal ? AbortSignal.any([signal, late]) : late;
    const sent = this.#client.transport.request(
      {
        method,
        path,
        ...(query === undefined ? {} : { querystring: query }),
        ...(typeof body === 'string' ? { bulkBody: body } : body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      { asStream: true, maxRetries: 1, requestTimeout: timeoutMs },
    );
    let stream: Readable | undefined;
    const abort = () => {
      sent.abort();
      stream?.destroy(new errors.RequestAbortedError('aborted'));
    };
    ended.addEventListener('abort', abort, { once: true });
    try {
      const { statusCode, body: answer } = await sent;
      stream = answer as unknown as Readable;
      const status = statusCode ?? 0;
      const received = await readText(stream, maxBytes);
      const parsed = received === '' ? undefined : parseAnswer(received);
      if (status < 400) return { status, body: parsed as Body };
      if (passing.has(status)) unavailable();
      const error = (parsed as { error?: { type?: string; reason?: string } } | undefined)?.error;
      throw new SearchRefusal(status, error?.type ?? `http_${status}`, error?.reason ?? '');
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof errors.OpenSearchClientError || late.aborted || isBroken(error)) unavailable();
      throw error;
    } finally {
      ended.removeEventListener('abort', abort);
    }
  }

  /** Whether OpenSearch answers. */
  async ping(): Promise<boolean> {
    return this.request({ method: 'GET', path: '/', timeoutMs: 2_000 }).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/** A connection that ended in the middle of an answer. */
const isBroken = (error: unknown): boolean => {
  const { code } = error as { code?: string };
  return code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
};

const defaultMaxBytes = 256 * 1024 * 1024;

async function readText(stream: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new AnswerTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** What is no JSON comes from something in between, or was asked for as text. */
function parseAnswer(received: string): unknown {
  try {
    return parseLargeJson(received);
  } catch {
    return received;
  }
}

/** Connects to OPENSEARCH_URL, where there is one. @throws ConfigError where QUERY_ENGINE asks for one and there is none */
export function connectSearch(
  config: Pick<
    Config,
    | 'queryEngine'
    | 'openSearchUrl'
    | 'openSearchUser'
    | 'openSearchPassword'
    | 'openSearchPrefix'
    | 'openSearchTimeoutMs'
  >,
): Search | undefined {
  const { queryEngine, openSearchUrl, openSearchUser, openSearchPassword, openSearchPrefix, openSearchTimeoutMs } =
    config;
  if (openSearchUrl === undefined) {
    if (queryEngine === 'opensearch') {
      throw new ConfigError('QUERY_ENGINE is opensearch, and OPENSEARCH_URL is not set: queries have nowhere to run.');
    }
    return undefined;
  }
  const client = new Client({
    node: openSearchUrl,
    ...(openSearchUser === undefined ? {} : { auth: { username: openSearchUser, password: openSearchPassword ?? '' } }),
    // An answer that did not come in time says nothing about the next one.
    resurrectStrategy: 'none',
  });
  return new Search(client, openSearchPrefix, openSearchTimeoutMs);
}
