/** The compiled executor answers as graphql-js' own `execute`. */
import { buildSubgraphSchema } from '@apollo/subgraph';
import fc from 'fast-check';
import {
  buildSchema,
  type DocumentNode,
  type ExecutionResult,
  execute,
  type GraphQLSchema,
  getIntrospectionQuery,
  Kind,
  parse,
  visit,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { createSchemaExecutor, type GraphQLContext } from '../subgraph.js';
import { compileExecution, type ExecutionRequest } from './compiled-executor.js';
import { RandomData } from './executor/testing/data.js';
import { randomDocument, randomVariables } from './executor/testing/operations.js';
import { type Log, schemas } from './executor/testing/schemas.js';
import { Tape } from './executor/testing/tape.js';

/** All that a caller can see of an answer, the order of keys and errors included. */
const seen = ({ data, errors, ...rest }: ExecutionResult) => ({
  data: JSON.stringify(data),
  errors: errors?.map(({ message, path, nodes, extensions, originalError, locations }) => ({
    message,
    path: path?.join('.'),
    nodes,
    extensions: JSON.stringify(extensions),
    cause: originalError?.message,
    locations,
  })),
  rest,
});

const isDeep = process.env.HARBORWATCH_DEEP !== undefined;

/** Runs what may leave rejected promises behind, and tells their reasons. */
async function withUnhandled<T>(run: () => Promise<T>): Promise<[T, unknown[]]> {
  const reasons: unknown[] = [];
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason) => reasons.push(reason));
  try {
    const result = await run();
    await new Promise((resolve) => setImmediate(resolve));
    return [result, reasons];
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of others) process.on('unhandledRejection', listener);
  }
}

describe('any operation on any data', () => {
  it('has the same data, errors, order and calls of resolvers as by graphql-js, and leaves no promise unhandled', async () => {
    const tapes = fc.noBias(fc.array(fc.nat(0xffff), { maxLength: 2_000, size: 'max' }));
    const predicate = async (numbers: number[], schemaIndex: number): Promise<void> => {
      const tape = new Tape(numbers);
      const schema = schemas[schemaIndex]!;
      const text = randomDocument(tape);
      const document = parse(text, { noLocation: true });
      const compiled = compileExecution(schema, document);
      for (let round = 0; round < 2; round++) {
        const variableValues = randomVariables(tape);
        const data = new RandomData(tape, schema, document).root();
        const answer = async (run: (request: ExecutionRequest) => ExecutionResult | Promise<ExecutionResult>) => {
          const log: Log = [];
          const result = run({ contextValue: { log }, variableValues, rootValue: data() });
          const isLate = result instanceof Promise;
          return { isLate, ...seen(await result), log };
        };
        const [expected] = await withUnhandled(() =>
          answer((request) => execute({ ...request, schema, document }) as never),
        );
        const [actual, unhandled] = await withUnhandled(() => answer(compiled));
        expect(actual).toEqual(expected);
        // Conditions may be left to graphql-js, which forgets promises.
        if (!text.includes('@')) expect(unhandled).toEqual([]);
      }
    };
    await fc.assert(fc.asyncProperty(tapes, fc.nat(schemas.length - 1), predicate), { numRuns: isDeep ? 20_000 : 300 });
  }, 3_600_000);
});

/** Both answers to an operation on a schema without errors in its documents. */
const both = async (schema: GraphQLSchema, source: string | DocumentNode, request: ExecutionRequest = {}) => {
  const document = typeof source === 'string' ? parse(source, { noLocation: true }) : source;
  const compiled = await compileExecution(schema, document)(request);
  expect(seen(compiled)).toEqual(seen(await execute({ ...request, schema, document })));
  return compiled;
};

