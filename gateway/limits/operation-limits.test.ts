import { buildASTSchema, type GraphQLError, getIntrospectionQuery, parse, specifiedRules, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { loadConfig, type OperationLimits, operationLimitsOf } from '../../platform/config.js';
import { limitsRule, parseOperation, validateOperation } from './operation-limits.js';

const limits = operationLimitsOf(loadConfig({}));
const schema = buildASTSchema(
  parse(`
    type Query { me: User list(ids: [[Int]], input: Any): [User] node: Node n: Int }
    interface Node { id: ID self: Node }
    type User implements Node { id: ID self: Node friend: User name: String }
    scalar Any
    type Subscription { news(a: Int): User }
  `),
);

const times = (count: number, make: (index: number) => string, separator = ' ') =>
  Array.from({ length: count }, (_, index) => make(index)).join(separator);

/** Fields in each other, so many deep in all. */
const deep = (depth: number) => `{ me ${'{ friend '.repeat(depth - 2)} { id } ${'} '.repeat(depth - 2)} }`;

/** The errors of a document, from its text on. */
const check = (text: string, given: Partial<OperationLimits> = {}): readonly GraphQLError[] => {
  const those = { ...limits, ...given };
  try {
    return validateOperation(schema, parseOperation(text, those), those);
  } catch (error) {
    return [error as GraphQLError];
  }
};
const told = (text: string, given?: Partial<OperationLimits>) =>
  check(text, given).map(({ message, extensions: { code, limit, value, maximum, setting } }) =>
    code === 'OPERATION_LIMIT_EXCEEDED' ? { message, limit, value, maximum, setting } : { message, code },
  );

describe('each limit lets pass what reaches it, and tells number and limit of what is one over', () => {
  const cases: [keyof OperationLimits, number, (n: number) => string, string][] = [
    ['depth', 10, deep, 'The operation nests selections 11 deep; the limit is 10.'],
    [
      'aliases',
      15,
      (n) => `{ ${times(n, (i) => `a${i}: __typename`)} }`,
      'The operation has 16 aliases; the limit is 15.',
    ],
    ['rootFields', 20, (n) => `{ ${'n '.repeat(n)} }`, 'The operation has 21 root fields; the limit is 20.'],
    [
      'directives',
      20,
      (n) => `{ me { ${'id @skip(if: false) '.repeat(n)} } }`,
      'The operation has 21 directives; the limit is 20.',
    ],
    [
      'literalNesting',
      10,
      (n) => `{ list(input: ${'['.repeat(n)}${']'.repeat(n)}) { id } }`,
      'Lists and objects in the text nest 11 deep; the limit is 10.',
    ],
    [
      'nameLength',
      256,
      (n) => `query ${'n'.repeat(n)} { n }`,
      'A name in the document has 257 letters; the limit is 256.',
    ],
    ['lines', 5_000, (n) => `{ n }${'\n'.repeat(n - 1)}`, 'The document has over 5,000 lines; the limit is 5,000.'],
  ];
  it.each(cases)('%s: %i', (limit, maximum, make, message) => {
    expect(told(make(maximum))).toEqual([]);
    const setting = `GRAPHQL_MAX_${limit.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
    expect(told(make(maximum + 1))).toEqual([{ message, limit, value: expect.any(Number), maximum, setting }]);
  });

  it('tokens: 2000', () => {
    const text = (tokens: number) => `{ list(input: [${'1 '.repeat(tokens - 12)}]) { id } }`;
    expect(told(text(2_000))).toEqual([]);
    expect(told(text(2_001))).toMatchObject([{ limit: 'tokens', value: 2_001, maximum: 2_000 }]);
    expect(told(text(2_001))[0]?.message).toBe('The document has 2,001 tokens; the limit is 2,000.');
    expect(told(text(500_000))[0]?.message).toBe('The document has over 20,000 tokens; the limit is 2,000.');
  });

  it('several at once are all told', () => {
    expect(
      told(`{ ${times(21, (i) => `a${i}: n @skip(if: false)`)} }`).map((error) => 'limit' in error && error.limit),
    ).toEqual(['aliases', 'rootFields', 'directives']);
  });
});

describe('what counts', () => {
  it('fields in fragments count where they are spread, wherever the fragment stands', () => {
    expect(told(`{ me { ...F } } fragment F on User { friend { friend { id } } }`, { depth: 3 })).toMatchObject([
      { limit: 'depth', value: 4 },
    ]);
    expect(
      told('{ ...F ...F } fragment F on Query { n ... on Query { __typename } }', { rootFields: 3 }),
    ).toMatchObject([{ limit: 'rootFields', value: 4 }]);
    expect(told('{ me { ... on User { ... { id } } } }', { depth: 2 })).toEqual([]);
  });

  it('aliases and directives count once as they are written, also in a fragment that is spread often', () => {
    const text = '{ me { ...F friend { ...F self { ...F } } } } fragment F on Node { a: id @skip(if: false) }';
    expect(told(text, { aliases: 1, directives: 1 })).toEqual([]);
    expect(told(text, { aliases: 0, directives: 0 })).toMatchObject([{ value: 1 }, { value: 1 }]);
  });

  it('directives count on operations, variables, fragments and spreads, and values in them and in defaults', () => {
    const text =
      'query ($v: Any = [[1]]) { ...F @skip(if: true) me @include(if: true) { id } list(input: $v) { id } } fragment F on Query { n }';
    expect(told(text, { directives: 1, literalNesting: 1 })).toMatchObject([
      { limit: 'directives', value: 2 },
      { limit: 'literalNesting', value: 2 },
    ]);
  });

  it('every operation of the document, also one that does not run', () => {
    expect(told('query A { n } query B { me { friend { friend { id } } } }', { depth: 3 })).toMatchObject([
      { limit: 'depth', value: 4 },
    ]);
  });

  it('introspection and fragments in each other are exempt from the depth, within a bound of their own', () => {
    expect(check(getIntrospectionQuery())).toEqual([]);
    expect(told(getIntrospectionQuery(), { depth: 1 })).toEqual([]);
    const around = (levels: number, open: string) => `${open.repeat(levels)} { __typename } ${'} '.repeat(levels)}`;
    expect(check(`{ __type(name: "User") ${around(38, '{ ofType ')} }`)).toEqual([]);
    expect(told(`{ __type(name: "User") ${around(39, '{ ofType ')} }`)).toMatchObject([
      { limit: 'depth', maximum: 40, value: 41 },
    ]);
    expect(told(`{ me ${around(39, '{ ... ')} }`)).toMatchObject([{ limit: 'depth', maximum: 40, value: 41 }]);
  });
});

describe('what would take long is refused at once', () => {
  const bomb = (levels: number) =>
    `{ ...F0 } ${times(levels, (i) => `fragment F${i} on Query { ${i + 1 < levels ? `...F${i + 1} ... { ...F${i + 1} }` : 'n'} }`)}`;
  const documents: [string, string][] = [
    ['a fragment bomb of 2^20 fields', bomb(21)],
    [
      'a bomb of fragments within fields',
      `{ me { ...F0 } } ${times(21, (i) => `fragment F${i} on User { a: friend { ...F${(i + 1) % 22} } b: friend { ...F${(i + 1) % 22} } }`)} fragment F21 on User { id }`,
    ],
    ['the same field again and again', `{ ${'me { friend { id } } '.repeat(249)} }`],
    ['the same leaf again and again', `{ me { ${'id '.repeat(1_990)} } }`],
    [
      'fragments that spread each other crosswise',
      `{ me { ...F0 } } ${times(40, (i) => `fragment F${i} on User { id ${times(39 - i, (j) => `...F${i + j + 1}`)} }`)}`,
    ],
    ['a fragment that nothing uses', `{ n } fragment U on User { ${'friend { id } '.repeat(400)} }`],
  ];
  it.each(documents)('%s', (_name, text) => {
    const document = parse(text);
    const duration = (run: () => readonly GraphQLError[]) => {
      let best = Number.POSITIVE_INFINITY;
      for (let n = 0; n < 5; n += 1) {
        const started = performance.now();
        const errors = run();
        best = Math.min(best, performance.now() - started);
        expect(errors.map(({ extensions }) => extensions.code)).not.toContain(undefined);
        expect(errors.map(({ extensions }) => extensions.limit).join()).toMatch(/selections|repetitions/);
      }
      return best;
    };
    expect(duration(() => validateOperation(schema, document, limits))).toBeLessThan(50);
    // Also where the rule stands behind all others.
    expect(duration(() => validate(schema, document, [...specifiedRules, limitsRule(limits)]))).toBeLessThan(50);
  });

  it('what comes as close to the limits as it can takes less than 50 ms', () => {
    const closest = [
      `{ ${'me { friend { id } } '.repeat(20)} }`,
      `{ me { ${'friend { id } '.repeat(99)} } }`,
      `{ me { ${'id '.repeat(140)} } }`,
      `{ me { ${times(100, (i) => `...F${i}`)} } } ${times(100, (i) => `fragment F${i} on User { id }`)}`,
      `{ me { ...F0 } } ${times(35, (i) => `fragment F${i} on User { id ${i < 34 ? `...F${i + 1}` : ''} }`)}`,
    ];
    for (const text of closest) {
      const document = parse(text);
      const durations = Array.from({ length: 5 }, () => {
        const started = performance.now();
        expect(validateOperation(schema, document, limits)).toEqual([]);
        return performance.now() - started;
      });
      expect(Math.min(...durations)).toBeLessThan(50);
    }
  });
});

describe('what graphql-js cannot take comes out as an error of the document', () => {
  it.each([
    [
      'a condition on the root of a subscription',
      'subscription ($x: Boolean!) { news @include(if: $x) { id } }',
      'The root field of a subscription takes no @include.',
    ],
    [
      'one in a fragment',
      'subscription ($x: Boolean!) { ...F } fragment F on Subscription { ... @skip(if: $x) { news { id } } }',
      'The root field of a subscription takes no @skip.',
    ],
    [
      'a cycle of fragments',
      '{ me { ...A } } fragment A on User { id ...B } fragment B on User { ...A }',
      'Cannot spread fragment "A" within itself via "B".',
    ],
  ])('%s', (_name, text, message) => {
    expect(told(text)).toEqual([{ message, code: 'GRAPHQL_VALIDATION_FAILED' }]);
    expect(validate(schema, parse(text), [...specifiedRules, limitsRule(limits)])).toHaveLength(1);
  });

  it('a value that nests deeper than the parser’s stack', () => {
    expect(told(`{ list(input: ${'['.repeat(100_000)}`, { tokens: 1_000_000 })).toMatchObject([
      { limit: 'literalNesting', maximum: 10 },
    ]);
  });

  it('a text that is not GraphQL', () => {
    expect(told('{ me')).toEqual([
      { message: 'Syntax Error: Expected Name, found <EOF>.', code: 'GRAPHQL_PARSE_FAILED' },
    ]);
  });

  it('tells 20 errors at most', () => {
    expect(check(`{ me { ${times(500, (i) => `x${i}`)} } }`)).toHaveLength(21);
  });
});
