/** Rules of access in the gateway: what callers are denied is null with an error, and no subgraph is asked for it. */
import { composeServices } from '@apollo/composition';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type ExecutionResult, parse, validate } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RequestContext } from '../../gateway/context.js';
import type { OperationResult } from '../../gateway/execution/compiled-operation.js';
import { FederatedGateway } from '../../gateway/federated-gateway.js';
import { InProcessSource } from '../../gateway/sources/in-process.js';
import type { Source } from '../../gateway/sources/source.js';
import { loadConfig, operationLimitsOf } from '../../platform/config.js';
import { cacheControlDefinitions } from '../../platform/graphql/cache-policy.js';
import { type Action, type Identity, systemIdentity } from '../../platform/identity.js';
import { createLogger } from '../../platform/logging.js';
import { createGatewayMetrics } from '../../platform/metrics.js';
import { createSchemaExecutor } from '../../platform/subgraph.js';

const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",
  import: ["@key", "@shareable", "@interfaceObject", "@inaccessible", "@authenticated", "@requiresScopes", "@policy"])
  ${cacheControlDefinitions}`;

const shopSdl = `${link}
  type Query {
    free: String @policy(policies: [["public"]]) @cacheControl(maxAge: 60)
    kept: String @authenticated @cacheControl(maxAge: 60)
    item(id: ID!): Item
    items: [Item]!
    product(id: ID!): Product
    many(count: Int!): [Product!]!
    figures: Figures @requiresScopes(scopes: [["analytics:read"]])
    total: Int! @requiresScopes(scopes: [["org:admin"]])
  }
  type Figures { sales: Int }
  interface Item @key(fields: "id") { id: ID! title: String code: String! owner: Person }
  type Product implements Item @key(fields: "id") {
    id: ID!
    title: String
    code: String!
    owner: Person
    price(currency: String = "EUR"): Int @requiresScopes(scopes: [["analytics:read"], ["jobs:read", "jobs:write"]])
    cost: Int! @requiresScopes(scopes: [["org:admin"]])
    parent: Product
  }
  type Voucher implements Item @key(fields: "id") @requiresScopes(scopes: [["audit:read"]]) {
    id: ID!
    title: String
    code: String!
    owner: Person
  }
  type Person @key(fields: "id", resolvable: false) { id: ID! }
  type Mutation {
    first: String
    forbidden: String @requiresScopes(scopes: [["org:admin"]])
    second: Person
    required: String! @requiresScopes(scopes: [["org:admin"]])
  }
  type Subscription {
    ticks: Tick @authenticated
    secrets: Tick @requiresScopes(scopes: [["org:admin"]])
  }
  type Tick { n: Int secret: Int @requiresScopes(scopes: [["org:admin"]]) by: Person }
`;
const peopleSdl = `${link}
  type Query { person(id: ID!): Person }
  type Person @key(fields: "id") @authenticated { id: ID! name: String email: String! @requiresScopes(scopes: [["org:read"]]) }
  type Product @key(fields: "id") { id: ID! reviews: [Review!]! @requiresScopes(scopes: [["events:read"]]) rating: Int }
  type Review { text: String }
`;

const likesSdl = `${link}
  type Query { liked(id: ID!): Item }
  type Item @interfaceObject @key(fields: "id") { id: ID! likes: Int @requiresScopes(scopes: [["events:read"]]) }
