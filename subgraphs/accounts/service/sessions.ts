/** The rules of sessions: who signs in, how sessions go on, and how they end. */
import { createHash, randomBytes } from 'node:crypto';
import { endAccess } from '../../../platform/authentication/end-access.js';
import type { Tokens } from '../../../platform/authentication/tokens.js';
import type { Clock } from '../../../platform/clock.js';
import type { Config } from '../../../platform/config.js';
import { fail } from '../../../platform/errors.js';
import { capabilitiesOf, systemIdentity } from '../../../platform/identity.js';
import { emit } from '../../../platform/outbox.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import { recordAct } from '../../../platform/self-audit.js';
import { toStorableText } from '../../../platform/storable.js';
import { findSignInTarget, type SignInAccount } from '../../../platform/system/accounts.js';
import { isUuid } from '../../../platform/uuid.js';
import { hashPassword, type VerifyPassword } from '../passwords.js';
import type { SignInPace } from '../sign-in-pace.js';
import {
  findRefreshToken,
  findSessionUser,
  insertRefreshToken,
  markRefreshTokenUsed,
  revokeSession,
  revokeSessionsOf,
  type SessionUser,
} from '../store/sessions.js';
import { lockUser, updateUser } from '../store/users.js';
import { type Caller, personOf } from './input.js';

export interface SessionTokens {
  accessToken: string;
  refreshToken: string;
  expiresAt: string;
}

/** A session that is written down; its access token is made afterwards. */
interface OpenSession {
  orgId: string;
  user: SessionUser;
  family: string;
  refreshToken: string;
}

export interface SessionParts {
  postgres: Postgres;
  tokens: Tokens;
  clock: Clock;
  config: Pick<Config, 'refreshTokenDays'>;
  pace: SignInPace;
  verifyPassword: VerifyPassword;
}

export class SessionsService {
  constructor(private readonly parts: SessionParts) {}

  /**
   * Every attempt does the same: it waits for its turn, looks for the account, verifies one password and writes one
   * entry, whether there is an account or not.
   * @throws INVALID_CREDENTIALS, the same whatever was wrong; TOO_MANY_SIGN_INS
   */
  async signIn(
    input: { email: string; password: string; org?: string | null | undefined },
    remoteIp: string | null,
  ): Promise<SessionTokens> {
    // No account has an address or an organisation of this length, or with characters that cannot be stored.
    const email = toStorableText(input.email.trim().toLowerCase().slice(0, 255));
    const org = input.org == null ? undefined : toStorableText(input.org.slice(0, 64));
    const opened = await this.parts.pace.run({ account: [email, org], remoteIp }, async () => {
      const target = await findSignInTarget(this.parts.postgres, email, org);
      const account = target?.account;
      const right = await this.parts.verifyPassword(account?.passwordHash, input.password);
      if (!target) return undefined;
      const { orgId } = target;
      return this.parts.postgres.withOrg(systemIdentity(orgId, 'accounts'), async (tx) => {
        const session = right && account ? await this.#openFor(tx, orgId, account) : undefined;
        await emit(tx, orgId, 'audit.entry', {
          op: 'sign-in',
          module: 'accounts',
          who: email,
          class: 'user',
          instanceId: account?.userId ?? null,
          remoteIp,
          at: new Date(this.parts.clock.now()).toISOString(),
          ...(session
            ? { outcome: 'SUCCESS', message: `${email} signed in.` }
            : {
                outcome: 'FAILURE',
                message: `${email} could not sign in.`,
                error: reasonOf(account, right),
                priority: 'WARN',
              }),
        });
        return session;
      });
    });
    return opened
      ? this.#tokensOf(opened)
      : fail(
          'INVALID_CREDENTIALS',
          'Email and password do not match an account. An address with accounts in several organisations takes "org" as well.',
          { argument: 'input' },
        );
  }

  /**
   * Goes on with a session. A token that was used before ends the whole session: one of its two holders is not the owner.
   * @throws UNAUTHENTICATED
   */
  async refresh(refreshToken: string, remoteIp: string | null): Promise<SessionTokens> {
    const [orgId = '', family = '', secret, more] = refreshToken.split('.');
    const isOne = secret && more === undefined && isUuid(orgId) && isUuid(family);
    const opened = isOne ? await this.#goOn(orgId, family, secret, remoteIp) : undefined;
    return opened
      ? this.#tokensOf(opened)
      : fail('UNAUTHENTICATED', 'The refresh token is not valid any more. Sign in again.', {
          argument: 'input.refreshToken',
        });
  }

