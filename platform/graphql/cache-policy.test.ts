import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { cacheControlDefinitions, cachePolicyOf } from './cache-policy.js';

const schema = buildSchema(`
  ${cacheControlDefinitions}
  directive @inaccessible on ENUM

  type Query {
    silent: Book
    silentNumber: Int
    number: Int @cacheControl(maxAge: 40)
    book: Book @cacheControl(maxAge: 60)
    books: [Book!]! @cacheControl(maxAge: 60)
    mine: Book @cacheControl(maxAge: 60, scope: PRIVATE)
    typed: Typed
    typedFresher: Typed @cacheControl(maxAge: 5)
    inheriting: Typed @cacheControl(inheritMaxAge: true)
    rootInherits: Book @cacheControl(inheritMaxAge: true)
    media: Media @cacheControl(maxAge: 100)
    anything: Anything @cacheControl(maxAge: 100)
    _entities: [_Entity]!
  }
  type Mutation { change: Int @cacheControl(maxAge: 60) }
  type Book implements Media {
    title: String
    price: Int @cacheControl(maxAge: 10)
    stock: Int @cacheControl(maxAge: 0)
    secret: String @cacheControl(scope: PRIVATE)
    author: Author
    cachedAuthor: Author @cacheControl(maxAge: 30)
    inheritedAuthor: Author @cacheControl(inheritMaxAge: true)
    inheritedTyped: Typed @cacheControl(inheritMaxAge: true)
    publisher: Publisher
  }
  type Film implements Media { title: String @cacheControl(maxAge: 7) }
  interface Media { title: String }
  union Anything = Book | Typed
  type Author { name: String }
  type Publisher @cacheControl(inheritMaxAge: true) { name: String }
  type Typed @cacheControl(maxAge: 20) { name: String }
  type Hidden @cacheControl(maxAge: 20, scope: PRIVATE) { name: String }
  union _Entity = Author | Typed | Hidden
`);

const policyOf = (operation: string): string | undefined => {
  const document = parse(operation);
  expect(validate(schema, document)).toEqual([]);
  return cachePolicyOf(schema, document);
};

describe('the cache policy of an operation', () => {
  it.each([
    ['a root field without a hint', '{ silent { title } }', undefined],
    ['a root number without a hint', '{ silentNumber }', undefined],
    ['a root number with a hint', '{ number }', 'max-age=40, public'],
    ['numbers and texts, which follow their parent', '{ book { title } }', 'max-age=60, public'],
    ['a list', '{ books { title } }', 'max-age=60, public'],
    ['two root fields, of which the shorter time counts', '{ book { title } number }', 'max-age=40, public'],
    ['a root field without a hint beside one with a hint', '{ book { title } silentNumber }', undefined],
    ['a field with a shorter time', '{ book { title price } }', 'max-age=10, public'],
    ['a field that may not be kept', '{ book { title stock } }', undefined],
    ['a private root field', '{ mine { title } }', 'max-age=60, private'],
    ['a private field deep down', '{ book { secret } }', 'max-age=60, private'],
    ['an object without a hint', '{ book { author { name } } }', undefined],
    ['an object with a hint', '{ book { cachedAuthor { name } } }', 'max-age=30, public'],
    ['an object that inherits by its field', '{ book { inheritedAuthor { name } } }', 'max-age=60, public'],
    ['an object that inherits by its type', '{ book { publisher { name } } }', 'max-age=60, public'],
    ['a type with a hint', '{ typed { name } }', 'max-age=20, public'],
    ['a field whose hint overrules its type', '{ typedFresher { name } }', 'max-age=5, public'],
    ['inheritance, which a type with a time of its own overrules', '{ inheriting { name } }', 'max-age=20, public'],
    ['the same below the root', '{ book { inheritedTyped { name } } }', 'max-age=20, public'],
    ['a root field that has nothing to inherit from', '{ rootInherits { title } }', undefined],
    ['an interface, of which the strictest type counts', '{ media { title } }', 'max-age=7, public'],
    ['a union', '{ anything { ... on Book { price } ... on Typed { name } } }', 'max-age=10, public'],
    ['a fragment', '{ ...F } fragment F on Query { book { ...G } } fragment G on Book { price }', 'max-age=10, public'],
    ['a part that is left out', '{ book { title price @include(if: false) } }', 'max-age=10, public'],
    ['type names alone', '{ __typename }', undefined],
    ['type names beside others', '{ __typename book { __typename title } }', 'max-age=60, public'],
    ['entities of a type with a hint', '{ _entities { ... on Typed { name } } }', 'max-age=20, public'],
    ['entities of a private type', '{ _entities { ... on Hidden { name } } }', 'max-age=20, private'],
    ['entities of a type without a hint', '{ _entities { ... on Author { name } } }', undefined],
    ['entities of both', '{ _entities { ... on Typed { name } ...A } } fragment A on Author { name }', undefined],
    ['a mutation', 'mutation { change }', undefined],
  ])('is right for %s', (_what, operation, policy) => {
    expect(policyOf(operation)).toBe(policy);
  });

  it('takes no longer for fragments that use each other twice at every level', () => {
    const levels = Array.from({ length: 60 }, (_, level) =>
      level === 59
        ? `fragment F59 on Book { price }`
        : `fragment F${level} on Book { ...F${level + 1} ...F${level + 1} }`,
    );
    expect(cachePolicyOf(schema, parse(`{ book { ...F0 } } ${levels.join(' ')}`))).toBe('max-age=10, public');
  });
});
