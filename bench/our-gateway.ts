/** Our gateway as it runs in the product, over subgraphs that a benchmark has in its own process. */
import type { GraphQLSchema } from 'graphql';
import { type RunningEdge, startEdge } from '../gateway/edge.js';
import { startGraph } from '../gateway/graph.js';
import { InProcessSource } from '../gateway/sources/in-process.js';
import { systemClock } from '../platform/clock.js';
import { loadConfig } from '../platform/config.js';
import { manageLifecycle } from '../platform/lifecycle.js';
import { createLogger } from '../platform/logging.js';
import { createSchemaExecutor } from '../platform/subgraph.js';

/** Starts it without authentication; it ends with its parent. @param port 0 takes a free one */
export async function serveInProcess(
  supergraphSdl: string,
  subgraphs: readonly { name: string; schema: GraphQLSchema }[],
  port: number,
): Promise<RunningEdge> {
  const config = loadConfig(process.env);
  const logger = createLogger('gateway', config.logLevel);
  const schemas = new Map(subgraphs.map(({ name, schema }) => [name, schema]));
  const graph = await startGraph({
    config,
    logger,
    supergraphSdl,
    scalars: [],
    schemaIsPublic: true,
    sourceFor: ({ name }) =>
      new InProcessSource(createSchemaExecutor(name, schemas.get(name)!), config.operationTimeoutMs),
  });
  const edge = await startEdge({
    config,
    logger,
    clock: systemClock,
    authenticator: undefined,
    graph,
    routes: [],
    port,
    host: '127.0.0.1',
  });
  manageLifecycle(logger, async () => {
    await edge.drain();
    await graph.close();
  });
  return edge;
}
