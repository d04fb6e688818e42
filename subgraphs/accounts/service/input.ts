/** What several of the services ask of their callers and of what these send. */
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import { isStorableText } from '../../../platform/storable.js';

/** Who asks, and from where. */
export interface Caller {
  identity: Identity;
  /** Null where the request did not come over a network. */
  remoteIp: string | null;
}

/** What a name may be long. */
export const maxNameCharacters = 200;

/** The user who asks in person. @throws FORBIDDEN for API keys @param why they cannot do it: a sentence */
export function personOf({ subject }: Identity, why: string): string {
  if (subject.kind !== 'USER' || subject.userId === undefined) fail('FORBIDDEN', why);
  return subject.userId;
}

/** @throws BAD_USER_INPUT */
export function checkEmail(value: string, argument: string): string {
  const address = value.trim().toLowerCase();
  if (!/^[^\s@]+@[^\s@]+$/.test(address) || address.length > 254 || !isStorableText(address)) {
    fail('BAD_USER_INPUT', `"${argument}" takes an email address.`, { argument });
  }
  return address;
}

/** @throws BAD_USER_INPUT */
export function checkName(value: string, argument: string): string {
  const name = value.trim();
  if (name.length < 1 || name.length > maxNameCharacters || !isStorableText(name)) {
    fail('BAD_USER_INPUT', `"${argument}" takes 1 to ${maxNameCharacters} characters.`, { argument });
  }
  return name;
}
