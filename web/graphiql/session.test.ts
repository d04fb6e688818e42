import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { buildSchema, GraphQLError, graphql } from 'graphql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { renewBeforeExpiryMs, Session, type SessionStorage } from './session.js';

/** A server with the API's rules for sessions: tokens live 15 minutes, a refresh token is good once. */
const schema = buildSchema(`
  input SignInInput { email: String! password: String! }
  input RefreshSessionInput { refreshToken: String! }
  type Session { accessToken: String! refreshToken: String! expiresAt: String! }
  type User { name: String! email: String! }
  type Org { name: String! }
  type Viewer { user: User org: Org! }
  type Query { viewer: Viewer! }
  type Mutation {
    signIn(input: SignInInput!): Session!
    refreshSession(input: RefreshSessionInput!): Session!
    signOut: Boolean!
  }
`);
const lifetimeMs = 15 * 60_000;

let server: Server;
let endpoint: URL;
let operations: string[];
let goodRefreshTokens: Set<string>;
let nowMs: number;
let storage: SessionStorage;

beforeEach(async () => {
  operations = [];
  goodRefreshTokens = new Set();
  nowMs = Date.parse('2026-05-04T12:00:00Z');
  storage = memoryStorage();
  const refuse = (code: string) => new GraphQLError('Refused.', { extensions: { code } });
  const open = () => {
    const serial = operations.length;
    goodRefreshTokens.add(`refresh-${serial}`);
    return {
      accessToken: `access-${serial}`,
      refreshToken: `refresh-${serial}`,
      expiresAt: new Date(nowMs + lifetimeMs).toISOString(),
    };
  };
  const rootValue = {
    viewer: { user: { name: 'Ada', email: 'ada@example.com' }, org: { name: 'Demo' } },
    signOut: true,
    signIn({ input }: { input: { password: string } }) {
      if (input.password !== 'right') throw refuse('INVALID_CREDENTIALS');
      return open();
    },
    refreshSession({ input }: { input: { refreshToken: string } }) {
      if (!goodRefreshTokens.delete(input.refreshToken)) throw refuse('UNAUTHENTICATED');
      return open();
    },
  };
  server = createServer(async (request, response) => {
    const { query, variables } = JSON.parse(await text(request));
    operations.push(`${/\w+ \w+/.exec(query)} ${request.headers.authorization ?? ''}`.trim());
    response.setHeader('content-type', 'application/graphql-response+json');
    response.end(JSON.stringify(await graphql({ schema, source: query, rootValue, variableValues: variables })));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`);
});

afterEach(() => stopServer());

test('a sign-in outlives a reload, and signing out ends it here and on the server', async () => {
  await openSession();
  const reloaded = new Session(endpoint, storage, () => nowMs);
  expect(reloaded.getState()).toEqual({
    account: { name: 'Ada', email: 'ada@example.com', org: 'Demo' },
    notice: null,
  });
  await reloaded.signOut();
  expect(operations.at(-1)).toBe('mutation SignOut Bearer access-1');
  expect(new Session(endpoint, storage).getState().account).toBeNull();
  expect(await reloaded.accessToken()).toBeNull();
});

test('a wrong password is told kindly and changes nothing', async () => {
  const session = new Session(endpoint, storage);
  await expect(session.signIn('ada@example.com', 'wrong')).rejects.toThrow('do not belong together. Check both');
  expect(session.getState()).toEqual({ account: null, notice: null });
});

test('listeners hear of signing in and out, and the account stays the same object while tokens are renewed', async () => {
  const session = new Session(endpoint, storage, () => nowMs);
  const heard: boolean[] = [];
  session.subscribe(() => heard.push(session.getState().account !== null));
  await session.signIn('ada@example.com', 'right');
  const { account } = session.getState();
  nowMs += lifetimeMs;
  await session.accessToken();
  expect(session.getState().account).toBe(account);
  await session.signOut();
  expect(heard).toEqual([true, false]);
});

test('a token is used until shortly before its end, then renewed once for all calls that wait for it', async () => {
  const session = await openSession();
  nowMs += lifetimeMs - renewBeforeExpiryMs - 1;
  expect(await session.accessToken()).toBe('access-1');
  nowMs += 1;
  const tokens = await Promise.all([session.accessToken(), session.accessToken(), session.accessToken()]);
  expect(new Set(tokens)).toEqual(new Set(['access-3']));
  expect(operations.filter((operation) => operation.startsWith('mutation RefreshSession'))).toHaveLength(1);
});

test('a token that the server refused early is renewed, unless it has been replaced already', async () => {
  const session = await openSession();
  const renewed = await session.renew('access-1');
  expect(renewed).toBe('access-3');
  expect(await session.renew('access-1')).toBe('access-3');
  expect(operations).toHaveLength(3);
});

test('a refresh token that is no longer good ends the session and says what to do', async () => {
  const session = await openSession();
  goodRefreshTokens.clear();
  nowMs += lifetimeMs;
  expect(await session.accessToken()).toBeNull();
  expect(session.getState()).toEqual({ account: null, notice: 'Your session has ended. Sign in again to go on.' });
});

test('an unreachable server is named, and the session is kept for when it is back', async () => {
  const session = await openSession();
  nowMs += lifetimeMs;
  await stopServer();
  await expect(session.accessToken()).rejects.toThrow(`Harborwatch cannot be reached at ${endpoint.origin}.`);
  expect(session.getState().account).not.toBeNull();
});

test('the refusal of a token that has been replaced does not end the session', async () => {
  const session = await openSession();
  await session.renew();
  session.end('refused', 'access-1');
  expect(session.getState().account).not.toBeNull();
  session.end('refused', 'access-3');
  expect(session.getState()).toEqual({ account: null, notice: 'refused' });
});

test.each(['{', '"text"', 'null', '{"tokens":{}}'])('a damaged store (%s) asks to sign in again', (saved) => {
  storage = memoryStorage(saved);
  expect(new Session(endpoint, storage).getState().account).toBeNull();
});

async function openSession(): Promise<Session> {
  const session = new Session(endpoint, storage, () => nowMs);
  await session.signIn('ada@example.com', 'right');
  return session;
}

/** What `sessionStorage` is in a browser, holding one text under every key to begin with. */
function memoryStorage(initial: string | null = null): SessionStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? initial,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

async function stopServer(): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
