/** Sessions' rows, inside the transaction's organisation: a session is a family of refresh tokens, each good once. */
import type { Capability, Role, Tier } from '../../../platform/identity.js';
import type { Tx } from '../../../platform/postgres/postgres.js';

export interface RefreshTokenRow {
  id: string;
  userId: string;
  expiresAt: string;
  usedAt: string | null;
  revokedAt: string | null;
}

/** What the access tokens of a session say of their user. */
export interface SessionUser {
  userId: string;
  tier: Tier;
  roles: Role[];
  capabilities: Capability[];
  accessVersion: number;
}

/**
 * The user of a session; undefined for a disabled one. Locked: sessions go on and end one after the other, so that what
 * ends one finds the token that it went on with. Whoever locks a user's tokens locks the user first.
 */
export async function findSessionUser(
  tx: Tx,
  userId: string,
): Promise<(SessionUser & { passwordHash: string | null }) | undefined> {
  const [row] = await tx.query<SessionUser & { passwordHash: string | null }>(
    `SELECT u.id AS "userId", (SELECT tier FROM orgs) AS tier, u.roles, u.capabilities,
            u.access_version AS "accessVersion", u.password_hash AS "passwordHash"
       FROM users u WHERE u.id = $1 AND u.disabled_at IS NULL FOR NO KEY UPDATE`,
    [userId],
  );
  return row;
}

export async function insertRefreshToken(
  tx: Tx,
  token: { orgId: string; userId: string; family: string; hash: Buffer; expiresAt: string },
): Promise<void> {
  await tx.query(
    'INSERT INTO refresh_tokens (org_id, user_id, family, token_hash, expires_at) VALUES ($1, $2, $3, $4, $5)',
    [token.orgId, token.userId, token.family, token.hash, token.expiresAt],
  );
}

/** Read behind the lock of its user, a token tells whether this is its first use; before that, whose it is alone. */
export async function findRefreshToken(tx: Tx, family: string, hash: Buffer): Promise<RefreshTokenRow | undefined> {
  const [row] = await tx.query<RefreshTokenRow>(
    `SELECT id, user_id AS "userId", expires_at AS "expiresAt", used_at AS "usedAt", revoked_at AS "revokedAt"
       FROM refresh_tokens WHERE family = $1 AND token_hash = $2`,
    [family, hash],
  );
  return row;
}

export async function markRefreshTokenUsed(tx: Tx, id: string): Promise<void> {
  await tx.query('UPDATE refresh_tokens SET used_at = now() WHERE id = $1', [id]);
}

export async function revokeSession(tx: Tx, family: string): Promise<void> {
  await tx.query('UPDATE refresh_tokens SET revoked_at = now() WHERE family = $1 AND revoked_at IS NULL', [family]);
}

export async function revokeSessionsOf(tx: Tx, userId: string): Promise<void> {
  await tx.query('UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL', [userId]);
}
