/** Serves the built pages; everything that they load comes from here. */
import { readFile, stat } from 'node:fs/promises';
import { extname, resolve, sep } from 'node:path';
import { fail } from '../../platform/errors.js';
import { answerNotModified, sendBody } from './caching.js';
import { decodePath, type Route } from './listener.js';

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
  "object-src 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** @param prefix such as `/graphiql/`; the folder's index.html answers it */
export function staticRoute(prefix: string, directory: string): Route {
  // The few files of the folder, kept as they are compressed: nothing else can get in here.
  const kept = new Map<string, { mtimeMs: number; body: Buffer }>();
  const root = resolve(directory) + sep;
  const load = async (file: string, mtimeMs: number): Promise<Buffer> => {
    const known = kept.get(file);
    if (known?.mtimeMs === mtimeMs) return known.body;
    const body = await readFile(file);
    kept.set(file, { mtimeMs, body });
    return body;
  };
  return {
    path: prefix,
    methods: ['GET', 'HEAD'],
    authenticated: false,
    async handle({ request, response, url }) {
      const file = resolve(root, decodePath(url.pathname.slice(prefix.length)) || 'index.html');
      const info = file.startsWith(root) ? await stat(file).catch(() => undefined) : undefined;
      if (!info?.isFile()) fail('NOT_FOUND', `There is nothing at ${url.pathname.slice(0, 200)}.`);
      const body = await load(file, info.mtimeMs);
      // Built files carry a hash in their name; pages do not.
      const isHashed = file.startsWith(`${root}assets${sep}`);
      response.setHeader('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      response.setHeader('vary', 'Accept-Encoding');
      response.setHeader('content-security-policy', contentSecurityPolicy);
      response.setHeader('cross-origin-opener-policy', 'same-origin');
      if (answerNotModified(request, response, body)) return;
      response.setHeader('content-type', types[extname(file)] ?? 'application/octet-stream');
      await sendBody(request, response, body);
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
