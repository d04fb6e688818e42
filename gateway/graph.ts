/** The graph at work: the federated gateway, Apollo Server over it, and how our own parts run operations on it. */
import type { ApolloServer } from '@apollo/server';
import type { GraphQLScalarType } from 'graphql';
import { type Config, type OperationLimits, operationLimitsOf } from '../platform/config.js';
import { isSignedIn } from '../platform/identity.js';
import type { Logger } from '../platform/logging.js';
import { createGatewayMetrics, type GatewayMetrics } from '../platform/metrics.js';
import { startTracing, type Tracing } from '../platform/tracing.js';
import { startApollo } from './apollo.js';
import type { RequestContext } from './context.js';
import type { CompiledOperation } from './execution/compiled-operation.js';
import { FederatedGateway, type FederatedGatewayOptions } from './federated-gateway.js';
import { findBroken, loadPersistedOperations, type PersistedOperations } from './http/persisted-operations.js';
import { createRunOperation, type RunOperation } from './internal-operations.js';
import { observed } from './sources/observed.js';
import type { Source } from './sources/source.js';
import type { SubgraphAddress } from './supergraph/snapshot.js';

export interface GraphOptions extends Pick<FederatedGatewayOptions, 'supergraphSdl'> {
  config: Config;
  logger: Logger;
  /** Makes the source of a subgraph. */
  sourceFor(subgraph: SubgraphAddress, metrics: GatewayMetrics): Source;
  /** Scalars whose values are checked at the door. */
  scalars: readonly GraphQLScalarType[];
  /** Whether callers who have not signed in may read the schema. */
  schemaIsPublic: boolean;
}

export interface Graph {
  gateway: FederatedGateway;
  apollo: ApolloServer<RequestContext>;
  run: RunOperation;
  schemaIsPublic: boolean;
  limits: OperationLimits;
  persisted: PersistedOperations;
  metrics: GatewayMetrics;
  /** Undefined where no OTEL_ variable asks for traces. */
  tracing: Tracing | undefined;
  close(): Promise<void>;
}

/** A query or mutation that is compiled already and that this caller may run at once: the schema may be for others. */
export function compiledFor(
  { gateway, schemaIsPublic }: Pick<Graph, 'gateway' | 'schemaIsPublic'>,
  { identity }: Pick<RequestContext, 'identity'>,
  text: string,
  operationName: string | undefined,
): CompiledOperation | undefined {
  const compiled = gateway.compiled(text, operationName);
  if (!compiled || compiled.kind === 'subscription') return undefined;
  return compiled.introspects && !isSignedIn(identity) && !schemaIsPublic ? undefined : compiled;
}

/** @throws what is wrong with the supergraph */
export async function startGraph(options: GraphOptions): Promise<Graph> {
  const { config, logger, schemaIsPublic } = options;
  const limits = operationLimitsOf(config);
  const metrics = createGatewayMetrics();
  const gateway = await FederatedGateway.create({
    ...options,
    sourceFor: (subgraph) => observed(options.sourceFor(subgraph, metrics), metrics),
    planner: config.planner,
    maxOperations: config.planCacheEntries,
    maxOperationBytes: config.planCacheBytes,
    limits,
    moreTimeForMutationsMs: Math.max(0, config.mutationTimeoutMs - config.operationTimeoutMs),
    metrics,
  });
  const persisted = await loadPersistedOperations(config.persistedOperations, config.persistedOnly === 'on');
  const tellBroken = async () => {
    for (const broken of await findBroken(persisted, gateway.apiSchema, limits)) {
      logger.error(broken, 'a persisted operation does not fit the schema, and will be refused');
    }
  };
  // Also tells of the first supergraph, which Apollo Server loads.
  gateway.onSchemaLoadOrUpdate(() => void tellBroken());
  const introspection = config.introspection === 'on';
  const apollo = await startApollo(gateway, { introspection, schemaIsPublic, limits, logger });
  const tracing = await startTracing('harborwatch-gateway', logger);
  return {
    gateway,
    apollo,
    run: createRunOperation(apollo, config),
    schemaIsPublic,
    limits,
    persisted,
    metrics,
    tracing,
    close: async () => {
      // Stops the gateway, too.
      await apollo.stop();
      await tracing?.close();
    },
  };
}
