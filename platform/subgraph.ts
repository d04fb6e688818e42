/** What a subgraph is, and how its decorated classes become a federated schema that can be executed. */
import 'reflect-metadata';
import { buildSubgraphSchema, printSubgraphSchema } from '@apollo/subgraph';
import DataLoader from 'dataloader';
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  parse,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { buildSchemaSync, createResolversMap, type NonEmptyArray } from 'type-graphql';
import { mapAsyncIterable } from './async-iterable.js';
import { notSignedIn } from './capabilities.js';
import { fail, HarborwatchError } from './errors.js';
import { guardFields, requireAccess } from './graphql/access-guard.js';
import { type AccessRule, AccessRules, allows } from './graphql/access-rules.js';
import { cacheControlDefinitions, cachePolicyOf } from './graphql/cache-policy.js';
import { type CompiledExecution, compileExecution } from './graphql/compiled-executor.js';
import type { Identity } from './identity.js';
import type { Logger } from './logging.js';
import type { EventHandlers } from './outbox.js';
import type { Platform } from './platform.js';

type ResolverClass = abstract new (...args: never[]) => object;

/** The context of every resolver. */
export interface GraphQLContext {
  /** Undefined where the request carries no token; use `identityOf`. */
  identity: Identity | undefined;
  /** The address that the request came from; null where it did not come over a network. */
  remoteIp: string | null;
  /** The entity loaders of this fetch, by type name; kept by the executor. */
  loaders?: Map<string, DataLoader<Reference, unknown, string>>;
}

/** An entity's representation, as the gateway sends it. */
export type Reference = Record<string, unknown>;

/** Answers one entity per reference, in order; null for one that does not exist or is not the caller's. */
export type ReferenceResolver = (identity: Identity, references: readonly Reference[]) => Promise<(object | null)[]>;

/** Opens a subscription field's stream; what it yields is the field's value. */
export type SubscriptionSource = (
  args: never,
  context: GraphQLContext,
) => Promise<AsyncIterable<unknown>> | AsyncIterable<unknown>;

/** The `subscribe` of every `@Subscription`: type-graphql would call it without an instance, so the parts give the stream. */
export const subscribedByParts = (): never =>
  fail('INTERNAL_SERVER_ERROR', 'The subgraph gives no source for this subscription.');

/** A long-running part of a domain: a feed follower, a queue consumer, a sweeper. */
export interface Worker {
  name: string;
  /** Lets the work in hand end, within `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

/** A subgraph at work: its resolvers with their services, and what it does in the background. */
export interface SubgraphParts {
  /** The resolver objects: one instance of each of `resolvers`' classes. */
  resolvers: object[];
  /** Entity loaders by type name. */
  references?: Record<string, ReferenceResolver>;
  /** Where each subscription field's events come from; its resolver method only shapes the schema. */
  subscriptions?: Record<string, SubscriptionSource>;
  /** Starts the background work; called in worker processes of the shared pool only. */
  startWorkers?: () => Promise<Worker[]>;
  /** Starts what runs single organisations' work in slots; called in worker processes of a dedicated pool only. */
  startPoolWorkers?: () => Promise<Worker[]>;
  /** Domain events of others that this domain acts on. */
  events?: EventHandlers;
  /** Whether it can answer. */
  health?: () => Promise<boolean>;
  /** Ends what it holds open beside the platform's connections. */
  close?: () => Promise<void>;
}

export interface Subgraph {
  name: string;
  /** The resolver classes; they alone decide the schema. */
  resolvers: ResolverClass[];
  /** Object types that no resolver mentions: implementations of interfaces, entity extensions. */
  types?: ResolverClass[];
  create(platform: Platform): SubgraphParts;
}

const federationImports = [
  '@key',
  '@shareable',
  '@external',
  '@requires',
  '@provides',
  '@override',
  '@inaccessible',
  '@tag',
  '@interfaceObject',
  '@authenticated',
  '@requiresScopes',
  '@policy',
  '@cost',
  '@listSize',
];
/** What stands before every subgraph's own types. */
const preamble = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${JSON.stringify(federationImports)})

