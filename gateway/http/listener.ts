/** The HTTP door: plain node:http, one route a line. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Authenticator } from '../../platform/authentication/authenticator.js';
import { signedRequest } from '../../platform/authentication/signed-requests.js';
import type { Clock } from '../../platform/clock.js';
import type { Config } from '../../platform/config.js';
import { type ErrorCode, errorRegistry, fail, HarborwatchError, toErrorPayload } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import type { Logger } from '../../platform/logging.js';
import type { GatewayMetrics } from '../../platform/metrics.js';
import { passedOnTrace, type TraceSpan, type Tracing } from '../../platform/tracing.js';
import type { CallerLimits } from '../limits/caller-limits.js';
import type { Charge } from '../limits/charge.js';
import { ClientGone, discardBody, readRawBody } from './body.js';
import { createCors } from './cors.js';
import { createRemoteAddress } from './remote-address.js';
import { setSecurityHeaders } from './security-headers.js';

/** A request with everything that the routes need to know of it. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  identity: Identity | undefined;
  requestId: string;
  remoteIp: string | null;
  /** When the answer must have gone out, in milliseconds since the epoch. */
  deadline: number;
  /** What the request is charged; undefined where nobody is held to limits. */
  charge?: Charge | undefined;
  /** The request's span, where traces are on; steps of the answer are its children. */
  span?: TraceSpan | undefined;
  /** W3C trace context that calls of subgraphs send on: the span's, or the caller's as it came. */
  traceHeaders?: Record<string, string> | undefined;
}

export interface Route {
  /** The exact path, or a prefix that ends with `/`. */
  path: string;
  methods: string[];
  /** False for routes that anybody may ask without a token being looked at. */
  authenticated: boolean;
  /** The largest body that it takes, as it comes; none where absent. What a signature is of is read before the route. */
  bodyLimitBytes?: number;
  /** Charges requests itself, by what they cost, and each of them at least once. Else every request costs one unit. */
  chargesByCost?: boolean;
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
  response.writeHead(status, { ...jsonHeaders(text), ...headers });
  response.end(text);
}

const jsonHeaders = (text: string) => ({
  'content-type': 'application/json; charset=utf-8',
  'content-length': Buffer.byteLength(text),
});

/** How long the rest of a body that is too large is taken in, so that its sender reads the answer. */
const discardMs = 1_000;

/** When to try again where nobody knows better: connections are closed all the time, and quotas are freed by people. */
const retrySeconds = (code: ErrorCode): number => (code === 'QUOTA_EXCEEDED' ? 3_600 : 10);

/** Answers an error in GraphQL's shape, with the HTTP status of its code. */
export function sendError(
  exchange: Pick<Exchange, 'request' | 'response' | 'requestId'>,
  error: unknown,
  logger: Logger,
): void {
  const { request, response, requestId } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const known = error instanceof HarborwatchError ? error : undefined;
  if (!known) logger.error({ err: error, requestId }, 'unexpected error');
  const code = known?.code ?? 'INTERNAL_SERVER_ERROR';
  const { status } = errorRegistry[code];
  const unexpected = { message: 'Something went wrong on our side; it was logged.', extensions: { code, requestId } };
  const body = { errors: [known ? toErrorPayload(known) : unexpected] };
  const headers: Record<string, string> = { 'cache-control': 'no-store' };
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  if (status === 429) headers['retry-after'] = String(known?.details.retryAfterSeconds ?? retrySeconds(code));
  if (code !== 'PAYLOAD_TOO_LARGE' || request.complete) {
    sendJson(response, status, body, headers);
    return;
  }
  // What is left of the body would be taken for the next request.
  if (request.httpVersionMajor === 1) headers.connection = 'close';
  const text = JSON.stringify(body);
  response.writeHead(status, { ...jsonHeaders(text), ...headers });
  response.write(text);
  const limitBytes = Number(known?.details.limitBytes ?? 0);
  void discardBody(request, 2 * limitBytes, discardMs).then(() => response.end());
}

export interface ListenerOptions {
  config: Pick<Config, 'corsOrigins' | 'operationTimeoutMs' | 'tlsCertFile' | 'trustedProxies'>;
  logger: Logger;
  clock: Clock;
  /** Tells who asks; undefined where nobody has to show anything. */
  authenticator: Authenticator | undefined;
  /** What callers are held to; undefined for no limits. */
  callerLimits?: CallerLimits | undefined;
  metrics?: GatewayMetrics | undefined;
  tracing?: Tracing | undefined;
}

