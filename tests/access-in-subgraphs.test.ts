/**
 * Every root field and every entity of every subgraph, asked by callers who may not: refused by the subgraph itself, with
 * nothing executed. The operations come from the schemas, so new fields are asked for without a change here.
 */
import { buildSubgraphSchema } from '@apollo/subgraph';
import {
  type ExecutionResult,
  type GraphQLField,
  type GraphQLInputType,
  GraphQLScalarType,
  getNamedType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
  type OperationTypeNode,
  parse,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccessRule, AccessRules } from '../platform/graphql/access-rules.js';
import * as scalars from '../platform/graphql/scalars.js';
import { actions, type Identity } from '../platform/identity.js';
import {
  createExecutor,
  printSubgraph,
  type Subgraph,
  type SubgraphExecutor,
  type SubgraphOperation,
} from '../platform/subgraph.js';
import { subgraphs } from '../subgraphs/index.js';
import { createTestPlatform, type TestPlatform } from './setup/database.js';

let test: TestPlatform;
beforeAll(async () => {
  test = await createTestPlatform();
});
afterAll(() => test.close());

/** A value that the type takes; the least one of an input object. */
function placeholder(type: GraphQLInputType): unknown {
  if (isNonNullType(type)) return placeholder(type.ofType);
  if (isListType(type)) return [placeholder(type.ofType)];
  if (isEnumType(type)) return type.getValues()[0]!.name;
  if (isInputObjectType(type)) {
    const required = Object.values(type.getFields()).filter(isRequiredInputField);
    return Object.fromEntries(required.map((field) => [field.name, placeholder(field.type)]));
  }
  const known: Record<string, unknown> = { ID: crypto.randomUUID(), String: 'x', Int: 1, Float: 1, Boolean: true };
  if (type.name in known) return known[type.name];
  const own = Object.values(scalars).find(
    (scalar): scalar is GraphQLScalarType<string, string> =>
      scalar instanceof GraphQLScalarType && scalar.name === type.name,
  );
  return ['2026-01-01T00:00:00Z', '1'].find((value) => {
    try {
      return own?.parseValue(value);
    } catch {
      return false;
    }
  });
}

interface Probe extends SubgraphOperation {
  /** The field, or the entity. */
  name: string;
  kind: `${OperationTypeNode}`;
  /** Where the refusal stands in the answer. */
  path: string;
  /** Undefined where anybody may ask. */
  rule: AccessRule | undefined;
}

function probesOf(subgraph: Subgraph): Probe[] {
  const typeDefs = parse(printSubgraph(subgraph));
  const schema = buildSubgraphSchema([{ typeDefs }]);
  const rules = AccessRules.read(typeDefs);
  const probeOf = (kind: Probe['kind'], typeName: string, field: GraphQLField<unknown, unknown>): Probe => {
    const given = field.args.filter(isRequiredArgument);
    const declared = given.map(({ name, type }) => `$${name}: ${type}`).join(', ');
    const passed = given.map(({ name }) => `${name}: $${name}`).join(', ');
    const selection = isCompositeType(getNamedType(field.type)) ? ' { __typename }' : '';
    return {
      name: `${typeName}.${field.name}`,
      kind,
      query: `${kind}${declared && `(${declared})`} { ${field.name}${passed && `(${passed})`}${selection} }`,
      variables: Object.fromEntries(given.map(({ name, type }) => [name, placeholder(type)])),
      path: field.name,
      rule: rules.ruleOf(typeName, field.name, getNamedType(field.type).name),
    };
  };
  const ofRoots = (['query', 'mutation', 'subscription'] as OperationTypeNode[]).flatMap((kind) => {
    const root = schema.getRootType(kind);
    const fields = Object.values(root?.getFields() ?? {}).filter(({ name }) => !name.startsWith('_'));
    return fields.map((field) => probeOf(kind, root!.name, field));
  });
  const ofEntities = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .flatMap((type): Probe[] => {
      const keys = (type.astNode?.directives ?? []).filter(({ name }) => name.value === 'key');
      const given = keys.map(({ arguments: all = [] }) =>
        Object.fromEntries(all.map(({ name, value }): [string, ValueNode] => [name.value, value])),
      );
      const key = given.find(({ resolvable }) => !resolvable || valueFromASTUntyped(resolvable) !== false);
      if (!key?.fields) return [];
      const names = String(valueFromASTUntyped(key.fields)).split(' ');
      const representation = Object.fromEntries(names.map((name) => [name, crypto.randomUUID()]));
      return [
        {
          name: `the entity ${type.name}`,
          kind: 'query',
          query: 'query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }',
          variables: { of: [{ __typename: type.name, ...representation }] },
          path: '_entities.0',
          rule: rules.ruleOfType(type.name),
        },
      ];
    });
  return [...ofRoots, ...ofEntities];
}

