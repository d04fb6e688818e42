/** What administrators change of users: roles, capabilities, passwords, and whether they may do anything at all. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { actions, type Identity } from '../../platform/identity.js';
import { createTestPlatform } from '../../tests/setup/database.js';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';
import { eventually } from '../../tests/setup/until.js';
import { UsersService } from './service/users.js';
import { accountsOf, codeOf, refusalOf } from './testing.js';

let gateway: TestGateway;
let accounts: ReturnType<typeof accountsOf>;
/** Of the first organisation, without platform:admin. */
let admin: Identity;
beforeAll(async () => {
  gateway = await startTestGateway();
  accounts = accountsOf(gateway);
  const [one] = gateway.orgs;
  admin = { ...one, capabilities: one.capabilities.filter(({ action }) => action !== 'platform:admin') };
});
afterAll(() => gateway.close());

const updateText =
  'mutation ($input: UpdateUserInput!) { updateUser(input: $input) { id name roles disabledAt isService } }';
const update = (input: object, by: Identity = admin) => gateway.query<any>(by, updateText, { input });
const grantText =
  'mutation ($input: GrantCapabilitiesInput!) { grantCapabilities(input: $input) { roles capabilities { action app class } } }';
const grant = (input: object, by: Identity = admin) => gateway.query<any>(by, grantText, { input });
const whoami = (token: string) => accounts.ask(token, '{ viewer { user { name } capabilities { action app class } } }');
const ends = (token: string) =>
  eventually(async () => expect(codeOf(await whoami(token))).toBe('TOKEN_REVOKED'), 5_000);
const refreshText = 'mutation ($t: String!) { refreshSession(input: { refreshToken: $t }) { accessToken } }';

