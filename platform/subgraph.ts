/** What a subgraph is, and how its decorated classes become a federated schema that can be executed. */
import 'reflect-metadata';
import { buildSubgraphSchema, printSubgraphSchema } from '@apollo/subgraph';
import DataLoader from 'dataloader';
import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  parse,
  subscribe,
} from 'graphql';
import { buildSchemaSync, createResolversMap, type NonEmptyArray } from 'type-graphql';
import { mapAsyncIterable } from './async-iterable.js';
import { requireCapability, type Scope } from './capabilities.js';
import { fail, HarborwatchError } from './errors.js';
import type { Action, Identity } from './identity.js';
import type { Logger } from './logging.js';
import type { EventHandlers } from './outbox.js';
import type { Platform } from './platform.js';

type ResolverClass = abstract new (...args: never[]) => object;

/** The context of every resolver. */
export interface GraphQLContext {
  /** Undefined where the request carries no token; use `callerWith` or `identityOf`. */
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
  /** Starts the background work; called in worker processes only. */
  startWorkers?: () => Promise<Worker[]>;
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
];
const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${JSON.stringify(federationImports)})`;

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
  return `${link}\n\n${printSubgraphSchema(toSchema(subgraph, []))}\n`;
}

/** What the gateway or an HTTP server runs operations on. */
export interface SubgraphExecutor {
  name: string;
  execute(operation: SubgraphOperation, context: GraphQLContext): Promise<ExecutionResult>;
  subscribe(
    operation: SubgraphOperation,
    context: GraphQLContext,
  ): Promise<AsyncIterable<ExecutionResult> | ExecutionResult>;
}

export interface SubgraphOperation {
  query: string;
  operationName?: string | undefined;
  variables?: Record<string, unknown> | undefined;
}

const maxParsedDocuments = 2_000;

/** Binds a subgraph's parts to its schema. */
export function createExecutor(subgraph: Subgraph, parts: SubgraphParts, logger: Logger): SubgraphExecutor {
  const typeGraphqlSchema = toSchema(subgraph, parts.resolvers);
  const resolvers = createResolversMap(typeGraphqlSchema) as Record<string, Record<string, unknown>>;
  for (const [typeName, load] of Object.entries(parts.references ?? {})) {
    resolvers[typeName] = { ...resolvers[typeName], __resolveReference: loaderFor(typeName, load) };
  }
  for (const [field, open] of Object.entries(parts.subscriptions ?? {})) {
    const subscribeTo = (_root: unknown, args: never, context: GraphQLContext) => open(args, context);
    resolvers.Subscription = {
      ...resolvers.Subscription,
      [field]: { subscribe: subscribeTo, resolve: (event: unknown) => event },
    };
  }
  const typeDefs = parse(`${link}\n${printSubgraphSchema(typeGraphqlSchema)}`);
  const schema = buildSubgraphSchema([{ typeDefs, resolvers: resolvers as never }]);
  const documents = new Map<string, DocumentNode>();
  // The gateway's planner wrote the operation against this very schema, so it is parsed once and not validated again.
  const documentOf = (query: string): DocumentNode => {
    let document = documents.get(query);
    if (!document) {
      document = parse(query, { noLocation: true });
      if (documents.size >= maxParsedDocuments) documents.delete(documents.keys().next().value!);
      documents.set(query, document);
    }
    return document;
  };
  const args = (operation: SubgraphOperation, context: GraphQLContext) => ({
    schema,
    document: documentOf(operation.query),
    operationName: operation.operationName,
    variableValues: operation.variables,
    contextValue: { ...context, loaders: new Map() },
  });
  const clean = (result: ExecutionResult, context: GraphQLContext): ExecutionResult =>
    result.errors ? { ...result, errors: result.errors.map((error) => toPublicError(error, context, logger)) } : result;
  return {
    name: subgraph.name,
    execute: async (operation, context) => clean(await execute(args(operation, context)), context),
    subscribe: async (operation, context) => {
      const result = await subscribe(args(operation, context));
      return Symbol.asyncIterator in result
        ? mapAsyncIterable(result, (event) => clean(event, context))
        : clean(result, context);
    },
  };
}

function loaderFor(typeName: string, load: ReferenceResolver) {
  return (reference: Reference, context: GraphQLContext) => {
    const identity = identityOf(context);
    let loader = context.loaders?.get(typeName);
    if (!loader) {
      loader = new DataLoader((references) => load(identity, references), {
        cacheKeyFn: (item) => JSON.stringify(item),
      });
      context.loaders?.set(typeName, loader);
    }
    return loader.load(reference);
  };
}

/** The caller. @throws UNAUTHENTICATED where the request carries no token */
export function identityOf(context: GraphQLContext): Identity {
  return (
    context.identity ??
    fail('UNAUTHENTICATED', 'Sign in first, and send the access token as `Authorization: Bearer <token>`.')
  );
}

/** The caller, who has to hold the action (see `requireCapability`). @throws UNAUTHENTICATED, FORBIDDEN */
export function callerWith(context: GraphQLContext, action: Action, scope?: Scope): Identity {
  const identity = identityOf(context);
  requireCapability(identity, action, scope);
  return identity;
}

/** What the caller may see of an error: our own as they are, everything else masked and logged. */
export function toPublicError(
  error: GraphQLError,
  context: { identity: Identity | undefined },
  logger: Logger,
): GraphQLError {
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
