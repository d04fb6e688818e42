/** Users' rows, inside the transaction's organisation. */
import type { Capability, Role } from '../../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import { countRows } from '../../../platform/postgres/count.js';
import type { Tx } from '../../../platform/postgres/postgres.js';
import { type OrgRow, orgColumns } from '../../../platform/system/accounts.js';

export interface UserRow {
  id: string;
  email: string;
  name: string;
  roles: Role[];
  /** Granted beside the roles. */
  capabilities: Capability[];
  accessVersion: number;
  isService: boolean;
  disabledAt: string | null;
  createdAt: string;
}

export interface NewUser {
  email: string;
  name: string;
  /** Null for service users. */
  passwordHash: string | null;
  roles: Role[];
  capabilities?: Capability[];
  isService?: boolean;
}

/** What may change of a user; undefined stays as it is. */
export interface UserChange {
  name?: string | undefined;
  roles?: Role[] | undefined;
  capabilities?: Capability[] | undefined;
  passwordHash?: string | undefined;
  disabled?: boolean | undefined;
}

const columns = `id, email, name, roles, capabilities, access_version AS "accessVersion", is_service AS "isService",
  disabled_at AS "disabledAt", created_at AS "createdAt"`;

export async function findOrg(tx: Tx): Promise<OrgRow> {
  const [row] = await tx.query<OrgRow>(`SELECT ${orgColumns} FROM orgs`);
  return row!;
}

export async function findUsers(tx: Tx, ids: readonly string[]): Promise<UserRow[]> {
  return tx.query<UserRow>(`SELECT ${columns} FROM users WHERE id = ANY($1::uuid[])`, [ids]);
}

/** Nobody else changes the user until the transaction's end. */
export async function lockUser(tx: Tx, id: string): Promise<UserRow | undefined> {
  const [row] = await tx.query<UserRow>(`SELECT ${columns} FROM users WHERE id = $1 FOR UPDATE`, [id]);
  return row;
}

/** Users in the order of their making. */
export async function listUsers(tx: Tx, page: PageRequest): Promise<UserRow[]> {
  const [createdAt, id] = page.position ?? [null, null];
  return tx.query<UserRow>(
    `SELECT ${columns} FROM users
      WHERE $1::timestamptz IS NULL OR (created_at, id) > ($1::timestamptz, $2::uuid)
      ORDER BY created_at, id LIMIT $3`,
    [createdAt, id, page.limit + 1],
  );
}

export async function countUsers(tx: Tx): Promise<CappedCount> {
  return countRows(tx, 'users');
}

/** @returns undefined when the address has an account already */
export async function insertUser(tx: Tx, orgId: string, user: NewUser): Promise<UserRow | undefined> {
  const { email, name, passwordHash, roles, capabilities = [], isService = false } = user;
  const [row] = await tx.query<UserRow>(
    `INSERT INTO users (org_id, email, name, password_hash, roles, capabilities, is_service)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org_id, email) DO NOTHING RETURNING ${columns}`,
    [orgId, email, name, passwordHash, roles, JSON.stringify(capabilities), isService],
  );
  return row;
}

/** @param endsAccess whether the access tokens in hand must end */
export async function updateUser(tx: Tx, id: string, change: UserChange, endsAccess: boolean): Promise<UserRow> {
  const { name, roles, capabilities, passwordHash, disabled } = change;
  const [row] = await tx.query<UserRow>(
    `UPDATE users
        SET name = coalesce($2, name), roles = coalesce($3, roles), capabilities = coalesce($4, capabilities),
            password_hash = coalesce($5, password_hash),
            disabled_at = CASE WHEN $6 THEN coalesce(disabled_at, now()) WHEN NOT $6 THEN NULL ELSE disabled_at END,
            access_version = access_version + $7
      WHERE id = $1 RETURNING ${columns}`,
    [
      id,
      name ?? null,
      roles ?? null,
      capabilities ? JSON.stringify(capabilities) : null,
      passwordHash ?? null,
      disabled ?? null,
      endsAccess ? 1 : 0,
    ],
  );
  return row!;
}

/** One change of the administrators at a time, until the transaction's end. @param of an organisation's id, or `platform` */
export async function lockAdministrators(tx: Tx, of: string): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('administrators:' || $1, 0))`, [of]);
}

/** Whether somebody else than the user can run the organisation. */
export async function otherAdministratorExists(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx.query(
    `SELECT FROM users WHERE 'ADMIN' = ANY (roles) AND disabled_at IS NULL AND NOT is_service AND id <> $1 LIMIT 1`,
    [id],
  );
  return rows.length > 0;
}
