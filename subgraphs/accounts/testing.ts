/** Ways for the tests of accounts to ask a gateway: as a user who signed in, with a text as token, without one. */
import type { GraphQLAnswer, TestGateway } from '../../tests/setup/gateway.js';

const signIn = 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken refreshToken expiresAt } }';

// biome-ignore lint/suspicious/noExplicitAny: the tests look into answers of many shapes
type Data = any;

export interface TestUser {
  id: string;
  email: string;
  password: string;
}

export interface TestSession {
  accessToken: string;
  refreshToken: string;
}

export function accountsOf(gateway: TestGateway) {
  let made = 0;
  const ask = async (token: string | undefined, query: string, variables?: unknown): Promise<GraphQLAnswer<Data>> => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
      body: JSON.stringify({ query, variables }),
    });
    return { status: response.status, headers: response.headers, ...((await response.json()) as object) };
  };
  return {
    ask,
    /** A new user of the first organisation. */
    newUser: async (roles = ['VIEWER']): Promise<TestUser> => {
      made += 1;
      const input = { email: `user${made}@one.example`, name: `User ${made}`, password: `password ${made}`, roles };
      const text = 'mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }';
      const { data } = await gateway.query<Data>(gateway.orgs[0], text, { input });
      return { ...input, id: data.createUser.id };
    },
    signIn: async ({ email, password }: { email: string; password: string }): Promise<TestSession> =>
      (await ask(undefined, signIn, { input: { email, password } })).data.signIn,
    /** The entries that Harborwatch wrote about itself, in the order of their making. */
    entries: (op: string, instanceId?: string) =>
      gateway.database.asSuperuser<Data>(
        `SELECT o.slug AS org, payload FROM app.outbox b JOIN app.orgs o ON o.id = b.org_id
          WHERE type = 'audit.entry' AND payload->>'op' = $1 AND ($2::text IS NULL OR payload->>'instanceId' = $2) ORDER BY seq`,
        [op, instanceId ?? null],
      ),
  };
}

/** The code of an answer's first error. */
export const codeOf = ({ errors }: GraphQLAnswer<unknown>): string | undefined => errors?.[0]?.extensions.code;

/** What an answer's first error is about: its code and its argument. */
export const refusalOf = ({ errors }: GraphQLAnswer<unknown>) => [
  errors?.[0]?.extensions.code,
  errors?.[0]?.extensions.argument,
];
