/** Checks what an identity may do. Resolvers call `requireCapability` before anything else. */
import { fail } from './errors.js';
import type { Action, Capability, Identity } from './identity.js';

/** What an action is about; absent parts mean "in general". */
export interface Scope {
  app?: string;
  class?: string;
}

const covers = (capability: Capability, action: Action, scope: Scope): boolean =>
  capability.action === action &&
  (capability.app === undefined || capability.app === scope.app) &&
  (capability.class === undefined || capability.class === scope.class);

/** Whether the identity holds the action for all of the scope. */
export function hasCapability(identity: Identity, action: Action, scope: Scope = {}): boolean {
  return identity.capabilities.some((capability) => covers(capability, action, scope));
}

/**
 * Refuses a caller who does not hold the action anywhere within the scope. A caller whose capability is narrower than
 * the scope passes, and sees the narrower part: the row policies of PostgreSQL cut the rest away.
 */
export function requireCapability(identity: Identity, action: Action, scope: Scope = {}): void {
  const overlaps = identity.capabilities.some(
    (capability) =>
      capability.action === action &&
      (capability.app === undefined || scope.app === undefined || capability.app === scope.app) &&
      (capability.class === undefined || scope.class === undefined || capability.class === scope.class),
  );
  if (!overlaps) {
    const about = scope.app === undefined ? '' : ` for the app "${scope.app}"`;
    fail(
      'FORBIDDEN',
      `This needs the capability ${action}${about}. Ask an administrator of your organisation for it.`,
      {
        capability: action,
      },
    );
  }
}

/** The audit entries that the identity may read, as the row policy of `audit_log` understands them. */
export function auditScopes(identity: Identity): { app?: string; class?: string }[] {
  return identity.capabilities
    .filter((capability) => capability.action === 'audit:read')
    .map(({ app, class: className }) => ({
      ...(app === undefined ? {} : { app }),
      ...(className === undefined ? {} : { class: className }),
    }));
}