`;

interface Thing {
  __typename: 'Product' | 'Voucher';
  id: string;
}
const thing = (id: string): Thing => ({ __typename: id.startsWith('v') ? 'Voucher' : 'Product', id });
const thingFields = {
  title: ({ id }: Thing) => `Title ${id}`,
  code: ({ id }: Thing) => `C-${id}`,
  owner: () => ({ id: 'anna' }),
};
const ran: string[] = [];
const run = (step: string, value: unknown = step) => {
  ran.push(step);
  return value;
};
const stream = () =>
  (async function* () {
    yield run('stream', { n: 1, secret: 2, by: { id: 'anna' } });
  })();
const resolvers = {
  shop: {
    Query: {
      free: () => 'free',
      kept: () => 'kept',
      item: (_: unknown, { id }: Thing) => thing(id),
      items: () => [thing('p1'), thing('v1'), thing('p2')],
      product: (_: unknown, { id }: Thing) => (id === 'none' ? null : thing(id)),
      many: (_: unknown, { count }: { count: number }) => Array.from({ length: count }, (_, n) => thing(`p${n}`)),
      figures: () => ({ sales: 7 }),
      total: () => 5,
    },
    Item: { __resolveReference: ({ id }: Thing) => thing(id) },
    Product: {
      ...thingFields,
      __resolveReference: ({ id }: Thing) => thing(id),
      price: () => 3,
      cost: () => 2,
      parent: () => thing('p0'),
    },
    Voucher: { ...thingFields, __resolveReference: ({ id }: Thing) => thing(id) },
    Mutation: {
      first: () => run('first'),
      forbidden: () => run('forbidden'),
      second: () => run('second', { id: 'anna' }),
      required: () => run('required'),
    },
    Subscription: {
      ticks: { subscribe: stream, resolve: (event: unknown) => event },
      secrets: { subscribe: stream, resolve: (event: unknown) => event },
    },
  },
  people: {
    Query: { person: (_: unknown, { id }: { id: string }) => ({ id }) },
    Person: {
      __resolveReference: ({ id }: { id: string }) => ({ id }),
      name: ({ id }: { id: string }) => `Name of ${id}`,
      email: ({ id }: { id: string }) => `${id}@example.com`,
    },
    Product: {
      __resolveReference: ({ id }: { id: string }) => ({ id }),
      reviews: () => [{ text: 'Good.' }],
      rating: () => 4,
    },
  },
  likes: {
    Query: { liked: (_: unknown, { id }: Thing) => ({ id }) },
    Item: { __resolveReference: ({ id }: { id: string }) => ({ id }), likes: () => 9 },
  },
};

const logger = createLogger('access-rules-test', 'silent');
const schemas = {
  shop: buildSubgraphSchema([{ typeDefs: parse(shopSdl), resolvers: resolvers.shop as never }]),
  people: buildSubgraphSchema([{ typeDefs: parse(peopleSdl), resolvers: resolvers.people as never }]),
  likes: buildSubgraphSchema([{ typeDefs: parse(likesSdl), resolvers: resolvers.likes as never }]),
};

function compose(shop: string): string {
  const services = { shop, people: peopleSdl, likes: likesSdl };
  const { supergraphSdl, errors } = composeServices(
    Object.entries(services).map(([name, sdl]) => ({ name, typeDefs: parse(sdl), url: `http://${name}.invalid/` })),
  );
  if (supergraphSdl === undefined) throw new Error(errors?.join('\n'));
  return supergraphSdl;
}

const holding = (...held: Action[]): Identity => ({
  ...systemIdentity('org', 'test'),
  capabilities: held.map((action) => ({ action })),
});
const everything = holding('analytics:read', 'org:admin', 'audit:read', 'org:read', 'events:read');
const unauthenticated = (...path: (string | number)[]) => ({
  message: 'Sign in first, and send the access token as `Authorization: Bearer <token>`.',
  path,
  extensions: { code: 'UNAUTHENTICATED' },
});
const forbidden = (needed: string, ...path: (string | number)[]) => ({
  message: `This needs the capability ${needed}. Ask an administrator of your organisation for it.`,
  path,
  extensions: { code: 'FORBIDDEN', capability: needed.split(' ')[0] },
});