describe('updateUser', () => {
  it('changes roles: access tokens end, and a refreshed session has the new rights', async () => {
    const user = await accounts.newUser(['VIEWER']);
    const session = await accounts.signIn(user);
    expect((await update({ id: user.id, roles: ['AUDITOR', 'AUDITOR'] })).data.updateUser.roles).toEqual(['AUDITOR']);
    await ends(session.accessToken);
    const { data } = await accounts.ask(undefined, refreshText, { t: session.refreshToken });
    const { viewer } = (await whoami(data.refreshSession.accessToken)).data;
    expect(viewer.capabilities).toContainEqual({ action: 'audit:read', app: null, class: null });
    const [entry] = await accounts.entries('user.update', user.id);
    expect(entry.payload).toMatchObject({
      who: 'admin@one.example',
      data: { roles: ['AUDITOR'], rolesBefore: ['VIEWER'] },
    });
  });

  it('disables a user: all ends, nobody signs in; and takes them back', async () => {
    const user = await accounts.newUser();
    const session = await accounts.signIn(user);
    expect((await update({ id: user.id, disabled: true })).data.updateUser.disabledAt).toBeTruthy();
    await ends(session.accessToken);
    expect(codeOf(await accounts.ask(undefined, refreshText, { t: session.refreshToken }))).toBe('UNAUTHENTICATED');
    const signIn = 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }';
    const input = { email: user.email, password: user.password };
    expect(codeOf(await accounts.ask(undefined, signIn, { input }))).toBe('INVALID_CREDENTIALS');
    expect((await update({ id: user.id, disabled: false })).data.updateUser.disabledAt).toBeNull();
    expect((await accounts.signIn(user)).accessToken).toBeTruthy();
  });

  it('gives another password: sessions end, and the new one is taken', async () => {
    const user = await accounts.newUser();
    const session = await accounts.signIn(user);
    await update({ id: user.id, password: 'set by the admin' });
    await ends(session.accessToken);
    expect(codeOf(await accounts.ask(undefined, refreshText, { t: session.refreshToken }))).toBe('UNAUTHENTICATED');
    expect((await accounts.signIn({ ...user, password: 'set by the admin' })).accessToken).toBeTruthy();
    const [entry] = await accounts.entries('user.update', user.id);
    expect(JSON.stringify(entry)).not.toContain('set by the admin');
  });

  it('ends nothing for a name, or for what is so already', async () => {
    const user = await accounts.newUser(['VIEWER']);
    const session = await accounts.signIn(user);
    expect((await update({ id: user.id, name: ' Renamed ' })).data.updateUser.name).toBe('Renamed');
    expect(
      (await update({ id: user.id, roles: ['VIEWER'], disabled: false, name: 'Renamed' })).data.updateUser,
    ).toMatchObject({
      id: user.id,
    });
    expect((await whoami(session.accessToken)).data.viewer.user.name).toBe('Renamed');
    expect(await accounts.entries('user.update', user.id)).toHaveLength(1);
  });

  it('refuses bad input by name, and another organisation’s user as a missing one', async () => {
    const { id } = await accounts.newUser();
    expect(refusalOf(await update({ id }))).toEqual(['BAD_USER_INPUT', 'input']);
    expect(refusalOf(await update({ id, name: ' ' }))).toEqual(['BAD_USER_INPUT', 'input.name']);
    expect(refusalOf(await update({ id, roles: [] }))).toEqual(['BAD_USER_INPUT', 'input.roles']);
    expect(refusalOf(await update({ id, password: 'short' }))).toEqual(['BAD_USER_INPUT', 'input.password']);
    const own = admin.subject.userId!;
    for (const spelt of [own, own.toUpperCase()]) {
      const answer = await update({ id: spelt, password: 'long enough' });
      expect(refusalOf(answer)).toEqual(['BAD_USER_INPUT', 'input.password']);
    }
    const foreign = gateway.orgs[1].subject.userId!;
    const missing = crypto.randomUUID();
    const [theirs, nobodys, broken] = await Promise.all(
      [foreign, missing, 'x'].map((other) => update({ id: other, name: 'N' })),
    );
    expect(refusalOf(theirs!)).toEqual(['NOT_FOUND', 'input.id']);
    expect(JSON.stringify(theirs!.errors).replaceAll(foreign, missing)).toBe(JSON.stringify(nobodys!.errors));
    expect(codeOf(broken!)).toBe('NOT_FOUND');
    const viewer = { ...admin, capabilities: [{ action: 'org:read' as const }] };
    expect(codeOf(await update({ id, name: 'N' }, viewer))).toBe('FORBIDDEN');
  });

  it('leaves an organisation its last administrator, also of two who are taken away at once', async () => {
    const own = admin.subject.userId!;
    expect(refusalOf(await update({ id: own, disabled: true }, gateway.orgs[0]))).toEqual([
      'CONFLICT',
      'input.disabled',
    ]);
    expect(refusalOf(await update({ id: own, roles: ['VIEWER'] }, gateway.orgs[0]))).toEqual([
      'CONFLICT',
      'input.roles',
    ]);
    const caller = { identity: gateway.orgs[1], remoteIp: null };
    const users = new UsersService(gateway.platform.postgres);
    const input = { email: 'second@two.example', name: 'Second', password: 'long enough', roles: ['ADMIN' as const] };
    const second = await users.create(caller, input);
    const ids = [caller.identity.subject.userId!, second.id];
    const answers = await Promise.allSettled(ids.map((id) => users.update(caller, { id, roles: ['VIEWER'] })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'CONFLICT' } });
  });

  it('leaves the platform its last administrator, whatever the organisation', async () => {
    const scene = await createTestPlatform();
    try {
      const users = new UsersService(scene.platform.postgres);
      const demote = (identity: Identity) =>
        users.update({ identity, remoteIp: null }, { id: identity.subject.userId!, roles: ['ADMIN'] });
      const answers = await Promise.allSettled(scene.orgs.map(demote));
      expect(answers.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({
        reason: { code: 'CONFLICT', message: expect.stringContaining('last platform administrator') },
      });
    } finally {
      await scene.close();
    }
  });

  it('lets platform administrators be changed by their like alone', async () => {
    const answer = await gateway.query<any>(
      gateway.orgs[0],
      'mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }',
      {
        input: { email: 'boss@one.example', name: 'Boss', password: 'long enough', roles: ['PLATFORM_ADMIN'] },
      },
    );
    const { id } = answer.data.createUser;
    for (const change of [{ password: 'taken over' }, { disabled: true }, { roles: ['VIEWER'] }]) {
      expect(codeOf(await update({ id, ...change }))).toBe('FORBIDDEN');
    }
    expect(codeOf(await grant({ userId: id, capabilities: [{ action: 'jobs:read' }] }))).toBe('FORBIDDEN');
    const { id: other } = await accounts.newUser();
    expect(codeOf(await update({ id: other, roles: ['PLATFORM_ADMIN'] }))).toBe('FORBIDDEN');
    expect(codeOf(await grant({ userId: other, capabilities: [{ action: 'platform:admin' }] }))).toBe('FORBIDDEN');
    expect((await update({ id, disabled: true }, gateway.orgs[0])).data.updateUser.disabledAt).toBeTruthy();
  });
});

