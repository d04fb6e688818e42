/**
 * The typed client of Harborwatch's public API.
 *
 *     const client = createClient({ url: 'http://localhost:4000', token });
 *     const { viewer } = await client.execute(ViewerDocument, {});
 *     for await (const { jobProgress } of client.subscribe(JobProgressDocument, { id })) ...
 *
 * The documents are generated from `client/operations/*.graphql`; answers and variables have their types.
 */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { type DocumentNode, print } from 'graphql';
import { HarborwatchClientError, isTokenRefused } from './errors.js';
import { open, post } from './http.js';
import { createSubscriptions, type Subscriptions } from './subscriptions.js';

export { HarborwatchClientError } from './errors.js';
export * from './generated/graphql.js';

export interface ClientOptions {
  /** Where Harborwatch answers, such as `http://localhost:4000`; a path before `/graphql` is kept. */
  url: string | URL;
  /** An access token or API key. Default: none, for the operations that need none. */
  token?: string | undefined;
  /**
   * Gives the token for each call, instead of `token`. After the server has refused one it is called again with it, and
   * the call repeated once if another token comes back. What it throws, the call throws.
   */
  getToken?: ((refused?: string) => Promise<string | undefined>) | undefined;
  /** The `fetch` to use. Default: the global one. */
  fetch?: typeof fetch;
  /** The WebSocket class to use. Default: the global one. */
  webSocket?: unknown;
  /** How often in a row a lost WebSocket connection is opened again. Default: 5. */
  socketRetries?: number;
  /** How long one GraphQL request may take. Default: 30,000. */
  timeoutMs?: number;
  /** How long one ingest request may take. Default: 120,000. */
  ingestTimeoutMs?: number;
  /** How long the first byte of a download may take. Default: 120,000. */
  downloadTimeoutMs?: number;
}

export interface CallOptions {
  /** Ends the call early with the code ABORTED. */
  signal?: AbortSignal | undefined;
}

export interface IngestOptions extends CallOptions {
  /** Names the batch: sent again under the same id, it is stored once. Default: the server makes one. */
  batchId?: string;
  /** Whether `body` is compressed with gzip. Default: false. */
  gzip?: boolean;
}

/** An event that was not stored. */
export interface RejectedEvent {
  /** Its place among the events of the batch, from 0; null for a line that is not JSON. */
  index: number | null;
  /** Its line in the body, from 1. */
  line: number;
  code: string;
  message: string;
  /** The field that does not fit. */
  field?: string | null;
}

/** What became of a batch. */
export interface IngestReceipt {
  accepted: number;
  rejected: RejectedEvent[];
  batchId: string;
  /** Whether the batch was stored before; the receipt is then the first one. */
  duplicate: boolean;
}

export type DownloadFormat = 'json' | 'csv' | 'ndjson';

export interface DownloadOptions extends CallOptions {
  /** Goes on behind so many bytes. Default: 0. */
  start?: number;
  /** What the bytes before `start` are of; where the server has others now, the download begins at 0. */
  etag?: string;
}

/** A job's result on its way. */
export interface ResultDownload {
  /** Names these very bytes; undefined for rows of a job that has not ended. */
  etag: string | undefined;
  /** Where the bytes begin: at the `start` that was asked for, or 0. */
  start: number;
  /** The size of the whole; undefined where the server does not know it before the end. */
  size: number | undefined;
  /** The bytes; reading throws HarborwatchClientError where they break off. */
  body: AsyncIterable<Uint8Array>;
}

export interface Client {
  /**
   * Runs a query or mutation over HTTP and answers its data.
   * @throws HarborwatchClientError with the first error's code, message and details
   */
  execute<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    options?: CallOptions,
  ): Promise<Data>;
  /**
   * Runs a subscription over WebSocket. Leaving the loop ends it. After a lost connection it is started again as it was:
   * streams of states go on with the present one, streams of events are better opened anew with the last cursor.
   * @throws HarborwatchClientError while iterating
   */
  subscribe<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): AsyncIterableIterator<Data>;
  /**
   * Stores events of a dataset.
   * @param body one JSON object a line (NDJSON), at most 16 MB before compression
   * @throws HarborwatchClientError when nothing of the batch was stored; single events that do not fit are in the receipt
   */
  ingest(
    dataset: string,
    body: Uint8Array<ArrayBuffer> | string | ReadableStream,
    options?: IngestOptions,
  ): Promise<IngestReceipt>;
  /**
   * Downloads a completed job's result.
   * @throws HarborwatchClientError, also RANGE_NOT_SATISFIABLE where `start` is behind the last byte
   */
  download(jobId: string, format: DownloadFormat, options?: DownloadOptions): Promise<ResultDownload>;
  /** The entity tag that a download would have. @throws HarborwatchClientError */
  downloadTag(jobId: string, format: DownloadFormat, options?: CallOptions): Promise<string | undefined>;
  /** Ends all subscriptions and closes the WebSocket connection. */
  close(): Promise<void>;
}

