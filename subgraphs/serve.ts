/** `npm run serve -- jobs,audit --port N`: subgraphs in a process of their own, for a gateway that names them in SUBGRAPH_URLS. */
import { ConfigError, loadConfig, requireSetting } from '../platform/config.js';
import { HopVerifier } from '../platform/hop-tokens.js';
import { manageLifecycle, runMain } from '../platform/lifecycle.js';
import { createPlatform } from '../platform/platform.js';
import { createExecutor } from '../platform/subgraph.js';
import { startSubgraphServer } from '../platform/subgraph-server.js';
import { within } from '../platform/within.js';
import { subgraphs } from './index.js';
import { readServeArguments, serveUsage } from './serve-arguments.js';

/** How long a subgraph may think about its health. */
const healthTimeoutMs = 2_000;

await runMain(async () => {
  const { chosen, port, help } = readServeArguments(process.argv.slice(2), subgraphs);
  if (help) return void process.stdout.write(serveUsage(subgraphs));
  const config = loadConfig(process.env);
  const verifyKey = config.hopVerifyKey ?? config.hopSigningKey ?? requireSetting(config, 'hopVerifyKey');
  const platform = createPlatform(config, `subgraphs ${chosen.map(({ name }) => name).join(',')}`);
  const { logger, redis } = platform;
  const domains = chosen.map((subgraph) => ({ subgraph, parts: subgraph.create(platform) }));
  const host = config.host ?? '127.0.0.1';
  const server = await startSubgraphServer({
    executors: domains.map(({ subgraph, parts }) => createExecutor(subgraph, parts, logger)),
    verifier: new HopVerifier(verifyKey, redis, logger),
    logger,
    bodyBytes: config.subgraphBodyBytes,
    port,
    host,
    health: async () => {
      const checks = domains.map(async ({ subgraph: { name }, parts: { health } }) => {
        return [name, health === undefined || (await within(healthTimeoutMs, health(), false))] as const;
      });
      return Object.fromEntries(await Promise.all(checks));
    },
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
    throw new ConfigError(`--port ${port} cannot be used (${error.code}): choose another one, or 0 for a free one.`);
  });
  for (const { name } of chosen) process.stdout.write(`${name} is at http://${host}:${server.port}/${name}\n`);
  manageLifecycle(logger, async () => {
    await server.drain();
    await Promise.all(domains.map(({ parts }) => parts.close?.()));
    await platform.close();
  });
});
