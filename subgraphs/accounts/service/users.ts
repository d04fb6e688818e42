/** The rules of users: who makes whom, and who may do what. */

import { endAccess } from '../../../platform/authentication/end-access.js';
import { seesUser } from '../../../platform/capabilities.js';
import { fail } from '../../../platform/errors.js';
import {
  type Capability,
  capabilitiesOf,
  capabilityKey,
  type Identity,
  type Role,
  roleActions,
} from '../../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { recordAct } from '../../../platform/self-audit.js';
import { otherPlatformAdministratorExists } from '../../../platform/system/accounts.js';
import { isUuid } from '../../../platform/uuid.js';
import { hashPassword } from '../passwords.js';
import { revokeSessionsOf } from '../store/sessions.js';
import {
  countUsers,
  findUsers,
  insertUser,
  listUsers,
  lockAdministrators,
  lockUser,
  otherAdministratorExists,
  type UserChange,
  type UserRow,
  updateUser,
} from '../store/users.js';
import { type CapabilityInput, checkAmount, checkMayGive, toCapabilities, toText } from './grants.js';
import { type Caller, checkEmail, checkName, personOf } from './input.js';

export type { UserRow };

export interface UserUpdate {
  id: string;
  name?: string | null | undefined;
  roles?: Role[] | null | undefined;
  password?: string | null | undefined;
  disabled?: boolean | null | undefined;
}

export interface Grant {
  userId: string;
  capabilities?: CapabilityInput[] | null | undefined;
  revoke?: CapabilityInput[] | null | undefined;
  roles?: Role[] | null | undefined;
}

/** What a change does, and how it is told. */
interface Decision {
  change: UserChange;
  op: string;
  /** What the entry carries of it. */
  data: Record<string, unknown>;
}

export class UsersService {
  constructor(private readonly postgres: Postgres) {}

  /** The caller, and with org:read everybody else of the organisation. @param ids in lower case */
  async byId(identity: Identity, ids: readonly string[]): Promise<Map<string, UserRow>> {
    const visible = ids.filter((id) => isUuid(id) && seesUser(identity, id));
    const rows = await this.postgres.withOrg(identity, (tx) => findUsers(tx, visible), { readOnly: true });
    return new Map(rows.map((row) => [row.id, row]));
  }

  async list(identity: Identity, page: PageRequest): Promise<UserRow[]> {
    return this.postgres.withOrg(identity, (tx) => listUsers(tx, page), { readOnly: true });
  }

  async count(identity: Identity): Promise<CappedCount> {
    return this.postgres.withOrg(identity, countUsers, { readOnly: true });
  }

  /** @throws CONFLICT where the address has an account, BAD_USER_INPUT, FORBIDDEN */
  async create(
    { identity, remoteIp }: Caller,
    input: { email: string; name: string; password: string; roles: Role[] },
  ): Promise<UserRow> {
    const roles = checkRoles(input.roles);
    checkMayGive(identity, capabilitiesOf(roles));
    const email = checkEmail(input.email, 'input.email');
    const name = checkName(input.name, 'input.name');
    const passwordHash = await hashPassword(input.password, 'input.password');
    return this.postgres.withOrg(identity, async (tx) => {
      const made =
        (await insertUser(tx, identity.orgId, { email, name, passwordHash, roles })) ??
        fail('CONFLICT', `${email} has an account here already.`, { argument: 'input.email' });
      await recordAct(tx, identity, {
        op: 'user.create',
        module: 'accounts',
        class: 'user',
        instanceId: made.id,
        message: `Made the user ${email}.`,
        remoteIp,
        data: { roles },
      });
      return made;
    });
  }

