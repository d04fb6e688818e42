/**
 * Our own GatewayInterface for Apollo Server, on public exports only: one immutable snapshot of the supergraph, plans
 * cached per operation, queries and mutations executed over the subgraphs, subscriptions with fields of other subgraphs
 * in every event.
 */
import { createHash } from 'node:crypto';
import { operationFromDocument, type Schema, Supergraph } from '@apollo/federation-internals';
import { buildOperationContext, executeQueryPlan, type ServiceMap } from '@apollo/gateway';
import { type QueryPlan, QueryPlanner, type SubscriptionNode } from '@apollo/query-planner';
import type {
  GatewayExecutionResult,
  GatewayGraphQLRequestContext,
  GatewayInterface,
  GatewayLoadResult,
  GatewaySchemaLoadOrUpdateCallback,
} from '@apollo/server-gateway-interface';
import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  isScalarType,
} from 'graphql';
import { mapAsyncIterable } from '../platform/async-iterable.js';
import { BigIntScalar, DateTimeScalar } from '../platform/graphql/scalars.js';
import type { GraphQLContext, SubgraphExecutor } from '../platform/subgraph.js';
import { InProcessSource } from './data-source.js';

/** What one version of the supergraph gives; replaced as a whole. */
interface Snapshot {
  supergraphSdl: string;
  api: Schema;
  apiSchema: GraphQLSchema;
  supergraphSchema: GraphQLSchema;
  planner: QueryPlanner;
  plans: Map<string, QueryPlan>;
  sources: Map<string, InProcessSource>;
}

const maxPlans = 1_000;

/** A subscription as the WebSocket transport hands it over, already validated. */
export interface SubscriptionRequest {
  document: DocumentNode;
  source: string;
  operationName: string | undefined;
  variables: Record<string, unknown>;
  context: GraphQLContext;
}

export class FederatedGateway implements GatewayInterface {
  readonly #listeners = new Set<GatewaySchemaLoadOrUpdateCallback>();
  readonly #snapshot: Snapshot;

