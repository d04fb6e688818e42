/** The gateway process: the public edge, with the subgraphs in process or at the addresses that SUBGRAPH_URLS names. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../platform/config.js';
import { manageLifecycle, runMain } from '../platform/lifecycle.js';
import { createPlatform } from '../platform/platform.js';
import { subgraphs } from '../subgraphs/index.js';
import { startGateway } from './server.js';

await runMain(async () => {
  const config = loadConfig(process.env);
  const platform = createPlatform(config, 'gateway');
  const gateway = await startGateway(platform, {
    supergraphSdl: await readFile(config.supergraphFile, 'utf8'),
    supergraphFile: config.supergraphFile,
    subgraphs,
    pagesDirectory: fileURLToPath(new URL('../public/graphiql/', import.meta.url)),
    port: config.port,
    host: config.host ?? '127.0.0.1',
  });
  manageLifecycle(platform.logger, async () => {
    await gateway.drain();
    await platform.close();
  });
});
