import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';
import { eventually } from '../../tests/setup/until.js';
import { accountsOf, codeOf, refusalOf } from './testing.js';

let gateway: TestGateway;
let accounts: ReturnType<typeof accountsOf>;
beforeAll(async () => {
  gateway = await startTestGateway();
  accounts = accountsOf(gateway);
});
afterAll(() => gateway.close());

const refreshText =
  'mutation ($t: String!) { refreshSession(input: { refreshToken: $t }) { accessToken refreshToken } }';
const refresh = (token: string) => accounts.ask(undefined, refreshText, { t: token });
const whoami = (token: string) => accounts.ask(token, '{ viewer { user { email } } }');
/** Gateways hear of ended access a moment later. */
const ends = (token: string) =>
  eventually(async () => expect(codeOf(await whoami(token))).toBe('TOKEN_REVOKED'), 5_000);
const changePassword = (token: string, currentPassword: string, newPassword: string) =>
  accounts.ask(
    token,
    'mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { accessToken refreshToken } }',
    {
      input: { currentPassword, newPassword },
    },
  );

describe('refreshing', () => {
  it('a token used twice ends the session, its access tokens too, and is told with the highest priority', async () => {
    const user = await accounts.newUser();
    const first = await accounts.signIn(user);
    const other = await accounts.signIn(user);
    const second = (await refresh(first.refreshToken)).data.refreshSession;
    expect(codeOf(await refresh(first.refreshToken))).toBe('UNAUTHENTICATED');
    expect(codeOf(await refresh(second.refreshToken))).toBe('UNAUTHENTICATED');
    await ends(first.accessToken);
    await ends(second.accessToken);
    expect((await whoami(other.accessToken)).data.viewer.user.email).toBe(user.email);
    const sessionId = first.refreshToken.split('.')[1]!;
    const [entry, ...more] = await accounts.entries('session.reuse', sessionId);
    expect(entry.payload).toMatchObject({ who: user.email, priority: 'SEC', outcome: 'FAILURE', class: 'session' });
    expect(more).toEqual([]);
  });

  it('refuses what is no token, and another organisation’s, with the same words', async () => {
    const user = await accounts.newUser();
    const { refreshToken } = await accounts.signIn(user);
    const [, family, secret] = refreshToken.split('.');
    const answers = await Promise.all(
      [
        '',
        'a.b.c',
        `${refreshToken}.more`,
        `${gateway.orgs[1].orgId}.${family}.${secret}`,
        `x\u0000.${family}.${secret}`,
      ].map(refresh),
    );
    expect(new Set(answers.map(({ errors }) => JSON.stringify(errors))).size).toBe(1);
    expect(refusalOf(answers[0]!)).toEqual(['UNAUTHENTICATED', 'input.refreshToken']);
    expect((await refresh(refreshToken)).data.refreshSession.accessToken).toBeTruthy();
  });
});

describe('signing out', () => {
  it('ends this session alone, and with everywhere all of them', async () => {
    const user = await accounts.newUser();
    const [here, there, further] = await Promise.all([user, user, user].map(accounts.signIn));
    expect((await accounts.ask(here!.accessToken, 'mutation { signOut }')).data.signOut).toBe(true);
    await ends(here!.accessToken);
    expect(codeOf(await refresh(here!.refreshToken))).toBe('UNAUTHENTICATED');
    expect((await whoami(there!.accessToken)).data.viewer.user.email).toBe(user.email);
    expect((await accounts.ask(there!.accessToken, 'mutation { signOut(everywhere: true) }')).data.signOut).toBe(true);
    await ends(there!.accessToken);
    await ends(further!.accessToken);
    expect(codeOf(await refresh(further!.refreshToken))).toBe('UNAUTHENTICATED');
    const again = await accounts.signIn(user);
    expect((await whoami(again.accessToken)).data.viewer.user.email).toBe(user.email);
    const entries = (await accounts.entries('sign-out')).filter(({ payload }) => payload.who === user.email);
    expect(entries.map(({ payload }) => payload.class)).toEqual(['session', 'user']);
  });
});

