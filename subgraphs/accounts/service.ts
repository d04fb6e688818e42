/** The rules of accounts: who signs in, how sessions go on, who makes whom. */
import { createHash, randomBytes } from 'node:crypto';
import { requireCapability } from '../../platform/capabilities.js';
import type { Clock } from '../../platform/clock.js';
import type { Config } from '../../platform/config.js';
import { fail } from '../../platform/errors.js';
import { capabilitiesOf, type Identity, type Role, systemIdentity, type Tier } from '../../platform/identity.js';
import { emit } from '../../platform/outbox.js';
import type { CappedCount, PageRequest } from '../../platform/paging.js';
import { isStorableText } from '../../platform/storable.js';
import { createOrgWithAdministrator, findSignInAccount } from '../../platform/system/accounts.js';
import type { Tokens } from '../../platform/tokens.js';
import { isUuid } from '../../platform/uuid.js';
import { hashPassword, passwordMatches } from './passwords.js';
import type { AccountsStore, OrgRow, UserRow } from './store.js';

export type { OrgRow, UserRow };

export interface SessionTokens {
  accessToken: string;
  refreshToken: string;
  expiresAt: string;
}

const email = /^[^\s@]+@[^\s@]+$/;

const checkEmail = (value: string, argument: string): string => {
  const address = value.trim().toLowerCase();
  if (!email.test(address) || address.length > 254 || !isStorableText(address)) {
    fail('BAD_USER_INPUT', `"${argument}" takes an email address.`, { argument });
  }
  return address;
};

export class AccountsService {
  constructor(
    private readonly store: AccountsStore,
    private readonly tokens: Tokens,
    private readonly clock: Clock,
    private readonly config: Pick<Config, 'refreshTokenDays'>,
  ) {}

  /** @throws INVALID_CREDENTIALS, the same whether the account exists or not */
  async signIn(
    input: { email: string; password: string; org?: string | null | undefined },
    remoteIp: string | null,
  ): Promise<SessionTokens> {
    const address = input.email.trim();
    const org = input.org ?? undefined;
    // No account has an address that cannot be stored, and PostgreSQL takes no question about one.
    const account = isStorableText(address + (org ?? ''))
      ? await findSignInAccount(this.store.postgres, address, org)
      : undefined;
    const right = await passwordMatches(account?.passwordHash, input.password);
    if (account) {
      await this.store.postgres.withOrg(systemIdentity(account.orgId, 'accounts'), (tx) =>
        emit(tx, account.orgId, 'audit.entry', {
          op: 'sign-in',
          module: 'accounts',
          who: input.email.trim().toLowerCase(),
          class: 'user',
          instanceId: account.userId,
          outcome: right ? 'SUCCESS' : 'FAILURE',
          message: right ? `${address} signed in.` : `${address} could not sign in.`,
          ...(right ? {} : { error: 'The password does not match.', priority: 'WARN' as const }),
          remoteIp,
          at: new Date(this.clock.now()).toISOString(),
        }),
      );
    }
    if (!account || !right)
      fail('INVALID_CREDENTIALS', 'Email and password do not match an account.', { argument: 'input' });
    return this.#openSession(account.orgId, account.userId, account.tier, account.roles, crypto.randomUUID());
  }

  /** Goes on with a session. A token used twice ends the whole session: one of the two users is not the owner. */
  async refresh(refreshToken: string): Promise<SessionTokens> {
    const invalid = () =>
      fail('UNAUTHENTICATED', 'The refresh token is not valid any more. Sign in again.', {
        argument: 'input.refreshToken',
      });
    const [orgId, family, secret] = refreshToken.split('.');
    if (!orgId || !family || !secret || !isUuid(orgId) || !isUuid(family)) return invalid();
    const identity = systemIdentity(orgId, 'accounts');
    const userId = await this.store.postgres.withOrg(identity, async (tx) => {
      const row = await this.store.lockRefreshToken(tx, family, sha256(secret));
      if (!row) return undefined;
      if (row.usedAt !== null || row.revokedAt !== null) {
        await this.store.revokeFamily(tx, family);
        return undefined;
      }
      if (Date.parse(row.expiresAt) <= this.clock.now()) return undefined;
      await this.store.markRefreshTokenUsed(tx, row.id);
      return row.userId;
    });
    if (userId === undefined) return invalid();
    const [org, [user]] = await Promise.all([this.store.findOrg(identity), this.store.findUsers(identity, [userId])]);
    if (!user) return invalid();
    return this.#openSession(orgId, user.id, org.tier, user.roles, family);
  }

