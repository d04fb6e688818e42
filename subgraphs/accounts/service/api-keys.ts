/** The rules of API keys: a key belongs to a user, may never do more than that user, and is shown once. */
import {
  hashOfSecret,
  newSalt,
  newSecret,
  publicPart,
  signingSecret,
} from '../../../platform/authentication/api-keys.js';
import { endAccess } from '../../../platform/authentication/end-access.js';
import { hasCapability, requireCapability } from '../../../platform/capabilities.js';
import type { Clock } from '../../../platform/clock.js';
import { fail } from '../../../platform/errors.js';
import { type Capability, capabilitiesOf, type Identity } from '../../../platform/identity.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { recordAct } from '../../../platform/self-audit.js';
import { isUuid } from '../../../platform/uuid.js';
import {
  type ApiKeyRow,
  countLiveApiKeys,
  insertApiKey,
  listApiKeys,
  lockApiKey,
  revokeApiKey,
} from '../store/api-keys.js';
import { insertUser, lockUser, type UserRow } from '../store/users.js';
import { type CapabilityInput, checkAmount, checkMayGive, findBeyond, toCapabilities, toText } from './grants.js';
import { type Caller, checkName, personOf } from './input.js';

export type { ApiKeyRow };

export interface ApiKeyInput {
  name: string;
  capabilities: CapabilityInput[];
  expiresAt?: string | null | undefined;
  kind: 'BEARER' | 'SIGNING';
  userId?: string | null | undefined;
  serviceUserName?: string | null | undefined;
}

export interface MadeApiKey {
  row: ApiKeyRow;
  /** What is shown this once. */
  secret: string;
}

/** How many keys a user may have that are neither revoked nor expired. */
const maxLiveKeys = 100;
/** How many keys one answer lists. */
const maxListed = 1_000;

export class ApiKeysService {
  /** @param installationSecret API_KEY_SECRET; undefined where nobody set it, so that no SIGNING key can be made */
  constructor(
    private readonly postgres: Postgres,
    private readonly clock: Clock,
    private readonly installationSecret: string | undefined,
  ) {}

  /** Everybody's keys for administrators, else the caller's own; live ones first, then the newest. */
  async list(identity: Identity): Promise<ApiKeyRow[]> {
    return this.postgres.withOrg(identity, (tx) => listApiKeys(tx, whoseKeys(identity), maxListed), { readOnly: true });
  }

  /** @throws BAD_USER_INPUT, FORBIDDEN, NOT_FOUND for the user, CONFLICT for too many keys and a taken name */
  async create({ identity, remoteIp }: Caller, input: ApiKeyInput): Promise<MadeApiKey> {
    personOf(identity, 'An API key cannot make API keys. Sign in as a user.');
    const name = checkName(input.name, 'input.name');
    const capabilities = toCapabilities(input.capabilities, 'input.capabilities');
    if (capabilities.length === 0) {
      fail('BAD_USER_INPUT', '"input.capabilities" takes at least one capability: a key without one can do nothing.', {
        argument: 'input.capabilities',
      });
    }
    checkAmount(capabilities, 'input.capabilities');
    if (input.expiresAt != null && Date.parse(input.expiresAt) <= this.clock.now()) {
      fail('BAD_USER_INPUT', '"input.expiresAt" takes a moment in the future.', { argument: 'input.expiresAt' });
    }
    checkMayGive(identity, capabilities);
    const material = this.#materialOf(identity.orgId, input.kind);
    const row = await this.postgres.withOrg(identity, async (tx) => {
      const user = await ownerOf(tx, identity, input, capabilities);
      if ((await countLiveApiKeys(tx, user.id)) >= maxLiveKeys) {
        fail('CONFLICT', `${user.email} has ${maxLiveKeys} API keys, which is the limit. Revoke one first.`, {
          argument: 'input.userId',
          limit: maxLiveKeys,
        });
      }
      const { id, secretHash, salt } = material;
      await insertApiKey(tx, {
        orgId: identity.orgId,
        id,
        userId: user.id,
        name,
        kind: input.kind,
        secretHash,
        salt,
        capabilities,
        createdBy: identity.subject.userId ?? null,
        expiresAt: input.expiresAt ?? null,
      });
      await recordAct(tx, identity, {
        op: 'api-key.create',
        module: 'accounts',
        class: 'apiKey',
        instanceId: id,
        message: `Made the API key "${name}" of ${user.email}.`,
        remoteIp,
        data: {
          kind: input.kind,
          userId: user.id,
          capabilities: capabilities.map(toText),
          expiresAt: input.expiresAt ?? null,
        },
      });
      return (await lockApiKey(tx, id, user.id))!;
    });
    return { row, secret: material.secret };
  }

