import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseApiKey, secretMatches, signingSecret } from '../../platform/authentication/api-keys.js';
import type { Identity } from '../../platform/identity.js';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';
import { eventually } from '../../tests/setup/until.js';
import { accountsOf, codeOf, refusalOf, type TestUser } from './testing.js';

let gateway: TestGateway;
let accounts: ReturnType<typeof accountsOf>;
let admin: Identity;
let viewer: TestUser;
let viewerToken: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  accounts = accountsOf(gateway);
  [admin] = gateway.orgs;
  viewer = await accounts.newUser(['VIEWER']);
  viewerToken = (await accounts.signIn(viewer)).accessToken;
});
afterAll(() => gateway.close());

const keyFields =
  'id name kind key user { id email isService } capabilities { action app class } expiresAt lastUsedAt revokedAt';
const createText = `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { ${keyFields} } key secret } }`;
const create = async (input: object, token = viewerToken) =>
  accounts.ask(token, createText, { input: { name: 'k', capabilities: [{ action: 'jobs:read' }], ...input } });
const made = async (input: object, token?: string) => (await create(input, token)).data.createApiKey;
const revokeText = `mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { id revokedAt } }`;
const list = async (token: string) => (await accounts.ask(token, `{ apiKeys { ${keyFields} } }`)).data.apiKeys;
const rowOf = async (id: string) =>
  (await gateway.database.asSuperuser<any>('SELECT * FROM app.api_keys WHERE id = $1', [id]))[0];

