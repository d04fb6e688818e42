/**
 * Requests that are signed with an API key's secret, which never travels: Devo's scheme.
 *
 * `x-logtrust-apikey` names the key, `x-logtrust-timestamp` is the time in milliseconds, and `x-logtrust-sign` is
 * hex(HMAC-SHA256(secret, key + body + timestamp)), of the body as it goes over the wire; a GET signs an empty one.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { fail } from '../errors.js';
import { parseApiKey, signingSecret } from './api-keys.js';
import type { ApiKeys } from './known-api-keys.js';
import type { Access } from './refusals.js';

/** How far the clock of whoever signs may be off; a request that somebody overheard is good for as long. */
export const signatureWindowMs = 300_000;

/** A request that says it is signed. */
export interface SignedRequest {
  key: string;
  timestamp: string;
  signature: string;
  /** The body as it came. Asked for only where the rest may be right. */
  readBody(): Promise<Buffer>;
}

const keyHeader = 'x-logtrust-apikey';
const timestampHeader = 'x-logtrust-timestamp';
const signatureHeader = 'x-logtrust-sign';

/** Reads the headers of a signed request; undefined for one that does not say that it is. */
export function signedRequest(
  headers: IncomingHttpHeaders,
  readBody: () => Promise<Buffer>,
): SignedRequest | undefined {
  const [key, timestamp, signature] = [keyHeader, timestampHeader, signatureHeader].map((name) => headers[name]);
  if (key === undefined && timestamp === undefined && signature === undefined) return undefined;
  return { key: String(key ?? ''), timestamp: String(timestamp ?? ''), signature: String(signature ?? ''), readBody };
}

/** What `extensions.reason` of SIGNATURE_INVALID says. */
type SignatureReason = 'HEADERS' | 'TIME' | 'KEY' | 'SIGNATURE';

const messages: Record<SignatureReason, string> = {
  HEADERS: `A signed request has ${keyHeader}, ${timestampHeader} in milliseconds, and ${signatureHeader} in hexadecimal.`,
  TIME: `${timestampHeader} is more than ${signatureWindowMs / 60_000} minutes off: check the clock.`,
  KEY: `${keyHeader} names no key that signs requests. Ask an administrator of your organisation for one.`,
  SIGNATURE: `${signatureHeader} does not fit: it is hex(HMAC-SHA256(secret, key + body + timestamp)) of the body as sent.`,
};

const refuse = (reason: SignatureReason): never => fail('SIGNATURE_INVALID', messages[reason], { reason });

export class SignedRequests {
  readonly #keys: ApiKeys;
  readonly #installationSecret: string;

  /** @param installationSecret API_KEY_SECRET */
  constructor(keys: ApiKeys, installationSecret: string) {
    this.#keys = keys;
    this.#installationSecret = installationSecret;
  }

  /** @throws SIGNATURE_INVALID, TOKEN_REVOKED, TOKEN_EXPIRED, UNAUTHENTICATED, or as `readBody` */
  async verify({ key, timestamp, signature, readBody }: SignedRequest, nowMs: number): Promise<Access> {
    if (!/^\d{1,16}$/.test(timestamp) || !/^[0-9a-f]{64}$/i.test(signature)) refuse('HEADERS');
    if (Math.abs(Number(timestamp) - nowMs) > signatureWindowMs) refuse('TIME');
    const parts = parseApiKey(key);
    if (!parts || parts.secret !== undefined) return refuse('KEY');
    const known = await this.#keys.find(parts);
    if (!known?.salt) return refuse('KEY');
    const secret = signingSecret(this.#installationSecret, known.salt, known.id);
    const expected = createHmac('sha256', secret)
      .update(key)
      .update(await readBody())
      .update(timestamp)
      .digest();
    if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) refuse('SIGNATURE');
    return this.#keys.admit(parts.orgId, known);
  }
}
