/**
 * What Harborwatch writes down about itself, in each organisation's audit log under the app `harborwatch`: sign-ins,
 * grants, key changes, flushes, cache clears, exports and reads of audit logs. An entry is a domain event: it is written in
 * the transaction of what it tells, and the audit domain stores it.
 */
import type { Identity } from './identity.js';
import { emit, type SelfAuditEntry } from './outbox.js';
import type { Tx } from './postgres/postgres.js';

/** What a domain tells of an act of its caller; who and when are found here. */
export type SelfAuditAct = Omit<SelfAuditEntry, 'who' | 'at' | 'outcome'> & { outcome?: SelfAuditEntry['outcome'] };

/** Writes down what the caller did; call it in the transaction of the act. */
export async function recordAct(tx: Tx, identity: Identity, act: SelfAuditAct): Promise<void> {
  const { subject, orgId } = identity;
  const users =
    subject.userId === undefined
      ? []
      : await tx.query<{ email: string }>('SELECT email FROM users WHERE id = $1', [subject.userId]);
  const key = subject.kind === 'API_KEY' ? { apiKeyId: subject.id } : {};
  await emit(tx, orgId, 'audit.entry', {
    outcome: 'SUCCESS',
    ...act,
    who: users[0]?.email ?? subject.id,
    at: new Date().toISOString(),
    data: { ...act.data, ...key, requestId: identity.requestId },
  });
}
