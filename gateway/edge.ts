/** The public edge of a graph: HTTP and WebSocket on one port, with whatever routes beside `/graphql`. */
import type { Authenticator } from '../platform/authentication/authenticator.js';
import type { Clock } from '../platform/clock.js';
import type { Config } from '../platform/config.js';
import type { Logger } from '../platform/logging.js';
import type { Figures } from '../platform/metrics.js';
import type { Graph } from './graph.js';
import { graphqlRoute, type OnAnswered } from './http/graphql-route.js';
import { healthRoutes } from './http/health-routes.js';
import { createListener, type Route } from './http/listener.js';
import { metricsRoute } from './http/metrics-route.js';
import { createWebServer } from './http/web-server.js';
import type { CallerLimits } from './limits/caller-limits.js';
import { createStreams } from './subscriptions/streams.js';

/** How long requests in flight may take to end once the process drains. */
const drainMs = 5_000;

export interface EdgeOptions {
  config: Config;
  logger: Logger;
  clock: Clock;
  /** Tells who asks; undefined where nobody has to show anything. It ends with the edge. */
  authenticator: Authenticator | undefined;
  /** What callers are held to; undefined for no limits. It ends with the edge. */
  callerLimits?: CallerLimits | undefined;
  graph: Graph;
  /** What is served beside the graph and its health. */
  routes: Route[];
  /** What /metrics tells beside the gateway's own. */
  figures?: readonly Figures[];
  onAnswered?: OnAnswered;
  /** 0 takes a free one. */
  port: number;
  host: string;
}

export interface RunningEdge {
  port: number;
  /** Where it listens, without a path. */
  url: string;
  /** Refuses new work and lets the work in hand end. */
  drain(): Promise<void>;
}

/** Starts to listen. @throws the listen error, such as EADDRINUSE */
export async function startEdge(options: EdgeOptions): Promise<RunningEdge> {
  const { graph, config, logger } = options;
  const { metrics, tracing } = graph;
  let draining = false;
  const streams = createStreams(options);
  const routes = [
    graphqlRoute({ ...options, streamEvents: streams.streamEvents }),
    ...healthRoutes(graph.gateway, () => draining),
    ...(config.metrics === 'on' ? [metricsRoute([metrics, ...(options.figures ?? [])], config.metricsToken)] : []),
    ...options.routes,
  ];
  const web = await createWebServer(config, createListener({ ...options, metrics, tracing }, routes), logger);
  streams.serveUpgrades(web.server);
  const port = await web.listen(options.port, options.host);
  return {
    port,
    url: `${config.tlsCertFile === undefined ? 'http' : 'https'}://${options.host}:${port}`,
    drain: async () => {
      draining = true;
      await Promise.all([streams.close(), web.drain(drainMs)]);
      await Promise.all([options.callerLimits?.close(), options.authenticator?.close()]);
    },
  };
}