describe('answers', () => {
  const schema = buildSchema(
    'type Query { text(of: String): String list: [Query!] self: Query! } type Mutation { text: String }',
  );

  it('are no promises where nothing is asynchronous, and plain objects throughout', () => {
    const result = compileExecution(
      schema,
      parse('{ list { self { text } } }'),
    )({
      rootValue: { list: [{ self: { text: () => 'a' } }] },
    }) as ExecutionResult<any>;
    expect(result).toEqual({ data: { list: [{ self: { text: 'a' } }] } });
    expect(Object.getPrototypeOf(result.data.list[0].self)).toBe(Object.prototype);
  });

  it.each(['query', 'mutation'])('to a %s keep an alias __proto__ as a property', async (kind) => {
    for (const text of ['a', Promise.resolve('a')]) {
      const { data } = await both(schema, `${kind} { __proto__: text constructor: text }`, { rootValue: { text } });
      expect(Object.keys(data!)).toEqual(['__proto__', 'constructor']);
      expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    }
  });

  it('have any name that a document made by hand gives, and run none of it', async () => {
    const name = '\'`"]: 1}; globalThis.broken = true; //\u2028\n';
    const document = parse('{ a: text self { a: text } }', { noLocation: true });
    const renamed = visit(document, {
      enter: (node) => (node.kind === Kind.NAME && node.value === 'a' ? { ...node, value: name } : undefined),
    });
    const { data } = await both(schema, renamed, {
      rootValue: { text: 'x', self: { text: Promise.reject(new Error('no')) } },
    });
    expect(data).toEqual({ [name]: 'x', self: { [name]: null } });
    expect(globalThis).not.toHaveProperty('broken');
  });

  it('call methods and getters on their instance', async () => {
    class Source {
      #name = 'private';
      get self() {
        return this;
      }
      text({ of }: { of?: string }) {
        return `${this.#name} ${of}`;
      }
    }
    const { data } = await both(schema, '{ self { text(of: "x") } }', { rootValue: new Source() });
    expect(data).toEqual({ self: { text: 'private x' } });
  });

  it('give each resolver arguments of its own', async () => {
    const text = (args: { of?: string }) => `${args.of}${delete args.of}`;
    const rootValue = { text, list: [{ text }, { text }] };
    const { data } = await both(schema, 'query ($v: String = "v") { list { text(of: "x") b: text(of: $v) } }', {
      rootValue,
    });
    expect(data).toEqual({
      list: [
        { text: 'xtrue', b: 'vtrue' },
        { text: 'xtrue', b: 'vtrue' },
      ],
    });
  });

  it('take variables of any name', async () => {
    const query =
      'query ($__proto__: String, $constructor: String) { a: text(of: $__proto__) b: text(of: $constructor) }';
    const rootValue = { text: (args: object) => JSON.stringify(args) };
    const variableValues = JSON.parse('{ "__proto__": "p" }');
    const { data } = await both(schema, query, { rootValue, variableValues });
    expect(data).toEqual({ a: '{"of":"p"}', b: '{}' });
  });

  it('are right for every outcome of more conditions than are compiled', async () => {
    const names = [...'abcdef'];
    const text = `query (${names.map((name) => `$${name}: Boolean!`)}) { ${names.map((name) => `${name}: text @skip(if: $${name})`)} }`;
    const document = parse(text, { noLocation: true });
    const compiled = compileExecution(schema, document);
    for (let outcome = 0; outcome < 64; outcome++) {
      const variableValues = Object.fromEntries(names.map((name, bit) => [name, (outcome & (1 << bit)) !== 0]));
      const request = { rootValue: { text: 't' }, variableValues };
      expect(seen(await compiled(request))).toEqual(seen(await execute({ ...request, schema, document })));
    }
  });

  it('run the operation of the given name, and tell when there is none', async () => {
    const document = parse('query A { a: text } mutation B { b: text } fragment C on Query { text }', {
      noLocation: true,
    });
    for (const operationName of ['A', 'B', 'C', '', null, undefined]) {
      const request = { rootValue: { text: 't' } };
      const compiled = compileExecution(schema, document, operationName);
      expect(seen(await compiled(request))).toEqual(
        seen(await execute({ ...request, schema, document, operationName })),
      );
    }
    await both(schema, 'fragment C on Query { text }');
    await both(schema, 'subscription { text }');
  });

  it('refuse variables that are no object, and schemas that are not valid', () => {
    const variableValues = 'text' as never;
    expect(() => compileExecution(schema, parse('{ text }'))({ variableValues })).toThrow('Variables must be provided');
    expect(() => compileExecution(buildSchema('type A { a: Int }'), parse('{ a }'))).toThrow('Query root type');
  });

  it('to introspection are those of graphql-js', async () => {
    for (const schema of schemas) {
      const options = { inputValueDeprecation: true, specifiedByUrl: true, schemaDescription: true };
      await both(schema, getIntrospectionQuery(options));
      await both(schema, 'query ($n: String!) { __typename __type(name: $n) { __typename fields { name } } }', {
        variableValues: { n: 'Item' },
      });
    }
  });

  it('to _entities and _service are those of graphql-js', async () => {
    const subgraph = buildSubgraphSchema([
      {
        typeDefs: parse(
          'type Query { a: Int } type User @key(fields: "id") { id: ID! name: String } type Team @key(fields: "id") { id: ID! }',
        ),
        resolvers: {
          User: {
            __resolveReference: async ({ id }: { id: string }) => (id === '3' ? null : { id, name: `User ${id}` }),
          },
        },
      },
    ]);
    const representations = [
      { __typename: 'User', id: '1' },
      { __typename: 'Team', id: '2' },
      { __typename: 'User', id: '3' },
    ];
    const query =
      'query ($r: [_Any!]!) { _service { sdl } _entities(representations: $r) { __typename ...on User { name } ...on Team { id } } }';
    const { data } = await both(subgraph, query, { variableValues: { r: representations } });
    expect(data!._entities).toEqual([{ __typename: 'User', name: 'User 1' }, { __typename: 'Team', id: '2' }, null]);
    const unknown = [{ __typename: 'Nobody' }];
    expect((await both(subgraph, query, { variableValues: { r: unknown } })).errors).toHaveLength(1);
  });
});

