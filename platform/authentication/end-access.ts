/** Ends access before its tokens do. Every gateway hears of it at once, refuses the tokens and closes their sockets. */
import type { Tx } from '../postgres/postgres.js';
import type { AccessRevocation } from '../system/revocations.js';

/** Where gateways listen: each notification is an `AccessRevocation` as JSON. */
export const accessEndedChannel = 'harborwatch_access_ended';

/** What ends: a session, an API key, or all access tokens of a user below a version. */
export type EndedAccess =
  | { kind: 'SESSION'; sessionId: string }
  | { kind: 'API_KEY'; keyId: string }
  | { kind: 'USER'; userId: string; accessVersion: number };

/** Call it in the transaction of what ends the access; more than once changes nothing. */
export async function endAccess(tx: Tx, orgId: string, ended: EndedAccess): Promise<void> {
  const subjectId = ended.kind === 'SESSION' ? ended.sessionId : ended.kind === 'API_KEY' ? ended.keyId : ended.userId;
  const accessVersion = ended.kind === 'USER' ? ended.accessVersion : null;
  await tx.query(
    `INSERT INTO access_revocations AS known (org_id, kind, subject_id, access_version) VALUES ($1, $2, $3, $4)
     ON CONFLICT (org_id, kind, subject_id) DO UPDATE
       SET access_version = greatest(known.access_version, excluded.access_version), revoked_at = now()`,
    [orgId, ended.kind, subjectId, accessVersion],
  );
  const told: AccessRevocation = { orgId, kind: ended.kind, subjectId, accessVersion };
  await tx.query('SELECT pg_notify($1, $2)', [accessEndedChannel, JSON.stringify(told)]);
}
