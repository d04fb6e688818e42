/** Tokens for the columns of the matrix: who asks, and why they must not get what they ask for. */

import { expect } from 'vitest';
import type { ErrorCode } from '../../platform/errors.js';
import { type Action, actions, type Identity } from '../../platform/identity.js';
import { eventually } from '../setup/until.js';
import type { Doors } from './doors.js';
import type { Tenant } from './scene.js';
import type { World } from './world.js';

/** A caller who is refused before anything is looked at. */
export interface RefusedCaller {
  name: string;
  token: string;
  code: ErrorCode;
}

const hour = 3_600_000;

/** Callers with access that has ended. */
export async function refusedCallers(world: World): Promise<RefusedCaller[]> {
  const { gateway, stranger, doors } = world;
  const { orgId, tier, capabilities, subject } = stranger.identity;
  const claims = {
    orgId,
    tier,
    capabilities,
    userId: subject.userId!,
    sessionId: crypto.randomUUID(),
    accessVersion: 1,
  };
  const expired = await gateway.platform.tokens.issue(claims, Date.now() - 2 * hour);
  const revoked = [
    { name: 'revoked session', token: await endedSession(stranger, doors) },
    { name: 'revoked API key', token: await revokedKey(stranger) },
  ];
  for (const { name, token } of revoked) {
    await eventually(async () => {
      const { body } = await doors.post(token, { query: '{ viewer { expiresAt } }' });
      expect(body, name).toContain('TOKEN_REVOKED');
    });
  }
  return [
    { name: 'expired token', token: expired.token, code: 'TOKEN_EXPIRED' },
    ...revoked.map((caller): RefusedCaller => ({ ...caller, code: 'TOKEN_REVOKED' })),
  ];
}

/** The token of a user who has signed out. */
async function endedSession({ ask, mark }: Tenant, doors: Doors): Promise<string> {
  const { signIn } = await ask<{ signIn: { accessToken: string } }>(
    'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }',
    { input: { email: `${mark.text}@user.example`, password: `${mark.text} password` } },
  );
  const { body } = await doors.post(signIn.accessToken, { query: 'mutation { signOut }' });
  expect(body).toContain('"signOut":true');
  return signIn.accessToken;
}

/** A key that could do everything its maker can, until it was taken back. */
async function revokedKey({ ask, identity }: Tenant): Promise<string> {
  const { createApiKey } = await ask<{ createApiKey: { secret: string; apiKey: { id: string } } }>(
    'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id } } }',
    { input: { name: 'taken back', capabilities: identity.capabilities, serviceUserName: 'taken back' } },
  );
  await ask('mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { id } }', {
    input: createApiKey.apiKey,
  });
  return createApiKey.secret;
}

/** The identity with every capability but these, platform administration aside. */
export const without = (identity: Identity, taken: ReadonlySet<string>): Identity => ({
  ...identity,
  capabilities: allActions.filter((action) => !taken.has(action)).map((action) => ({ action })),
});

const allActions: Action[] = actions.filter((action) => action !== 'platform:admin');

export const actionsOf = ({ capabilities }: Identity): Set<string> => new Set(capabilities.map(({ action }) => action));

/** A user of the stranger's organisation for one mutation: some of them end the access of whoever asks. */
export async function proberOf({ gateway, stranger }: World, name: string): Promise<string> {
  const { identity } = stranger;
  const [user] = await gateway.database.asSuperuser<{ id: string }>(
    `INSERT INTO app.users (org_id, email, name, password_hash, roles) VALUES ($1, $2, $3, 'unusable', '{ADMIN}') RETURNING id`,
    [identity.orgId, `${name.toLowerCase()}@prober.example`, name],
  );
  return gateway.tokenFor({ ...identity, subject: { kind: 'USER', id: user!.id, userId: user!.id } });
}
