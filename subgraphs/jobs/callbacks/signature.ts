/** Signatures by the Standard Webhooks specification, version 1: HMAC-SHA256 of `id.timestamp.body`. */
import { createHmac } from 'node:crypto';

/**
 * The key of an organisation. It has to be known to sign, so it is derived and not stored: who reads the database alone
 * learns nothing of it.
 * @param installationSecret API_KEY_SECRET, 64 hexadecimal digits
 */
export const deriveKey = (installationSecret: string, orgId: string, salt: Buffer): Buffer =>
  createHmac('sha256', Buffer.from(installationSecret, 'hex')).update(`job-callbacks:${orgId}:`).update(salt).digest();

/** A key as receivers take it. */
export const toSecretText = (key: Buffer): string => `whsec_${key.toString('base64')}`;

export interface Message {
  /** The same however often it is sent. */
  id: string;
  /** When it is sent, in whole seconds since the epoch. */
  timestamp: number;
  body: string;
}

/** The headers of a message. @param keys one signature each: the receiver may know any of them */
export function signedHeaders({ id, timestamp, body }: Message, keys: readonly Buffer[]): Record<string, string> {
  const sign = (key: Buffer) => createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': keys.map((key) => `v1,${sign(key)}`).join(' '),
  };
}