/** The subgraph with its parts as they are, which note what of them is called. */
function recorded(subgraph: Subgraph): { executor: SubgraphExecutor; calls: string[]; close(): Promise<void> } {
  const calls: string[] = [];
  const noting = <Args extends unknown[], Result>(name: string, run: (...args: Args) => Result) =>
    function (this: unknown, ...args: Args): Result {
      calls.push(name);
      return run.apply(this, args);
    };
  const notingAll = <Parts extends object>(parts: Parts): Parts =>
    Object.fromEntries(Object.entries(parts).map(([name, run]) => [name, noting(name, run)])) as Parts;
  const parts = subgraph.create(test.platform);
  for (const resolver of parts.resolvers) {
    const methods = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(resolver));
    for (const [name, { value }] of Object.entries(methods)) {
      if (name !== 'constructor' && typeof value === 'function')
        Object.defineProperty(resolver, name, { value: noting(name, value) });
    }
  }
  const { references = {}, subscriptions = {} } = parts;
  const executor = createExecutor(
    subgraph,
    { ...parts, references: notingAll(references), subscriptions: notingAll(subscriptions) },
    test.platform.logger,
  );
  return { executor, calls, close: async () => parts.close?.() };
}

describe.each(subgraphs.map((subgraph) => [subgraph.name, subgraph] as const))(
  '%s refuses whoever may not ask, and executes nothing',
  (_, subgraph) => {
    let part: ReturnType<typeof recorded>;
    beforeAll(() => {
      part = recorded(subgraph);
    });
    afterAll(() => part.close());

    /** What is refused of the probe, and what was called for it. */
    async function ask({ kind, query, variables }: Probe, identity: Identity | undefined) {
      part.calls.length = 0;
      const context = { identity, remoteIp: null };
      const answer: ExecutionResult | AsyncIterable<unknown> =
        kind === 'subscription'
          ? await part.executor.subscribe({ query, variables }, context)
          : await part.executor.execute({ query, variables }, context);
      if (Symbol.asyncIterator in answer) {
        await answer[Symbol.asyncIterator]().return?.();
        return { refusals: [], calls: part.calls };
      }
      const refusals = (answer.errors ?? []).map(({ path, extensions: { code, capability } }) => ({
        path: path?.join('.'),
        code,
        ...(capability === undefined ? {} : { capability }),
      }));
      return { refusals, calls: part.calls };
    }

    it.each(probesOf(subgraph).map((probe) => [probe.name, probe] as const))('%s', async (_name, probe) => {
      const { path, rule } = probe;
      const [admin] = test.orgs;
      const powerless = { ...admin, capabilities: [] };
      const needed = rule?.anyOf[0]?.[0];
      if (rule) {
        const refusals = [{ path, code: 'UNAUTHENTICATED' }];
        expect(await ask(probe, undefined)).toEqual({ refusals, calls: [] });
        const fromAddress: Identity = { ...powerless, subject: { kind: 'ADDRESS', id: '192.0.2.0/24' } };
        expect(await ask(probe, fromAddress)).toEqual({ refusals, calls: [] });
      }
      if (needed !== undefined) {
        const refusals = [{ path, code: 'FORBIDDEN', capability: needed }];
        expect(await ask(probe, powerless)).toEqual({ refusals, calls: [] });
        const others = actions.filter((action) => !rule!.anyOf.some((scopes) => scopes.includes(action)));
        const stranger = { ...admin, capabilities: others.map((action) => ({ action })) };
        expect(await ask(probe, stranger)).toEqual({ refusals, calls: [] });
      }
      const mighty = { ...admin, capabilities: actions.map((action) => ({ action })) };
      expect((await ask(probe, mighty)).calls, 'asked by who may').not.toEqual([]);
    });
  },
);
