/** A real server over given routes, for the tests of this folder. */
import { systemClock } from '../../platform/clock.js';
import { loadConfig } from '../../platform/config.js';
import { createLogger } from '../../platform/logging.js';
import { createListener, type Exchange, type ListenerOptions, type Route } from './listener.js';
import { createWebServer, type WebServer } from './web-server.js';

export interface TestServer {
  port: number;
  url: string;
  web: WebServer;
  close(): Promise<void>;
}

const certificateCheckMs = 20;

export async function serveRoutes(
  routes: Route[],
  settings: Record<string, string> = {},
  options: Partial<ListenerOptions> = {},
): Promise<TestServer> {
  const config = loadConfig(settings);
  const logger = options.logger ?? createLogger('test', 'silent');
  const listener = createListener({ config, logger, clock: systemClock, authenticator: undefined, ...options }, routes);
  const web = await createWebServer(config, listener, logger, certificateCheckMs);
  const port = await web.listen(0, '127.0.0.1');
  const scheme = config.tlsCertFile === undefined ? 'http' : 'https';
  return { port, url: `${scheme}://127.0.0.1:${port}`, web, close: () => web.drain(1_000) };
}

/** A route of the API, at `/graphql` unless told otherwise. */
export const apiRoute = (handle: (exchange: Exchange) => unknown, path = '/graphql'): Route => ({
  path,
  methods: ['GET', 'POST'],
  authenticated: true,
  handle: async (exchange) => {
    await handle(exchange);
  },
});
