/**
 * Cross-origin requests from browsers. Callers are known by bearer tokens alone, never by cookies, so a page of another
 * origin gains nothing that its user did not hand it; this decides only which pages may read our answers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { appendVary } from './vary.js';

/** What scripts may read beside the few headers that browsers always show. */
const exposedHeaders =
  'x-request-id, etag, retry-after, content-disposition, content-range, accept-ranges, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-ratelimit-tier';
/** How long a browser may remember the answer to a preflight: the most that any of them takes is a day. */
const preflightMaxAgeSeconds = 86_400;
const headerNames = /^[\w!#$%&'*+.^`|~, -]{1,1024}$/;

export interface Cors {
  /** Puts what the caller's origin is allowed on the answer, whatever the answer will be. */
  allow(request: IncomingMessage, response: ServerResponse): void;
  /** The same for the question that a browser asks ahead. @param methods what the address takes */
  preflight(request: IncomingMessage, response: ServerResponse, methods: readonly string[]): void;
}

/** @param origins exact origins, or `*` alone; none for no cross-origin requests at all */
export function createCors(origins: readonly string[]): Cors | undefined {
  if (origins.length === 0) return undefined;
  const any = origins.includes('*');
  const known = new Set(origins);
  /** @returns whether the origin is allowed */
  const setOrigin = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (any) {
      response.setHeader('access-control-allow-origin', '*');
      return true;
    }
    // Also where nothing is allowed: a cache must not give one origin what it kept for another.
    appendVary(response, 'Origin');
    const { origin } = request.headers;
    if (origin === undefined || !known.has(origin)) return false;
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-allow-credentials', 'true');
    return true;
  };
  return {
    allow(request, response) {
      if (setOrigin(request, response)) response.setHeader('access-control-expose-headers', exposedHeaders);
    },
    preflight(request, response, methods) {
      appendVary(response, 'Access-Control-Request-Method', 'Access-Control-Request-Headers');
      if (!setOrigin(request, response)) return;
      response.setHeader('access-control-allow-methods', methods.join(', '));
      response.setHeader('access-control-max-age', preflightMaxAgeSeconds);
      // `*` would not cover Authorization, so the answer names what was asked for.
      const asked = request.headers['access-control-request-headers'];
      if (asked !== undefined && headerNames.test(asked)) response.setHeader('access-control-allow-headers', asked);
    },
  };
}
