/** A small graph with streams, for tests: two real subgraphs behind a real gateway, in its process or over HTTP. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { GraphQLError, type GraphQLSchema, graphql, parse } from 'graphql';
import { type Client, type ClientOptions, createClient } from 'graphql-ws';
import { useServer as answerProtocol } from 'graphql-ws/use/ws';
import { WebSocket, WebSocketServer } from 'ws';
import { Authenticator } from '../../platform/authentication/authenticator.js';
import { generateSigningKey, TokenKeys } from '../../platform/authentication/token-keys.js';
import { Tokens } from '../../platform/authentication/tokens.js';
import { systemClock } from '../../platform/clock.js';
import { loadConfig } from '../../platform/config.js';
import { capabilitiesOf, type Identity } from '../../platform/identity.js';
import { createLogger } from '../../platform/logging.js';
import { createSchemaExecutor, type GraphQLContext } from '../../platform/subgraph.js';
import { startEdge } from '../edge.js';
import type { FederatedGateway } from '../federated-gateway.js';
import { startGraph } from '../graph.js';
import { HttpSource } from '../sources/http.js';
import { InProcessSource } from '../sources/in-process.js';
import { composeSupergraph } from '../supergraph/compose.js';

/** A log that streams follow, each at its own pace. */
export class Feed {
  readonly #log: unknown[] = [];
  readonly #wakers = new Set<() => void>();
  /** Streams that were opened, and those still open. */
  opened = 0;
  open = 0;
  /** How many events the streams have read. */
  read = 0;