${cacheControlDefinitions}`;

const noPubSub = {
  publish: () => fail('INTERNAL_SERVER_ERROR', 'Subscriptions here subscribe to their service.'),
  subscribe: () => fail('INTERNAL_SERVER_ERROR', 'Subscriptions here subscribe to their service.'),
};

/** The type-graphql schema of a subgraph. `instances` are needed only to execute it. */
function toSchema(subgraph: Subgraph, instances: object[]): GraphQLSchema {
  const byClass = new Map(instances.map((instance) => [instance.constructor, instance]));
  return buildSchemaSync({
    resolvers: subgraph.resolvers as unknown as NonEmptyArray<() => void>,
    orphanedTypes: (subgraph.types ?? []) as unknown as (() => void)[],
    container: { get: (someClass: never) => byClass.get(someClass) },
    skipCheck: true,
    validate: false,
    pubSub: noPubSub as never,
  });
}

/** The subgraph's schema definition for composition. Needs no database. */
export function printSubgraph(subgraph: Subgraph): string {
  return `${preamble}\n\n${printSubgraphSchema(toSchema(subgraph, []))}\n`;
}

/** What the gateway or an HTTP server runs operations on. */
export interface SubgraphExecutor {
  name: string;
  /**
   * Runs a query or mutation; answers at once where nothing of it is asynchronous.
   * @throws GraphQLError for a syntax error
   */
  execute(operation: SubgraphOperation, context: GraphQLContext): ExecutionResult | Promise<ExecutionResult>;
  subscribe(
    operation: SubgraphOperation,
    context: GraphQLContext,
  ): Promise<AsyncIterable<ExecutionResult> | ExecutionResult>;
  /** How long an answer without errors to the operation may be kept, as a `Cache-Control`; undefined for not at all. */
  cacheControlOf(query: string): string | undefined;
}

export interface SubgraphOperation {
  query: string;
  operationName?: string | undefined;
  variables?: Record<string, unknown> | undefined;
}

/** How many operations of a subgraph stay compiled, and the length of their texts altogether. */
const maxOperations = 2_000;
const maxOperationsLength = 8_000_000;

/** Binds a subgraph's parts to its schema. */
export function createExecutor(subgraph: Subgraph, parts: SubgraphParts, logger: Logger): SubgraphExecutor {
  const typeGraphqlSchema = toSchema(subgraph, parts.resolvers);
  const resolvers = createResolversMap(typeGraphqlSchema) as Record<string, Record<string, unknown>>;
  const typeDefs = parse(`${preamble}\n${printSubgraphSchema(typeGraphqlSchema)}`);
  const rules = AccessRules.read(typeDefs);
  for (const [typeName, load] of Object.entries(parts.references ?? {})) {
    const __resolveReference = loaderFor(typeName, load, rules.ruleOfType(typeName));
    resolvers[typeName] = { ...resolvers[typeName], __resolveReference };
  }
  for (const [field, open] of Object.entries(parts.subscriptions ?? {})) {
    const subscribeTo = (_root: unknown, args: never, context: GraphQLContext) => open(args, context);
    resolvers.Subscription = {
      ...resolvers.Subscription,
      [field]: { subscribe: subscribeTo, resolve: (event: unknown) => event },
    };
  }
  const makeSchema = () => buildSubgraphSchema([{ typeDefs, resolvers: resolvers as never }]);
  let guarded: GraphQLSchema | undefined;
  return executorOf(subgraph.name, makeSchema(), {
    contextValue: (context) => ({ ...context, loaders: new Map() }),
    publicError: (error, context) => toPublicError(error, context, logger),
    access: {
      rules,
      guarded: () => {
        guarded ??= guardFields(makeSchema(), rules);
        return guarded;
      },
    },
  });
}

/** Executes operations on any schema, whose errors are answered as they are, for whoever asks. */
export function createSchemaExecutor(name: string, schema: GraphQLSchema): SubgraphExecutor {
  return executorOf(name, schema, { contextValue: (context) => context, publicError: (error) => error });
}

/** An operation, compiled for one schema. */
interface CompiledOperation {
  schema: GraphQLSchema;
  run: CompiledExecution;
}

/** An operation's text, parsed and compiled once. */
interface ParsedOperation extends CompiledOperation {
  document: DocumentNode;
  cacheControl: string | undefined;
  /** What a caller has to meet to run it as it is. */
  rules: readonly AccessRule[];
  /** As it runs for everybody else; compiled when the first of them comes. */
  guarded?: CompiledOperation;
}

interface ExecutorParts {
  /** The context of one execution. */
  contextValue(context: GraphQLContext): unknown;
  publicError(error: GraphQLError, context: GraphQLContext): GraphQLError;
  /** The rules that callers are held to, and the schema whose fields check them one by one. */
  access?: { rules: AccessRules; guarded: () => GraphQLSchema };
}

function executorOf(
  name: string,
  schema: GraphQLSchema,
  { contextValue, publicError, access }: ExecutorParts,
): SubgraphExecutor {
  const operations = new LRUCache<string, ParsedOperation>({
    max: maxOperations,
    maxSize: maxOperationsLength,
    sizeCalculation: (_operation, key) => key.length,
  });
  /** @throws GraphQLError for a syntax error */
  const parsed = ({ query, operationName }: Omit<SubgraphOperation, 'variables'>): ParsedOperation => {
    // No document begins with a number, so the two kinds of keys never meet.
    const key = operationName == null ? query : `${operationName.length} ${operationName} ${query}`;
    let operation = operations.get(key);
    if (!operation) {
      // The gateway's planner wrote it against this very schema, so it is not validated again.
      const document = parse(query, { noLocation: true });
      const run = compileExecution(schema, document, operationName);
      const rules = access?.rules.rulesOf(schema, document, operationName) ?? [];
      operation = { schema, document, run, rules, cacheControl: cachePolicyOf(schema, document) };
      operations.set(key, operation);
    }
    return operation;
  };
  /** Whoever meets all of its rules runs the operation without a check of a field. */
  const compiledFor = (operation: ParsedOperation, { identity }: GraphQLContext, operationName?: string) => {
    if (!access || operation.rules.every((rule) => allows(rule, identity))) return operation;
    const guarded = access.guarded();
    operation.guarded ??= { schema: guarded, run: compileExecution(guarded, operation.document, operationName) };
    return operation.guarded;
  };
  const clean = (result: ExecutionResult, context: GraphQLContext): ExecutionResult =>
    result.errors ? { ...result, errors: result.errors.map((error) => publicError(error, context)) } : result;
  const run = (
    compiled: CompiledOperation,
    { variables }: SubgraphOperation,
    context: GraphQLContext,
    event?: unknown,
  ) => {
    const result = compiled.run({ contextValue: contextValue(context), variableValues: variables, rootValue: event });
    return 'then' in result ? result.then((settled) => clean(settled, context)) : clean(result, context);
  };
  return {
    name,
    execute: (operation, context) =>
      run(compiledFor(parsed(operation), context, operation.operationName), operation, context),
    subscribe: async (operation, context) => {
      const { operationName, variables: variableValues } = operation;
      const known = parsed(operation);
      const compiled = compiledFor(known, context, operationName);
      const stream = await createSourceEventStream({
        schema: compiled.schema,
        document: known.document,
        operationName,
        variableValues,
        contextValue: contextValue(context),
      });
      return Symbol.asyncIterator in stream
        ? mapAsyncIterable(stream, (event) => run(compiled, operation, context, event))
        : clean(stream, context);
    },
    cacheControlOf: (query) => parsed({ query }).cacheControl,
  };
}

/** @param rule of the entity's type; no operation tells whether entities of a type are asked for, so it is checked here */
function loaderFor(typeName: string, load: ReferenceResolver, rule: AccessRule | undefined) {
  return (reference: Reference, context: GraphQLContext) => {
    let loader = context.loaders?.get(typeName);
    if (!loader) {
      const loadAllowed = async (references: readonly Reference[]) => {
        if (rule) requireAccess(rule, context.identity);
        return load(identityOf(context), references);
      };
      loader = new DataLoader(loadAllowed, { cacheKeyFn: (item) => JSON.stringify(item) });
      context.loaders?.set(typeName, loader);
    }
    return loader.load(reference);
  };
}

/** The caller. @throws UNAUTHENTICATED where the request carries no token */
export function identityOf(context: GraphQLContext): Identity {
  if (!context.identity) throw notSignedIn();
  return context.identity;
}

/** What the caller may see of an error: our own as they are, everything else masked and logged. */
export function toPublicError(
  thrown: unknown,
  context: { identity: Identity | undefined },
  logger: Logger,
): GraphQLError {
  const error = thrown instanceof GraphQLError ? thrown : new GraphQLError('', { originalError: thrown as Error });
  const { originalError, path, nodes } = error;
  const make = (message: string, extensions: Record<string, unknown>) =>
    new GraphQLError(message, { path: path ?? null, nodes: nodes ?? null, extensions });
  if (originalError instanceof HarborwatchError) {
    return make(originalError.message, { code: originalError.code, ...originalError.details });
  }
  if (originalError === undefined || originalError instanceof GraphQLError) {
    const code = error.extensions.code ?? (originalError === undefined ? 'BAD_USER_INPUT' : 'INTERNAL_SERVER_ERROR');
    return make(error.message, { ...error.extensions, code });
  }
  const requestId = context.identity?.requestId;
  logger.error({ err: originalError, requestId, path }, 'unexpected error');
  return make('Something went wrong on our side; it was logged.', { code: 'INTERNAL_SERVER_ERROR', requestId });
}
