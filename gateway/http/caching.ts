/** What caches may keep of an answer: from the subgraphs' policies to `Cache-Control`, `ETag` and 304. */
import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { chooseEncoding, type EncodedBody, encodeBody } from './compression.js';
import type { Exchange } from './listener.js';
import { appendVary } from './vary.js';

const notCacheable = 'no-store';
/** The largest body that goes out in one write with its headers. */
const maxOneWriteBytes = 4_096;

interface Policy {
  maxAge: number;
  isPrivate: boolean;
}

/** Policies by header: subgraphs give few different ones. Bounded, since foreign subgraphs may give any. */
const policies = new Map<string, Policy | undefined>();
const maxPolicies = 256;

/** Reads a `Cache-Control`; undefined where it allows nothing to be kept. */
function policyOf(cacheControl: string | undefined): Policy | undefined {
  if (cacheControl === undefined) return undefined;
  if (policies.has(cacheControl)) return policies.get(cacheControl);
  const policy = parsePolicy(cacheControl);
  if (policies.size >= maxPolicies) policies.clear();
  policies.set(cacheControl, policy);
  return policy;
}

function parsePolicy(cacheControl: string): Policy | undefined {
  let maxAge: number | undefined;
  let isPrivate = false;
  for (const part of cacheControl.toLowerCase().split(',')) {
    const directive = part.trim();
    if (directive === 'no-store' || directive.startsWith('no-cache')) return undefined;
    if (directive.startsWith('private')) isPrivate = true;
    // What shared caches may keep for a shorter time, our answer keeps for no longer.
    const seconds = /^(?:s-maxage|max-age)="?(\d{1,10})"?$/.exec(directive)?.[1];
    if (seconds !== undefined) maxAge = Math.min(maxAge ?? Number.POSITIVE_INFINITY, Number(seconds));
  }
  return maxAge ? { maxAge, isPrivate } : undefined;
}

const toHeader = ({ maxAge, isPrivate }: Policy): string => `max-age=${maxAge}, ${isPrivate ? 'private' : 'public'}`;

/**
 * What may be kept of an answer that is made of two: the shorter time, and private where one of them is.
 * @returns undefined, which allows nothing, where one of them allows nothing
 */
export function combineCacheControl(a: string | undefined, b: string | undefined): string | undefined {
  const first = policyOf(a);
  const second = first && policyOf(b);
  if (!first || !second) return undefined;
  return toHeader({
    maxAge: Math.min(first.maxAge, second.maxAge),
    isPrivate: first.isPrivate || second.isPrivate,
  });
}

/** A whole answer, ready to go out. */
export interface Answer {
  status: number;
  contentType: string;
  /** Given again as the same object by answers that are shared, it is compressed and hashed once. */
  body: Buffer;
  /** What the subgraphs allow to be kept, combined; undefined for nothing, and so for every answer with errors. */
  cacheControl?: string | undefined;
}

/**
 * Sends an answer: with what caches may keep of it, as 304 where the client has it already, and compressed where the
 * client takes that. Without `Accept-Encoding` it goes out at once.
 */
export function sendAnswer(
  { request, response, identity }: Pick<Exchange, 'request' | 'response' | 'identity'>,
  answer: Answer,
): void | Promise<void> {
  const { body, status } = answer;
  const policy = status === 200 ? policyOf(answer.cacheControl) : undefined;
  if (policy === undefined) response.setHeader('cache-control', notCacheable);
  else {
    response.setHeader('cache-control', toHeader({ ...policy, isPrivate: policy.isPrivate || identity !== undefined }));
    // The same address answers others something else, also the caller without a token, and in other media types.
    appendVary(response, 'Authorization', 'Accept', 'Accept-Encoding');
    if (request.method !== 'POST' && answerNotModified(request, response, body)) return;
  }
  response.statusCode = status;
  response.setHeader('content-type', answer.contentType);
  return sendBody(request, response, body);
}

/** Ends an answer whose status and headers are set, in the encoding that suits the client. */
export function sendBody(request: IncomingMessage, response: ServerResponse, body: Buffer): void | Promise<void> {
  const finish = ({ body: bytes, headers }: EncodedBody): void => {
    const encoding = headers['content-encoding'];
    if (encoding !== undefined) {
      response.setHeader('content-encoding', encoding);
      appendVary(response, 'Accept-Encoding');
    }
    response.setHeader('content-length', bytes.length);
    if (request.method === 'HEAD') response.end();
    // Node writes a string in one piece with the headers: for little ones, the second write costs more than the copy.
    else if (bytes.length <= maxOneWriteBytes) response.end(bytes.toString('latin1'), 'latin1');
    else response.end(bytes);
  };
  const encoded = encodeBody(body, request.headers['accept-encoding']);
  return encoded instanceof Promise ? encoded.then(finish) : finish(encoded);
}

const hashes = new WeakMap<Buffer, string>();

function hashOf(body: Buffer): string {
  const known = hashes.get(body) ?? hash('sha256', body, 'base64url').slice(0, 27);
  hashes.set(body, known);
  return known;
}

/**
 * Sets a strong `ETag`, which is another for every encoding of the same body, and answers 304 where the client names it.
 * @returns whether it was answered
 */
export function answerNotModified(request: IncomingMessage, response: ServerResponse, body: Buffer): boolean {
  const encoding = chooseEncoding(request.headers['accept-encoding']);
  const etag = encoding === undefined ? `"${hashOf(body)}"` : `"${hashOf(body)}-${encoding}"`;
  response.setHeader('etag', etag);
  const known = request.headers['if-none-match'];
  if (known === undefined) return false;
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (!tags.includes(etag) && !tags.includes('*')) return false;
  response.statusCode = 304;
  response.end();
  return true;
}
