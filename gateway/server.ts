/** The gateway put together: subgraphs in process, the graph over HTTP and WebSocket, bulk ingest, pages, health. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Platform } from '../platform/platform.js';
import { createExecutor, type Subgraph } from '../platform/subgraph.js';
import { ActivityRecorder } from './activity.js';
import { startApollo } from './apollo.js';
import { FederatedGateway } from './federated-gateway.js';
import { graphqlRoute } from './graphql-route.js';
import { healthRoutes } from './health-routes.js';
import { createListener } from './http.js';
import { ingestRoute } from './ingest-route.js';
import { createRunOperation } from './internal-operations.js';
import { redirectRoute, staticRoute } from './static-route.js';
import { serveWebSocket } from './websocket.js';

/** How long requests in flight may take to end once the process drains. */
const drainMs = 5_000;

export interface GatewayOptions {
  supergraphSdl: string;
  subgraphs: readonly Subgraph[];
  /** The folder of the built pages. */
  pagesDirectory: string;
  /** 0 takes a free one. */
  port: number;
  host: string;
}

export interface RunningGateway {
  port: number;
  /** Refuses new work, lets the work in hand end, and frees everything but the platform. */
  drain(): Promise<void>;
}

/** Starts to listen. @throws the listen error, such as EADDRINUSE */
export async function startGateway(platform: Platform, options: GatewayOptions): Promise<RunningGateway> {
  const { config, logger } = platform;
  const domains = options.subgraphs.map((subgraph) => ({
    subgraph,
    name: subgraph.name,
    parts: subgraph.create(platform),
  }));
  const executors = domains.map(({ subgraph, parts }) => createExecutor(subgraph, parts, logger));

  const gateway = new FederatedGateway(options.supergraphSdl, executors);
  const apollo = await startApollo(gateway, { introspection: config.introspection === 'on', logger });
  const run = createRunOperation(apollo);
  const activity = new ActivityRecorder(run, logger);

  let draining = false;
  const listener = createListener(platform, [
    graphqlRoute(apollo, config.graphqlBodyBytes, activity.record),
    ingestRoute(run, config.ingestBodyBytes, activity.record),
    ...healthRoutes(domains, () => draining),
    redirectRoute('/', '/graphiql/'),
    redirectRoute('/graphiql', '/graphiql/'),
    staticRoute('/graphiql/', options.pagesDirectory),
  ]);
  const server = createServer(listener);
  const webSocket = serveWebSocket(server, platform, gateway, apollo);
  server.listen(options.port, options.host);
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    drain: async () => {
      draining = true;
      await webSocket.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const hardEnd = setTimeout(() => server.closeAllConnections(), drainMs);
      await closed;
      clearTimeout(hardEnd);
      await activity.close();
      await apollo.stop();
      await Promise.all(domains.map(({ parts }) => parts.close?.()));
    },
  };
}