describe('createApiKey', () => {
  it('makes a key to send, of which only a hash is kept, and it does what it may', async () => {
    const { apiKey, key, secret } = await made({ name: ' nightly ' });
    expect(apiKey).toMatchObject({ name: 'nightly', kind: 'BEARER', key, user: { id: viewer.id }, lastUsedAt: null });
    expect(secret.startsWith(`${key}.`)).toBe(true);
    const row = await rowOf(apiKey.id);
    expect(secretMatches(parseApiKey(secret)!.secret!, row.secret_hash)).toBe(true);
    expect(JSON.stringify(row)).not.toContain(parseApiKey(secret)!.secret);
    const asked = await accounts.ask(secret, '{ viewer { user { email } capabilities { action } } }');
    expect(asked.data.viewer).toEqual({ user: { email: viewer.email }, capabilities: [{ action: 'jobs:read' }] });
    const [entry] = await accounts.entries('api-key.create', apiKey.id);
    expect(entry.payload).toMatchObject({ who: viewer.email, data: { kind: 'BEARER', capabilities: ['jobs:read'] } });
    expect(JSON.stringify(entry)).not.toContain(parseApiKey(secret)!.secret);
  });

  it('makes a key that signs: a public part, and a secret that is derived', async () => {
    const { apiKey, key, secret } = await made({ kind: 'SIGNING' });
    const { salt, secret_hash: hash } = await rowOf(apiKey.id);
    expect(parseApiKey(key)).toEqual({ orgId: admin.orgId, keyId: apiKey.id, secret: undefined });
    expect(secret).toBe(signingSecret(gateway.env.API_KEY_SECRET!, salt, apiKey.id));
    expect(secretMatches(secret, hash)).toBe(true);
  });

  it('gives a key at most what its user may', async () => {
    expect(refusalOf(await create({ capabilities: [{ action: 'jobs:read' }, { action: 'jobs:write' }] }))).toEqual([
      'FORBIDDEN',
      'input.capabilities',
    ]);
    const scoped = await accounts.newUser(['INGESTER']);
    const capabilities = [{ action: 'audit:read', app: 'shop' }];
    await gateway.query(
      admin,
      'mutation ($input: GrantCapabilitiesInput!) { grantCapabilities(input: $input) { id } }',
      {
        input: { userId: scoped.id, capabilities },
      },
    );
    const { accessToken } = await accounts.signIn(scoped);
    const asks = (capability: object) => create({ capabilities: [capability] }, accessToken);
    expect((await asks({ action: 'audit:read', app: 'shop', class: 'Order' })).errors).toBeUndefined();
    expect((await asks({ action: 'audit:read', app: 'shop' })).errors).toBeUndefined();
    expect(codeOf(await asks({ action: 'audit:read' }))).toBe('FORBIDDEN');
    expect(codeOf(await asks({ action: 'audit:read', app: 'bank' }))).toBe('FORBIDDEN');
  });

  it('makes keys for others and for service users by administrators alone', async () => {
    const token = await gateway.tokenFor(admin);
    const forViewer = await made({ userId: viewer.id }, token);
    expect(forViewer.apiKey.user.id).toBe(viewer.id);
    expect(codeOf(await create({ userId: viewer.id, capabilities: [{ action: 'org:admin' }] }, token))).toBe(
      'FORBIDDEN',
    );
    const service = await made(
      { serviceUserName: 'Nightly Import', capabilities: [{ action: 'events:write' }] },
      token,
    );
    expect(service.apiKey.user).toMatchObject({ email: 'nightly-import@service.invalid', isService: true });
    const again = await made({ userId: service.apiKey.user.id, capabilities: [{ action: 'events:write' }] }, token);
    expect(again.apiKey.user).toEqual(service.apiKey.user);
    const nobody = { email: 'nightly-import@service.invalid', password: '' };
    expect(await accounts.signIn(nobody).catch(() => undefined)).toBeUndefined();
    expect(refusalOf(await create({ serviceUserName: 'nightly import' }, token))).toEqual([
      'CONFLICT',
      'input.serviceUserName',
    ]);
    expect(refusalOf(await create({ serviceUserName: 'x', userId: viewer.id }, token))).toEqual([
      'BAD_USER_INPUT',
      'input.serviceUserName',
    ]);
    expect(codeOf(await create({ userId: service.apiKey.user.id }))).toBe('FORBIDDEN');
    expect(codeOf(await create({ serviceUserName: 'mine' }))).toBe('FORBIDDEN');
    const plain = { ...admin, capabilities: admin.capabilities.filter(({ action }) => action !== 'platform:admin') };
    const platform = { serviceUserName: 'root', capabilities: [{ action: 'platform:admin' }] };
    expect(codeOf(await create(platform, await gateway.tokenFor(plain)))).toBe('FORBIDDEN');
    const foreign = gateway.orgs[1].subject.userId;
    expect(refusalOf(await create({ userId: foreign }, token))).toEqual(['NOT_FOUND', 'input.userId']);
    expect(refusalOf(await create({ userId: 'x' }, token))).toEqual(['NOT_FOUND', 'input.userId']);
  });

  it('refuses bad input by name', async () => {
    expect(refusalOf(await create({ name: '' }))).toEqual(['BAD_USER_INPUT', 'input.name']);
    expect(refusalOf(await create({ capabilities: [] }))).toEqual(['BAD_USER_INPUT', 'input.capabilities']);
    expect(refusalOf(await create({ capabilities: [{ action: 'x' }] }))).toEqual([
      'BAD_USER_INPUT',
      'input.capabilities[0].action',
    ]);
    expect(refusalOf(await create({ expiresAt: '2020-01-01T00:00:00Z' }))).toEqual([
      'BAD_USER_INPUT',
      'input.expiresAt',
    ]);
    expect(codeOf(await create({ kind: 'OTHER' }))).toMatch(/BAD_USER_INPUT|GRAPHQL_VALIDATION_FAILED/);
    expect(codeOf(await create({}, ''))).toBe('UNAUTHENTICATED');
  });

  it('is not for API keys, and neither are passwords and sign-out', async () => {
    const token = await gateway.tokenFor(admin);
    const { secret } = await made(
      { serviceUserName: 'mighty', capabilities: [{ action: 'org:admin' }, { action: 'org:read' }] },
      token,
    );
    expect(codeOf(await create({ capabilities: [{ action: 'org:read' }] }, secret))).toBe('FORBIDDEN');
    const password =
      'mutation { changePassword(input: { currentPassword: "a", newPassword: "long enough" }) { expiresAt } }';
    expect(codeOf(await accounts.ask(secret, password))).toBe('FORBIDDEN');
    const other = `mutation { updateUser(input: { id: "${viewer.id}", password: "long enough" }) { id } }`;
    expect(codeOf(await accounts.ask(secret, other))).toBe('FORBIDDEN');
    expect(codeOf(await accounts.ask(secret, 'mutation { signOut(everywhere: true) }'))).toBe('FORBIDDEN');
  });

  it('that administers gives nothing that it does not hold itself', async () => {
    const administrator = await accounts.newUser(['ADMIN']);
    const { accessToken } = await accounts.signIn(administrator);
    const { secret } = await made({ capabilities: [{ action: 'org:admin' }, { action: 'jobs:read' }] }, accessToken);
    const give = (mutation: string) => accounts.ask(secret, `mutation { ${mutation} { id } }`);
    const person = (role: string) =>
      `createUser(input: { email: "${role}@one.example", name: "n", password: "long enough", roles: [${role}] })`;
    expect(codeOf(await give(person('ADMIN')))).toBe('FORBIDDEN');
    const grant = (action: string) =>
      `grantCapabilities(input: { userId: "${scopeless.id}", capabilities: [{ action: "${action}" }] })`;
    const scopeless = await accounts.newUser(['INGESTER']);
    expect(codeOf(await give(grant('audit:read')))).toBe('FORBIDDEN');
    expect(codeOf(await give(`updateUser(input: { id: "${scopeless.id}", roles: [ADMIN] })`))).toBe('FORBIDDEN');
  });

  it('makes a hundred live keys a user, also when many are asked for at once', async () => {
    const user = await accounts.newUser(['VIEWER']);
    const { accessToken } = await accounts.signIn(user);
    await gateway.database.asSuperuser(
      `INSERT INTO app.api_keys (org_id, user_id, name, kind, secret_hash, capabilities, expires_at)
       SELECT $1, $2, 'k', 'BEARER', '', '[]', CASE WHEN n > 97 THEN now() END FROM generate_series(1, 150) n`,
      [admin.orgId, user.id],
    );
    const answers = await Promise.all(Array.from({ length: 6 }, () => create({}, accessToken)));
    expect(answers.filter(({ data }) => data?.createApiKey)).toHaveLength(3);
    expect(answers.map(codeOf).filter((code) => code === 'CONFLICT')).toHaveLength(3);
  });
});