  async #goOn(
    orgId: string,
    family: string,
    secret: string,
    remoteIp: string | null,
  ): Promise<OpenSession | undefined> {
    const identity = systemIdentity(orgId, 'accounts');
    return this.parts.postgres.withOrg(identity, async (tx) => {
      const hash = sha256(secret);
      const owner = await findRefreshToken(tx, family, hash);
      const user = owner && (await findSessionUser(tx, owner.userId));
      const token = user && (await findRefreshToken(tx, family, hash));
      if (!token || token.revokedAt !== null) return undefined;
      if (token.usedAt !== null) {
        await revokeSession(tx, family);
        await endAccess(tx, orgId, { kind: 'SESSION', sessionId: family });
        const subject = { kind: 'USER', id: token.userId, userId: token.userId } as const;
        await recordAct(
          tx,
          { ...identity, subject },
          {
            op: 'session.reuse',
            module: 'accounts',
            class: 'session',
            instanceId: family,
            outcome: 'FAILURE',
            message: 'A refresh token was used a second time, so its session was ended.',
            error: 'Somebody else than the owner of the session holds one of its tokens.',
            priority: 'SEC',
            remoteIp,
          },
        );
        return undefined;
      }
      if (Date.parse(token.expiresAt) <= this.parts.clock.now()) return undefined;
      await markRefreshTokenUsed(tx, token.id);
      return this.#open(tx, orgId, user, family);
    });
  }

  /**
   * Ends the caller's session, or with `everywhere` all access of the user but API keys.
   * @returns whether there was one to end: tokens of another issuer have no session here
   */
  async signOut({ identity, remoteIp }: Caller, everywhere: boolean): Promise<boolean> {
    const userId = personOf(identity, 'An API key has no session to end. Take it back with revokeApiKey.');
    const { orgId, sessionId } = identity;
    if (!everywhere && sessionId === undefined) return false;
    await this.parts.postgres.withOrg(identity, async (tx) => {
      if (everywhere) {
        await this.#endAll(tx, orgId, userId);
      } else if (sessionId !== undefined) {
        // A refresh under way ends first: the token that it makes must end, too.
        await findSessionUser(tx, userId);
        await revokeSession(tx, sessionId);
        await endAccess(tx, orgId, { kind: 'SESSION', sessionId });
      }
      await recordAct(tx, identity, {
        op: 'sign-out',
        module: 'accounts',
        class: everywhere ? 'user' : 'session',
        instanceId: everywhere ? userId : (sessionId ?? null),
        message: everywhere ? 'Signed out everywhere.' : 'Signed out.',
        remoteIp,
      });
    });
    return true;
  }

  /**
   * Gives the caller another password, ends all sessions and opens a new one.
   * @throws INVALID_CREDENTIALS where the present password is another, BAD_USER_INPUT, FORBIDDEN, TOO_MANY_SIGN_INS
   */
  async changePassword(
    { identity, remoteIp }: Caller,
    input: { currentPassword: string; newPassword: string },
  ): Promise<SessionTokens> {
    const userId = personOf(identity, 'An API key cannot change a password. Sign in as the user.');
    if (input.newPassword === input.currentPassword) {
      fail('BAD_USER_INPUT', 'The new password is the present one. Choose another.', { argument: 'input.newPassword' });
    }
    const passwordHash = await hashPassword(input.newPassword, 'input.newPassword');
    const { orgId } = identity;
    const opened = await this.parts.pace.run({ account: [orgId, userId], remoteIp }, async () => {
      const before = await this.parts.postgres.withOrg(identity, (tx) => findSessionUser(tx, userId));
      const right = await this.parts.verifyPassword(before?.passwordHash, input.currentPassword);
      return this.parts.postgres.withOrg(identity, async (tx) => {
        const act = { op: 'password.change', module: 'accounts', class: 'user', instanceId: userId, remoteIp };
        // A password that was changed meanwhile is not the one that was verified.
        const isSame = right && (await lockUser(tx, userId))?.accessVersion === before?.accessVersion;
        if (!isSame) {
          const message = 'The password was not changed.';
          const error = right ? 'It was changed at the same time.' : 'The present password does not match.';
          await recordAct(tx, identity, { ...act, message, error, outcome: 'FAILURE', priority: 'WARN' });
          return undefined;
        }
        await this.#endAll(tx, orgId, userId, passwordHash);
        await recordAct(tx, identity, { ...act, message: 'Changed the password; all other sessions ended.' });
        const user = await findSessionUser(tx, userId);
        return user && this.#open(tx, orgId, user, crypto.randomUUID());
      });
    });
    return opened
      ? this.#tokensOf(opened)
      : fail('INVALID_CREDENTIALS', 'The present password is another one.', { argument: 'input.currentPassword' });
  }

  /** The session of a sign-in, unless the user's access changed since it was looked up. */
  async #openFor(tx: Tx, orgId: string, account: SignInAccount): Promise<OpenSession | undefined> {
    const user = await findSessionUser(tx, account.userId);
    const isSame = user?.accessVersion === account.accessVersion && user.passwordHash === account.passwordHash;
    return user && isSame ? this.#open(tx, orgId, user, crypto.randomUUID()) : undefined;
  }

  async #open(tx: Tx, orgId: string, user: SessionUser, family: string): Promise<OpenSession> {
    const secret = randomBytes(32).toString('base64url');
    const expiresAt = new Date(this.parts.clock.now() + this.parts.config.refreshTokenDays * 86_400_000).toISOString();
    await insertRefreshToken(tx, { orgId, userId: user.userId, family, hash: sha256(secret), expiresAt });
    return { orgId, user, family, refreshToken: `${orgId}.${family}.${secret}` };
  }

  async #endAll(tx: Tx, orgId: string, userId: string, passwordHash?: string): Promise<void> {
    const { accessVersion } = await updateUser(tx, userId, { passwordHash }, true);
    await revokeSessionsOf(tx, userId);
    await endAccess(tx, orgId, { kind: 'USER', userId, accessVersion });
  }

  async #tokensOf({ orgId, user, family, refreshToken }: OpenSession): Promise<SessionTokens> {
    const { userId, tier, roles, accessVersion } = user;
    const capabilities = capabilitiesOf(roles, user.capabilities);
    const claims = { userId, orgId, tier, capabilities, sessionId: family, accessVersion };
    const { token, expiresAt } = await this.parts.tokens.issue(claims, this.parts.clock.now());
    return { accessToken: token, refreshToken, expiresAt };
  }
}

/** Why an attempt failed: for the entry alone. */
function reasonOf(account: SignInAccount | null | undefined, right: boolean): string {
  if (!account) return 'No account has this address.';
  if (!right) return 'The password does not match.';
  return account.disabled ? 'The user is disabled.' : 'The account was changed at the same time.';
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
