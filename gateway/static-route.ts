/** Serves the built pages; everything that they load comes from here. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fail } from '../platform/errors.js';
import { decodePath, type Route } from './http.js';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json; charset=utf-8',
  '.ttf': 'font/ttf',
  '.woff2': 'font/woff2',
  '.png': 'image/png',
  '.map': 'application/json; charset=utf-8',
};

/** Nothing from outside; inline styles, since the editor sets them. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "worker-src 'self'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** @param prefix such as `/graphiql/`; the folder's index.html answers it */
export function staticRoute(prefix: string, directory: string): Route {
  return {
    path: prefix,
    methods: ['GET', 'HEAD'],
    authenticated: false,
    async handle({ request, response, url }) {
      const relative = normalize(decodePath(url.pathname.slice(prefix.length)) || 'index.html');
      const file = join(directory, relative);
      const info = file.startsWith(directory) ? await stat(file).catch(() => undefined) : undefined;
      if (!info?.isFile()) fail('NOT_FOUND', `There is nothing at ${url.pathname.slice(0, 200)}.`);
      response.writeHead(200, {
        'content-type': types[extname(file)] ?? 'application/octet-stream',
        'content-length': info.size,
        // Built files carry a hash in their name; pages do not.
        'cache-control': relative.startsWith('assets') ? 'public, max-age=31536000, immutable' : 'no-cache',
        'content-security-policy': contentSecurityPolicy,
      });
      if (request.method === 'HEAD') response.end();
      else createReadStream(file).pipe(response);
    },
  };
}

/** Sends the browser on to another path. */
export function redirectRoute(path: string, target: string): Route {
  return {
    path,
    methods: ['GET', 'HEAD'],
    authenticated: false,
    async handle({ response }) {
      response.writeHead(302, { location: target }).end();
    },
  };
}
