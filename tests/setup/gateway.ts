/** A gateway in the test's own process, over a database of its own: real HTTP and WebSocket, without the supervisor. */
import { readFile } from 'node:fs/promises';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { startGateway } from '../../gateway/server.js';
import { startBackground } from '../../platform/background.js';
import type { Identity } from '../../platform/identity.js';
import type { Platform } from '../../platform/platform.js';
import { subgraphs } from '../../subgraphs/index.js';
import { createTestPlatform, type TestPlatform } from './database.js';
import { recordOperation } from './recording.js';

export interface GraphQLAnswer<Data = Record<string, never>> {
  status: number;
  headers: Headers;
  data?: Data | null;
  errors?: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> & { code: string } }[];
}

/** Ways to ask a gateway. */
export interface Callers {
  /** An access token of an identity. */
  tokenFor(identity: Identity): Promise<string>;
  /** Runs an operation over HTTP as the identity, or without a token. */
  query<Data>(identity: Identity | undefined, query: string, variables?: unknown): Promise<GraphQLAnswer<Data>>;
  /** A WebSocket client of the identity; the test disposes it. */
  webSocket(identity: Identity | undefined): Promise<Client>;
}

export interface TestGateway extends TestPlatform, Callers {
  url: string;
}

export interface TestGatewayOptions {
  /** Also runs the background work of the domains in this process. Default false. */
  workers?: boolean;
  settings?: Record<string, string>;
}

export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const base = await createTestPlatform(options.settings);
  const { platform } = base;
  const gateway = await startGateway(platform, {
    supergraphSdl: await readFile('schema/supergraph.graphql', 'utf8'),
    subgraphs,
    pagesDirectory: 'dist/public/graphiql/',
    port: 0,
    host: '127.0.0.1',
  });
  const background = options.workers ? await startBackground(platform, subgraphs) : undefined;
  const url = `http://127.0.0.1:${gateway.port}`;
  return {
    ...base,
    ...callersOf(url, platform),
    url,
    close: async () => {
      await gateway.drain();
      await background?.stop(3_000);
      await base.close();
    },
  };
}

/** Ways to ask the gateway at `url`. */
export function callersOf(url: string, platform: Pick<Platform, 'tokens'>): Callers {
  const tokenFor = async (identity: Identity) => {
    const { orgId, tier, capabilities, subject } = identity;
    const session = {
      sessionId: identity.sessionId ?? crypto.randomUUID(),
      accessVersion: identity.accessVersion ?? 1,
    };
    const claims = { orgId, tier, capabilities, userId: subject.userId!, ...session };
    return (await platform.tokens.issue(claims, Date.now())).token;
  };
  return {
    tokenFor,
    query: async (identity, query, variables) => {
      const headers: Record<string, string> = { 'content-type': 'application/json' };
      if (identity) headers.authorization = `Bearer ${await tokenFor(identity)}`;
      recordOperation({ signedIn: identity !== undefined, query, variables });
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ query, variables }),
      });
      return { status: response.status, headers: response.headers, ...((await response.json()) as object) };
    },
    webSocket: async (identity) => {
      const authorization = identity && `Bearer ${await tokenFor(identity)}`;
      return createClient({
        url: `${url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization },
        retryAttempts: 0,
      });
    },
  };
}
