/** Downloads of results, through a real gateway and over real sockets. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorRegistry } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import { createLogger } from '../../platform/logging.js';
import { makeCertificate } from '../../tests/setup/certificate.js';
import { startTestGateway, type TestGateway } from '../../tests/setup/gateway.js';
import {
  chunksOf,
  columnsOf,
  completed,
  running,
  type StoredResult,
  storeChunk,
  storeResult,
} from '../../tests/setup/stored-results.js';
import { eventually } from '../../tests/setup/until.js';
import type { PageReader } from '../downloads/pages.js';
import { resultsRoute } from './results-route.js';
import { serveRoutes } from './testing.js';

const isDeep = process.env.HARBORWATCH_DEEP !== undefined;
const columns = columnsOf(['n', 'LONG'], ['text', 'STRING'], ['raw', 'DYNAMIC']);
const row = (n: number) => [n, n % 3 === 0 ? null : `row ${n}, “wide”`, { n: [n] }];
const objectOf = (n: number) => ({ n, text: row(n)[1], raw: { n: [n] } });

let gateway: TestGateway;
let id: string;
let token: string;

const rows = 25_500;
const store = (what: Partial<StoredResult>, identity: Identity = gateway.orgs[0]) =>
  storeResult({ database: gateway.database, orgId: identity.orgId, set: completed, columns, ...what });
const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(`${gateway.url}/jobs/${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, 'accept-encoding': 'identity', ...headers },
  });
const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

beforeAll(async () => {
  gateway = await startTestGateway();
  token = await gateway.tokenFor(gateway.orgs[0]);
  id = await store({ chunks: chunksOf(rows, row) });
});
afterAll(() => gateway?.close());

describe('a download', () => {
  test('has every row once, in each format', async () => {
    const objects = Array.from({ length: rows }, (_, n) => objectOf(n));
    const [json, ndjson, csv] = await Promise.all(
      ['json', 'ndjson', 'csv'].map((format) => ask(`${id}/results?format=${format}`)),
    );
    expect(json!.status).toBe(200);
    expect(Object.fromEntries(json!.headers)).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': `attachment; filename="job-${id}.json"`,
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'x-content-type-options': 'nosniff',
      vary: 'Authorization, Accept-Encoding',
      etag: expect.stringMatching(/^"[\w-]{27}"$/),
    });
    expect(await json!.json()).toEqual(objects);
    expect(ndjson!.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const lines = (await ndjson!.text()).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(objects);
    expect(csv!.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const records = (await csv!.text()).split('\r\n');
    expect(records.slice(0, 3)).toEqual(['n,text,raw', '0,,"{""n"":[0]}"', '1,"row 1, “wide”","{""n"":[1]}"']);
    expect(records.length).toBe(rows + 2);
  });

  test('of a result without rows is whole, too', async () => {
    const empty = await store({});
    const text = async (format: string) => (await ask(`${empty}/results?format=${format}`)).text();
    expect([await text('json'), await text('ndjson'), await text('csv')]).toEqual(['[]\n', '', 'n,text,raw\r\n']);
  });

  test('begins and ends at the rows that are asked for; pieces of csv make the whole', async () => {
    const part = await ask(`${id}/results?offset=12345&limit=10001`);
    const found = (await part.json()) as { n: number }[];
    expect([found.length, found[0]!.n, found.at(-1)!.n]).toEqual([10_001, 12_345, 22_345]);
    const csv = async (query: string) => (await ask(`${id}/results?format=csv&${query}`)).text();
    expect((await csv('limit=777')) + (await csv('offset=777'))).toBe(await csv(''));
    expect(await csv('offset=2147483647')).toBe('');
    expect(await csv('limit=0')).toBe('n,text,raw\r\n');
  });

  test('is the same compressed, with an entity tag of its own', async () => {
    const plain = await ask(`${id}/results?format=ndjson`);
    const whole = await bytesOf(plain);
    const tags = new Set([plain.headers.get('etag')]);
    const { hostname, port } = new URL(gateway.url);
    for (const [coding, unpack] of [
      ['gzip', gunzipSync],
      ['br', brotliDecompressSync],
      ['zstd', zstdDecompressSync],
    ] as const) {
      // `fetch` would unpack it.
      const answer = await rawBody(Number(port), hostname, `/jobs/${id}/results?format=ndjson`, {
        'accept-encoding': coding,
      });
      expect(answer.head).toContain(`content-encoding: ${coding}`);
      expect(answer.head).toContain('accept-ranges: none');
      expect(answer.body.length).toBeLessThan(whole.length / 4);
      expect(unpack(answer.body).equals(whole)).toBe(true);
      tags.add(/etag: (.*)/.exec(answer.head)![1]!);
    }
    expect(tags.size).toBe(4);
  });

  test('that the client has already is not sent again', async () => {
    const address = `${id}/results?format=csv`;
    const head = await ask(address, {}, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
    const etag = head.headers.get('etag')!;
    const again = await ask(address, { 'if-none-match': `"other", W/${etag}` });
    expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
    expect((await ask(address, { 'if-none-match': '"other"' })).status).toBe(200);
    expect((await ask(`${id}/results?format=json`, { 'if-none-match': etag })).status).toBe(200);
  });

  test('with partial has the rows so far, without a promise for the next time', async () => {
    const job = await store({ set: running, chunks: [[row(0), row(1)], [row(2)]] });
    const address = `${job}/results?format=ndjson`;
    expect((await ask(address)).status).toBe(409);
    const soFar = await ask(`${address}&partial=true`, { range: 'bytes=1-' });
    expect(soFar.status).toBe(200);
    expect((await soFar.text()).split('\n').length).toBe(4);
    expect(soFar.headers.get('etag')).toBeNull();
    expect(soFar.headers.get('cache-control')).toBe('no-store');
    expect(soFar.headers.get('accept-ranges')).toBe('none');
    await storeChunk(gateway.database, job, 3, [row(3)]);
    expect((await (await ask(`${address}&partial=true`)).text()).split('\n').length).toBe(5);
  });
});

describe('a range', () => {
  test('of bytes, cut anywhere, goes together with the others to the whole', async () => {
    for (const format of ['json', 'csv', 'ndjson']) {
      const address = `${id}/results?format=${format}&limit=12000`;
      const whole = await bytesOf(await ask(address));
      // Another replica, or one that has forgotten: nothing is known of the pages' sizes.
      const other = `${address}&offset=0`;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(whole.length - 1), { minLength: 1, maxLength: 4 }), async (cuts) => {
          const starts = [...new Set([0, ...cuts])].sort((a, b) => a - b);
          const parts = await Promise.all(
            starts.map(async (start, index) => {
              const end = starts[index + 1] === undefined ? '' : starts[index + 1]! - 1;
              const part = await ask(other, { range: `bytes=${start}-${end}` });
              expect(part.status).toBe(206);
              const last = end === '' ? whole.length - 1 : end;
              expect(part.headers.get('content-range')).toBe(`bytes ${start}-${last}/${whole.length}`);
              expect(part.headers.get('content-length')).toBe(String(Number(last) - start + 1));
              return bytesOf(part);
            }),
          );
          expect(Buffer.concat(parts).equals(whole)).toBe(true);
        }),
        { numRuns: isDeep ? 100 : 8 },
      );
      const end = await ask(other, { range: 'bytes=-10' });
      expect((await bytesOf(end)).equals(whole.subarray(-10))).toBe(true);
    }
  });

  test('behind the end is refused with the size; one that is none is passed over', async () => {
    const address = `${id}/results?format=csv&limit=10`;
    const { length } = await bytesOf(await ask(address));
    const behind = await ask(address, { range: `bytes=${length}-` });
    expect([behind.status, behind.headers.get('content-range')]).toEqual([416, `bytes */${length}`]);
    expect(await behind.json()).toMatchObject({
      errors: [{ extensions: { code: 'RANGE_NOT_SATISFIABLE', size: length } }],
    });
    for (const range of ['bytes=0-1,3-4', 'rows=1-2', 'bytes=9-3']) {
      const answer = await ask(address, { range });
      expect([answer.status, (await bytesOf(answer)).length]).toEqual([200, length]);
    }
  });

  test('is one of the bytes that the client has, or the whole is sent', async () => {
    const address = `${id}/results?format=csv&limit=10`;
    const whole = await ask(address);
    const { length } = await bytesOf(whole);
    const etag = whole.headers.get('etag')!;
    const status = async (headers: Record<string, string>) =>
      (await ask(address, { range: `bytes=${length - 5}-`, ...headers })).status;
    expect(await status({ 'if-range': etag })).toBe(206);
    expect(await status({ 'if-range': `W/${etag}` })).toBe(200);
    expect(await status({ 'if-range': '"other"' })).toBe(200);
    expect(await status({ 'if-range': new Date().toUTCString() })).toBe(200);
    // A part of the plain bytes also where the client takes others.
    const part = await ask(address, { range: 'bytes=0-4', 'accept-encoding': 'gzip' });
    expect([part.status, part.headers.get('content-encoding'), await part.text()]).toEqual([206, null, 'n,tex']);
  });
});

describe('a download that cannot be', () => {
  const codeOf = async (answer: Response) => {
    const { errors } = (await answer.json()) as {
      errors: { message: string; extensions: { code: keyof typeof errorRegistry } }[];
    };
    const { code } = errors[0]!.extensions;
    expect(answer.status).toBe(errorRegistry[code].status);
    expect(answer.headers.get('content-disposition')).toBeNull();
    return code;
  };

  test('tells why by its code and status', async () => {
    const failed = `status = 'FAILED', completed_at = now(), error = '{"code":"QUERY_FAILED","message":"x"}'`;
    const expired = `${completed} - interval '2 hours'`;
    for (const [set, code] of [
      ["status = 'PENDING'", 'JOB_NOT_COMPLETED'],
      [running, 'JOB_NOT_COMPLETED'],
      [failed, 'JOB_FAILED'],
      ["status = 'CANCELLED', completed_at = now()", 'JOB_CANCELLED'],
      [expired, 'RESULT_EXPIRED'],
    ] as const) {
      const job = await store({ set });
      expect(await codeOf(await ask(`${job}/results?format=csv`))).toBe(code);
    }
    for (const [query, code] of [
      ['format=xlsx', 'UNKNOWN_FORMAT'],
      ['format=', 'UNKNOWN_FORMAT'],
      ['format=constructor', 'UNKNOWN_FORMAT'],
      ['limit=-1', 'BAD_USER_INPUT'],
      ['offset=1.5', 'BAD_USER_INPUT'],
      ['offset=2147483648', 'BAD_USER_INPUT'],
      ['partial=yes', 'BAD_USER_INPUT'],
    ]) {
      expect([query, await codeOf(await ask(`${id}/results?${query}`))]).toEqual([query, code]);
    }
    expect((await ask(`${id}/results`, {}, { method: 'DELETE' })).status).toBe(405);
  });

  test('answers another organisation’s id as one that is not there, and as one that is none', async () => {
    const foreign = await store({}, gateway.orgs[1]);
    const missing = '00000000-0000-7000-8000-000000000000';
    const answers = await Promise.all(
      [foreign, missing, 'none', '%00', 'x'.repeat(300), `${id}'--`].map(async (wanted) => {
        const answer = await ask(`${encodeURI(wanted)}/results`);
        expect(answer.status).toBe(404);
        return answer.text();
      }),
    );
    expect(new Set(answers).size).toBe(1);
    for (const address of ['', id, `${id}/`, `${id}/results/`, `${id}/results/x`, `a/${id}/results`]) {
      expect([address, (await ask(address)).status]).toEqual([address, 404]);
    }
  });

  test('needs a token, and the capability to read jobs', async () => {
    expect(await codeOf(await fetch(`${gateway.url}/jobs/${id}/results`))).toBe('UNAUTHENTICATED');
    const nothing = await gateway.tokenFor({ ...gateway.orgs[0], capabilities: [] });
    expect(await codeOf(await ask(`${id}/results`, { authorization: `Bearer ${nothing}` }))).toBe('FORBIDDEN');
  });

  test('is broken off where it fails in the middle: no client takes a part for the whole', async () => {
    const job = await store({ chunks: chunksOf(60_000, row) });
    const answer = await ask(`${job}/results?format=csv`);
    const reader = answer.body!.getReader();
    await reader.read();
    await gateway.database.asSuperuser('UPDATE app.jobs SET revision = revision + 1 WHERE id = $1', [job]);
    const rest = async () => {
      while (!(await reader.read()).done);
    };
    await expect(rest()).rejects.toThrow('terminated');
  });
});

