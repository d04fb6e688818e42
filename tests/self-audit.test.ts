/** What Harborwatch writes down about itself: every sensitive act, done as callers do it, is found again as an entry. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Identity } from '../platform/identity.js';
import { type GraphQLAnswer, startTestGateway, type TestGateway } from './setup/gateway.js';
import { eventually } from './setup/until.js';

type Answer = GraphQLAnswer<any>;

const email = 'ana@one.example';
const administrator = 'admin@one.example';
const password = 'a good long password';
const other = 'another long password';

let gateway: TestGateway;
let admin: Identity;
/** What earlier acts made that later ones need. */
const made: Record<'userId' | 'keyId' | 'orgId' | 'accessToken' | 'refreshToken', string> = {
  userId: '',
  keyId: '',
  orgId: '',
  accessToken: '',
  refreshToken: '',
};

beforeAll(async () => {
  gateway = await startTestGateway({ workers: true });
  [admin] = gateway.orgs;
});
afterAll(() => gateway.close());

/** As the administrator. */
const ask = (query: string, variables: object = {}): Promise<Answer> => gateway.query(admin, query, variables);

/** With a token, or as nobody. */
async function askWith(token: string | undefined, query: string, variables: object = {}): Promise<Answer> {
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer;
}

async function signIn(word: string): Promise<Answer> {
  const mutation = 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken refreshToken } }';
  const answer = await askWith(undefined, mutation, { input: { email, password: word } });
  Object.assign(made, answer.data?.signIn);
  return answer;
}

interface Act {
  name: string;
  /** Does it, and answers the answer. */
  run(): Promise<Answer>;
  /** The code of the error that it ends with; none for what succeeds. */
  code?: string;
  /** What the entry has of it. */
  entry(): Record<string, unknown>;
}

const byAdmin = { who: administrator, module: 'accounts', status: 'SUCCESS' };
const byAna = { who: email, module: 'accounts', status: 'SUCCESS' };
const read = (instanceId: string) => ({
  op: 'audit.read',
  who: administrator,
  module: 'audit',
  class: 'app',
  instanceId,
  status: 'SUCCESS',
});

