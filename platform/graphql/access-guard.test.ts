/** What a subgraph answers to callers who may not ask for everything. */
import type { ExecutionResult } from 'graphql';
import { Directive, Field, ID, InterfaceType, Mutation, ObjectType, Query, Resolver, Subscription } from 'type-graphql';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Action, Identity } from '../identity.js';
import type { Logger } from '../logging.js';
import { createExecutor, type GraphQLContext, type Subgraph, subscribedByParts } from '../subgraph.js';
import { Authenticated, Public, Requires } from './access-rules.js';

let calls: string[] = [];
beforeEach(() => {
  calls = [];
});
/** Notes that it was called. */
const called = <Value>(name: string, value: Value): Value => {
  calls.push(name);
  return value;
};

@InterfaceType('Item', { resolveType: (item: { pages?: number }) => (item.pages ? 'Book' : 'Film') })
abstract class Item {
  @Field(() => ID)
  id!: string;
}

@Directive('@key(fields: "id")')
@Requires('events:read')
@ObjectType('Book', { implements: Item, simpleResolvers: true })
class Book extends Item {
  @Field(() => String)
  pages!: number;
}

@Directive('@key(fields: "id")')
@Authenticated()
@ObjectType('Film', { implements: Item, simpleResolvers: true })
class Film extends Item {}

@Authenticated()
@ObjectType('Shelf')
class Shelf {
  @Field(() => String)
  title(): string {
    return called('title', 'Crime');
  }
  @Requires('audit:read', 'debug:read')
  @Field(() => String, { nullable: true })
  log(): string {
    return called('log', 'lent');
  }
  @Requires(['jobs:write', 'events:read'])
  @Field(() => String)
  strict(): string {
    return called('strict', 'value');
  }
}

@Resolver()
class LibraryResolver {
  @Public()
  @Query(() => String)
  opening(): string {
    return called('opening', 'at nine');
  }
  @Authenticated()
  @Query(() => Shelf, { nullable: true })
  shelf(): Shelf {
    return called('shelf', new Shelf());
  }
  @Authenticated()
  @Query(() => [Item], { nullable: 'items' })
  items(): object[] {
    return called('items', [{ id: 'b', pages: 9 }, { id: 'f' }]);
  }
  @Authenticated()
  @Query(() => Book, { nullable: true })
  book(): object {
    return called('book', { id: 'b', pages: 9 });
  }
  @Requires('jobs:write')
  @Mutation(() => String, { nullable: true })
  lend(): string {
    return called('lend', 'lent');
  }
  @Authenticated()
  @Mutation(() => String, { nullable: true })
  greet(): string {
    return called('greet', 'hello');
  }
  @Requires('events:read')
  @Subscription(() => Shelf, { subscribe: subscribedByParts })
  changes(): Shelf {
    return new Shelf();
  }
}

const library: Subgraph = {
  name: 'library',
  resolvers: [LibraryResolver],
  types: [Book, Film],
  create: () => ({
    resolvers: [new LibraryResolver()],
    references: {
      Book: async (_, references) =>
        called(
          'loadBooks',
          references.map(({ id }) => ({ id, pages: 9 })),
        ),
      Film: async (_, references) =>
        called(
          'loadFilms',
          references.map(({ id }) => ({ id })),
        ),
    },
    subscriptions: {
      changes: async function* () {
        calls.push('changes');
        yield new Shelf();
        yield new Shelf();
      },
    },
  }),
};

const executor = createExecutor(library, library.create({} as never), console as unknown as Logger);

const holder = (...held: Action[]): Identity => ({
  orgId: crypto.randomUUID(),
  subject: { kind: 'USER', id: 'somebody' },
  capabilities: held.map((action) => ({ action, app: 'one' })),
  tier: 'BASIC',
  requestId: 'request',
  deadline: Date.now() + 60_000,
});

const contextOf = (identity: Identity | undefined): GraphQLContext => ({ identity, remoteIp: null });

/** The answer with each error in short: its code, the capability and the path. */
const inShort = ({ data, errors = [] }: ExecutionResult) => ({
  data: JSON.parse(JSON.stringify(data ?? null)),
  errors: errors.map(({ path, extensions: { code, capability } }) => [code, capability, path?.join('.')]),
});
const ask = async (identity: Identity | undefined, query: string, variables?: Record<string, unknown>) =>
  inShort(await executor.execute({ query, variables }, contextOf(identity)));