/** Makes a client; nothing is sent before the first call. */
export function createClient(options: ClientOptions): Client {
  const base = new URL(options.url);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  const graphqlUrl = new URL('graphql', base);
  const {
    fetch: fetcher = globalThis.fetch,
    webSocket = globalThis.WebSocket,
    timeoutMs = 30_000,
    ingestTimeoutMs = 120_000,
    downloadTimeoutMs = 120_000,
  } = options;
  const getToken = options.getToken ?? (async () => options.token);
  let subscriptions: Subscriptions | undefined;

  /** Sends with a token, and once more where it was refused and there is a newer one. */
  async function authorised<T>(send: (headers: Record<string, string>) => Promise<T>): Promise<T> {
    const bearer = (token: string | undefined): Record<string, string> =>
      token === undefined ? {} : { authorization: `Bearer ${token}` };
    const token = await getToken();
    try {
      return await send(bearer(token));
    } catch (error) {
      if (token === undefined || !isTokenRefused(error)) throw error;
      const newer = await getToken(token);
      if (newer === undefined || newer === token) throw error;
      return send(bearer(newer));
    }
  }

  const openResult = (
    method: 'GET' | 'HEAD',
    [jobId, format]: [string, DownloadFormat],
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ) => {
    const url = new URL(`jobs/${encodeURIComponent(jobId)}/results?format=${format}`, base);
    // Only plain bytes can be gone on with.
    const all = { 'accept-encoding': 'identity', ...headers };
    return authorised((token) =>
      open(fetcher, url, { method, headers: { ...all, ...token }, timeoutMs: downloadTimeoutMs, signal }),
    );
  };

  return {
    async execute<Data, Variables>(
      document: TypedDocumentNode<Data, Variables>,
      variables: Variables,
      { signal }: CallOptions = {},
    ) {
      const body = JSON.stringify({ query: textOf(document), variables });
      const answer = await authorised((headers) =>
        post(fetcher, graphqlUrl, {
          body,
          headers: { 'content-type': 'application/json', ...headers },
          timeoutMs,
          signal,
        }),
      );
      const { data } = answer as { data?: Data | null };
      if (data == null)
        throw new HarborwatchClientError(
          'BAD_ANSWER',
          `${base.origin} answered without data. Is this the address of a Harborwatch?`,
        );
      return data;
    },

    subscribe<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables) {
      subscriptions ??= createSubscriptions(graphqlUrl, { webSocket, getToken, retries: options.socketRetries ?? 5 });
      const operation = { query: textOf(document), variables: variables as Record<string, unknown> };
      return subscriptions.iterate(operation) as AsyncIterableIterator<Data>;
    },

    async ingest(dataset, body, { batchId, gzip = false, signal } = {}) {
      const url = new URL(`ingest/${encodeURIComponent(dataset)}`, base);
      if (batchId !== undefined) url.searchParams.set('batchId', batchId);
      const type: Record<string, string> = {
        'content-type': 'application/x-ndjson',
        ...(gzip ? { 'content-encoding': 'gzip' } : {}),
      };
      // A stream can be sent once only, so there is no second try for it.
      const once = body instanceof ReadableStream;
      const send = (headers: Record<string, string>) =>
        post(once ? streaming(fetcher) : fetcher, url, {
          body,
          headers: { ...type, ...headers },
          timeoutMs: ingestTimeoutMs,
          signal,
        });
      if (!once) return (await authorised(send)) as IngestReceipt;
      const token = await getToken();
      return (await send(token === undefined ? {} : { authorization: `Bearer ${token}` })) as IngestReceipt;
    },

    async download(jobId, format, { start = 0, etag, signal } = {}) {
      const range: Record<string, string> = start === 0 ? {} : { range: `bytes=${start}-` };
      if (start > 0 && etag !== undefined) range['if-range'] = etag;
      const { response, body } = await openResult('GET', [jobId, format], range, signal);
      const [, from, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
      const whole = size ?? response.headers.get('content-length');
      return {
        etag: response.headers.get('etag') ?? undefined,
        start: Number(from ?? 0),
        size: whole === null ? undefined : Number(whole),
        body,
      };
    },

    async downloadTag(jobId, format, { signal } = {}) {
      const { response } = await openResult('HEAD', [jobId, format], {}, signal);
      return response.headers.get('etag') ?? undefined;
    },

    close: async () => subscriptions?.close(),
  };
}

const texts = new WeakMap<object, string>();

function textOf(document: DocumentNode): string {
  const text = texts.get(document) ?? print(document);
  texts.set(document, text);
  return text;
}

/** `fetch` takes a stream as a body only with the word that it is half-duplex. */
const streaming =
  (fetcher: typeof fetch): typeof fetch =>
  (input, init) =>
    fetcher(input, { ...init, duplex: 'half' } as RequestInit);
