import { buildSchema, type DocumentNode, Kind, parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { type Action, type Identity, systemIdentity } from '../identity.js';
import { AccessRules, allows, denialOf } from './access-rules.js';

const directives = `
  directive @link(url: String, as: String, import: [Import]) repeatable on SCHEMA
  scalar Import
  directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
  directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
  directive @policy(policies: [[String!]!]!) on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
`;

const read = (sdl: string): { rules: AccessRules; rulesOf(query: string, operationName?: string): string[] } => {
  const rules = AccessRules.read(parse(sdl));
  return {
    rules,
    rulesOf: (query, operationName) => {
      const schema = buildSchema(`${directives}${sdl}`, { assumeValid: true, assumeValidSDL: true });
      const found = rules.rulesOf(schema, parse(query), operationName);
      expect(new Set(found).size, 'each rule once').toBe(found.length);
      return found.map(({ anyOf }) => JSON.stringify(anyOf)).sort();
    },
  };
};

const holding = (...held: Action[]): Identity => ({
  ...systemIdentity('org', 'test'),
  capabilities: held.map((action) => ({ action, app: 'Shop', class: 'orders' })),
});

describe('the rule of a field', () => {
  it('is that of the field, of its object and of its answer’s type together', () => {
    const { rules } = read(`
      type Query { both: Secret @requiresScopes(scopes: [["a"]]), type: Secret, open: Open, level: Level }
      type Secret @authenticated { plain: String, deep: Deep @requiresScopes(scopes: [["b"]]) }
      type Deep @requiresScopes(scopes: [["c"]]) { plain: String }
      type Open { id: ID }
      enum Level @requiresScopes(scopes: [["d"]]) { LOW }
    `);
    expect(rules.ruleOf('Query', 'both', 'Secret')?.anyOf).toEqual([['a']]);
    expect(rules.ruleOf('Query', 'type', 'Secret')?.anyOf).toEqual([[]]);
    expect(rules.ruleOf('Secret', 'plain', 'String')?.anyOf).toEqual([[]]);
    expect(rules.ruleOf('Secret', 'deep', 'Deep')?.anyOf).toEqual([['b', 'c']]);
    expect(rules.ruleOf('Query', 'level', 'Level')?.anyOf).toEqual([['d']]);
    expect(rules.ruleOf('Query', 'open', 'Open')).toBeUndefined();
  });

  it('combines alternatives, without those that ask for more than another one', () => {
    const { rules } = read(`
      type Query {
        some: Some @requiresScopes(scopes: [["a"], ["b", "c"]])
        same: Same @requiresScopes(scopes: [["b"], ["a"]])
      }
      type Some @requiresScopes(scopes: [["a"], ["d"]]) { id: ID }
      type Same @requiresScopes(scopes: [["a"], ["b"], ["b", "c"]]) { id: ID }
    `);
    expect(rules.ruleOf('Query', 'some', 'Some')?.anyOf).toEqual([['a'], ['b', 'c', 'd']]);
    expect(rules.ruleOf('Query', 'same', 'Same')?.anyOf).toHaveLength(2);
  });

  it('is one and the same object where it says the same', () => {
    const { rules } = read(`
      type Query { x: ID @requiresScopes(scopes: [["a", "b"], ["c"]]), y: ID @requiresScopes(scopes: [["c"], ["b", "a", "a"]]) }
      type T @authenticated { z: ID @authenticated }
    `);
    expect(rules.ruleOf('Query', 'x', 'ID')).toBe(rules.ruleOf('Query', 'y', 'ID'));
    expect(rules.ruleOf('T', 'z', 'ID')).toBe(rules.ruleOfType('T'));
  });

  it('is none for what is public, and what is public on one side is not open on another', () => {
    const { rules } = read(`
      type Query @authenticated { version: ID @policy(policies: [["public"]]) }
      type Mutation { signIn: ID @policy(policies: [["public"]]) }
    `);
    expect(rules.ruleOf('Mutation', 'signIn', 'ID')).toBeUndefined();
    expect(rules.ruleOf('Query', 'version', 'ID')?.anyOf).toEqual([[]]);
  });

  it('counts of extensions, and under the names that a link gives the directives', () => {
    const { rules } = read(`
      schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [{ name: "@authenticated", as: "@signedIn" }])
        @link(url: "https://specs.apollo.dev/requiresScopes/v0.1", as: "needs") { query: Query }
      extend type Query { a: ID @signedIn, b: ID @needs(scopes: "x"), c: ID @federation__requiresScopes(scopes: [["y"]]) }
    `);
    expect(['a', 'b', 'c'].map((name) => rules.ruleOf('Query', name, 'ID')?.anyOf)).toEqual([[[]], [['x']], [['y']]]);
  });

  it('is an object’s own where composition gave its interface those of all objects', () => {
    const { rules } = read(`
      interface Node @requiresScopes(scopes: [["a", "b"]]) { id: ID, name: ID @authenticated }
      type A implements Node @requiresScopes(scopes: [["a"]]) { id: ID, name: ID @authenticated }
      type B implements Node @requiresScopes(scopes: [["b"]]) { id: ID, name: ID }
      type Query { node: Node }
    `);
    expect(rules.ruleOf('Query', 'node', 'Node')).toBeUndefined();
    expect(rules.ruleOf('A', 'id', 'ID')?.anyOf).toEqual([['a']]);
    expect(rules.ruleOf('B', 'name', 'ID')?.anyOf).toEqual([['b']]);
  });

  it('is its interface’s too where that one has a rule of its own', () => {
    const { rules } = read(`
      interface Node @authenticated { id: ID @requiresScopes(scopes: [["a"]]) }
      type A implements Node { id: ID, other: ID }
    `);
    expect(rules.ruleOf('A', 'id', 'ID')?.anyOf).toEqual([['a']]);
    expect(rules.ruleOf('A', 'other', 'ID')?.anyOf).toEqual([[]]);
  });

  it.each([
    ['@policy(policies: [["public"], ["office-hours"]])', 'The policy "office-hours" on Query.x is not known'],
    ['@policy(policies: [])', 'Query.x lets nobody through'],
    ['@requiresScopes(scopes: [])', 'Query.x lets nobody through'],
    ['@requiresScopes', 'Query.x lets nobody through'],
  ])('refuses a schema with %s', (directive, message) => {
    expect(() => read(`type Query { x: ID ${directive} }`)).toThrow(message);
  });
});

describe('the rules of an operation', () => {
  const sdl = `
    type Query { one: One, any: Any, union: Both, _entities(representations: [Any!]!): [Both] }
    interface Any { id: ID, next: Any }
    type One implements Any @requiresScopes(scopes: [["one"]]) { id: ID, next: Any, own: ID @requiresScopes(scopes: [["own"]]) }
    type Two implements Any { id: ID @requiresScopes(scopes: [["two"]]), next: One }
    type Free { id: ID, one: One }
    union Both = One | Two
    type Mutation { act: ID @authenticated }
  `;

  it.each([
    ['{ __typename __schema { types { name } } }', []],
    ['{ one { id own } }', ['[["one","own"]]', '[["one"]]']],
    // Of an interface, every object that may stand there.
    ['{ any { id } }', ['[["one"]]', '[["two"]]']],
    ['{ any { next { __typename } } }', ['[["one"]]']],
    ['{ union { __typename } }', []],
    ['{ union { ... on Two { id } } }', ['[["two"]]']],
    [
      'query($x: Boolean!) { ...F @skip(if: $x) } fragment F on Query { one { ...O } } fragment O on One { own }',
      ['[["one","own"]]', '[["one"]]'],
    ],
    // An entity's own rule counts, whatever is asked of it.
    ['query($r: [Any!]!) { _entities(representations: $r) { ... on One { __typename } } }', ['[["one"]]']],
    ['query($r: [Any!]!) { _entities(representations: $r) { ...T } } fragment T on Two { id }', ['[["two"]]']],
    ['mutation { act }', ['[[]]']],
  ])('of %s', (query, wanted) => {
    expect(read(sdl).rulesOf(query)).toEqual(wanted);
  });

  it('are those of the operation that is named', () => {
    expect(read(sdl).rulesOf('query A { one { id } } mutation B { act }', 'B')).toEqual(['[[]]']);
  });

  it('are found in time, however often fragments name each other', () => {
    const depth = 60;
    const fragments = Array.from(
      { length: depth },
      (_, i) => `fragment F${i} on One { next { ...F${i + 1} ...F${i + 1} } ...F${i + 1} ...F${i + 1} }`,
    );
    const query = `{ one { ...F0 } } ${fragments.join(' ')} fragment F${depth} on One { own }`;
    const document: DocumentNode = parse(query);
    expect(document.definitions.at(-1)?.kind).toBe(Kind.FRAGMENT_DEFINITION);
    expect(read(sdl).rulesOf(query)).toContain('[["one","own"]]');
  });
});

describe('a caller', () => {
  const { rules } = read(`
    type Query {
      signedIn: ID @authenticated
      read: ID @requiresScopes(scopes: [["jobs:read"], ["jobs:write"]])
      both: ID @requiresScopes(scopes: [["org:read", "org:admin"], ["platform:admin"]])
    }
  `);
  const rule = (name: string) => rules.ruleOf('Query', name, 'ID')!;

  it('is let through with one of the sets of scopes, however narrow the capabilities', () => {
    expect(allows(rule('signedIn'), holding())).toBe(true);
    expect(allows(rule('read'), holding('jobs:write'))).toBe(true);
    expect(allows(rule('read'), holding('audit:read'))).toBe(false);
    expect(allows(rule('both'), holding('org:read'))).toBe(false);
    expect(allows(rule('both'), holding('org:admin', 'org:read'))).toBe(true);
    expect(allows(rule('both'), holding('platform:admin'))).toBe(true);
  });

  it('without a token is told to sign in', () => {
    for (const name of ['signedIn', 'read', 'both']) {
      expect(allows(rule(name), undefined)).toBe(false);
      expect(denialOf(rule(name), undefined)).toMatchObject({
        code: 'UNAUTHENTICATED',
        message: 'Sign in first, and send the access token as `Authorization: Bearer <token>`.',
      });
    }
  });

  it('is told what is missing', () => {
    expect(denialOf(rule('read'), holding())).toMatchObject({
      code: 'FORBIDDEN',
      message: 'This needs the capability jobs:read or jobs:write. Ask an administrator of your organisation for it.',
      details: { capability: 'jobs:read' },
    });
    expect(denialOf(rule('both'), holding('org:read'))).toMatchObject({
      message:
        'This needs the capability org:admin or platform:admin. Ask an administrator of your organisation for it.',
      details: { capability: 'org:admin' },
    });
  });
});
