/**
 * API keys as text. A BEARER key is sent whole, as `Authorization: Bearer hwk_<ids>.<secret>`. A SIGNING key has a public
 * part, `hwk_<ids>`, and a secret that never travels: it signs requests. Both are shown once.
 *
 * `<ids>` are the organisation's and the key's id, so that a key is looked up inside its organisation.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a key's text says. */
export interface ApiKeyText {
  orgId: string;
  keyId: string;
  /** Undefined for the public part of a SIGNING key. */
  secret: string | undefined;
}

const prefix = 'hwk_';
const pattern = /^hwk_([\w-]{43})(?:\.([\w-]{43}))?$/;

const toBytes = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');
const toUuid = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** The public part of a key. */
export const publicPart = (orgId: string, keyId: string): string =>
  prefix + Buffer.concat([toBytes(orgId), toBytes(keyId)]).toString('base64url');

/** A new secret of a BEARER key: 256 bits of chance. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

export const newSalt = (): Buffer => randomBytes(32);

/**
 * The secret of a SIGNING key. It has to be known to check a signature, so it is derived and not stored: who reads the
 * database alone learns nothing of it.
 * @param installationSecret API_KEY_SECRET, 64 hexadecimal digits
 */
export const signingSecret = (installationSecret: string, salt: Buffer, keyId: string): string =>
  createHmac('sha256', Buffer.from(installationSecret, 'hex')).update(salt).update(toBytes(keyId)).digest('base64url');

export const hashOfSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Whether a secret is the one of a stored hash; takes the same time for every wrong one. */
export const secretMatches = (secret: string, storedHash: Buffer): boolean =>
  timingSafeEqual(hashOfSecret(secret), storedHash);

/** Reads a key; undefined for text that is none. */
export function parseApiKey(text: string): ApiKeyText | undefined {
  const [, ids, secret] = pattern.exec(text) ?? [];
  if (ids === undefined) return undefined;
  const bytes = Buffer.from(ids, 'base64url');
  return { orgId: toUuid(bytes.subarray(0, 16)), keyId: toUuid(bytes.subarray(16)), secret };
}
