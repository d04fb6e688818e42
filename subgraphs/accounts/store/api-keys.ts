/** API keys' rows, inside the transaction's organisation. Of a secret only its hash is kept. */
import type { Capability } from '../../../platform/identity.js';
import type { Tx } from '../../../platform/postgres/postgres.js';
import type { UserRow } from './users.js';

export interface ApiKeyRow {
  orgId: string;
  id: string;
  name: string;
  kind: 'BEARER' | 'SIGNING';
  capabilities: Capability[];
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
  revokedAt: string | null;
  user: UserRow;
}

export interface NewApiKeyRow {
  orgId: string;
  id: string;
  userId: string;
  name: string;
  kind: 'BEARER' | 'SIGNING';
  secretHash: Buffer;
  salt: Buffer | null;
  capabilities: Capability[];
  createdBy: string | null;
  expiresAt: string | null;
}

const select = `
  SELECT k.org_id AS "orgId", k.id, k.name, k.kind, k.capabilities, k.created_at AS "createdAt", k.expires_at AS "expiresAt",
         k.last_used_at AS "lastUsedAt", k.revoked_at AS "revokedAt",
         jsonb_build_object('id', u.id, 'email', u.email, 'name', u.name, 'roles', u.roles, 'capabilities', u.capabilities,
           'accessVersion', u.access_version, 'isService', u.is_service, 'disabledAt', u.disabled_at,
           'createdAt', u.created_at) AS user
    FROM api_keys k JOIN users u ON u.org_id = k.org_id AND u.id = k.user_id`;

/** @param userId whose keys; undefined for everybody's */
export async function listApiKeys(tx: Tx, userId: string | undefined, limit: number): Promise<ApiKeyRow[]> {
  return tx.query<ApiKeyRow>(
    `${select} WHERE $1::uuid IS NULL OR k.user_id = $1
     ORDER BY k.revoked_at IS NOT NULL, k.created_at DESC, k.id DESC LIMIT $2`,
    [userId ?? null, limit],
  );
}

/** Nobody else changes the key until the transaction's end. @param userId as in `listApiKeys` */
export async function lockApiKey(tx: Tx, id: string, userId: string | undefined): Promise<ApiKeyRow | undefined> {
  const [row] = await tx.query<ApiKeyRow>(
    `${select} WHERE k.id = $1 AND ($2::uuid IS NULL OR k.user_id = $2) FOR UPDATE OF k`,
    [id, userId ?? null],
  );
  return row;
}

export async function countLiveApiKeys(tx: Tx, userId: string): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM api_keys
      WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
    [userId],
  );
  return row!.count;
}

export async function insertApiKey(tx: Tx, key: NewApiKeyRow): Promise<void> {
  await tx.query(
    `INSERT INTO api_keys (org_id, id, user_id, name, kind, secret_hash, salt, capabilities, created_by, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      key.orgId,
      key.id,
      key.userId,
      key.name,
      key.kind,
      key.secretHash,
      key.salt,
      JSON.stringify(key.capabilities),
      key.createdBy,
      key.expiresAt,
    ],
  );
}

export async function revokeApiKey(tx: Tx, id: string): Promise<void> {
  await tx.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [id]);
}