describe('grantCapabilities', () => {
  const appRead = { action: 'audit:read', app: 'shop', class: null };
  const classRead = { action: 'audit:read', app: 'shop', class: 'Order' };

  it('adds to what roles give and takes it again, each once; access tokens end', async () => {
    const user = await accounts.newUser(['INGESTER']);
    const session = await accounts.signIn(user);
    const given = await grant({
      userId: user.id,
      capabilities: [appRead, classRead, appRead, { action: 'jobs:read' }],
    });
    const all = given.data.grantCapabilities.capabilities;
    expect(all).toEqual([
      { action: 'events:write', app: null, class: null },
      { action: 'audit:write', app: null, class: null },
      appRead,
      classRead,
      { action: 'jobs:read', app: null, class: null },
    ]);
    await ends(session.accessToken);
    const { data } = await accounts.ask(undefined, refreshText, { t: session.refreshToken });
    expect((await whoami(data.refreshSession.accessToken)).data.viewer.capabilities).toEqual(all);
    const taken = await grant({
      userId: user.id,
      revoke: [appRead, { action: 'jobs:write' }],
      capabilities: [classRead],
    });
    expect(taken.data.grantCapabilities.capabilities).toEqual([all[0], all[1], classRead, all[4]]);
    const entries = await accounts.entries('grant', user.id);
    expect(entries.map(({ payload }) => [payload.data.granted, payload.data.revoked])).toEqual([
      [['audit:read/shop', 'audit:read/shop/Order', 'jobs:read'], []],
      [[], ['audit:read/shop']],
    ]);
  });

  it('changes roles along with it', async () => {
    const user = await accounts.newUser(['VIEWER']);
    const input = { userId: user.id, roles: ['AUDITOR'], capabilities: [{ action: 'jobs:read' }] };
    expect((await grant(input)).data.grantCapabilities).toMatchObject({ roles: ['AUDITOR'] });
  });

  it('refuses each thing that is wrong by name', async () => {
    const { id: userId } = await accounts.newUser(['VIEWER']);
    const wrong = async (capability: object) =>
      refusalOf(await grant({ userId, capabilities: [{ action: 'jobs:read' }, capability] }));
    expect(await wrong({ action: 'jobs:reed' })).toEqual(['BAD_USER_INPUT', 'input.capabilities[1].action']);
    expect(await wrong({ action: 'jobs:read', app: 'shop' })).toEqual(['BAD_USER_INPUT', 'input.capabilities[1].app']);
    expect(await wrong({ action: 'audit:read', class: 'C' })).toEqual(['BAD_USER_INPUT', 'input.capabilities[1].app']);
    expect(await wrong({ action: 'org:admin', class: 'C' })).toEqual(['BAD_USER_INPUT', 'input.capabilities[1].class']);
    for (const app of ['', 'x'.repeat(129), '\u0000']) {
      expect(await wrong({ action: 'audit:read', app })).toEqual(['BAD_USER_INPUT', 'input.capabilities[1].app']);
      expect(await wrong({ action: 'audit:read', app: 'a', class: app })).toEqual([
        'BAD_USER_INPUT',
        'input.capabilities[1].class',
      ]);
    }
    const unknown = await grant({ userId, capabilities: [{ action: 'everything' }] });
    for (const action of actions) expect(unknown.errors![0]!.message).toContain(action);
    expect(refusalOf(await grant({ userId }))).toEqual(['BAD_USER_INPUT', 'input']);
    expect(refusalOf(await grant({ userId, roles: [] }))).toEqual(['BAD_USER_INPUT', 'input.roles']);
    expect(refusalOf(await grant({ userId, capabilities: [appRead], revoke: [appRead] }))).toEqual([
      'BAD_USER_INPUT',
      'input.revoke',
    ]);
    const stays = await grant({ userId, revoke: [{ action: 'jobs:read' }] });
    expect(refusalOf(stays)).toEqual(['CONFLICT', 'input.revoke']);
    expect(stays.errors![0]!.message).toContain('VIEWER');
    expect(refusalOf(await grant({ userId: crypto.randomUUID(), capabilities: [appRead] }))).toEqual([
      'NOT_FOUND',
      'input.userId',
    ]);
    const theirs = await grant({ userId: gateway.orgs[1].subject.userId, capabilities: [appRead] });
    expect(refusalOf(theirs)).toEqual(['NOT_FOUND', 'input.userId']);
  });

  it('gives a user no more than fits into a token', async () => {
    const { id: userId } = await accounts.newUser(['VIEWER']);
    const apps = (count: number, length: number) =>
      Array.from({ length: count }, (_, index) => ({ action: 'audit:read', app: `${index}`.padEnd(length, 'x') }));
    expect(refusalOf(await grant({ userId, capabilities: apps(101, 3) }))).toEqual([
      'BAD_USER_INPUT',
      'input.capabilities',
    ]);
    expect(refusalOf(await grant({ userId, capabilities: apps(60, 128) }))).toEqual([
      'BAD_USER_INPUT',
      'input.capabilities',
    ]);
    expect((await grant({ userId, capabilities: apps(100, 3) })).errors).toBeUndefined();
    expect(refusalOf(await grant({ userId, capabilities: apps(1, 5) }))).toEqual([
      'BAD_USER_INPUT',
      'input.capabilities',
    ]);
  });
});