  /** Takes a key back; a second time changes nothing. @throws NOT_FOUND, FORBIDDEN for a key that names another */
  async revoke({ identity, remoteIp }: Caller, givenId: string): Promise<ApiKeyRow> {
    const id = givenId.toLowerCase();
    const { kind, id: callerId } = identity.subject;
    if (kind === 'API_KEY' && id !== callerId && !hasCapability(identity, 'org:admin')) {
      fail('FORBIDDEN', 'An API key takes back itself alone. Sign in as its user.', { argument: 'input.id' });
    }
    return this.postgres.withOrg(identity, async (tx) => {
      const row = isUuid(id) ? await lockApiKey(tx, id, whoseKeys(identity)) : undefined;
      if (!row) return fail('NOT_FOUND', 'There is no API key with this id.', { argument: 'input.id' });
      if (row.revokedAt !== null) return row;
      await revokeApiKey(tx, id);
      await endAccess(tx, identity.orgId, { kind: 'API_KEY', keyId: id });
      await recordAct(tx, identity, {
        op: 'api-key.revoke',
        module: 'accounts',
        class: 'apiKey',
        instanceId: id,
        message: `Took back the API key "${row.name}" of ${row.user.email}.`,
        remoteIp,
        data: { userId: row.user.id },
      });
      return (await lockApiKey(tx, id, undefined))!;
    });
  }

  #materialOf(orgId: string, kind: 'BEARER' | 'SIGNING') {
    const id = crypto.randomUUID();
    if (kind === 'BEARER') {
      const secret = newSecret();
      return { id, secret: `${publicPart(orgId, id)}.${secret}`, secretHash: hashOfSecret(secret), salt: null };
    }
    if (this.installationSecret === undefined) {
      fail('SERVICE_UNAVAILABLE', 'This installation has no API_KEY_SECRET, so it makes no SIGNING keys.');
    }
    const salt = newSalt();
    const secret = signingSecret(this.installationSecret, salt, id);
    return { id, secret, secretHash: hashOfSecret(secret), salt };
  }
}

const nobody = '00000000-0000-0000-0000-000000000000';

/** Whose keys a caller sees and takes back: undefined for everybody's. */
const whoseKeys = (identity: Identity): string | undefined =>
  hasCapability(identity, 'org:admin') ? undefined : (identity.subject.userId ?? nobody);

/** The user whose key it will be, who may do all of what the key may. Locked, so that keys are counted one by one. */
async function ownerOf(
  tx: Tx,
  identity: Identity,
  { userId, serviceUserName }: ApiKeyInput,
  capabilities: Capability[],
): Promise<UserRow> {
  if (userId != null && serviceUserName != null) {
    fail('BAD_USER_INPUT', 'Give "input.userId" or "input.serviceUserName", not both.', {
      argument: 'input.serviceUserName',
    });
  }
  const own = userId == null || userId.toLowerCase() === identity.subject.userId;
  if (serviceUserName != null || !own) requireCapability(identity, 'org:admin');
  if (serviceUserName != null) return makeServiceUser(tx, identity, serviceUserName, capabilities);
  const id = (userId ?? identity.subject.userId!).toLowerCase();
  const user = isUuid(id) ? await lockUser(tx, id) : undefined;
  if (!user) return fail('NOT_FOUND', 'There is no user with this id.', { argument: 'input.userId' });
  // Of a caller whose token says less than the account may.
  const beyond =
    findBeyond(capabilities, { capabilities: capabilitiesOf(user.roles, user.capabilities) }) ??
    (own ? findBeyond(capabilities, identity) : undefined);
  if (beyond) {
    fail(
      'FORBIDDEN',
      `${own ? 'You do' : `${user.email} does`} not hold ${toText(beyond)}, and a key never may more than its user.`,
      {
        argument: 'input.capabilities',
        capability: beyond.action,
      },
    );
  }
  return user;
}

/** A user without a password, who may do what its first key may. */
async function makeServiceUser(
  tx: Tx,
  { orgId }: Identity,
  serviceUserName: string,
  capabilities: Capability[],
): Promise<UserRow> {
  const argument = 'input.serviceUserName';
  const name = checkName(serviceUserName, argument);
  const handle = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 64);
  // Nobody has mail there: the name is reserved (RFC 2606).
  const email = `${handle || crypto.randomUUID()}@service.invalid`;
  const made = await insertUser(tx, orgId, {
    email,
    name,
    passwordHash: null,
    roles: [],
    capabilities,
    isService: true,
  });
  return (
    made ??
    fail(
      'CONFLICT',
      `There is a service user "${email}" already: choose another name, or give its id as "input.userId".`,
      {
        argument,
      },
    )
  );
}
