/** The public keys of our access tokens, for services that check them by themselves (RFC 7517). */
import type { TokenKeys } from '../../platform/authentication/token-keys.js';
import { type Route, sendJson } from './listener.js';

/** Whoever meets a key that is not in it asks again. */
const maxAgeSeconds = 300;

export const jwksRoute = (keys: TokenKeys): Route => ({
  path: '/.well-known/jwks.json',
  methods: ['GET', 'HEAD'],
  authenticated: false,
  handle: async ({ response }) =>
    sendJson(response, 200, keys.published, { 'cache-control': `public, max-age=${maxAgeSeconds}` }),
});
