/** Who is asking. Every request, job and stream carries one identity; nothing is read or written without it. */

export type Tier = 'BASIC' | 'PRO' | 'ENTERPRISE';

/** The roles that people hold; each stands for a set of capabilities. */
export type Role = 'PLATFORM_ADMIN' | 'ADMIN' | 'ANALYST' | 'AUDITOR' | 'INGESTER' | 'VIEWER';

/** An action with a scope that drills down org -> app -> class. No app means every app; no class means every class. */
export interface Capability {
  action: Action;
  app?: string;
  class?: string;
}

/** What there is to do; the scopes of `@requiresScopes` in the graph are their names. */
export const actions = [
  'platform:admin',
  'org:admin',
  'org:read',
  'events:read',
  'events:write',
  'jobs:read',
  'jobs:write',
  'audit:read',
  'audit:write',
  /** Reads the debug entries of audit logs, and no others. */
  'debug:read',
  'analytics:read',
  'collections:read',
  'collections:write',
] as const;
export type Action = (typeof actions)[number];

export interface Subject {
  /** ADDRESS: nobody signed in; the request comes from an address that an operator opened something to. */
  kind: 'USER' | 'API_KEY' | 'ADDRESS' | 'SYSTEM';
  /** The id of the user or the key, the opened address range, or the name of the system part. */
  id: string;
  /** The user behind it; undefined for the system and for addresses. */
  userId?: string;
}

export interface Identity {
  orgId: string;
  subject: Subject;
  capabilities: Capability[];
  tier: Tier;
  /** Found again in the logs and in the `x-request-id` header. */
  requestId: string;
  /** When the work must have ended, in milliseconds since the epoch. */
  deadline: number;
  /** When the access token ends, in milliseconds since the epoch; undefined where there is none. */
  expiresAtMs?: number;
  /** The session that the access token belongs to; undefined for API keys and the system. */
  sessionId?: string;
  /** The user's access version that the credential was checked against: it ends when a higher one is told. */
  accessVersion?: number;
}

/** Whether somebody signed in, or shows a key; who comes from an opened address has not. */
export const isSignedIn = (identity: Identity | undefined): identity is Identity =>
  identity !== undefined && identity.subject.kind !== 'ADDRESS';

const readAll: Action[] = ['org:read', 'events:read', 'jobs:read', 'analytics:read', 'collections:read'];
const admin: Action[] = [
  ...readAll,
  'org:admin',
  'events:write',
  'jobs:write',
  'audit:read',
  'audit:write',
  'collections:write',
];

/** What each role may do. */
export const roleActions: Record<Role, Action[]> = {
  PLATFORM_ADMIN: ['platform:admin'],
  ADMIN: admin,
  ANALYST: [...readAll, 'jobs:write', 'collections:write'],
  AUDITOR: ['org:read', 'audit:read', 'analytics:read'],
  INGESTER: ['events:write', 'audit:write'],
  VIEWER: readAll,
};

/** Equal for equal capabilities. */
export const capabilityKey = ({ action, app, class: className }: Capability): string =>
  JSON.stringify([action, app ?? null, className ?? null]);

/** The capabilities that a set of roles gives, with those that were granted beside them, each once. */
export function capabilitiesOf(roles: readonly Role[], granted: readonly Capability[] = []): Capability[] {
  const all = [...roles.flatMap((role) => roleActions[role].map((action): Capability => ({ action }))), ...granted];
  return [...new Map(all.map((capability) => [capabilityKey(capability), capability])).values()];
}

/** The identity of a part of Harborwatch itself that works for one organisation. */
export function systemIdentity(orgId: string, part: string, deadline = Date.now() + 60_000): Identity {
  return {
    orgId,
    subject: { kind: 'SYSTEM', id: part },
    capabilities: capabilitiesOf(['ADMIN']),
    tier: 'ENTERPRISE',
    requestId: `${part}-${crypto.randomUUID()}`,
    deadline,
  };
}

/**
 * Tells apart callers who may be answered differently: answers, streams and caches are shared among equal keys alone.
 * - The organisation, because every row is one's.
 * - The subject with the user behind it, because fields answer about the caller, and rights may hang on a person.
 * - The capabilities, whatever their order, because a fresh token of the same user may carry others.
 * - The tier, because limits and answers may depend on it.
 * A request's id, its deadline and its token's end are the request's own: they change nothing of what it may see.
 */
export function identityKey(identity: Identity | undefined): string {
  if (!identity) return 'anonymous';
  const { orgId, subject, tier, capabilities } = identity;
  const rights = capabilities.map(capabilityKey);
  return JSON.stringify([orgId, subject.kind, subject.id, subject.userId ?? null, tier, [...new Set(rights)].sort()]);
}
