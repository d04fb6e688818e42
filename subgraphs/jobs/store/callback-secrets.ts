/** What organisations sign their callbacks with. The database has one half alone: see callbacks/signature.ts. */
import { randomBytes } from 'node:crypto';
import type { Tx } from '../../../platform/postgres/postgres.js';
import { deriveKey } from '../callbacks/signature.js';

/** For how long the secret before the present one still signs beside it. */
const overlapHours = 24;

export interface SigningKeys {
  current: Buffer;
  /** Null where its time is over, or there was none. */
  previous: Buffer | null;
  createdAt: string;
  previousExpiresAt: string | null;
}

interface SecretRow {
  salt: Buffer;
  createdAt: string;
  previousSalt: Buffer | null;
  previousExpiresAt: string | null;
}

const columns = `
  salt, created_at AS "createdAt", CASE WHEN previous_expires_at > now() THEN previous_salt END AS "previousSalt",
  CASE WHEN previous_expires_at > now() THEN previous_expires_at END AS "previousExpiresAt"`;

function toKeys(row: SecretRow, orgId: string, installationSecret: string): SigningKeys {
  const { salt, previousSalt, createdAt, previousExpiresAt } = row;
  const keyOf = (of: Buffer) => deriveKey(installationSecret, orgId, of);
  return { current: keyOf(salt), previous: previousSalt && keyOf(previousSalt), createdAt, previousExpiresAt };
}

/** The keys of the transaction's organisation; made at the first use. */
export async function signingKeys(tx: Tx, orgId: string, installationSecret: string): Promise<SigningKeys> {
  const select = `SELECT ${columns} FROM callback_secrets`;
  const known = await tx.query<SecretRow>(select);
  if (known[0]) return toKeys(known[0], orgId, installationSecret);
  await tx.query('INSERT INTO callback_secrets (org_id, salt) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    orgId,
    randomBytes(32),
  ]);
  const [made] = await tx.query<SecretRow>(select);
  return toKeys(made!, orgId, installationSecret);
}

/** Makes a new key; the one before signs beside it for a while, and any older one no more. */
export async function rotateKeys(tx: Tx, orgId: string, installationSecret: string): Promise<SigningKeys> {
  const [row] = await tx.query<SecretRow>(
    `INSERT INTO callback_secrets (org_id, salt) VALUES ($1, $2)
     ON CONFLICT (org_id) DO UPDATE
       SET salt = excluded.salt, created_at = now(), previous_salt = callback_secrets.salt,
           previous_expires_at = now() + interval '${overlapHours} hours'
     RETURNING ${columns}`,
    [orgId, randomBytes(32)],
  );
  return toKeys(row!, orgId, installationSecret);
}