describe('apiKeys and revokeApiKey', () => {
  it('show and take back one’s own, administrators everybody’s, and nobody another organisation’s', async () => {
    const token = await gateway.tokenFor(admin);
    const { apiKey } = await made({ name: 'mine' });
    const theirs = await made({ name: 'theirs', serviceUserName: 'other' }, token);
    const mine: any[] = await list(viewerToken);
    expect(mine.map(({ id }) => id)).toContain(apiKey.id);
    expect(mine.every(({ user }) => user.id === viewer.id)).toBe(true);
    expect((await list(token)).map(({ id }: any) => id)).toEqual(expect.arrayContaining([apiKey.id, theirs.apiKey.id]));
    expect(await list(await gateway.tokenFor(gateway.orgs[1]))).toEqual([]);
    const missing = crypto.randomUUID();
    const nobodys = await accounts.ask(viewerToken, revokeText, { id: missing });
    expect(refusalOf(nobodys)).toEqual(['NOT_FOUND', 'input.id']);
    const foreign = await accounts.ask(await gateway.tokenFor(gateway.orgs[1]), revokeText, { id: apiKey.id });
    const others = await accounts.ask(viewerToken, revokeText, { id: theirs.apiKey.id });
    const same = (answer: typeof nobodys, id: string) => JSON.stringify(answer.errors).replaceAll(id, missing);
    expect(same(foreign, apiKey.id)).toBe(JSON.stringify(nobodys.errors));
    expect(same(others, theirs.apiKey.id)).toBe(JSON.stringify(nobodys.errors));
    expect(codeOf(await accounts.ask(viewerToken, revokeText, { id: 'x' }))).toBe('NOT_FOUND');
    expect((await accounts.ask(token, revokeText, { id: apiKey.id })).data.revokeApiKey.revokedAt).toBeTruthy();
  });

  it('let a key take back itself, and no other key of its user', async () => {
    const [lost, other] = [await made({}), await made({})];
    const revoke = (id: string) => accounts.ask(lost.secret, revokeText, { id });
    expect(refusalOf(await revoke(other.apiKey.id))).toEqual(['FORBIDDEN', 'input.id']);
    expect((await rowOf(other.apiKey.id)).revoked_at).toBeNull();
    expect((await revoke(lost.apiKey.id)).data.revokeApiKey.revokedAt).toBeTruthy();
  });

  it('end a key at once; a second time changes nothing', async () => {
    const { apiKey, secret } = await made({});
    const viewerQuery = '{ viewer { user { id } } }';
    expect((await accounts.ask(secret, viewerQuery)).data.viewer.user.id).toBe(viewer.id);
    const first = await accounts.ask(viewerToken, revokeText, { id: apiKey.id });
    const second = await accounts.ask(viewerToken, revokeText, { id: apiKey.id });
    expect(second.data).toEqual(first.data);
    await eventually(async () => expect(codeOf(await accounts.ask(secret, viewerQuery))).toBe('TOKEN_REVOKED'), 5_000);
    expect(await accounts.entries('api-key.revoke', apiKey.id)).toHaveLength(1);
  });

  it('take more from a key where its user may less', async () => {
    const user = await accounts.newUser(['ANALYST']);
    const { accessToken } = await accounts.signIn(user);
    const { secret } = await made({ capabilities: [{ action: 'jobs:read' }, { action: 'jobs:write' }] }, accessToken);
    const actionsOf = async () =>
      (await accounts.ask(secret, '{ viewer { capabilities { action } } }')).data?.viewer.capabilities;
    expect(await actionsOf()).toEqual([{ action: 'jobs:read' }, { action: 'jobs:write' }]);
    const update = 'mutation ($input: UpdateUserInput!) { updateUser(input: $input) { id } }';
    await gateway.query(admin, update, { input: { id: user.id, roles: ['VIEWER'] } });
    await eventually(async () => expect(await actionsOf()).toEqual([{ action: 'jobs:read' }]), 5_000);
    await gateway.query(admin, update, { input: { id: user.id, disabled: true } });
    await eventually(async () => expect(await actionsOf()).toBeUndefined(), 5_000);
    await gateway.query(admin, update, { input: { id: user.id, disabled: false } });
    await eventually(async () => expect(await actionsOf()).toEqual([{ action: 'jobs:read' }]), 5_000);
  });
});