  constructor(supergraphSdl: string, subgraphs: SubgraphExecutor[]) {
    const supergraph = Supergraph.build(supergraphSdl, { validateSupergraph: true });
    const executors = new Map(subgraphs.map((subgraph) => [subgraph.name, subgraph]));
    const sources = [...supergraph.subgraphsMetadata()].map(({ name }) => {
      const executor = executors.get(name);
      if (!executor) throw new Error(`The supergraph names the subgraph "${name}", which does not run here.`);
      return [name, new InProcessSource(executor)] as const;
    });
    const api = supergraph.apiSchema();
    this.#snapshot = {
      supergraphSdl,
      api,
      apiSchema: withCheckedScalars(api.toGraphQLJSSchema()),
      supergraphSchema: supergraph.schema.toGraphQLJSSchema(),
      planner: new QueryPlanner(supergraph),
      plans: new Map(),
      sources: new Map(sources),
    };
  }

  /** The schema that clients see. */
  get apiSchema(): GraphQLSchema {
    return this.#snapshot.apiSchema;
  }

  async load(): Promise<GatewayLoadResult> {
    const { apiSchema, supergraphSdl } = this.#snapshot;
    for (const listener of this.#listeners) listener({ apiSchema, coreSupergraphSdl: supergraphSdl });
    return { executor: (request) => this.#execute(request) };
  }

  onSchemaLoadOrUpdate(callback: GatewaySchemaLoadOrUpdateCallback): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  async stop(): Promise<void> {}

  /** Opens a subscription. Answers errors, or one execution result per event. */
  async subscribe(request: SubscriptionRequest): Promise<ExecutionResult | AsyncIterableIterator<ExecutionResult>> {
    const snapshot = this.#snapshot;
    const { document, source, operationName, variables, context } = request;
    const operationContext = buildOperationContext({
      schema: snapshot.apiSchema,
      operationDocument: document,
      operationName,
    });
    const coerced = getVariableValues(
      snapshot.apiSchema,
      operationContext.operation.variableDefinitions ?? [],
      variables,
    );
    if (coerced.errors) return { errors: coerced.errors.map((error) => withCode(error, 'BAD_USER_INPUT')) };
    const node = this.#subscriptionNode(snapshot, document, operationName, source);
    if (node instanceof GraphQLError) return { errors: [node] };
    const { primary, rest } = node;
    const upstreamSource = snapshot.sources.get(primary.serviceName)!;
    const used = Object.entries(variables).filter(([name]) => primary.variableUsages?.includes(name));
    const upstream = await upstreamSource.subscribe(
      { query: primary.operation, operationName: primary.operationName, variables: Object.fromEntries(used) },
      context,
    );
    if (!(Symbol.asyncIterator in upstream)) return upstream;
    const eventPlan: QueryPlan = {
      kind: 'QueryPlan',
      node: rest ? { kind: 'Sequence', nodes: [primary, rest] } : primary,
    };
    return mapAsyncIterable(upstream, async (event) => {
      // The primary fetch answers with the event; everything else goes to the real subgraphs.
      const seeded = upstreamSource.answering(primary.operation, event);
      const services = toServiceMap(snapshot.sources, new Map([[primary.serviceName, seeded]]));
      const requestContext = {
        request: { query: source, operationName, variables },
        document,
        source,
        operationName: operationName ?? null,
        operation: operationContext.operation,
        schema: snapshot.apiSchema,
        context,
        metrics: {},
      } as unknown as GatewayGraphQLRequestContext;
      return (await executeQueryPlan(
        eventPlan,
        services,
        requestContext,
        operationContext,
        snapshot.supergraphSchema,
        snapshot.api,
      )) as ExecutionResult;
    });
  }

  async #execute(request: GatewayGraphQLRequestContext): Promise<GatewayExecutionResult> {
    const snapshot = this.#snapshot;
    const document = request.document!;
    const { operationName } = request.request;
    // Apollo Server makes OPERATION_RESOLUTION_FAILURE of it.
    if (!request.operation) {
      return { errors: [new GraphQLError('The operation to run is not named, or not in the document.')] } as never;
    }
    const operationContext = buildOperationContext({
      schema: snapshot.apiSchema,
      operationDocument: document,
      operationName,
    });
    const { operation } = operationContext;
    if (operation.operation === 'subscription') {
      const message = 'Subscriptions need a WebSocket (graphql-transport-ws) at this same address.';
      return {
        errors: [new GraphQLError(message, { extensions: { code: 'SUBSCRIPTION_TRANSPORT', http: { status: 400 } } })],
      } as never;
    }
    const coerced = getVariableValues(
      snapshot.apiSchema,
      operation.variableDefinitions ?? [],
      request.request.variables ?? {},
    );
    if (coerced.errors) {
      return { errors: coerced.errors.map((error) => withCode(error, 'BAD_USER_INPUT')) } as never;
    }
    const plan = this.#plan(snapshot, document, operationName, request.queryHash!);
    return executeQueryPlan(
      plan,
      toServiceMap(snapshot.sources),
      { ...request, metrics: {} } as never,
      operationContext,
      snapshot.supergraphSchema,
      snapshot.api,
    );
  }

  #subscriptionNode(
    snapshot: Snapshot,
    document: DocumentNode,
    operationName: string | undefined,
    source: string,
  ): SubscriptionNode | GraphQLError {
    const refuse = (message: string) => new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
    try {
      const node = this.#plan(
        snapshot,
        document,
        operationName,
        createHash('sha256').update(source).digest('hex'),
      ).node;
      return node?.kind === 'Subscription'
        ? node
        : refuse('This subscription cannot be planned: its root field must not be under a condition.');
    } catch {
      return refuse('This subscription cannot be planned: its root field must not be under @skip or @include.');
    }
  }

  #plan(snapshot: Snapshot, document: DocumentNode, operationName: string | undefined, hash: string): QueryPlan {
    const key = `${hash} ${operationName ?? ''}`;
    const known = snapshot.plans.get(key);
    if (known) {
      // Moved to the end: the first entry is always the one used longest ago.
      snapshot.plans.delete(key);
      snapshot.plans.set(key, known);
      return known;
    }
    const operation = operationFromDocument(
      snapshot.api,
      document,
      operationName === undefined ? {} : { operationName },
    );
    const plan = snapshot.planner.buildQueryPlan(operation);
    if (snapshot.plans.size >= maxPlans) snapshot.plans.delete(snapshot.plans.keys().next().value!);
    snapshot.plans.set(key, plan);
    return plan;
  }
}

/** Gives the scalars of a schema made from text, which take anything, the rules of ours: bad values are refused at the door. */
function withCheckedScalars(schema: GraphQLSchema): GraphQLSchema {
  for (const { name, parseValue, parseLiteral } of [DateTimeScalar, BigIntScalar]) {
    const type = schema.getType(name);
    if (isScalarType(type)) Object.assign(type, { parseValue, parseLiteral });
  }
  return schema;
}

function toServiceMap(sources: Map<string, InProcessSource>, replaced?: Map<string, ServiceMap[string]>): ServiceMap {
  const map: ServiceMap = Object.create(null);
  for (const [name, source] of sources) map[name] = replaced?.get(name) ?? source;
  return map;
}

const withCode = (error: GraphQLError, code: string): GraphQLError =>
  new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    path: error.path ?? null,
    extensions: { ...error.extensions, code },
  });