  /** Ends all sessions of the caller; the access token in hand lives on to its end. */
  async signOut(identity: Identity): Promise<void> {
    if (identity.subject.userId) await this.store.revokeUserSessions(identity, identity.subject.userId);
  }

  async org(identity: Identity): Promise<OrgRow> {
    return this.store.findOrg(identity);
  }

  async usersById(identity: Identity, ids: readonly string[]): Promise<Map<string, UserRow>> {
    const rows = await this.store.findUsers(identity, ids.filter(isUuid));
    return new Map(rows.map((row) => [row.id, row]));
  }

  async listUsers(identity: Identity, page: PageRequest): Promise<UserRow[]> {
    return this.store.listUsers(identity, page);
  }

  async countUsers(identity: Identity): Promise<CappedCount> {
    return this.store.countUsers(identity);
  }

  async createUser(
    identity: Identity,
    input: { email: string; name: string; password: string; roles: Role[] },
  ): Promise<UserRow> {
    if (input.roles.includes('PLATFORM_ADMIN')) requireCapability(identity, 'platform:admin');
    const address = checkEmail(input.email, 'input.email');
    const passwordHash = await hashPassword(input.password, 'input.password');
    const user = {
      email: address,
      name: checkName(input.name, 'input.name'),
      passwordHash,
      roles: [...new Set(input.roles)],
    };
    const made = await this.store.postgres.withOrg(identity, (tx) => this.store.insertUser(tx, identity.orgId, user));
    return made ?? fail('CONFLICT', `${address} has an account here already.`, { argument: 'input.email' });
  }

  async createOrg(
    input: { slug: string; name: string; tier: Tier; adminEmail: string; adminPassword: string },
    roles: Role[],
  ): Promise<OrgRow> {
    if (!/^[a-z][a-z0-9-]{1,62}$/.test(input.slug)) {
      fail(
        'BAD_USER_INPUT',
        '"input.slug" takes 2 to 63 lower-case letters, digits and hyphens, starting with a letter.',
        { argument: 'input.slug' },
      );
    }
    const org = { slug: input.slug, name: checkName(input.name, 'input.name'), tier: input.tier };
    const adminEmail = checkEmail(input.adminEmail, 'input.adminEmail');
    const made = await createOrgWithAdministrator(this.store.postgres, org, {
      email: adminEmail,
      name: adminEmail.split('@')[0]!,
      passwordHash: await hashPassword(input.adminPassword, 'input.adminPassword'),
      roles,
    });
    return made
      ? { id: made.orgId, ...org }
      : fail('CONFLICT', `An organisation "${org.slug}" exists already.`, { argument: 'input.slug' });
  }

  async #openSession(orgId: string, userId: string, tier: Tier, roles: Role[], family: string): Promise<SessionTokens> {
    const secret = randomBytes(32).toString('base64url');
    const now = this.clock.now();
    const expiresAt = new Date(now + this.config.refreshTokenDays * 86_400_000).toISOString();
    await this.store.postgres.withOrg(systemIdentity(orgId, 'accounts'), (tx) =>
      this.store.insertRefreshToken(tx, { orgId, userId, family, hash: sha256(secret), expiresAt }),
    );
    const access = await this.tokens.issue({ userId, orgId, tier, capabilities: capabilitiesOf(roles) }, now);
    return { accessToken: access.token, refreshToken: `${orgId}.${family}.${secret}`, expiresAt: access.expiresAt };
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

const checkName = (name: string, argument: string): string => {
  const trimmed = name.trim();
  if (trimmed.length < 1 || trimmed.length > 200 || !isStorableText(trimmed))
    fail('BAD_USER_INPUT', `"${argument}" takes 1 to 200 characters.`, { argument });
  return trimmed;
};
