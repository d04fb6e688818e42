import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { staticRoute } from './static-route.js';
import { serveRoutes, type TestServer } from './testing.js';

let server: TestServer;
let directory: string;
const page = `<!doctype html>${'<p>Hello</p>'.repeat(500)}`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'harborwatch-pages-'));
  await mkdir(join(directory, 'assets'));
  await writeFile(join(directory, 'index.html'), page);
  await writeFile(join(directory, 'assets', 'main-1234.js'), 'console.log("hello");'.repeat(200));
  await mkdir(`${directory}-private`);
  await writeFile(join(`${directory}-private`, 'index.html'), 'private');
  server = await serveRoutes([staticRoute('/pages/', directory)]);
});
afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true });
  await rm(`${directory}-private`, { recursive: true });
});

it('a page is compressed, asked for again every time, and not sent again', async () => {
  const answer = await fetch(`${server.url}/pages/`, { headers: { 'accept-encoding': 'br' } });
  expect(await answer.text()).toBe(page);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-encoding': 'br',
    'cache-control': 'no-cache',
    vary: 'Accept-Encoding',
  });
  const etag = answer.headers.get('etag')!;
  const headers = { 'accept-encoding': 'br', 'if-none-match': etag };
  expect((await fetch(`${server.url}/pages/`, { headers })).status).toBe(304);
});

it('a page that has changed is sent anew', async () => {
  const before = (await fetch(`${server.url}/pages/`)).headers.get('etag')!;
  await writeFile(join(directory, 'index.html'), page.replace('Hello', 'Goodbye'));
  const answer = await fetch(`${server.url}/pages/`, { headers: { 'if-none-match': before } });
  expect([answer.status, await answer.text()]).toEqual([200, page.replace('Hello', 'Goodbye')]);
});

it('built files may be kept for ever', async () => {
  const answer = await fetch(`${server.url}/pages/assets/main-1234.js`, { method: 'HEAD' });
  expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect([await answer.text(), answer.headers.has('content-length')]).toEqual(['', true]);
});

it('pages load nothing from elsewhere and are shown in no frame', async () => {
  const { headers } = await fetch(`${server.url}/pages/`);
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'self';.*frame-ancestors 'none'/);
  expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
});

it.each(['..%2f..%2fetc/passwd', '%2e%2e/secret', 'assets', 'missing.js'])('there is nothing at "%s"', async (path) => {
  expect((await fetch(`${server.url}/pages/${path}`)).status).toBe(404);
});

it('nothing outside of the folder is served, not even of one whose name begins like its own', async () => {
  const name = basename(directory);
  for (const path of [`..%2f${name}-private%2findex.html`, '..%2f..%2fetc%2fpasswd', '%2fetc%2fpasswd', '..', '%00']) {
    expect((await fetch(`${server.url}/pages/${path}`)).status).toBe(404);
  }
});
