/** What of ended access looks across organisations: a gateway serves them all. */
import type { Postgres } from '../postgres/postgres.js';

/** A session, a key or all older tokens of a user that ended. */
export interface AccessRevocation {
  orgId: string;
  kind: 'SESSION' | 'USER' | 'API_KEY';
  subjectId: string;
  /** Of a user: tokens of a lower version are refused. */
  accessVersion: number | null;
}

/** All that ended and may still have tokens. */
export async function readRevocations(postgres: Postgres): Promise<AccessRevocation[]> {
  return postgres.asSystem((tx) =>
    tx.query<AccessRevocation>(
      `SELECT org_id AS "orgId", kind, subject_id AS "subjectId", access_version AS "accessVersion"
         FROM access_revocations`,
    ),
  );
}

/** Deletes what is older than any token that is alive. */
export async function deleteOldRevocations(postgres: Postgres, olderThanSeconds: number): Promise<void> {
  await postgres.asSystem((tx) =>
    tx.query(`DELETE FROM access_revocations WHERE revoked_at < now() - $1 * interval '1 second'`, [olderThanSeconds]),
  );
}
