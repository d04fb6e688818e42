import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.close());

const signIn = 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken refreshToken expiresAt } }';
const refresh = 'mutation ($t: String!) { refreshSession(input: { refreshToken: $t }) { accessToken refreshToken } }';
const createUser =
  'mutation ($input: CreateUserInput!) { createUser(input: $input) { id email roles capabilities { action } } }';

let made = 0;
/** A new user of the first organisation. */
async function newUser(roles = ['VIEWER']) {
  made += 1;
  const input = { email: `User${made}@One.example`, name: 'Somebody', password: 'long enough 1', roles };
  const answer = await gateway.query<any>(gateway.orgs[0], createUser, { input });
  return { ...input, answer, created: answer.data?.createUser };
}

const as = async (token: string, query: string) => {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  return (await response.json()) as any;
};

describe('sessions', () => {
  it('signs a user in by an address in any case, as what the user is', async () => {
    const user = await newUser(['ANALYST']);
    const session = (
      await gateway.query<any>(undefined, signIn, {
        input: { email: user.email.toUpperCase(), password: user.password },
      })
    ).data.signIn;
    const { data } = await as(session.accessToken, '{ viewer { user { email roles } capabilities { action } } }');
    expect(data.viewer.user).toEqual({ email: user.email.toLowerCase(), roles: ['ANALYST'] });
    expect(data.viewer.capabilities).toContainEqual({ action: 'jobs:write' });
    expect(data.viewer.capabilities).not.toContainEqual({ action: 'audit:read' });
  });

  it('answers a wrong password and an unknown address with the same words', async () => {
    const user = await newUser();
    const wrong = await gateway.query(undefined, signIn, { input: { email: user.email, password: 'wrong wrong' } });
    const unknown = await gateway.query(undefined, signIn, {
      input: { email: 'nobody@one.example', password: 'wrong wrong' },
    });
    const unstorable = await gateway.query(undefined, signIn, {
      input: { email: 'no\u0000body@one.example', password: 'wrong wrong' },
    });
    expect(wrong.errors?.[0]?.extensions.code).toBe('INVALID_CREDENTIALS');
    expect(unknown.errors).toEqual(wrong.errors);
    expect(unstorable.errors).toEqual(wrong.errors);
  });

  it('goes on with a refresh token once; a second use ends the session', async () => {
    const user = await newUser();
    const { refreshToken } = (
      await gateway.query<any>(undefined, signIn, { input: { email: user.email, password: user.password } })
    ).data.signIn;
    const second = (await gateway.query<any>(undefined, refresh, { t: refreshToken })).data.refreshSession;
    expect((await as(second.accessToken, '{ viewer { org { slug } } }')).data.viewer.org.slug).toBe('one');
    expect((await gateway.query(undefined, refresh, { t: refreshToken })).errors?.[0]?.extensions.code).toBe(
      'UNAUTHENTICATED',
    );
    expect((await gateway.query(undefined, refresh, { t: second.refreshToken })).errors?.[0]?.extensions.code).toBe(
      'UNAUTHENTICATED',
    );
  });

  it('lets one of many uses of a refresh token at once through', async () => {
    const user = await newUser();
    const { refreshToken } = (
      await gateway.query<any>(undefined, signIn, { input: { email: user.email, password: user.password } })
    ).data.signIn;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => gateway.query<any>(undefined, refresh, { t: refreshToken })),
    );
    expect(answers.filter((answer) => answer.data).length).toBe(1);
  });

  it('refuses the refresh token of a session that was signed out', async () => {
    const user = await newUser();
    const session = (
      await gateway.query<any>(undefined, signIn, { input: { email: user.email, password: user.password } })
    ).data.signIn;
    expect((await as(session.accessToken, 'mutation { signOut }')).data.signOut).toBe(true);
    expect((await gateway.query(undefined, refresh, { t: session.refreshToken })).errors?.[0]?.extensions.code).toBe(
      'UNAUTHENTICATED',
    );
  });

  it('tells of each attempt through the outbox', async () => {
    const user = await newUser();
    await gateway.query(undefined, signIn, { input: { email: user.email, password: 'wrong wrong' } });
    const rows = await gateway.database.asSuperuser<any>(
      "SELECT payload FROM app.outbox WHERE type = 'audit.entry' AND payload->>'who' = $1",
      [user.email.toLowerCase()],
    );
    expect(rows.map(({ payload }) => payload.outcome)).toEqual(['FAILURE']);
  });
});

