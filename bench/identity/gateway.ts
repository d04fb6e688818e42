/**
 * `node gateway.js SUPERGRAPH_FILE PORT`: our gateway over HTTP subgraphs with everything that guards the graph, as the
 * product has it: tokens and what ended of them, rules of access, and the limits that the database tells.
 */
import { readFileSync } from 'node:fs';
import { startEdge } from '../../gateway/edge.js';
import { startGraph } from '../../gateway/graph.js';
import { CallerLimits } from '../../gateway/limits/caller-limits.js';
import { HttpSource } from '../../gateway/sources/http.js';
import { startAuthenticator } from '../../platform/authentication/authenticator.js';
import { loadConfig } from '../../platform/config.js';
import { manageLifecycle } from '../../platform/lifecycle.js';
import { createPlatform } from '../../platform/platform.js';
import { readOrgLimits } from '../../platform/system/org-limits.js';

const [supergraphFile = '', port = ''] = process.argv.slice(2);
const config = loadConfig(process.env);
const platform = createPlatform(config, 'gateway');
const { logger, postgres } = platform;
const graph = await startGraph({
  config,
  logger,
  supergraphSdl: readFileSync(supergraphFile, 'utf8'),
  scalars: [],
  schemaIsPublic: false,
  sourceFor: ({ name, url }, metrics) => new HttpSource({ name, url, settings: config, logger, metrics }),
});
const edge = await startEdge({
  ...platform,
  authenticator: await startAuthenticator(platform),
  callerLimits: new CallerLimits({ ...platform, read: (orgId) => readOrgLimits(postgres, orgId) }),
  graph,
  routes: [],
  port: Number(port),
  host: '127.0.0.1',
});
manageLifecycle(logger, async () => {
  await edge.drain();
  await graph.close();
  await platform.close();
});
