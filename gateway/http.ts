/** The HTTP door: plain node:http, one route a line. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { errorRegistry, fail, HarborwatchError } from '../platform/errors.js';
import type { Identity } from '../platform/identity.js';
import type { Logger } from '../platform/logging.js';
import type { Platform } from '../platform/platform.js';
import { authenticate } from './identity.js';

/** A request with everything that the routes need to know of it. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  identity: Identity | undefined;
  requestId: string;
  remoteIp: string | null;
}

export interface Route {
  /** The exact path, or a prefix that ends with `/`. */
  path: string;
  methods: string[];
  /** False for routes that anybody may ask without a token being looked at. */
  authenticated: boolean;
  handle(exchange: Exchange): Promise<void>;
}

const requestIdPattern = /^[\w-]{1,64}$/;

/**
 * The address that a request asks for.
 * @throws BAD_USER_INPUT where it is none, such as `http://[`
 */
export function addressOf(request: IncomingMessage): URL {
  const origin = 'http://gateway.invalid';
  const target = request.url ?? '/';
  // A path stays a path: resolved against the origin, `//name/` would be a host.
  const url = target.startsWith('/') ? URL.parse(origin + target) : URL.parse(target, origin);
  return url ?? fail('BAD_USER_INPUT', 'The address is not a valid URL.', { argument: 'url' });
}

/** Undoes the percent-encoding of a part of a path. @throws BAD_USER_INPUT where it is broken, such as `%` alone */
export function decodePath(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return fail('BAD_USER_INPUT', `The percent-encoding of "${part.slice(0, 200)}" is broken.`, { argument: 'url' });
  }
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

/** Answers an error in GraphQL's shape, with the HTTP status of its code. */
export function sendError(exchange: Pick<Exchange, 'response' | 'requestId'>, error: unknown, logger: Logger): void {
  const { response, requestId } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const known = error instanceof HarborwatchError ? error : undefined;
  if (!known) logger.error({ err: error, requestId }, 'unexpected error');
  const code = known?.code ?? 'INTERNAL_SERVER_ERROR';
  const message = known?.message ?? 'Something went wrong on our side; it was logged.';
  const extensions = { code, ...known?.details, ...(known ? {} : { requestId }) };
  // A body that was not read to its end would be taken for the next request.
  const headers: Record<string, string> = code === 'PAYLOAD_TOO_LARGE' ? { connection: 'close' } : {};
  if (errorRegistry[code].status === 401) headers['www-authenticate'] = 'Bearer';
  sendJson(response, errorRegistry[code].status, { errors: [{ message, extensions }] }, headers);
}

/** The listener that finds the route, the caller and the errors. */
export function createListener(
  platform: Pick<Platform, 'tokens' | 'clock' | 'logger'>,
  routes: Route[],
): RequestListener {
  const find = (path: string) =>
    routes.find((route) => route.path === path) ??
    routes.find((route) => route.path !== '/' && route.path.endsWith('/') && path.startsWith(route.path));
  return async (request, response) => {
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : crypto.randomUUID();
    response.setHeader('x-request-id', requestId);
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    try {
      const url = addressOf(request);
      const route =
        find(url.pathname) ??
        fail('NOT_FOUND', `There is nothing at ${url.pathname.slice(0, 200)}. GraphQL is at /graphql.`);
      if (!route.methods.includes(request.method ?? '')) {
        response.setHeader('allow', route.methods.join(', '));
        fail('METHOD_NOT_ALLOWED', `${route.path} takes ${route.methods.join(' or ')}, not ${request.method}.`);
      }
      const identity = route.authenticated
        ? await authenticate(platform.tokens, request.headers.authorization, requestId, platform.clock.now())
        : undefined;
      await route.handle({
        request,
        response,
        url,
        identity,
        requestId,
        remoteIp: request.socket.remoteAddress ?? null,
      });
    } catch (error) {
      if (!(error as { code?: string }).code?.startsWith('ECONNRESET'))
        sendError({ response, requestId }, error, platform.logger);
    }
  };
}
