/** Liveness and readiness, for supervisors and load balancers. */
import { within } from '../../platform/within.js';
import type { FederatedGateway } from '../federated-gateway.js';
import { type Route, sendJson } from './listener.js';

/** How long a subgraph may think about its health. */
const healthTimeoutMs = 2_000;

/** @param draining answers true from the moment that the process was asked to end */
export function healthRoutes(gateway: Pick<FederatedGateway, 'sources'>, draining: () => boolean): Route[] {
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
          [...gateway.sources].map(
            async ([name, { source }]) => [name, await within(healthTimeoutMs, source.isHealthy(), false)] as const,
          ),
        );
        // With some subgraphs down it still answers the rest: taking it out of service would help nobody.
        const ready = !draining() && checks.some(([, healthy]) => healthy);
        const all = checks.every(([, healthy]) => healthy);
        const status = draining() ? 'draining' : all ? 'ready' : ready ? 'degraded' : 'down';
        sendJson(response, ready ? 200 : 503, {
          status,
          subgraphs: Object.fromEntries(checks.map(([name, ok]) => [name, ok ? 'up' : 'down'])),
        });
      },
    },
  ];
}
