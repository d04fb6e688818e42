/** Liveness and readiness, for supervisors and load balancers. */
import type { SubgraphParts } from '../platform/subgraph.js';
import { within } from '../platform/within.js';
import { type Route, sendJson } from './http.js';

/** How long a subgraph may think about its health. */
const healthTimeoutMs = 2_000;

/** @param draining answers true from the moment that the process was asked to end */
export function healthRoutes(domains: { name: string; parts: SubgraphParts }[], draining: () => boolean): Route[] {
  return [
    {
      path: '/health/live',
      methods: ['GET', 'HEAD'],
      authenticated: false,
      handle: async ({ response }) => sendJson(response, 200, { status: 'live' }),
    },
    {
      path: '/health/ready',
      methods: ['GET', 'HEAD'],
      authenticated: false,
      handle: async ({ response }) => {
        const checks = await Promise.all(
          domains.map(async ({ name, parts }) => [name, await isHealthy(parts)] as const),
        );
        const ready = !draining() && checks.every(([, healthy]) => healthy);
        const status = draining() ? 'draining' : ready ? 'ready' : 'degraded';
        sendJson(response, ready ? 200 : 503, {
          status,
          subgraphs: Object.fromEntries(checks.map(([name, ok]) => [name, ok ? 'up' : 'down'])),
        });
      },
    },
  ];
}

const isHealthy = async ({ health }: SubgraphParts): Promise<boolean> =>
  health === undefined || within(healthTimeoutMs, health(), false);
