import { randomBytes } from 'node:crypto';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { chooseEncoding, encodeBody } from './compression.js';

describe('the encoding', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['deflate', undefined],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['gzip ; q=0.2 , br ; q=0.8', 'br'],
    ['zstd;q=0, br', 'br'],
    ['*', 'zstd'],
    ['*;q=0.1, gzip', 'gzip'],
    ['br;q=0, *', 'zstd'],
    ['*;q=0', undefined],
    ['identity', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip', 'gzip'],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['gzip;q=nonsense', undefined],
    ['gzip, '.repeat(1_000), undefined],
  ])('for "%s" is %s', (header, encoding) => {
    expect(chooseEncoding(header)).toBe(encoding);
  });

  it('stays right when more headers were seen than are remembered', () => {
    for (let at = 0; at < 1_000; at += 1) chooseEncoding(`gzip;q=0.${at}`);
    expect(chooseEncoding('gzip;q=0.5')).toBe('gzip');
  });
});

describe('a body', () => {
  const body = Buffer.from(JSON.stringify(Array.from({ length: 500 }, (_, at) => ({ id: at, name: `name ${at}` }))));

  it.each([
    ['zstd', zstdDecompressSync],
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
  ])('in %s is the same once it is unpacked', async (encoding, unpack) => {
    const encoded = await encodeBody(body, encoding);
    expect(encoded.headers).toEqual({ 'content-encoding': encoding });
    expect(encoded.body.length).toBeLessThan(body.length / 2);
    expect(unpack(encoded.body).equals(body)).toBe(true);
  });

  it('that several answers share is compressed once per encoding, also while the first is at work', async () => {
    const shared = Buffer.from(body);
    const [first, second, other] = await Promise.all(['gzip', 'gzip', 'br'].map((name) => encodeBody(shared, name)));
    expect(first!.body).toBe(second!.body);
    expect(other!.headers).toEqual({ 'content-encoding': 'br' });
    expect(encodeBody(shared, 'gzip')).toBe(first);
  });

  it('goes out as it is, at once, for clients that ask for nothing and below a kilobyte', () => {
    expect(encodeBody(body, undefined)).toEqual({ body, headers: {} });
    const small = body.subarray(0, 1_000);
    expect(encodeBody(small, 'gzip')).toEqual({ body: small, headers: {} });
  });

  it('that cannot be made smaller goes out as it is', async () => {
    const noise = randomBytes(20_000);
    expect(await encodeBody(noise, 'gzip')).toEqual({ body: noise, headers: {} });
  });
});