  /**
   * Changes a user. Other roles, another password or being disabled end the access tokens in hand, and the latter two all
   * sessions.
   * @throws NOT_FOUND, BAD_USER_INPUT, FORBIDDEN, CONFLICT for the last administrator
   */
  async update(caller: Caller, input: UserUpdate): Promise<UserRow> {
    const name = input.name == null ? undefined : checkName(input.name, 'input.name');
    const roles = input.roles == null ? undefined : checkRoles(input.roles);
    const disabled = input.disabled ?? undefined;
    const { password } = input;
    if (
      password != null &&
      personOf(caller.identity, 'An API key cannot change a password.') === input.id.toLowerCase()
    ) {
      fail('BAD_USER_INPUT', 'Your own password is changed with changePassword, which asks for the present one.', {
        argument: 'input.password',
      });
    }
    const passwordHash = password == null ? undefined : await hashPassword(password, 'input.password');
    if ([name, roles, disabled, passwordHash].every((part) => part === undefined)) {
      fail('BAD_USER_INPUT', '"input" names nothing to change: give name, roles, password or disabled.', {
        argument: 'input',
      });
    }
    return this.#change(caller, input.id, 'input.id', (user) => {
      if (user.isService && passwordHash !== undefined) {
        fail('BAD_USER_INPUT', `${user.email} is a service user: nobody signs in as it.`, {
          argument: 'input.password',
        });
      }
      const change: UserChange = {
        passwordHash,
        ...(name === user.name ? {} : { name }),
        ...(sameRoles(roles, user) ? {} : { roles }),
        ...(disabled === (user.disabledAt !== null) ? {} : { disabled }),
      };
      const data = {
        ...(change.name === undefined ? {} : { name: change.name }),
        ...(change.roles === undefined ? {} : { roles, rolesBefore: user.roles }),
        ...(change.disabled === undefined ? {} : { disabled }),
        ...(passwordHash === undefined ? {} : { password: 'changed' }),
      };
      return { change, op: 'user.update', data };
    });
  }

  /**
   * Adds and takes capabilities beside the roles, and may change the roles along with them.
   * @throws NOT_FOUND, BAD_USER_INPUT, FORBIDDEN, CONFLICT for what a role gives and for the last administrator
   */
  async grant(caller: Caller, input: Grant): Promise<UserRow> {
    const added = toCapabilities(input.capabilities ?? [], 'input.capabilities');
    const taken = toCapabilities(input.revoke ?? [], 'input.revoke');
    const roles = input.roles == null ? undefined : checkRoles(input.roles);
    if (added.length + taken.length === 0 && roles === undefined) {
      fail('BAD_USER_INPUT', '"input" names nothing to change: give capabilities, revoke or roles.', {
        argument: 'input',
      });
    }
    checkMayGive(caller.identity, added);
    const takenKeys = new Set(taken.map(capabilityKey));
    const both = added.find((capability) => takenKeys.has(capabilityKey(capability)));
    if (both) {
      fail('BAD_USER_INPUT', `${toText(both)} is both given and taken.`, { argument: 'input.revoke' });
    }
    return this.#change(caller, input.userId, 'input.userId', (user) => {
      const stays = taken.find((capability) => roleOf(capability, roles ?? user.roles) !== undefined);
      if (stays) {
        fail(
          'CONFLICT',
          `${toText(stays)} stays: the role ${roleOf(stays, roles ?? user.roles)} gives it. Give "input.roles" without it.`,
          { argument: 'input.revoke' },
        );
      }
      const before = new Set(user.capabilities.map(capabilityKey));
      const granted = added.filter((capability) => !before.has(capabilityKey(capability)));
      const revoked = user.capabilities.filter((capability) => takenKeys.has(capabilityKey(capability)));
      const capabilities = [...user.capabilities.filter((one) => !takenKeys.has(capabilityKey(one))), ...granted];
      checkAmount(capabilities, 'input.capabilities');
      const change: UserChange = {
        ...(granted.length + revoked.length === 0 ? {} : { capabilities }),
        ...(sameRoles(roles, user) ? {} : { roles }),
      };
      const data = {
        granted: granted.map(toText),
        revoked: revoked.map(toText),
        ...(change.roles === undefined ? {} : { roles, rolesBefore: user.roles }),
      };
      return { change, op: 'grant', data };
    });
  }

  async #change(
    { identity, remoteIp }: Caller,
    givenId: string,
    argument: string,
    decide: (user: UserRow) => Decision,
  ): Promise<UserRow> {
    const id = givenId.toLowerCase();
    return this.postgres.withOrg(identity, async (tx) => {
      await lockAdministrators(tx, identity.orgId);
      const user = isUuid(id) ? await lockUser(tx, id) : undefined;
      if (!user) return fail('NOT_FOUND', 'There is no user with this id.', { argument });
      const { change, op, data } = decide(user);
      const changed = Object.values(change).some((part) => part !== undefined);
      if (!changed) return user;
      await checkMayChange(this.postgres, tx, identity, user, change);
      const endsSessions = change.passwordHash !== undefined || change.disabled === true;
      // Taken back in, there are no tokens to end, but gateways that remember the user as disabled.
      const endsTokens = [change.disabled, change.passwordHash, change.roles, change.capabilities].some(
        (part) => part !== undefined,
      );
      const after = await updateUser(tx, id, change, endsTokens);
      if (endsSessions) await revokeSessionsOf(tx, id);
      if (endsTokens) {
        await endAccess(tx, identity.orgId, { kind: 'USER', userId: id, accessVersion: after.accessVersion });
      }
      await recordAct(tx, identity, {
        op,
        module: 'accounts',
        class: 'user',
        instanceId: id,
        message: op === 'grant' ? `Changed what ${user.email} may do.` : `Changed the user ${user.email}.`,
        remoteIp,
        data,
      });
      return after;
    });
  }
}

/** Platform administrators are changed by their like alone, and somebody stays who can run the organisation and the platform. */
async function checkMayChange(
  postgres: Postgres,
  tx: Tx,
  identity: Identity,
  user: UserRow,
  change: UserChange,
): Promise<void> {
  const rolesAfter = change.roles ?? user.roles;
  const before = capabilitiesOf(user.roles, user.capabilities);
  const after = capabilitiesOf(rolesAfter, change.capabilities ?? user.capabilities);
  checkMayGive(identity, [...before, ...after]);
  const isPerson = user.disabledAt === null && !user.isService;
  const loses = (role: Role) =>
    isPerson && user.roles.includes(role) && (change.disabled === true || !rolesAfter.includes(role));
  const refuseLast = (what: string) =>
    fail('CONFLICT', `${user.email} is the last ${what}. Make somebody else one first.`, {
      argument: change.disabled ? 'input.disabled' : 'input.roles',
    });
  if (loses('ADMIN') && !(await otherAdministratorExists(tx, user.id))) refuseLast('administrator here');
  if (!loses('PLATFORM_ADMIN')) return;
  await lockAdministrators(tx, 'platform');
  if (!(await otherPlatformAdministratorExists(postgres, user.id))) refuseLast('platform administrator');
}

function checkRoles(roles: Role[]): Role[] {
  if (roles.length === 0) fail('BAD_USER_INPUT', '"input.roles" takes at least one role.', { argument: 'input.roles' });
  return [...new Set(roles)];
}

const sameRoles = (roles: Role[] | undefined, user: UserRow): boolean =>
  roles?.toSorted().join() === user.roles.toSorted().join();

/** The role that gives a capability. */
const roleOf = ({ action, app }: Capability, roles: readonly Role[]): Role | undefined =>
  app === undefined ? roles.find((role) => roleActions[role].includes(action)) : undefined;
