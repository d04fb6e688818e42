/** The gateway process: the public edge, with all subgraphs called in process. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../platform/config.js';
import { manageLifecycle, runMain } from '../platform/lifecycle.js';
import { createPlatform } from '../platform/platform.js';
import { createExecutor } from '../platform/subgraph.js';
import { subgraphs } from '../subgraphs/index.js';
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

await runMain(async () => {
  const config = loadConfig(process.env);
  const platform = createPlatform(config, 'gateway');
  const domains = subgraphs.map((subgraph) => ({ subgraph, name: subgraph.name, parts: subgraph.create(platform) }));
  const executors = domains.map(({ subgraph, parts }) => createExecutor(subgraph, parts, platform.logger));

  const gateway = new FederatedGateway(await readFile('schema/supergraph.graphql', 'utf8'), executors);
  const apollo = await startApollo(gateway, { introspection: config.introspection === 'on', logger: platform.logger });
  const run = createRunOperation(apollo);
  const activity = new ActivityRecorder(run, platform.logger);

  let draining = false;
  const routes = [
    graphqlRoute(apollo, config.graphqlBodyBytes, activity.record),
    ingestRoute(run, config.ingestBodyBytes, activity.record),
    ...healthRoutes(domains, () => draining),
    redirectRoute('/', '/graphiql/'),
    redirectRoute('/graphiql', '/graphiql/'),
    staticRoute('/graphiql/', fileURLToPath(new URL('../public/graphiql/', import.meta.url))),
  ];
  const server = createServer(createListener(platform, routes));
  const webSocket = serveWebSocket(server, platform, gateway, apollo);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(config.port, config.host ?? '127.0.0.1', resolve);
  });

  manageLifecycle(platform.logger, async () => {
    draining = true;
    await webSocket.close();
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), drainMs).unref();
    await closed;
    await activity.close();
    await apollo.stop();
    await Promise.all(domains.map(({ parts }) => parts.close?.()));
    await platform.close();
  });
});
