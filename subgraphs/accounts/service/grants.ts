/** Capabilities as callers send them, and who may give which. */
import { hasCapability, requireCapability } from '../../../platform/capabilities.js';
import { fail } from '../../../platform/errors.js';
import { type Action, actions, type Capability, capabilityKey, type Identity } from '../../../platform/identity.js';
import { isStorableText } from '../../../platform/storable.js';

export interface CapabilityInput {
  action: string;
  app?: string | null | undefined;
  class?: string | null | undefined;
}

/** The actions that are about one app or class of it where they say so; everything else is an organisation's as a whole. */
const scopedActions: readonly Action[] = ['audit:read', 'audit:write', 'debug:read'];

/** What an audit entry's app and class may be long. */
const maxScopeBytes = 128;
const maxCapabilities = 100;
/** Altogether, as JSON: they travel in every access token, and those have to fit into a header. */
const maxCapabilitiesBytes = 6_000;

/**
 * Reads capabilities, each once.
 * @throws BAD_USER_INPUT for an unknown action, or a scope that the action does not take
 */
export function toCapabilities(inputs: readonly CapabilityInput[], argument: string): Capability[] {
  if (inputs.length > maxCapabilities) tooMany(argument, `has ${inputs.length} entries`);
  const read = inputs.map((input, index) => toCapability(input, `${argument}[${index}]`));
  return [...new Map(read.map((capability) => [capabilityKey(capability), capability])).values()];
}

/** Refuses more than one user or key may have. */
export function checkAmount(capabilities: readonly Capability[], argument: string): void {
  if (capabilities.length > maxCapabilities) tooMany(argument, `makes ${capabilities.length} capabilities`);
  const bytes = Buffer.byteLength(JSON.stringify(capabilities));
  if (bytes > maxCapabilitiesBytes) tooMany(argument, `makes capabilities of ${bytes.toLocaleString('en')} bytes`);
}

const tooMany = (argument: string, what: string): never =>
  fail(
    'BAD_USER_INPUT',
    `"${argument}" ${what}; a user or a key has at most ${maxCapabilities}, of ${maxCapabilitiesBytes.toLocaleString('en')} bytes altogether.`,
    { argument, limit: maxCapabilities },
  );

function toCapability(input: CapabilityInput, argument: string): Capability {
  const action = actions.find((known) => known === input.action);
  if (action === undefined) {
    fail('BAD_USER_INPUT', `"${argument}.action" takes one of ${actions.join(', ')}.`, {
      argument: `${argument}.action`,
    });
  }
  const app = input.app ?? undefined;
  const className = input.class ?? undefined;
  if (app === undefined && className === undefined) return { action };
  const first = app === undefined ? 'class' : 'app';
  if (!scopedActions.includes(action)) {
    fail(
      'BAD_USER_INPUT',
      `${action} is for the whole organisation and takes no "${first}"; ${scopedActions.join(', ')} do.`,
      { argument: `${argument}.${first}` },
    );
  }
  if (app === undefined) {
    fail('BAD_USER_INPUT', `"${argument}.class" names a class of an app: give "app" too.`, {
      argument: `${argument}.app`,
    });
  }
  checkScope(app, `${argument}.app`);
  if (className === undefined) return { action, app };
  checkScope(className, `${argument}.class`);
  return { action, app, class: className };
}

function checkScope(text: string, argument: string): void {
  if (text === '' || Buffer.byteLength(text) > maxScopeBytes || !isStorableText(text)) {
    fail('BAD_USER_INPUT', `"${argument}" takes 1 to ${maxScopeBytes} bytes of text.`, { argument });
  }
}

/**
 * Refuses to give what only platform administrators may. An administrator gives everything else of the organisation; a
 * key only what it holds itself, since what it gives outlives it.
 */
export function checkMayGive(identity: Identity, capabilities: readonly Capability[]): void {
  if (capabilities.some(({ action }) => action === 'platform:admin')) requireCapability(identity, 'platform:admin');
  const beyond = identity.subject.kind === 'API_KEY' ? findBeyond(capabilities, identity) : undefined;
  if (beyond) {
    fail('FORBIDDEN', `This API key does not hold ${toText(beyond)}, and gives only what it holds.`, {
      capability: beyond.action,
    });
  }
}

/** The first capability that the holder does not have in full. */
export const findBeyond = (
  capabilities: readonly Capability[],
  holder: Pick<Identity, 'capabilities'>,
): Capability | undefined => capabilities.find((capability) => !hasCapability(holder, capability.action, capability));

/** As people and the command line write it: `audit:read/shop/Order`. */
export const toText = ({ action, app, class: className }: Capability): string =>
  [action, app, className].filter((part) => part !== undefined).join('/');
