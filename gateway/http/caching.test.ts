import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemIdentity } from '../../platform/identity.js';
import { type Answer, combineCacheControl, sendAnswer } from './caching.js';
import { apiRoute, serveRoutes, type TestServer } from './testing.js';

describe('two policies together', () => {
  it.each([
    ['max-age=60, public', 'max-age=30, public', 'max-age=30, public'],
    ['max-age=60, private', 'max-age=30', 'max-age=30, private'],
    ['max-age=60', 'Private, Max-Age=90', 'max-age=60, private'],
    ['public, s-maxage=10, max-age=60', 'max-age=60', 'max-age=10, public'],
    ['max-age=60', undefined, undefined],
    [undefined, 'max-age=60', undefined],
    ['max-age=60', 'no-store', undefined],
    ['max-age=60', 'no-cache, max-age=60', undefined],
    ['max-age=60', 'max-age=0', undefined],
    ['max-age=60', 'public', undefined],
    ['max-age=60', 'max-age=soon', undefined],
  ])('"%s" and "%s" allow %s', (a, b, both) => {
    expect(combineCacheControl(a, b)).toBe(both);
    expect(combineCacheControl(b, a)).toBe(both);
  });
});

describe('an answer', () => {
  let server: TestServer;
  let answer: Answer;
  let isKnown: boolean;
  beforeAll(async () => {
    const identity = systemIdentity(crypto.randomUUID(), 'test');
    server = await serveRoutes([
      apiRoute((exchange) => sendAnswer({ ...exchange, identity: isKnown ? identity : undefined }, answer)),
    ]);
  });
  afterAll(() => server.close());

  /** Asks without fetch, which would ask for compression by itself. */
  const ask = (method: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
      const asked = request(`${server.url}/graphql`, { method, headers, agent: false }, async (response) => {
        const chunks = await response.toArray();
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) });
      });
      asked.on('error', reject).end();
    });
  const give = (cacheControl: string | undefined, more: Partial<Answer> = {}, known = false) => {
    const body = Buffer.from(`{"data":{"text":"${'cached '.repeat(500)}"}}`);
    answer = { status: 200, contentType: 'application/json', body, cacheControl, ...more };
    isKnown = known;
  };

  it('without a policy may be kept by nobody, and neither may one of another status', async () => {
    give(undefined);
    expect((await ask('GET')).headers['cache-control']).toBe('no-store');
    give('max-age=60, public', { status: 400 });
    const { headers } = await ask('GET');
    expect([headers['cache-control'], headers.etag]).toEqual(['no-store', undefined]);
  });

  it('with a policy tells it, and that callers and encodings differ', async () => {
    give('max-age=60, public');
    const { headers } = await ask('GET');
    expect(headers['cache-control']).toBe('max-age=60, public');
    expect(headers.vary).toBe('Authorization, Accept, Accept-Encoding');
  });

  it('to a known caller is private, whatever the policy says', async () => {
    give('max-age=60, public', {}, true);
    const { headers } = await ask('GET');
    expect(headers['cache-control']).toBe('max-age=60, private');
    expect(headers.vary).toContain('Authorization');
  });

  it('that the client has already is answered 304 without a body, with the same headers', async () => {
    give('max-age=60, public');
    const first = await ask('GET');
    for (const tag of [first.headers.etag as string, `"other", W/${first.headers.etag}`, '*']) {
      const again = await ask('GET', { 'if-none-match': tag });
      expect([again.status, again.body.length]).toEqual([304, 0]);
      expect(again.headers).toMatchObject({
        etag: first.headers.etag,
        'cache-control': 'max-age=60, public',
        vary: 'Authorization, Accept, Accept-Encoding',
      });
    }
    give('max-age=60, public', { body: Buffer.from('{"data":{"text":"another"}}') });
    expect((await ask('GET', { 'if-none-match': first.headers.etag as string })).status).toBe(200);
  });

  it('has another tag for every encoding', async () => {
    give('max-age=60, public');
    const plain = await ask('GET');
    const small = await ask('GET', { 'accept-encoding': 'gzip' });
    expect(gunzipSync(small.body).equals(plain.body)).toBe(true);
    expect(small.headers.etag).not.toBe(plain.headers.etag);
    const tag = small.headers.etag as string;
    expect((await ask('GET', { 'if-none-match': tag, 'accept-encoding': 'gzip' })).status).toBe(304);
    expect((await ask('GET', { 'if-none-match': tag })).status).toBe(200);
  });

  it('to POST tells the policy alone', async () => {
    give('max-age=60, public');
    const { etag } = (await ask('GET')).headers;
    const answered = await ask('POST', { 'if-none-match': etag as string });
    expect([answered.status, answered.headers['cache-control'], answered.headers.etag]).toEqual([
      200,
      'max-age=60, public',
      undefined,
    ]);
  });

  it('that is compressed says so to caches also where it has no policy', async () => {
    give(undefined);
    const { headers } = await ask('POST', { 'accept-encoding': 'gzip' });
    expect([headers['content-encoding'], headers.vary]).toEqual(['gzip', 'Accept-Encoding']);
  });
});
