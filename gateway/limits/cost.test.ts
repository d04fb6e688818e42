import { readFileSync } from 'node:fs';
import { buildASTSchema, getOperationAST, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { loadConfig, operationLimitsOf } from '../../platform/config.js';
import { costOf } from './cost.js';

const link = (imports: string) => `
  schema @link(url: "https://specs.apollo.dev/cost/v0.1", import: [${imports}]) { query: Query mutation: Mutation }
  directive @link(url: String, as: String, for: String, import: [String]) repeatable on SCHEMA
  directive @cost(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
  directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
`;
const types = `
  type Query {
    node(filter: Filter, filters: [Filter!]): Node
    nodes: [Node!]!
    page(first: Int = 20, last: Int): Page @listSize(assumedSize: 50, slicingArguments: ["first", "last"], sizedFields: ["items", "edges"], requireOneSlicingArgument: false)
    strict(first: Int, last: Int): [Item] @listSize(slicingArguments: ["first", "last"])
    nested(input: Paging): [Item] @listSize(assumedSize: 7, slicingArguments: ["input.page.size"], requireOneSlicingArgument: false)
    search: [Result] @listSize(assumedSize: 4)
    dear: Item @cost(weight: 30)
    priced(at: Int @cost(weight: 6), as: Money): Int
  }
  type Mutation { make(input: Filter): Item }
  input Filter { name: String, inner: Filter, dear: Int @cost(weight: 3) }
  input Paging { page: Size }
  input Size { size: Int }
  scalar Money @cost(weight: 2)
  interface Node { id: ID! children(first: Int): [Node!] @listSize(assumedSize: 2, slicingArguments: ["first"], requireOneSlicingArgument: false) }
  type Item implements Node { id: ID! children(first: Int): [Node!] owner: Owner price: Money tags: [String] }
  type Owner implements Node { id: ID! children(first: Int): [Node!] items: [Item] boss: Owner }
  type Heavy implements Node @cost(weight: 9) { id: ID! children(first: Int): [Node!] }
  union Result = Item | Owner
  type Page { items: [Item!]! edges: [Edge!]! total: Int }
  type Edge { node: Item! cursor: String }
`;
const supergraph = parse(link('"@cost", "@listSize"') + types);
const schema = buildASTSchema(supergraph);
const compile = (text: string, compiler = costOf(supergraph, schema)) => {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  return compiler(document, getOperationAST(document)!);
};
const costs = (text: string, variables = {}) => compile(text)(variables);

describe('an operation costs', () => {
  it.each([
    ['nothing for scalars and introspection', '{ __typename priced __schema { types { name } } }', 0],
    ['1 for an object', '{ page { total } }', 1],
    ['10 more for a mutation, and 1 for an input object', 'mutation { make(input: { name: "x" }) { id } }', 12],
    ['an unsized list ten times its item', '{ node { ... on Owner { items { id } } } }', 9 - 9 + 1 + 10],
    ['what @cost says of a field, a type and a scalar', '{ dear { price } nodes { id } }', 30 + 2 + 10 * 9],
    ['what @cost says of an argument and of an argument’s type', '{ priced(at: 1, as: 5) }', 8],
    ['the default of an argument', '{ page { items { id } } }', 1 + 20],
    ['the size that is given', '{ page(first: 3) { items { id } edges { node { id } } } }', 1 + 3 + 3 * 2],
    ['the assumed size where a null is given', '{ page(first: null) { items { id } } }', 1 + 50],
    ['the longest of several sizes', '{ page(first: 3, last: 8) { items { id } } }', 1 + 8],
    ['nothing for a negative size', '{ page(first: -8) { items { id } } }', 1],
    ['a size within an input object', '{ nested(input: { page: { size: 9 } }) { id } }', 9 + 3 - 1],
    ['input objects one by one', '{ node(filters: [{ inner: { dear: 1 } }, {}]) { id } }', 9 + 1 + (1 + 3) + 1],
    ['the dearest type of an interface', '{ node { ... on Owner { boss { boss { id } } } } }', 9],
    ['the dearest type of a union', '{ search { ... on Item { owner { id } } ... on Owner { id } } }', 4 * 2],
    [
      'merged fields once',
      '{ page(first: 2) { items { id } items { owner { id } } } ...P } fragment P on Query { page(first: 2) { total } }',
      1 + 2 * 2,
    ],
    ['@listSize of an interface on its types', '{ node { children(first: 5) { id } } }', 9 + 5 * 9],
    [
      'nothing for what is left out for sure',
      '{ dear @skip(if: true) { id } ... @include(if: false) { nodes { id } } }',
      0,
    ],
  ])('%s', (_name, text, cost) => {
    expect(costs(text)).toBe(cost);
  });

  it('what its variables ask for, with their defaults, and conditions as if they held', () => {
    const text = `query ($n: Int = 5, $m: Int, $if: Boolean!, $f: Filter) {
      page(first: $n) @include(if: $if) { items { children(first: $m) { id } } }
      node(filter: $f) { id }
    }`;
    const cost = compile(text);
    expect(cost({ if: false })).toBe(1 + 5 * (1 + 2 * 9) + 9);
    expect(cost({ if: true, n: 100, m: 10 })).toBe(1 + 100 * (1 + 10 * 9) + 9);
    expect(cost({ if: true, n: null, m: -1 })).toBe(1 + 50 + 9);
    expect(cost({ if: true, n: 0, f: { inner: { inner: {}, dear: 1 } } })).toBe(1 + 9 + 6);
  });

  it('ten for each unsized list, and exactly one slicing argument where it is asked for', () => {
    expect(costs('{ strict(first: 4) { id tags } }')).toBe(4);
    expect(() => costs('{ strict { id } }')).toThrow('Query.strict takes exactly one of first, last; 0 are given.');
    expect(() => costs('{ strict(first: 1, last: 2) { id } }')).toThrow('2 are given');
  });

  it('the same under other names of the directives, and 1 an object without them', () => {
    const renamed = `${link('{ name: "@listSize", as: "@sized" }')}${types}`
      .replaceAll('@listSize(a', '@sized(a')
      .replaceAll('@listSize(s', '@sized(s')
      .replaceAll('directive @sized', 'directive @listSize');
    expect(compile('{ page(first: 30) { items { id } } dear { id } }', costOf(parse(renamed), schema))({})).toBe(61);
    const unlinked = parse(`schema { query: Query }${types}`);
    expect(compile('{ page(first: 30) { items { id } } dear { id } }', costOf(unlinked, schema))({})).toBe(1 + 10 + 1);
  });

  it('a time that grows with its text alone, not with what its fragments and types multiply to', () => {
    const depth = 40;
    const fragments = Array.from({ length: depth }, (_, n) =>
      n + 1 === depth
        ? `fragment F${n} on Node { id }`
        : `fragment F${n} on Node { a: children(first: $n) { ...F${n + 1} } b: children(first: $n) { ...F${n + 1} } }`,
    );
    const started = performance.now();
    const cost = compile(`query ($n: Int) { node { ...F0 } } ${fragments.join(' ')}`);
    expect(cost({ n: 1 })).toBeGreaterThan(1e11);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('the product’s own graph', () => {
  const own = parse(readFileSync('schema/supergraph.graphql', 'utf8'));
  const api = buildASTSchema(parse(readFileSync('schema/api.graphql', 'utf8')));
  const costOfOwn = (text: string, variables = {}) => {
    const document = parse(text);
    expect(validate(api, document)).toEqual([]);
    return costOf(own, api)(document, getOperationAST(document)!)(variables);
  };

  it('lets the largest pages pass, and not pages within pages', () => {
    const limit = operationLimitsOf(loadConfig({})).cost;
    const job =
      'id status progress { percent } error { message } columns { name type } org { name limits { burstCapacity } } submittedBy { email capabilities { action } }';
    const rows =
      'query ($id: ID!, $n: Int) { job(id: $id) { results(first: $n) { edges { cursor node } nodes pageInfo { endCursor } } } }';
    const audit =
      '{ activityLog(app: "a", days: 1, first: 200) { edges { node { id who actor { who firstSeenAt } app { name entryCount { value } } remoteIp { address } ... on DataChangeLogEntry { changes { field } } } } totalCount { value } } }';
    expect(costOfOwn(rows, { n: 10_000 })).toBe(20_003);
    expect(costOfOwn(`{ jobs(first: 200) { nodes { ${job} } edges { node { ${job} } } } }`)).toBeLessThan(limit / 5);
    expect(costOfOwn(audit)).toBeLessThan(limit / 5);
    expect(costOfOwn('{ jobs(first: 200) { nodes { results(first: 10000) { nodes } } } }')).toBeGreaterThan(limit);
    expect(costOfOwn('{ jobs { nodes { results { nodes } } } }')).toBeLessThan(limit);
    expect(costOfOwn('{ jobs(first: 200) { nodes { results { nodes } } } }')).toBeGreaterThan(limit);
  });

  it('tells the cost of a typical operation within 2 µs', () => {
    const document = parse(
      'query ($first: Int, $id: ID!) { jobs(first: $first) { nodes { id progress { percent } submittedBy { email } } } job(id: $id) { results(first: $first) { nodes } } }',
    );
    const cost = costOf(own, api)(document, getOperationAST(document)!);
    const times = Array.from({ length: 50 }, () => {
      const started = performance.now();
      for (let n = 0; n < 1_000; n += 1) cost({ first: n % 100, id: 'x' });
      return performance.now() - started;
    });
    expect(Math.min(...times)).toBeLessThan(2);
  });
});