  publish(...events: unknown[]): void {
    this.#log.push(...events);
    for (const wake of [...this.#wakers]) wake();
  }

  get length(): number {
    return this.#log.length;
  }

  /** @param from the position to start at; the end where it is left out */
  follow(from = this.#log.length): AsyncIterableIterator<unknown> {
    this.opened += 1;
    this.open += 1;
    let position = from;
    let ended = false;
    let wake: () => void = () => {};
    const waker = () => wake();
    this.#wakers.add(waker);
    const end = async () => {
      if (!ended) this.open -= 1;
      ended = true;
      this.#wakers.delete(waker);
      wake();
      return { done: true, value: undefined } as const;
    };
    return {
      next: async () => {
        while (!ended && position >= this.#log.length) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        if (ended) return { done: true, value: undefined };
        const event = this.#log[position];
        position += 1;
        this.read += 1;
        if (event === theEnd) return end();
        if (event instanceof Error) throw event;
        return { done: false, value: event };
      },
      return: end,
      throw: end,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

/** Ends the streams of a feed that reach it. */
export const theEnd = Symbol('end');

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@tag", "@inaccessible", "@authenticated", "@requiresScopes"])';

export const feedsSdl = `${link}
  type Query { ping: String! callerOfFeeds: String }
  type Mutation { publish(topic: String!, n: Int!): Int! }
  type Subscription {
    "Has no tag."
    plain(topic: String!): Tick
    "The latest tick first."
    latest(topic: String!): Tick @tag(name: "stream-state")
    "Ticks from now on, or behind a position."
    tail(topic: String!, after: Int): Tick @tag(name: "stream-live/after")
    own(topic: String!): Tick @tag(name: "stream-own")
    required(topic: String!): Tick!
    "What the subgraph knows of the caller, with every tick."
    caller(topic: String!): String
    refused: Tick
    forAdmins(topic: String!): Tick @requiresScopes(scopes: [["org:admin"]])
    forUsers(topic: String!): Tick @authenticated
  }
  type Tick @key(fields: "n") { n: Int! text: String by: Person strict: String! figure: Int @requiresScopes(scopes: [["org:admin"]]) }
  type Person @key(fields: "id", resolvable: false) { id: ID! }
`;
const peopleSdl = `${link}
  type Query { person(id: ID!): Person }
  type Person @key(fields: "id") { id: ID! name: String! caller: String }
`;

const describeCaller = ({ identity }: GraphQLContext) =>
  identity ? `${identity.orgId}/${identity.subject.id}/${identity.tier}` : 'nobody';

export interface StreamGraph {
  url: string;
  gateway: FederatedGateway;
  feed(topic: string): Feed;
  /** How many batches of people were asked for. */
  people: { calls: number };
  /** Composes again, over other feeds. */
  supergraphWith(sdl: string): string;
  tokenFor(identity: Identity, nowMs?: number): Promise<string>;
  /** A WebSocket client; the test disposes it. */
  client(identity?: Identity, options?: Partial<ClientOptions>): Promise<Client>;
  drain(): Promise<void>;
  close(): Promise<void>;
}

export interface StreamGraphOptions {
  transport?: 'in process' | 'over HTTP';
  settings?: Record<string, string>;
}

export const identityOf = (org: string, user: string, more: Partial<Identity> = {}): Identity => ({
  orgId: org,
  subject: { kind: 'USER', id: user, userId: user },
  capabilities: capabilitiesOf(['ANALYST']),
  tier: 'PRO',
  requestId: 'test',
  deadline: Date.now() + 60_000,
  ...more,
});

export async function startStreamGraph(options: StreamGraphOptions = {}): Promise<StreamGraph> {
  const feeds = new Map<string, Feed>();
  const feed = (topic: string): Feed => {
    const known = feeds.get(topic) ?? new Feed();
    feeds.set(topic, known);
    return known;
  };
  const people = { calls: 0 };
  const schemas = createSchemas(feed, people);
  const logger = createLogger('streams-test', 'silent');
  const config = loadConfig({ SUBGRAPH_TIMEOUT_MS: '20000', ...options.settings });
  const tokens = new Tokens(TokenKeys.fromText(await generateSigningKey()), 900);
  const servers = options.transport === 'over HTTP' ? await Promise.all([...schemas].map(serveSchema)) : [];
  const urls = new Map(servers.map(({ name, url }) => [name, url]));
  const supergraphWith = (sdl: string) => {
    const { supergraphSdl } = composeSupergraph([
      { name: 'feeds', sdl },
      { name: 'people', sdl: peopleSdl },
    ]);
    return [...urls].reduce((all, [name, url]) => all.replace(`http://${name}.subgraph.invalid/`, url), supergraphSdl);
  };
  const graph = await startGraph({
    config,
    logger,
    supergraphSdl: supergraphWith(feedsSdl),
    scalars: [],
    schemaIsPublic: false,
    sourceFor: ({ name, url }) =>
      urls.has(name)
        ? new HttpSource({ name, url, settings: config, logger })
        : new InProcessSource(createSchemaExecutor(name, schemas.get(name)!), 20_000),
  });
  const edge = await startEdge({
    config,
    logger,
    clock: systemClock,
    authenticator: new Authenticator({ tokens, logger }),
    graph,
    routes: [],
    port: 0,
    host: '127.0.0.1',
  });
  const url = `http://127.0.0.1:${edge.port}`;
  const tokenFor = async ({ orgId, tier, capabilities, subject }: Identity, nowMs = Date.now()) =>
    (
      await tokens.issue(
        { orgId, tier, capabilities, userId: subject.userId!, sessionId: crypto.randomUUID(), accessVersion: 1 },
        nowMs,
      )
    ).token;
  let drained: Promise<void> | undefined;
  const drain = () => {
    drained ??= edge.drain();
    return drained;
  };
  return {
    url,
    gateway: graph.gateway,
    feed,
    people,
    supergraphWith,
    tokenFor,
    client: async (identity, more) => {
      const authorization = identity && `Bearer ${await tokenFor(identity)}`;
      return createClient({
        url: `${url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization },
        retryAttempts: 0,
        ...more,
      });
    },
    drain,
    close: async () => {
      await drain();
      await graph.close();
      for (const server of servers) await server.close();
    },
  };
}

function createSchemas(feed: (topic: string) => Feed, people: { calls: number }): Map<string, GraphQLSchema> {
  type Args = { topic: string; after?: number | null };
  const follow = (from: (feed: Feed, args: Args) => number | undefined) => ({
    subscribe: (_root: unknown, args: Args) => feed(args.topic).follow(from(feed(args.topic), args)),
    resolve: (event: unknown) => event,
  });
  const fromNow = follow(() => undefined);
  const failing = (value: unknown) => {
    if (value instanceof GraphQLError) throw value;
    return value;
  };
  const feedsResolvers = {
    Query: {
      ping: () => 'pong',
      callerOfFeeds: (_: unknown, _args: unknown, context: GraphQLContext) => describeCaller(context),
    },
    Mutation: {
      publish: (_: unknown, { topic, n }: { topic: string; n: number }) => {
        feed(topic).publish({ n });
        return n;
      },
    },
    Subscription: {
      plain: fromNow,
      own: fromNow,
      forAdmins: fromNow,
      forUsers: fromNow,
      required: fromNow,
      latest: follow((all) => Math.max(all.length - 1, 0)),
      tail: follow((_all, { after }) => (after == null ? undefined : after + 1)),
      caller: {
        subscribe: fromNow.subscribe,
        resolve: (_event: unknown, _args: unknown, context: GraphQLContext) => describeCaller(context),
      },
      refused: {
        subscribe: () => {
          throw new GraphQLError('Not for you.', { extensions: { code: 'FORBIDDEN' } });
        },
      },
    },
    Tick: {
      text: ({ text: value }: { text?: unknown }) => failing(value),
      strict: ({ strict }: { strict?: unknown }) => failing(strict),
    },
  };
  const peopleResolvers = {
    Query: { person: (_: unknown, { id }: { id: string }) => ({ id }) },
    Person: {
      __resolveReference: ({ id }: { id: string }) => {
        people.calls += 1;
        return id === 'nobody' ? null : { id };
      },
      name: ({ id }: { id: string }) => {
        if (id === 'broken') throw new GraphQLError('No name.', { extensions: { code: 'NAMELESS' } });
        return `Person ${id}`;
      },
      caller: (_: unknown, _args: unknown, context: GraphQLContext) => describeCaller(context),
    },
  };
  const build = (sdl: string, resolvers: object) =>
    buildSubgraphSchema([{ typeDefs: parse(sdl), resolvers: resolvers as never }]);
  return new Map([
    ['feeds', build(feedsSdl, feedsResolvers)],
    ['people', build(peopleSdl, peopleResolvers)],
  ]);
}

/** Serves a subgraph as a foreign one is served: graphql-js over HTTP, graphql-ws beside it. */
async function serveSchema([name, schema]: [string, GraphQLSchema]) {
  const contextValue = { identity: undefined, remoteIp: null };
  const server: Server = createServer(async (request, response) => {
    const { query: source, variables: variableValues } = JSON.parse(await text(request));
    const result = await graphql({ schema, source, variableValues, contextValue });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
  });
  const sockets = new WebSocketServer({ server });
  const protocol = answerProtocol({ schema, context: contextValue }, sockets);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    name,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      await protocol.dispose();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