describe.each(['native', 'apollo'] as const)('rules of access, planned by the %s planner', (planner) => {
  /** What subgraphs were asked, since it was emptied. */
  const sent: string[] = [];
  /** What was said about operations that one planner left to the other. */
  const warned: unknown[] = [];
  let gateway: FederatedGateway;

  const recorded = (source: Source): Source => ({
    name: source.name,
    isHealthy: () => source.isHealthy(),
    close: () => source.close(),
    execute: (operation, ...rest) => {
      sent.push(operation.text);
      return source.execute(operation, ...rest);
    },
    subscribe: (operation, ...rest) => {
      sent.push(operation.text);
      return source.subscribe(operation, ...rest);
    },
  });
  const create = (supergraphSdl: string) =>
    FederatedGateway.create({
      supergraphSdl,
      sourceFor: ({ name }) =>
        recorded(new InProcessSource(createSchemaExecutor(name, schemas[name as keyof typeof schemas]), 10_000)),
      planner,
      maxOperations: 100,
      maxOperationBytes: 10_000_000,
      limits: operationLimitsOf(loadConfig({})),
      metrics: createGatewayMetrics(),
      logger: { ...logger, warn: (...words: unknown[]) => void warned.push(...words) } as never,
    });
  beforeAll(async () => {
    gateway = await create(compose(shopSdl));
  });
  beforeEach(() => {
    sent.length = 0;
    ran.length = 0;
  });
  afterAll(async () => {
    await gateway?.stop();
    expect(warned).toEqual([]);
  });

  const contextOf = (identity: Identity | undefined): RequestContext => ({
    identity,
    remoteIp: null,
    requestId: 'test',
    deadline: Date.now() + 20_000,
  });
  const compile = (query: string, identity: Identity | undefined) => {
    const document = parse(query);
    expect(validate(gateway.apiSchema, document)).toEqual([]);
    return gateway.compile(document, query, undefined, identity);
  };
  const ask = async (
    query: string,
    identity: Identity | undefined,
    variables: Record<string, unknown> = {},
  ): Promise<OperationResult & ExecutionResult> => {
    const result = await gateway.run(await compile(query, identity), variables, contextOf(identity));
    return JSON.parse(JSON.stringify(result));
  };

  it('let through whoever meets them', async () => {
    const query =
      '{ free figures { sales } total item(id: "v1") { title } product(id: "p1") { price cost owner { name email } reviews { text } } }';
    expect(await ask(query, everything)).toEqual({
      data: {
        free: 'free',
        figures: { sales: 7 },
        total: 5,
        item: { title: 'Title v1' },
        product: {
          price: 3,
          cost: 2,
          owner: { name: 'Name of anna', email: 'anna@example.com' },
          reviews: [{ text: 'Good.' }],
        },
      },
    });
    expect(await ask('{ product(id: "p1") { price } }', holding('jobs:read', 'jobs:write'))).toEqual({
      data: { product: { price: 3 } },
    });
  });

  it('make a denied field null with one error, and nobody is asked for it', async () => {
    const query =
      '{ product(id: "p1") { id it: price(currency: "USD") rating reviews: title other: reviews { text } } }';
    const { data, errors } = await ask(query.replace('other: reviews { text }', ''), holding('jobs:read'));
    expect(data).toEqual({ product: { id: 'p1', it: null, rating: 4, reviews: 'Title p1' } });
    expect(errors).toEqual([forbidden('analytics:read or jobs:write', 'product', 'it')]);
    expect(sent.join()).not.toContain('price');
    expect(Object.keys((await ask(query, undefined)).data ?? {})).toEqual(['product']);
    expect(sent.join()).not.toContain('reviews');
  });

  it('null a denied field in every object of a list, at its own path', async () => {
    const { data, errors } = await ask('{ many(count: 2) { price id } }', undefined);
    expect(data).toEqual({
      many: [
        { price: null, id: 'p0' },
        { price: null, id: 'p1' },
      ],
    });
    expect(errors).toEqual([unauthenticated('many', 0, 'price'), unauthenticated('many', 1, 'price')]);
  });

  it('take the object with a denied field that may not be null, up to the next place that may', async () => {
    const query = '{ product(id: "p1") { id parent { title cost price code } } many(count: 2) { cost } }';
    const { data, errors } = await ask(query, holding('org:read'));
    expect(data).toBeNull();
    expect(errors).toEqual([
      forbidden('org:admin', 'product', 'parent', 'cost'),
      forbidden('analytics:read or jobs:read and jobs:write', 'product', 'parent', 'price'),
      forbidden('org:admin', 'many', 0, 'cost'),
    ]);
    const inner = await ask('{ product(id: "p1") { id parent { cost } } }', holding());
    expect(inner.data).toEqual({ product: { id: 'p1', parent: null } });
    expect(inner.errors).toEqual([forbidden('org:admin', 'product', 'parent', 'cost')]);
  });

  it('tell nothing of objects that are not there', async () => {
    expect(await ask('{ product(id: "none") { price cost } many(count: 0) { cost } }', undefined)).toEqual({
      data: { product: null, many: [] },
    });
  });

  it('judge a field of an interface by what each object is', async () => {
    const { data, errors } = await ask('{ items { __typename id title likes } }', holding('events:read'));
    expect(data).toEqual({
      items: [
        { __typename: 'Product', id: 'p1', title: 'Title p1', likes: 9 },
        null,
        { __typename: 'Product', id: 'p2', title: 'Title p2', likes: 9 },
      ],
    });
    expect(errors).toEqual([
      forbidden('audit:read', 'items', 1, 'id'),
      forbidden('audit:read', 'items', 1, 'title'),
      forbidden('audit:read', 'items', 1, 'likes'),
    ]);
    const parts = await ask('{ items { ... on Product { title } ... on Voucher { title } } }', holding('events:read'));
    expect(parts.data).toEqual({ items: [{ title: 'Title p1' }, { title: null }, { title: 'Title p2' }] });
    expect(parts.errors).toEqual([forbidden('audit:read', 'items', 1, 'title')]);
    const all = await ask('{ items { likes } }', holding('audit:read'));
    expect(all.data).toEqual({ items: [{ likes: null }, { likes: null }, { likes: null }] });
    expect(all.errors).toHaveLength(3);
    expect(sent.at(-1)).not.toContain('likes');
  });

  it('are kept where only what an interface object really is decides', async () => {
    const query = 'query ($id: ID!) { liked(id: $id) { likes ... on Voucher { title } } }';
    const viewer = holding('events:read');
    expect(await ask(query, viewer, { id: 'p1' })).toEqual({ data: { liked: { likes: 9 } } });
    const voucher = await ask(query, viewer, { id: 'v1' });
    expect(voucher.data).toEqual({ liked: { likes: null, title: null } });
    expect(voucher.errors).toEqual([
      forbidden('audit:read', 'liked', 'likes'),
      forbidden('audit:read', 'liked', 'title'),
    ]);
    const auditor = holding('audit:read');
    const nothing = await ask('query ($id: ID!) { liked(id: $id) { id ... on Product { price } } }', auditor, {
      id: 'p1',
    });
    expect(nothing.data).toEqual({ liked: { id: 'p1', price: null } });
    expect(nothing.errors).toHaveLength(1);
  });

  it('of a type count wherever the type stands, and its subgraph is not asked', async () => {
    const { data, errors } = await ask(
      '{ product(id: "p1") { title owner { name } } person(id: "x") { name } }',
      undefined,
    );
    expect(data).toEqual({ product: { title: 'Title p1', owner: null }, person: null });
    expect(errors).toEqual([unauthenticated('person'), unauthenticated('product', 'owner')]);
    expect(sent).toHaveLength(1);
    const partly = await ask('{ product(id: "p1") { owner { name email } } }', holding());
    expect(partly).toEqual({
      data: { product: { owner: null } },
      errors: [forbidden('org:read', 'product', 'owner', 'email')],
    });
  });

  it('leave nothing to ask where all of the root is denied', async () => {
    expect(await ask('{ figures { sales } __typename }', undefined)).toEqual({
      data: { figures: null, __typename: 'Query' },
      errors: [unauthenticated('figures')],
    });
    expect(await ask('{ total figures { sales } }', holding())).toEqual({
      data: null,
      errors: [forbidden('org:admin', 'total'), forbidden('analytics:read', 'figures')],
    });
    expect(sent).toEqual([]);
  });

  it('count for every caller anew, under conditions too', async () => {
    const query = 'query ($with: Boolean!) { product(id: "p1") { title price @include(if: $with) } }';
    for (let round = 0; round < 2; round += 1) {
      expect((await ask(query, everything, { with: true })).data).toEqual({ product: { title: 'Title p1', price: 3 } });
      const denied = await ask(query, undefined, { with: true });
      expect(denied).toEqual({
        data: { product: { title: 'Title p1', price: null } },
        errors: [unauthenticated('product', 'price')],
      });
      expect((await ask(query, holding(), { with: true })).errors?.[0]).toMatchObject({
        extensions: { code: 'FORBIDDEN' },
      });
      expect(await ask(query, undefined, { with: false })).toEqual({ data: { product: { title: 'Title p1' } } });
    }
  });

  it('keep denied mutations from running, and let the others run in their order', async () => {
    const { data, errors } = await ask('mutation { first forbidden second { id } }', holding('org:read'));
    expect(data).toEqual({ first: 'first', forbidden: null, second: { id: 'anna' } });
    expect(errors).toEqual([forbidden('org:admin', 'forbidden')]);
    expect(ran).toEqual(['first', 'second']);
    ran.length = 0;
    expect(await ask('mutation { required }', holding())).toEqual({
      data: null,
      errors: [forbidden('org:admin', 'required')],
    });
    expect(ran).toEqual([]);
  });

  it('refuse a denied subscription before it opens, and null what is denied of an event', async () => {
    const variables = { raw: {}, coerced: {} };
    const denied = await (await compile('subscription { it: secrets { n } }', undefined)).planSubscription(
      variables,
      holding(),
    );
    expect(denied).toEqual({ errors: [forbidden('org:admin', 'it')] });
    const anonymous = await (await compile('subscription { ticks { n } }', undefined)).planSubscription(
      variables,
      undefined,
    );
    expect(anonymous).toEqual({ errors: [unauthenticated('ticks')] });
    expect([sent, ran]).toEqual([[], []]);

    const caller = holding('org:read');
    const operation = await compile('subscription { ticks { n secret by { name } } }', caller);
    const planned = await operation.planSubscription(variables, caller);
    if ('errors' in planned) throw new Error('denied');
    const { source, operation: upstream } = planned.upstream;
    const events = await source.subscribe(upstream, undefined, contextOf(caller));
    if (!(Symbol.asyncIterator in events)) throw new Error('not opened');
    const { value } = await events.next();
    const event = await planned.resolveEvent(value, variables, contextOf(caller));
    expect(event.data).toEqual({ ticks: { n: 1, secret: null, by: { name: 'Name of anna' } } });
    expect(event.errors).toEqual([forbidden('org:admin', 'ticks', 'secret')]);
    expect(sent.join()).not.toContain('secret');
  });

  it('tell a thousand denials, and how many more there are', async () => {
    const { errors } = await ask('{ many(count: 1200) { price } }', undefined);
    expect(errors).toHaveLength(1_001);
    expect(errors?.at(-1)).toEqual({
      message: '200 more errors are left out.',
      extensions: { code: 'ERRORS_LEFT_OUT' },
    });
  });

  it('let shared caches keep only what has none', async () => {
    const { data, errors } = await ask('{ __schema { queryType { name } } free }', undefined);
    expect([data, errors]).toEqual([{ __schema: { queryType: { name: 'Query' } }, free: 'free' }, undefined]);
    expect((await ask('{ free }', everything)).cacheControl).toBe('max-age=60, public');
    expect((await ask('{ free kept }', everything)).cacheControl).toBe('max-age=60, private');
    expect((await ask('{ free kept }', undefined)).cacheControl).toBeUndefined();
    expect(await ask('query ($x: Boolean = true) { free kept @skip(if: $x) }', undefined)).toEqual({
      data: { free: 'free' },
    });
  });

  it('that nobody knows keep a supergraph from being served', async () => {
    const unknown = compose(shopSdl.replace('[["public"]]', '[["on-weekdays"]]'));
    await expect(create(unknown)).rejects.toThrow('The policy "on-weekdays" on Query.free is not known');
  });
});