/** Every act in an order in which one makes what the next ones need. */
const acts: Act[] = [
  {
    name: 'the making of a user',
    run: async () => {
      const input = { email, name: 'Ana', password, roles: ['ANALYST'] };
      const answer = await ask('mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }', { input });
      made.userId = answer.data?.createUser.id;
      return answer;
    },
    entry: () => ({ ...byAdmin, op: 'user.create', class: 'user', instanceId: made.userId }),
  },
  {
    name: 'a sign-in',
    run: () => signIn(password),
    entry: () => ({ ...byAna, op: 'sign-in', class: 'user', instanceId: made.userId, priority: 'INFO' }),
  },
  {
    name: 'a sign-in with a wrong password',
    run: () => signIn('not the password'),
    code: 'INVALID_CREDENTIALS',
    entry: () => ({
      ...byAna,
      op: 'sign-in',
      class: 'user',
      instanceId: made.userId,
      status: 'FAILURE',
      priority: 'WARN',
      remoteIp: { address: '127.0.0.1' },
    }),
  },
  {
    name: 'a grant',
    run: () =>
      ask('mutation ($input: GrantCapabilitiesInput!) { grantCapabilities(input: $input) { id } }', {
        input: { userId: made.userId, capabilities: [{ action: 'audit:read', app: 'shop' }] },
      }),
    entry: () => ({ ...byAdmin, op: 'grant', class: 'user', instanceId: made.userId }),
  },
  {
    name: 'a change of a user',
    run: () =>
      ask('mutation ($input: UpdateUserInput!) { updateUser(input: $input) { id } }', {
        input: { id: made.userId, name: 'Ana B.' },
      }),
    entry: () => ({ ...byAdmin, op: 'user.update', class: 'user', instanceId: made.userId }),
  },
  {
    name: 'the making of an API key',
    run: async () => {
      const answer = await ask(
        'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { id } } }',
        { input: { name: 'for tests', capabilities: [{ action: 'events:write' }] } },
      );
      made.keyId = answer.data?.createApiKey.apiKey.id;
      return answer;
    },
    entry: () => ({ ...byAdmin, op: 'api-key.create', instanceId: made.keyId }),
  },
  {
    name: 'the end of an API key',
    run: () =>
      ask('mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { id } }', {
        input: { id: made.keyId },
      }),
    entry: () => ({ ...byAdmin, op: 'api-key.revoke', instanceId: made.keyId }),
  },
  {
    name: 'a change of a password that fails',
    run: async () => {
      await signIn(password);
      const input = { currentPassword: 'not the password', newPassword: other };
      return askWith(
        made.accessToken,
        'mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { expiresAt } }',
        { input },
      );
    },
    code: 'INVALID_CREDENTIALS',
    entry: () => ({ ...byAna, op: 'password.change', instanceId: made.userId, status: 'FAILURE', priority: 'WARN' }),
  },
  {
    name: 'a change of a password',
    run: async () => {
      const input = { currentPassword: password, newPassword: other };
      const answer = await askWith(
        made.accessToken,
        'mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { accessToken refreshToken } }',
        { input },
      );
      Object.assign(made, answer.data?.changePassword);
      return answer;
    },
    entry: () => ({ ...byAna, op: 'password.change', instanceId: made.userId }),
  },
  {
    name: 'a sign-out',
    run: () => askWith(made.accessToken, 'mutation { signOut }'),
    entry: () => ({ ...byAna, op: 'sign-out', class: 'session' }),
  },
  {
    name: 'the second use of a refresh token',
    run: async () => {
      await signIn(other);
      const refresh = 'mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { expiresAt } }';
      const input = { refreshToken: made.refreshToken };
      expect((await askWith(undefined, refresh, { input })).errors).toBeUndefined();
      return askWith(undefined, refresh, { input });
    },
    code: 'UNAUTHENTICATED',
    entry: () => ({ ...byAna, op: 'session.reuse', class: 'session', status: 'FAILURE', priority: 'SEC' }),
  },
  {
    name: 'the making of an organisation',
    run: async () => {
      const input = {
        slug: 'three',
        name: 'Three',
        tier: 'PRO',
        adminEmail: 'admin@three.example',
        adminPassword: password,
      };
      const answer = await ask('mutation ($input: CreateOrgInput!) { createOrg(input: $input) { id } }', { input });
      made.orgId = answer.data?.createOrg.id;
      return answer;
    },
    entry: () => ({ ...byAdmin, op: 'org.create', instanceId: made.orgId }),
  },
  {
    name: 'a change of an organisation',
    run: () =>
      ask('mutation ($input: UpdateOrgInput!) { updateOrg(input: $input) { id } }', {
        input: { id: made.orgId, tier: 'BASIC' },
      }),
    entry: () => ({ ...byAdmin, op: 'org.update', instanceId: made.orgId }),
  },
  {
    name: 'the assignment of a worker pool',
    run: () =>
      ask('mutation ($input: AssignWorkerPoolInput!) { assignWorkerPool(input: $input) { id } }', {
        input: { orgId: made.orgId, pool: null },
      }),
    entry: () => ({ ...byAdmin, op: 'org.worker-pool', instanceId: made.orgId }),
  },
  {
    name: 'a look at the secret of callbacks',
    run: () => ask('{ callbackSecret { secret } }'),
    entry: () => ({ ...byAdmin, module: 'jobs', op: 'callback-secret.read', class: 'callbackSecret', priority: 'SEC' }),
  },
  {
    name: 'a new secret of callbacks',
    run: () => ask('mutation { rotateCallbackSecret { secret } }'),
    entry: () => ({
      ...byAdmin,
      module: 'jobs',
      op: 'callback-secret.rotate',
      class: 'callbackSecret',
      priority: 'SEC',
    }),
  },
  {
    name: 'a read of an activity log',
    run: async () => {
      const when = new Date().toISOString();
      const entries = ['A', 'D'].map((type) => ({ app: 'shop', type, module: 'web', when, who: 'eve' }));
      await ask('mutation ($input: WriteLogEntriesInput!) { writeLogEntries(input: $input) { accepted } }', {
        input: { entries },
      });
      return ask('{ activityLog(app: "shop", days: 3) { nodes { id } } }');
    },
    entry: () => ({ ...read('shop'), data: expect.objectContaining({ log: 'activityLog', days: 3 }) }),
  },
  {
    name: 'a read of what an actor did',
    run: () => ask('{ activityLog(app: "shop", days: 4) { nodes { actor { activity(days: 5) { nodes { id } } } } } }'),
    entry: () => ({ ...read('shop'), data: expect.objectContaining({ log: 'activityLog', who: 'eve', days: 5 }) }),
  },
  {
    name: 'a read of a debug log',
    run: () => ask('{ debugLog(app: "shop", module: "web", priority: INFO) { nodes { id } } }'),
    entry: () => ({
      ...read('shop'),
      data: expect.objectContaining({ log: 'debugLog', module: 'web', priority: 'INFO' }),
    }),
  },
  {
    name: 'a read of this very log',
    run: () => ask('{ activityLog(app: "harborwatch", days: 2) { nodes { id } } }'),
    entry: () => ({ ...read('harborwatch'), data: expect.objectContaining({ days: 2 }) }),
  },
];

const ownLog = `{ activityLog(app: "harborwatch", days: 1, first: 200) { nodes {
  who op module class instanceId status priority error msg data app { name } remoteIp { address } } } }`;

it.each(acts)('$name is an entry of the organisation’s log', async ({ run, code, entry }) => {
  const { errors } = await run();
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(code === undefined ? undefined : [code]);
  await eventually(async () => {
    const { data } = await ask(ownLog);
    expect(data.activityLog.nodes).toContainEqual(expect.objectContaining(entry()));
  });
});

it('no entry holds a password or a token', async () => {
  const text = JSON.stringify((await ask(ownLog)).data);
  for (const secret of [password, other, 'not the password', made.accessToken, made.refreshToken]) {
    expect(text).not.toContain(secret);
  }
});

it('nobody else’s log tells of them', async () => {
  const answer: Answer = await gateway.query(gateway.orgs[1], ownLog);
  expect(JSON.stringify(answer)).not.toContain('one.example');
});
