/** What an identity may do. Access rules (platform/graphql/access-rules.ts) check the actions of fields; scopes are checked here. */
import { HarborwatchError } from './errors.js';
import { type Action, type Capability, capabilityKey, type Identity } from './identity.js';

/** What an action is about; absent parts mean "in general". */
export interface Scope {
  app?: string;
  class?: string;
}

const covers = (capability: Capability, action: Action, scope: Scope): boolean =>
  capability.action === action &&
  (capability.app === undefined || capability.app === scope.app) &&
  (capability.class === undefined || capability.class === scope.class);

/** Whether the holder has the action for all of the scope. */
export function hasCapability(holder: Pick<Identity, 'capabilities'>, action: Action, scope: Scope = {}): boolean {
  return holder.capabilities.some((capability) => covers(capability, action, scope));
}

/** Whether the caller is shown a user of the organisation: themselves always, and others with org:read. */
export const seesUser = (identity: Identity, userId: string): boolean =>
  identity.subject.userId === userId || hasCapability(identity, 'org:read');

/**
 * Refuses a caller who holds none of the actions anywhere within the scope. A caller whose capability is narrower than
 * the scope passes, and sees the narrower part: the row policies of PostgreSQL cut the rest away.
 */
export function requireCapability(identity: Identity, oneOf: Action | readonly Action[], scope: Scope = {}): void {
  const actions = [oneOf].flat();
  const overlaps = identity.capabilities.some(
    (capability) =>
      actions.includes(capability.action) &&
      (capability.app === undefined || scope.app === undefined || capability.app === scope.app) &&
      (capability.class === undefined || scope.class === undefined || capability.class === scope.class),
  );
  if (!overlaps) {
    const about = scope.app === undefined ? '' : ` for the app "${scope.app}"`;
    throw lacking(`${actions.join(' or ')}${about}`, actions[0]!);
  }
}

/** What a caller is told who does not hold what is needed. @param needed as a text, such as `jobs:read or jobs:write` */
export const lacking = (needed: string, capability: string): HarborwatchError =>
  new HarborwatchError(
    'FORBIDDEN',
    `This needs the capability ${needed}. Ask an administrator of your organisation for it.`,
    { capability },
  );

/** What a caller without a token is told. */
export const notSignedIn = (): HarborwatchError =>
  new HarborwatchError(
    'UNAUTHENTICATED',
    'Sign in first, and send the access token as `Authorization: Bearer <token>`.',
  );

/** A part of the audit log: every app and class where none is named. */
interface AuditScope extends Scope {
  /** Debug entries, and no others. */
  debugOnly?: true;
}

/** The audit entries that the identity may read, as the row policy of `audit_log` understands them. */
export const auditScopes = (identity: Identity): AuditScope[] =>
  identity.capabilities.flatMap(({ action, app, class: className }) => {
    if (action !== 'audit:read' && action !== 'debug:read') return [];
    return {
      ...(app === undefined ? {} : { app }),
      ...(className === undefined ? {} : { class: className }),
      ...(action === 'debug:read' ? { debugOnly: true as const } : {}),
    };
  });

/** What both lists hold: of two capabilities the part that they have in common, each once. */
export function intersectCapabilities(some: readonly Capability[], others: readonly Capability[]): Capability[] {
  const common = new Map<string, Capability>();
  for (const one of some) {
    for (const other of others) {
      const app = narrower(one.app, other.app);
      const className = narrower(one.class, other.class);
      if (one.action !== other.action || app === null || className === null) continue;
      const both: Capability = {
        action: one.action,
        ...(app === undefined ? {} : { app }),
        ...(className === undefined ? {} : { class: className }),
      };
      common.set(capabilityKey(both), both);
    }
  }
  return [...common.values()];
}

/** The one of two parts of scopes that is within the other; null where neither is. */
const narrower = (one: string | undefined, other: string | undefined): string | undefined | null => {
  if (one === undefined || one === other) return other;
  return other === undefined ? one : null;
};