describe('users and organisations', () => {
  it('names the argument of everything that a new user may not be', async () => {
    const input = { email: 'x@one.example', name: 'X', password: 'long enough 1', roles: ['VIEWER'] };
    const argumentOf = async (change: object) => {
      const answer = await gateway.query(gateway.orgs[0], createUser, { input: { ...input, ...change } });
      return [answer.errors?.[0]?.extensions.code, answer.errors?.[0]?.extensions.argument];
    };
    expect(await argumentOf({ email: 'no address' })).toEqual(['BAD_USER_INPUT', 'input.email']);
    expect(await argumentOf({ password: 'short' })).toEqual(['BAD_USER_INPUT', 'input.password']);
    expect(await argumentOf({ name: ' ' })).toEqual(['BAD_USER_INPUT', 'input.name']);
    expect(await argumentOf({ email: 'x\u0000@one.example' })).toEqual(['BAD_USER_INPUT', 'input.email']);
    expect(await argumentOf({ name: 'half \ud800' })).toEqual(['BAD_USER_INPUT', 'input.name']);
    expect(await argumentOf({ roles: [] })).toEqual(['BAD_USER_INPUT', 'input.roles']);
    const { email } = await newUser();
    expect(await argumentOf({ email })).toEqual(['CONFLICT', 'input.email']);
  });

  it('lets only platform administrators make organisations and platform administrators', async () => {
    const admin = {
      ...gateway.orgs[0],
      capabilities: gateway.orgs[0].capabilities.filter(({ action }) => action !== 'platform:admin'),
    };
    const input = {
      slug: 'three',
      name: 'Three',
      tier: 'BASIC',
      adminEmail: 'a@three.example',
      adminPassword: 'long enough 1',
    };
    const createOrg =
      'mutation ($input: CreateOrgInput!) { createOrg(input: $input) { slug tier limits { requestsPerMinute } } }';
    expect((await gateway.query(admin, createOrg, { input })).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    expect((await gateway.query<any>(gateway.orgs[0], createOrg, { input })).data.createOrg).toEqual({
      slug: 'three',
      tier: 'BASIC',
      limits: { requestsPerMinute: 60 },
    });
    expect((await gateway.query(gateway.orgs[0], createOrg, { input })).errors?.[0]?.extensions.code).toBe('CONFLICT');
    const user = { email: 'boss@one.example', name: 'B', password: 'long enough 1', roles: ['PLATFORM_ADMIN'] };
    expect((await gateway.query(admin, createUser, { input: user })).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  it('pages through the users of the own organisation alone, none twice and none missing', async () => {
    await Promise.all([newUser(), newUser(), newUser(), newUser(), newUser()]);
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const query =
        'query ($after: String) { users(first: 2, after: $after) { nodes { email } pageInfo { hasNextPage endCursor } totalCount { value } } }';
      const { users }: any = (await gateway.query<any>(gateway.orgs[0], query, { after })).data;
      seen.push(...users.nodes.map(({ email }: any) => email));
      after = users.pageInfo.hasNextPage ? users.pageInfo.endCursor : null;
      expect(users.totalCount.value).toBeGreaterThanOrEqual(6);
    } while (after);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.every((email) => email.endsWith('@one.example'))).toBe(true);
  });

  it('refuses a broken cursor and a page over the limit by name', async () => {
    const page = (args: string) => gateway.query(gateway.orgs[0], `{ users(${args}) { nodes { id } } }`);
    expect((await page('after: "nonsense"')).errors?.[0]?.extensions).toMatchObject({
      code: 'INVALID_CURSOR',
      argument: 'after',
    });
    expect((await page('first: 201')).errors?.[0]?.extensions).toMatchObject({
      code: 'INVALID_PAGE_SIZE',
      argument: 'first',
      limit: 200,
    });
    expect((await page('first: -1')).errors?.[0]?.extensions.code).toBe('INVALID_PAGE_SIZE');
  });
});
