/** The accounts' rows. Every statement runs inside the caller's organisation. */
import type { Identity, Role, Tier } from '../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../platform/paging.js';
import { countRows } from '../../platform/postgres/count.js';
import type { Postgres, Tx } from '../../platform/postgres/postgres.js';

export interface OrgRow {
  id: string;
  slug: string;
  name: string;
  tier: Tier;
}

export interface UserRow {
  id: string;
  email: string;
  name: string;
  roles: Role[];
  createdAt: string;
}

export interface RefreshTokenRow {
  id: string;
  userId: string;
  family: string;
  expiresAt: string;
  usedAt: string | null;
  revokedAt: string | null;
}

const userColumns = 'id, email, name, roles, created_at AS "createdAt"';

export class AccountsStore {
  constructor(readonly postgres: Postgres) {}

  async findOrg(identity: Identity): Promise<OrgRow> {
    const [row] = await this.#read(identity, (tx) => tx.query<OrgRow>('SELECT id, slug, name, tier FROM orgs'));
    return row!;
  }

  async findUsers(identity: Identity, ids: readonly string[]): Promise<UserRow[]> {
    return this.#read(identity, (tx) =>
      tx.query<UserRow>(`SELECT ${userColumns} FROM users WHERE id = ANY($1::uuid[])`, [ids]),
    );
  }

  /** Users in the order of their making. */
  async listUsers(identity: Identity, page: PageRequest): Promise<UserRow[]> {
    const [createdAt, id] = page.position ?? [null, null];
    return this.#read(identity, (tx) =>
      tx.query<UserRow>(
        `SELECT ${userColumns} FROM users
          WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::uuid)
          ORDER BY created_at, id LIMIT $3`,
        [createdAt, id, page.limit + 1],
      ),
    );
  }

  async countUsers(identity: Identity): Promise<CappedCount> {
    return this.#read(identity, (tx) => countRows(tx, 'users'));
  }

  /** @returns undefined when the address has an account already */
  async insertUser(
    tx: Tx,
    orgId: string,
    user: { email: string; name: string; passwordHash: string; roles: Role[] },
  ): Promise<UserRow | undefined> {
    const [row] = await tx.query<UserRow>(
      `INSERT INTO users (org_id, email, name, password_hash, roles) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (org_id, email) DO NOTHING RETURNING ${userColumns}`,
      [orgId, user.email, user.name, user.passwordHash, user.roles],
    );
    return row;
  }

  async insertRefreshToken(
    tx: Tx,
    token: { orgId: string; userId: string; family: string; hash: Buffer; expiresAt: string },
  ): Promise<void> {
    await tx.query(
      'INSERT INTO refresh_tokens (org_id, user_id, family, token_hash, expires_at) VALUES ($1, $2, $3, $4, $5)',
      [token.orgId, token.userId, token.family, token.hash, token.expiresAt],
    );
  }

  /** Locks the token's row, so that of two uses at once one is the second. */
  async lockRefreshToken(tx: Tx, id: string, hash: Buffer): Promise<RefreshTokenRow | undefined> {
    const [row] = await tx.query<RefreshTokenRow>(
      `SELECT id, user_id AS "userId", family, expires_at AS "expiresAt", used_at AS "usedAt", revoked_at AS "revokedAt"
         FROM refresh_tokens WHERE family = $1 AND token_hash = $2 FOR UPDATE`,
      [id, hash],
    );
    return row;
  }

  async markRefreshTokenUsed(tx: Tx, id: string): Promise<void> {
    await tx.query('UPDATE refresh_tokens SET used_at = now() WHERE id = $1', [id]);
  }

  async revokeFamily(tx: Tx, family: string): Promise<void> {
    await tx.query('UPDATE refresh_tokens SET revoked_at = now() WHERE family = $1 AND revoked_at IS NULL', [family]);
  }

  async revokeUserSessions(identity: Identity, userId: string): Promise<void> {
    await this.postgres.withOrg(identity, (tx) =>
      tx.query('UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL', [userId]),
    );
  }

  #read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }
}