describe('ending a session that goes on in the same moment', () => {
  /** Starts all behind a lock, one after the other, and lets go of it once they wait for it or for each other. */
  const heldBack = async <T>(lock: string, parameters: unknown[], starts: (() => Promise<T>)[]) => {
    const letGo = await gateway.database.hold(lock, parameters);
    const answers: Promise<T>[] = [];
    try {
      for (const start of starts) {
        answers.push(start());
        await eventually(async () => {
          const [{ count }] = await gateway.database.asSuperuser<any>(
            `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
          );
          expect(count).toBe(answers.length);
        }, 5_000);
      }
    } finally {
      await letGo();
    }
    return Promise.all(answers);
  };
  const lockUser = 'SELECT FROM app.users WHERE id = $1 FOR UPDATE';

  it('leaves no refresh token behind', async () => {
    const user = await accounts.newUser();
    const session = await accounts.signIn(user);
    const [refreshed, ended] = await heldBack(
      lockUser,
      [user.id],
      [() => refresh(session.refreshToken), () => accounts.ask(session.accessToken, 'mutation { signOut }')],
    );
    expect(ended!.data.signOut).toBe(true);
    const later = refreshed!.data?.refreshSession?.refreshToken;
    if (later) expect(codeOf(await refresh(later))).toBe('UNAUTHENTICATED');
    const left = await gateway.database.asSuperuser(
      'SELECT FROM app.refresh_tokens WHERE user_id = $1 AND revoked_at IS NULL',
      [user.id],
    );
    expect(left).toEqual([]);
  });

  it('makes neither of them fail', async () => {
    const user = await accounts.newUser();
    const first = await accounts.signIn(user);
    const second = await accounts.signIn(user);
    const lock = 'SELECT FROM app.refresh_tokens WHERE family = $1 FOR UPDATE';
    const [ended, refreshed] = await heldBack(
      lock,
      [first.refreshToken.split('.')[1]],
      [
        () => accounts.ask(first.accessToken, 'mutation { signOut(everywhere: true) }'),
        () => refresh(second.refreshToken),
      ],
    );
    expect(ended!.data.signOut).toBe(true);
    expect(codeOf(refreshed!)).toBe('UNAUTHENTICATED');
  });
});

describe('changing the password', () => {
  it('ends all other sessions and opens a new one', async () => {
    const user = await accounts.newUser();
    const [mine, other] = await Promise.all([user, user].map(accounts.signIn));
    const { data } = await changePassword(mine!.accessToken, user.password, 'another one');
    await ends(mine!.accessToken);
    await ends(other!.accessToken);
    expect(codeOf(await refresh(other!.refreshToken))).toBe('UNAUTHENTICATED');
    expect((await whoami(data.changePassword.accessToken)).data.viewer.user.email).toBe(user.email);
    expect((await refresh(data.changePassword.refreshToken)).data.refreshSession.accessToken).toBeTruthy();
    expect(await accounts.ask(undefined, '{ __typename }')).toBeTruthy();
    expect((await accounts.signIn({ ...user, password: 'another one' })).accessToken).toBeTruthy();
    expect(await accounts.entries('password.change', user.id)).toMatchObject([
      { org: 'one', payload: { who: user.email, outcome: 'SUCCESS' } },
    ]);
  });

  it('takes the present password and another new one, each named where it is wrong', async () => {
    const user = await accounts.newUser();
    const { accessToken } = await accounts.signIn(user);
    expect(refusalOf(await changePassword(accessToken, 'not this one', 'another one'))).toEqual([
      'INVALID_CREDENTIALS',
      'input.currentPassword',
    ]);
    expect(refusalOf(await changePassword(accessToken, user.password, user.password))).toEqual([
      'BAD_USER_INPUT',
      'input.newPassword',
    ]);
    expect(refusalOf(await changePassword(accessToken, user.password, 'short'))).toEqual([
      'BAD_USER_INPUT',
      'input.newPassword',
    ]);
    expect(codeOf(await changePassword('', user.password, 'another one'))).toBe('UNAUTHENTICATED');
    expect(await accounts.entries('password.change', user.id)).toMatchObject([
      { payload: { outcome: 'FAILURE', priority: 'WARN' } },
    ]);
    expect((await whoami(accessToken)).data.viewer.user.email).toBe(user.email);
  });

  it('lets one of several changes at once through', async () => {
    const user = await accounts.newUser();
    const { accessToken } = await accounts.signIn(user);
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, index) => changePassword(accessToken, user.password, `new password ${index}`)),
    );
    expect(answers.filter(({ data }) => data?.changePassword).length).toBe(1);
    const others = answers.filter(({ errors }) => errors).map(codeOf);
    expect(others.every((code) => code === 'INVALID_CREDENTIALS' || code === 'TOKEN_REVOKED')).toBe(true);
  });
});