describe('a field', () => {
  it('that is public is answered to anybody, beside fields that are not', async () => {
    expect(await ask(undefined, '{ opening shelf { title } }')).toEqual({
      data: { opening: 'at nine', shelf: null },
      errors: [['UNAUTHENTICATED', undefined, 'shelf']],
    });
    expect(calls).toEqual(['opening']);
  });

  it('that asks for one of two actions is answered to the holder of either, in whatever scope', async () => {
    for (const action of ['audit:read', 'debug:read'] as const) {
      expect((await ask(holder(action), '{ shelf { log } }')).data).toEqual({ shelf: { log: 'lent' } });
    }
    calls = [];
    expect(await ask(holder('events:read'), '{ shelf { title log } }')).toEqual({
      data: { shelf: { title: 'Crime', log: null } },
      errors: [['FORBIDDEN', 'audit:read', 'shelf.log']],
    });
    expect(calls).toEqual(['shelf', 'title']);
  });

  it('that asks for two actions together names the one that is missing, and is null as far up as it must be', async () => {
    expect(await ask(holder('jobs:write'), '{ opening shelf { title strict } }')).toEqual({
      data: { opening: 'at nine', shelf: null },
      errors: [['FORBIDDEN', 'events:read', 'shelf.strict']],
    });
    expect((await ask(holder('jobs:write', 'events:read'), '{ shelf { strict } }')).errors).toEqual([]);
  });

  it('is refused by the rule of what it answers, before its resolver runs', async () => {
    expect(await ask(holder('jobs:write'), '{ book { id } }')).toEqual({
      data: { book: null },
      errors: [['FORBIDDEN', 'events:read', 'book']],
    });
    expect(calls).toEqual([]);
  });

  it('of an interface is judged by the object that answers it', async () => {
    expect(await ask(holder(), '{ items { __typename id } }')).toEqual({
      data: { items: [null, { __typename: 'Film', id: 'f' }] },
      errors: [['FORBIDDEN', 'events:read', 'items.0.id']],
    });
  });

  it('is refused under an alias, in a fragment and by a condition alike', async () => {
    const query = `query ($yes: Boolean!) { shelf { ...Parts } }
      fragment Parts on Shelf { title ... @include(if: $yes) { mine: log } }`;
    expect((await ask(holder(), query, { yes: true })).errors).toEqual([['FORBIDDEN', 'audit:read', 'shelf.mine']]);
    expect((await ask(holder(), query, { yes: false })).errors).toEqual([]);
  });
});

it('one operation answers each caller by their own rights, whoever asked first', async () => {
  const query = '{ shelf { title log } }';
  const allowed = { data: { shelf: { title: 'Crime', log: 'lent' } }, errors: [] };
  for (const _ of [1, 2]) {
    expect((await ask(undefined, query)).errors).toEqual([['UNAUTHENTICATED', undefined, 'shelf']]);
    expect(await ask(holder('audit:read'), query)).toEqual(allowed);
    expect((await ask(holder(), query)).errors).toEqual([['FORBIDDEN', 'audit:read', 'shelf.log']]);
  }
});

it('of a mutation nothing runs that is denied, and everything else does in its order', async () => {
  expect(await ask(holder(), 'mutation { a: greet lend b: greet }')).toEqual({
    data: { a: 'hello', lend: null, b: 'hello' },
    errors: [['FORBIDDEN', 'jobs:write', 'lend']],
  });
  expect(calls).toEqual(['greet', 'greet']);
});

describe('a subscription', () => {
  const subscribe = (identity: Identity | undefined, query: string) =>
    executor.subscribe({ query }, contextOf(identity));

  it('that is denied is refused before it opens', async () => {
    for (const [identity, refusal] of [
      [undefined, ['UNAUTHENTICATED', undefined, 'changes']],
      [holder('audit:read'), ['FORBIDDEN', 'events:read', 'changes']],
    ] as const) {
      const answer = await subscribe(identity, 'subscription { changes { title } }');
      expect(inShort(answer as ExecutionResult).errors).toEqual([refusal]);
    }
    expect(calls).toEqual([]);
  });

  it('leaves what is denied out of every event', async () => {
    const events = await subscribe(holder('events:read'), 'subscription { changes { title log } }');
    const seen: unknown[] = [];
    for await (const event of events as AsyncIterable<ExecutionResult>) seen.push(inShort(event));
    const event = {
      data: { changes: { title: 'Crime', log: null } },
      errors: [['FORBIDDEN', 'audit:read', 'changes.log']],
    };
    expect(seen).toEqual([event, event]);
  });
});

describe('entities by key', () => {
  const representations = [
    { __typename: 'Book', id: '1' },
    { __typename: 'Film', id: '2' },
    { __typename: 'Book', id: '3' },
  ];
  const entities = (identity: Identity | undefined, fields: string) =>
    ask(identity, `query ($of: [_Any!]!) { _entities(representations: $of) { ${fields} } }`, { of: representations });

  it.each([
    ['with fields', '... on Book { pages } ... on Film { id }'],
    ['by their type alone', '__typename'],
    ['without a selection of their own', '... on Film { id }'],
  ])('%s are answered one by one, and those that are denied are not even looked for', async (_, fields) => {
    const { data, errors } = await entities(holder(), fields);
    expect(data._entities.map((entity: unknown) => entity !== null)).toEqual([false, true, false]);
    expect(errors).toEqual([
      ['FORBIDDEN', 'events:read', '_entities.0'],
      ['FORBIDDEN', 'events:read', '_entities.2'],
    ]);
    expect(calls).toEqual(['loadFilms']);
  });

  it('need a caller', async () => {
    const { errors } = await entities(undefined, '__typename');
    expect(errors.map(([code]) => code)).toEqual(['UNAUTHENTICATED', 'UNAUTHENTICATED', 'UNAUTHENTICATED']);
    expect(calls).toEqual([]);
  });
});

it('a document with several operations is judged by the one that runs', async () => {
  const query = 'query A { opening } query B { shelf { title } }';
  const run = (operationName: string) => executor.execute({ query, operationName }, contextOf(undefined));
  expect(inShort(await run('A')).errors).toEqual([]);
  expect(inShort(await run('B')).errors).toEqual([['UNAUTHENTICATED', undefined, 'shelf']]);
});
