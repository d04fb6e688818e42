/** The gateway of the product: its subgraphs in process or at their addresses, bulk ingest and pages beside the graph. */
import { startAuthenticator } from '../platform/authentication/authenticator.js';
import { ConfigError, requireSetting } from '../platform/config.js';
import { BigIntScalar, DateTimeScalar } from '../platform/graphql/scalars.js';
import { HopSigner } from '../platform/hop-tokens.js';
import { jobMetrics } from '../platform/job-metrics.js';
import type { Platform } from '../platform/platform.js';
import { Notifications } from '../platform/postgres/notifications.js';
import { createExecutor, type Subgraph } from '../platform/subgraph.js';
import { limitsChangedChannel, readOrgLimits } from '../platform/system/org-limits.js';
import { workerMetrics } from '../platform/worker-metrics.js';
import { ActivityRecorder } from './activity.js';
import { createPageReader } from './downloads/pages.js';
import { type RunningEdge, startEdge } from './edge.js';
import { startGraph } from './graph.js';
import { ingestRoute } from './http/ingest-route.js';
import { jwksRoute } from './http/jwks-route.js';
import { resultsRoute } from './http/results-route.js';
import { redirectRoute, staticRoute } from './http/static-route.js';
import { CallerLimits } from './limits/caller-limits.js';
import { HttpSource } from './sources/http.js';
import { InProcessSource } from './sources/in-process.js';
import { watchSupergraph } from './supergraph/watch.js';

export interface GatewayOptions {
  supergraphSdl: string;
  /** Where it comes from, if it is to be watched. */
  supergraphFile?: string;
  subgraphs: readonly Subgraph[];
  /** The folder of the built pages. */
  pagesDirectory: string;
  /** 0 takes a free one. */
  port: number;
  host: string;
}

/** Starts to listen. @throws the listen error, such as EADDRINUSE */
export async function startGateway(platform: Platform, options: GatewayOptions): Promise<RunningEdge> {
  const { config, logger } = platform;
  const { subgraphUrls } = config;
  const unknown = [...subgraphUrls.keys()].filter(
    (name) => !options.subgraphs.some((subgraph) => subgraph.name === name),
  );
  if (unknown.length > 0)
    throw new ConfigError(`SUBGRAPH_URLS names ${unknown.join(', ')}, which no subgraph is called.`);
  const domains = options.subgraphs
    .filter(({ name }) => !subgraphUrls.has(name))
    .map((subgraph) => ({ subgraph, parts: subgraph.create(platform) }));
  const signer = config.hopSigningKey === undefined ? undefined : new HopSigner(config.hopSigningKey);
  const graph = await startGraph({
    config,
    logger,
    supergraphSdl: options.supergraphSdl,
    scalars: [DateTimeScalar, BigIntScalar],
    schemaIsPublic: false,
    sourceFor: ({ name, url }, metrics) => {
      const domain = domains.find(({ subgraph }) => subgraph.name === name);
      if (!domain) {
        // One of ours in a process of its own, or another team's beside ours: both learn of the caller by signed hops.
        if (!signer) requireSetting(config, 'hopSigningKey');
        return new HttpSource({ name, url: subgraphUrls.get(name) ?? url, settings: config, signer, logger, metrics });
      }
      const executor = createExecutor(domain.subgraph, domain.parts, logger);
      return new InProcessSource(executor, config.operationTimeoutMs, domain.parts.health);
    },
  });
  const watch =
    options.supergraphFile === undefined ? undefined : watchSupergraph(options.supergraphFile, graph.gateway, logger);
  const activity = new ActivityRecorder(graph.run, logger);
  const read = (orgId: string) => readOrgLimits(platform.postgres, orgId);
  const callerLimits = config.rateLimits === 'on' ? new CallerLimits({ ...platform, read }) : undefined;
  const limitsChanged =
    callerLimits &&
    new Notifications(platform.postgres, {
      channel: limitsChangedChannel,
      onListening: () => callerLimits.forget(),
      onNotification: (orgId) => callerLimits.forget(orgId),
      logger,
    });
  const edge = await startEdge({
    ...platform,
    ...options,
    authenticator: await startAuthenticator(platform),
    callerLimits,
    graph,
    onAnswered: activity.record,
    figures: [workerMetrics(platform.postgres), jobMetrics(platform.postgres)],
    routes: [
      ingestRoute(graph.run, config.ingestBodyBytes, activity.record),
      resultsRoute(
        createPageReader({
          run: graph.run,
          clock: platform.clock,
          pageTimeoutMs: config.operationTimeoutMs,
          maxCost: graph.limits.cost,
        }),
        logger,
        activity.record,
      ),
      jwksRoute(platform.tokens.keys),
      redirectRoute('/', '/graphiql/'),
      redirectRoute('/graphiql', '/graphiql/'),
      staticRoute('/graphiql/', options.pagesDirectory),
    ],
  });
  return {
    ...edge,
    drain: async () => {
      watch?.close();
      await Promise.all([edge.drain(), limitsChanged?.close()]);
      await activity.close();
      await graph.close();
      await Promise.all(domains.map(({ parts }) => parts.close?.()));
    },
  };
}
