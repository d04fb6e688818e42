/**
 * Our own GatewayInterface for Apollo Server: one immutable snapshot of the supergraph at a time, operations compiled
 * once, and executed over the subgraphs.
 */
import type {
  GatewayExecutionResult,
  GatewayGraphQLRequestContext,
  GatewayInterface,
  GatewayLoadResult,
  GatewaySchemaLoadOrUpdateCallback,
} from '@apollo/server-gateway-interface';
import { type DocumentNode, GraphQLError, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import type { OperationLimits } from '../platform/config.js';
import { HarborwatchError, toErrorPayload } from '../platform/errors.js';
import type { Identity } from '../platform/identity.js';
import type { OperationOutcome } from '../platform/metrics.js';
import type { RequestContext } from './context.js';
import type { CoercedVariables, CompiledOperation, OperationResult } from './execution/compiled-operation.js';
import { unitsOf } from './limits/charge.js';
import { limitError } from './limits/limit-error.js';
import type { Source, Variables } from './sources/source.js';
import { Snapshot, type SnapshotOptions, type SubgraphAddress } from './supergraph/snapshot.js';

/** How long the sources of an older supergraph stay open for what still runs on it. */
const retireAfterMs = 60_000;

/** By the name of their subgraph, each with the address that it was made for. */
type Sources = ReadonlyMap<string, { url: string; source: Source }>;

/** A version of the supergraph with the sources that it runs over. */
interface Version {
  snapshot: Snapshot;
  sources: Sources;
}

export interface FederatedGatewayOptions extends Omit<SnapshotOptions, 'sourceFor'> {
  /** Makes the source of a subgraph; called again where its address changes. */
  sourceFor(subgraph: SubgraphAddress): Source;
  limits: OperationLimits;
  /** How much longer than a query a mutation may take. */
  moreTimeForMutationsMs?: number;
}

export class FederatedGateway implements GatewayInterface {
  readonly #listeners = new Set<GatewaySchemaLoadOrUpdateCallback>();
  readonly #options: FederatedGatewayOptions;
  /** Requests run on the version whose schema they were validated against. */
  readonly #bySchema = new WeakMap<GraphQLSchema, Snapshot>();
  readonly #retiring = new Set<() => void>();
  #snapshot: Snapshot;
  #sources: Sources;
  #mutations = 0;
  #updates: Promise<void> = Promise.resolve();

  private constructor(options: FederatedGatewayOptions, { snapshot, sources }: Version) {
    this.#options = options;
    this.#snapshot = snapshot;
    this.#sources = sources;
    this.#bySchema.set(snapshot.apiSchema, snapshot);
  }

  /** @throws what is wrong with the supergraph */
  static async create(options: FederatedGatewayOptions): Promise<FederatedGateway> {
    return new FederatedGateway(options, await buildVersion(options, new Map()));
  }

  /** The schema that clients see. */
  get apiSchema(): GraphQLSchema {
    return this.#snapshot.apiSchema;
  }

  get supergraphSdl(): string {
    return this.#snapshot.supergraphSdl;
  }

  get sources(): Sources {
    return this.#sources;
  }

  async load(): Promise<GatewayLoadResult> {
    this.#announce();
    return { executor: (request) => this.#execute(request) };
  }

  onSchemaLoadOrUpdate(callback: GatewaySchemaLoadOrUpdateCallback): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /**
   * Goes over to another supergraph: it is built and checked as a whole, then it takes the place of the present one.
   * What runs already ends on the old one.
   * @throws what is wrong with it; the present one goes on
   */
  update(supergraphSdl: string): Promise<void> {
    const done = this.#updates.then(() => this.#update(supergraphSdl));
    this.#updates = done.catch(() => {});
    return done;
  }

  /** How many mutations have ended: a query that begins later must not be answered by one that began before. */
  get mutations(): number {
    return this.#mutations;
  }

  /** The operation, where it is compiled already. */
  compiled(text: string, operationName: string | undefined): CompiledOperation | undefined {
    return this.#snapshot.compiled(text, operationName);
  }

  /** The text of a compiled operation by its SHA-256, as automatic persisted queries name it. */
  textOf(sha256: string | undefined): string | undefined {
    return sha256 === undefined ? undefined : this.#snapshot.textOf(sha256);
  }

  /**
   * Compiles an operation once.
   * @param document passes the validation of `apiSchema`
   * @param identity who asks first
   */
  compile(
    document: DocumentNode,
    text: string,
    operationName: string | undefined,
    identity: Identity | undefined,
  ): Promise<CompiledOperation> {
    return this.#snapshot.compile(document, text, operationName, identity);
  }

  /** What an operation is charged; one unit where it will be refused for its variables or its cost. */
  unitsOf(operation: CompiledOperation, variables: Variables | undefined): number {
    const coerced = operation.coerce(variables);
    if ('errors' in coerced) return 1;
    const cost = operation.cost(coerced.raw);
    return this.costError(cost) ? 1 : unitsOf(cost);
  }

  /** Runs a query or mutation, within the limit of cost and charged in full. @throws RATE_LIMITED */
  async run(
    operation: CompiledOperation,
    variables: Variables | undefined,
    context: RequestContext,
  ): Promise<OperationResult> {
    const { metrics } = this.#options;
    const started = performance.now();
    metrics.begin('operations');
    try {
      const result = await this.#run(operation, variables, context);
      metrics.operation(operation.kind, outcomeOf(result), (performance.now() - started) / 1000);
      return result;
    } finally {
      metrics.end('operations');
      if (operation.kind === 'mutation') this.#mutations += 1;
    }
  }

  async #run(
    operation: CompiledOperation,
    variables: Variables | undefined,
    context: RequestContext,
  ): Promise<OperationResult> {
    const coerced = operation.coerce(variables);
    if ('errors' in coerced) return { errors: coerced.errors };
    const cost = operation.cost(coerced.raw);
    const tooCostly = this.costError(cost);
    if (tooCostly) return { errors: [tooCostly] };
    await context.charge?.take(unitsOf(cost));
    try {
      const { moreTimeForMutationsMs = 0 } = this.#options;
      const allowed = operation.kind === 'mutation' ? withMoreTime(context, moreTimeForMutationsMs) : context;
      return await this.#trace(operation, coerced, allowed);
    } catch (error) {
      // These conditions leave an operation that cannot be planned.
      if (error instanceof GraphQLError) return { errors: [error.toJSON()] };
      throw error;
    }
  }

  async #trace(
    operation: CompiledOperation,
    coerced: CoercedVariables,
    context: RequestContext,
  ): Promise<OperationResult> {
    if (!context.span) return operation.execute(coerced, context);
    const name = operation.name === undefined ? {} : { 'graphql.operation.name': operation.name };
    const span = context.span.child(operation.kind, 'internal', { 'graphql.operation.type': operation.kind, ...name });
    const result = await operation.execute(coerced, { ...context, span });
    if (result.errors) span.fail(String(result.errors[0]?.extensions?.code));
    span.end();
    return result;
  }

  /** Undefined for an operation within the limit. */
  costError(cost: number): GraphQLFormattedError | undefined {
    const { limits } = this.#options;
    if (cost <= limits.cost) return undefined;
    return toErrorPayload(limitError('cost', cost, limits.cost));
  }

  async stop(): Promise<void> {
    for (const retire of this.#retiring) retire();
    this.#snapshot.close();
    await Promise.all([...this.#sources.values()].map(({ source }) => source.close()));
  }

  async #execute(request: GatewayGraphQLRequestContext): Promise<GatewayExecutionResult> {
    const { document, source, operation } = request;
    const { operationName, variables } = request.request;
    // Apollo Server makes OPERATION_RESOLUTION_FAILURE of it.
    if (!operation) return failed({ message: 'The operation to run is not named, or not in the document.' });
    if (operation.operation === 'subscription') {
      const message =
        'Subscriptions need a WebSocket (graphql-transport-ws) or `Accept: text/event-stream` at this same address.';
      return failed({ message, extensions: { code: 'SUBSCRIPTION_TRANSPORT', http: { status: 400 } } });
    }
    const snapshot = this.#bySchema.get(request.schema as GraphQLSchema) ?? this.#snapshot;
    try {
      const context = request.context as unknown as RequestContext;
      const { identity } = context;
      const compiled = await snapshot.compile(document as DocumentNode, source!, operationName ?? undefined, identity);
      const { errors, cacheControl, ...rest } = await this.run(compiled, variables, context);
      if (context.outcome) context.outcome.cacheControl = cacheControl;
      return { ...rest, ...(errors ? { errors: errors.map(toGraphQLError) } : {}) } as GatewayExecutionResult;
    } catch (error) {
      if (error instanceof GraphQLError) return { errors: [error] } as never;
      if (error instanceof HarborwatchError) return failed(toErrorPayload(error));
      throw error;
    }
  }

  async #update(supergraphSdl: string): Promise<void> {
    const old = this.#snapshot;
    if (supergraphSdl === old.supergraphSdl) return;
    const { snapshot, sources } = await buildVersion({ ...this.#options, supergraphSdl }, this.#sources);
    const unused = notIn(sources, this.#sources);
    this.#sources = sources;
    this.#bySchema.set(snapshot.apiSchema, snapshot);
    this.#snapshot = snapshot;
    this.#announce();
    const retire = () => {
      clearTimeout(timer);
      this.#retiring.delete(retire);
      old.close();
      for (const source of unused) void source.close();
    };
    const timer = setTimeout(retire, retireAfterMs).unref();
    this.#retiring.add(retire);
  }

  #announce(): void {
    const { apiSchema, supergraphSdl } = this.#snapshot;
    for (const listener of this.#listeners) listener({ apiSchema, coreSupergraphSdl: supergraphSdl });
  }
}

const withMoreTime = ({ identity, ...context }: RequestContext, moreMs: number): RequestContext => ({
  ...context,
  deadline: context.deadline + moreMs,
  identity: identity && { ...identity, deadline: identity.deadline + moreMs },
});

/** Builds one; subgraphs whose address is the same keep their `present` source. @throws what is wrong with the supergraph */
async function buildVersion(options: FederatedGatewayOptions, present: Sources): Promise<Version> {
  const sources = new Map<string, { url: string; source: Source }>();
  const sourceFor = (subgraph: SubgraphAddress): Source => {
    const { name, url } = subgraph;
    const known = present.get(name);
    const source = known?.url === url ? known.source : options.sourceFor(subgraph);
    sources.set(name, { url, source });
    return source;
  };
  try {
    return { snapshot: await Snapshot.build({ ...options, sourceFor }), sources };
  } catch (error) {
    for (const source of notIn(present, sources)) void source.close();
    throw error;
  }
}

/** The sources of `others` that are not among these. */
const notIn = (sources: Sources, others: Sources): Source[] =>
  [...others].flatMap(([name, { source }]) => (sources.get(name)?.source === source ? [] : [source]));

function outcomeOf({ data, errors }: OperationResult): OperationOutcome {
  if (!errors) return 'ok';
  return data === undefined ? 'refused' : data === null ? 'failed' : 'partial';
}

const failed = (error: GraphQLFormattedError): GatewayExecutionResult => ({ errors: [toGraphQLError(error)] }) as never;

export const toGraphQLError = ({ message, path, locations, extensions }: GraphQLFormattedError): GraphQLError => {
  const error = new GraphQLError(message, { path: path ?? null, extensions: extensions ?? {} });
  // Places in the text come from the text's parser; here they only pass through.
  if (locations) Object.defineProperty(error, 'locations', { value: locations, enumerable: true });
  return error;
};