/** The listener that finds the route, the caller and the errors. */
export function createListener(options: ListenerOptions, routes: Route[]): RequestListener {
  const { config, clock, logger, authenticator, callerLimits, metrics, tracing } = options;
  const cors = createCors(config.corsOrigins);
  const isSecure = config.tlsCertFile !== undefined;
  const remoteAddress = createRemoteAddress(config.trustedProxies);
  const exact = new Map(routes.map((route) => [route.path, route]));
  const prefixes = routes.filter(({ path }) => path !== '/' && path.endsWith('/'));
  const find = (path: string) => exact.get(path) ?? prefixes.find((route) => path.startsWith(route.path));

  /** Reports the request once it has ended, however it ends. */
  const observe = (request: IncomingMessage, response: ServerResponse, route: Route | undefined) => {
    if (!metrics && !tracing) return undefined;
    const started = performance.now();
    const method = request.method ?? '';
    metrics?.begin('httpRequests');
    const span = tracing?.startRequest(route ? `${method} ${route.path}` : method, request.headers, {
      'http.request.method': method,
      'url.path': (request.url ?? '').split('?', 1)[0]!.slice(0, 200),
      'url.scheme': isSecure ? 'https' : 'http',
      'network.protocol.version': request.httpVersion,
      ...(route ? { 'http.route': route.path } : {}),
    });
    response.once('close', () => {
      // Nobody saw an answer that the client did not wait for: nginx's status for that.
      const status = response.headersSent ? response.statusCode : 499;
      metrics?.end('httpRequests');
      metrics?.httpRequest(route?.path ?? 'none', method, status, (performance.now() - started) / 1_000);
      span?.set('http.response.status_code', status);
      if (status >= 500) span?.fail(`${status}`);
      span?.end();
    });
    return span;
  };

  /** Mistakes are charged as well, to the address where nobody knows the caller. @returns why even that is refused */
  const chargeMistake = async (known: Charge | undefined, remoteIp: string | null, response: ServerResponse) => {
    const charge = known ?? (await callerLimits?.charge({ identity: undefined, remoteIp }, response));
    try {
      if (!charge?.refusal && !response.headersSent) await charge?.take(1);
      return charge?.refusal;
    } catch (error) {
      return error;
    }
  };

  return async (request, response) => {
    const given = request.headers['x-request-id'];
    const requestId = typeof given === 'string' && requestIdPattern.test(given) ? given : crypto.randomUUID();
    response.setHeader('x-request-id', requestId);
    setSecurityHeaders(response, isSecure);
    const remoteIp = remoteAddress(request);
    let span: TraceSpan | undefined;
    let route: Route | undefined;
    let charge: Charge | undefined;
    try {
      const url = addressOf(request);
      route = find(url.pathname);
      span = observe(request, response, route);
      if (!route) fail('NOT_FOUND', `There is nothing at ${url.pathname.slice(0, 200)}. GraphQL is at /graphql.`);
      if (request.method === 'OPTIONS') {
        response.setHeader('allow', [...route.methods, 'OPTIONS'].join(', '));
        if (route.authenticated) cors?.preflight(request, response, route.methods);
        response.writeHead(204).end();
        return;
      }
      // Only what needs a token is an API; pages and figures are for their own origin.
      if (route.authenticated) cors?.allow(request, response);
      if (!route.methods.includes(request.method ?? '')) {
        response.setHeader('allow', [...route.methods, 'OPTIONS'].join(', '));
        fail('METHOD_NOT_ALLOWED', `${route.path} takes ${route.methods.join(' or ')}, not ${request.method}.`);
      }
      const deadline = clock.now() + config.operationTimeoutMs;
      const { bodyLimitBytes = 0, authenticated } = route;
      const identity = authenticated
        ? await authenticator?.authenticate({
            authorization: request.headers.authorization,
            signed: signedRequest(request.headers, () => readRawBody(request, bodyLimitBytes)),
            requestId,
            remoteIp,
            deadline,
          })
        : undefined;
      if (route.authenticated) {
        charge = await callerLimits?.charge({ identity, remoteIp }, response);
        charge?.check();
        if (!route.chargesByCost) await charge?.take(1);
      }
      await route.handle({
        request,
        response,
        url,
        identity,
        requestId,
        remoteIp,
        deadline,
        charge,
        span,
        traceHeaders: span ? span.headers() : passedOnTrace(request.headers),
      });
    } catch (error) {
      if (error instanceof ClientGone) return;
      if (span && !(error instanceof HarborwatchError)) span.fail('INTERNAL_SERVER_ERROR');
      const refusal = route?.authenticated ? await chargeMistake(charge, remoteIp, response) : undefined;
      sendError({ request, response, requestId }, refusal ?? error, logger);
    }
  };
}