describe('a schema executor', () => {
  const schema = buildSchema('type Query { a: Int fails: Int } type Subscription { ticks(to: Int!): Int }');
  const { ticks } = schema.getSubscriptionType()!.getFields();
  ticks!.subscribe = async function* (_source, { to }: { to: number }) {
    for (let tick = 1; tick <= to; tick++) yield { ticks: tick === 2 ? new Error('two') : tick };
  };
  const executor = createSchemaExecutor('test', schema);
  const context: GraphQLContext = { identity: undefined, remoteIp: null };

  it('answers at once, errors as they are', () => {
    expect(executor.execute({ query: '{ a }' }, context)).toEqual({ data: { a: null } });
    expect(executor.execute({ query: 'query A { a } query B { b: a }', operationName: 'B' }, context)).toEqual({
      data: { b: null },
    });
    expect(() => executor.execute({ query: '{' }, context)).toThrow('Syntax Error');
  });

  it('completes each event of a subscription, and answers why there is no stream', async () => {
    const query = 'subscription ($to: Int!) { t: ticks(to: $to) }';
    const stream = await executor.subscribe({ query, variables: { to: 3 } }, context);
    const events = await Array.fromAsync(stream as AsyncIterable<ExecutionResult>);
    expect(events.map(({ data }) => data)).toEqual([{ t: 1 }, { t: null }, { t: 3 }]);
    expect(events[1]!.errors).toMatchObject([{ message: 'two', path: ['t'] }]);
    expect(await executor.subscribe({ query, variables: {} }, context)).toMatchObject({
      errors: [{ message: 'Variable "$to" of required type "Int!" was not provided.' }],
    });
  });
});
