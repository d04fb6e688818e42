import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../platform/config.js';
import { sendJson } from './listener.js';
import { apiRoute, serveRoutes, type TestServer } from './testing.js';

let server: TestServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const start = async (origins: string) => {
  const page = { path: '/page', methods: ['GET'], authenticated: false };
  server = await serveRoutes(
    [
      apiRoute(({ response }) => sendJson(response, 200, { data: {} })),
      { ...page, handle: async ({ response }) => sendJson(response, 200, {}) },
    ],
    { CORS_ORIGINS: origins },
  );
};

const preflight = (origin: string, path = '/graphql') =>
  fetch(server!.url + path, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  });
const corsHeaders = ({ headers }: Response) => [...headers.keys()].filter((name) => name.startsWith('access-control-'));
const varyOf = ({ headers }: Response) => headers.get('vary')?.toLowerCase();

describe('with listed origins', () => {
  it('a preflight of one is told methods, headers and how long that holds', async () => {
    await start('https://app.example, https://other.example:8443');
    const answer = await preflight('https://other.example:8443');
    expect(answer.status).toBe(204);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': 'https://other.example:8443',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization,content-type',
      'access-control-max-age': '86400',
    });
    expect(varyOf(answer)).toBe('access-control-request-method, access-control-request-headers, origin');
  });

  it('an answer to one may be read with its request id, and an error as well', async () => {
    await start('https://app.example');
    for (const method of ['POST', 'DELETE']) {
      const answer = await fetch(`${server!.url}/graphql`, { method, headers: { origin: 'https://app.example' } });
      expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
      expect(answer.headers.get('access-control-expose-headers')).toContain('x-request-id');
      expect(varyOf(answer)).toBe('origin');
    }
  });

  it.each(['https://app.example.evil.example', 'http://app.example', 'https://app.example:444', 'null'])(
    'the origin %s is allowed nothing, and caches are told that origins differ',
    async (origin) => {
      await start('https://app.example');
      const answer = await fetch(`${server!.url}/graphql`, { headers: { origin } });
      expect([corsHeaders(answer), varyOf(answer)]).toEqual([[], 'origin']);
      const asked = await preflight(origin);
      expect([asked.status, corsHeaders(asked)]).toEqual([204, []]);
      expect(varyOf(asked)).toContain('origin');
    },
  );

  it('addresses that are no part of the API stay closed to other origins', async () => {
    await start('https://app.example');
    expect(corsHeaders(await preflight('https://app.example', '/page'))).toEqual([]);
    expect(corsHeaders(await fetch(`${server!.url}/page`, { headers: { origin: 'https://app.example' } }))).toEqual([]);
  });
});

describe('with *', () => {
  it('every origin is allowed, without credentials', async () => {
    await start('*');
    const answer = await preflight('https://anyone.example');
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.has('access-control-allow-credentials')).toBe(false);
    expect(answer.headers.get('access-control-allow-headers')).toBe('authorization,content-type');
  });
});

describe('without origins', () => {
  it('OPTIONS tells the methods of an address, and no origin is allowed anything', async () => {
    await start('');
    const answer = await preflight('https://app.example');
    expect([answer.status, answer.headers.get('allow'), corsHeaders(answer)]).toEqual([204, 'GET, POST, OPTIONS', []]);
    expect(corsHeaders(await fetch(`${server!.url}/graphql`, { headers: { origin: 'https://app.example' } }))).toEqual(
      [],
    );
    expect((await fetch(`${server!.url}/nowhere`, { method: 'OPTIONS' })).status).toBe(404);
  });
});

it.each(['app.example', 'https://app.example/', 'https://*.example', '*,https://app.example', 'null'])(
  'the setting refuses "%s", which names no origin',
  (origins) => {
    expect(() => loadConfig({ CORS_ORIGINS: origins })).toThrow(
      /^CORS_ORIGINS .* is not allowed: it takes \* alone, or exact origins/,
    );
  },
);