test('a large result comes whole, at a bounded memory', { timeout: 600_000 }, async () => {
  const count = isDeep ? 1_000_000 : 100_000;
  const job = await store({ chunks: chunksOf(count, row) });
  let lines = 0;
  let most = 0;
  const before = process.memoryUsage().rss;
  const started = performance.now();
  const answer = await ask(`${job}/results?format=ndjson`);
  for await (const bytes of answer.body!) {
    for (const byte of bytes) if (byte === 10) lines += 1;
    most = Math.max(most, process.memoryUsage().rss);
  }
  const seconds = (performance.now() - started) / 1_000;
  process.stdout.write(
    `${count} rows in ${seconds.toFixed(1)} s, memory grew by ${Math.round((most - before) / 1_048_576)} MB\n`,
  );
  expect(lines).toBe(count);
  expect(most - before).toBeLessThan(400 * 1_048_576);
});

describe('over a result without an end', () => {
  /** That do not get smaller. */
  const texts = Array.from({ length: 1_000 }, () => randomBytes(150).toString('base64'));
  /** Rows that are made as they are read. */
  const endless = () => {
    const seen = { reads: 0, fail: false };
    const reader: PageReader = {
      pageRows: 1_000,
      async read({ jobId }, start, count) {
        seen.reads += 1;
        await new Promise((resolve) => setImmediate(resolve));
        if (seen.fail) throw new Error('The database went away.');
        const made = Array.from({ length: count }, (_, index) => [start + index, texts[index]]);
        return {
          jobId,
          isWhole: true,
          version: '1',
          columns: columnsOf(['n', 'LONG'], ['text', 'STRING']),
          rows: made,
          hasNextPage: true,
        };
      },
    };
    return { seen, route: resultsRoute(reader, createLogger('test', 'silent'), () => {}) };
  };
  const authenticator = { authenticate: async () => gateway.orgs[0], close: async () => {} };
  const serve = async (settings: Record<string, string> = {}) => {
    const { seen, route } = endless();
    return { seen, ...(await serveRoutes([route], settings, { authenticator: authenticator as never })) };
  };
  /** Waits until nothing more is read for a while. */
  const settled = (seen: { reads: number }) =>
    eventually(async () => {
      const before = seen.reads;
      const until = performance.now() + 300;
      while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
      expect(seen.reads).toBe(before);
    });

  test.each(['identity', 'gzip'])(
    'a client that stops reading stops the reading of the result (%s)',
    async (coding) => {
      const server = await serve();
      const socket = connect(server.port, '127.0.0.1');
      socket.write(`GET /jobs/x/results HTTP/1.1\r\nhost: x\r\naccept-encoding: ${coding}\r\n\r\n`);
      await once(socket, 'data');
      socket.pause();
      await settled(server.seen);
      // What sockets and streams hold, some MB, and no more.
      expect(server.seen.reads).toBeLessThan(200);
      socket.resume();
      await eventually(() => expect(server.seen.reads).toBeGreaterThan(3));
      socket.destroy();
      await settled(server.seen);
      await server.close();
    },
  );

  test('a client that leaves ends the reading, also while the size is being found', async () => {
    const server = await serve();
    for (const headers of [{}, { range: 'bytes=5-' }] as Record<string, string>[]) {
      const leave = new AbortController();
      const asked = fetch(`${server.url}/jobs/x/results`, { headers, signal: leave.signal });
      asked.then((answer) => answer.arrayBuffer()).catch(() => {});
      const before = server.seen.reads;
      await eventually(() => expect(server.seen.reads).toBeGreaterThan(before + 5));
      leave.abort();
      await settled(server.seen);
    }
    await server.close();
  });

  test('over HTTP/2 a failure in the middle resets the stream, and others go on', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'harborwatch-results-'));
    const [certFile, keyFile] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')];
    const { cert, key } = makeCertificate();
    await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
    const server = await serve({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
    const session = connectHttp2(server.url, { ca: cert });
    const open = (query: string) => session.request({ ':path': `/jobs/x/results?${query}` });
    const broken = open('format=csv');
    broken.resume();
    const failed = once(broken, 'error');
    await eventually(() => expect(server.seen.reads).toBeGreaterThan(5));
    server.seen.fail = true;
    expect(String(await failed)).toContain('NGHTTP2_INTERNAL_ERROR');
    server.seen.fail = false;
    const whole = open('format=csv&limit=5000');
    let text = '';
    for await (const bytes of whole.setEncoding('utf8')) text += bytes;
    expect(text.split('\r\n').length).toBe(5_002);
    session.close();
    await server.close();
    await rm(directory, { recursive: true });
  });
});

/** An answer as its bytes came. */
async function rawBody(port: number, host: string, path: string, headers: Record<string, string>) {
  const socket = connect(port, host);
  const lines = Object.entries({ host, authorization: `Bearer ${token}`, connection: 'close', ...headers });
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.map((line) => line.join(': ')).join('\r\n')}\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  const headEnd = all.indexOf('\r\n\r\n');
  const body: Buffer[] = [];
  for (let at = headEnd + 4; ; ) {
    const lineEnd = all.indexOf('\r\n', at);
    const length = Number.parseInt(all.subarray(at, lineEnd).toString(), 16);
    if (!length) break;
    body.push(all.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 4 + length;
  }
  return { head: all.subarray(0, headEnd).toString().toLowerCase(), body: Buffer.concat(body) };
}
