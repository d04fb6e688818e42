/** What a hostile client sends for a body. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { codesOf, expectNoStall, expectTold, hostileClient, operation } from '../setup/hostile.js';
import { chunked, sendRaw } from '../setup/raw-http.js';

const { url, authorized, send } = hostileClient();

describe('a body', () => {
  it.each([
    ['that is empty', ''],
    ['that is not JSON', '{"query": "{ __typename }"'],
    ['with what follows the JSON', '{"query":"{ __typename }"} x'],
    ['that is a number', '7'],
    ['that is a text', '"{ __typename }"'],
    ['that is true', 'true'],
    ['that is null', 'null'],
    ['that is an empty list', '[]'],
    ['that is a list of operations', '[{"query":"{ __typename }"}]'],
    ['that is an empty object', '{}'],
    ['whose query is a number', '{"query":7}'],
    ['whose query is a list', '{"query":["{ __typename }"]}'],
    ['whose query is a parsed document', '{"query":{"kind":"Document","definitions":[]}}'],
    ['whose query is empty', '{"query":""}'],
    ['whose query is white space', '{"query":" \\n\\ufeff "}'],
    ['whose query is null', '{"query":null}'],
    ['whose variables are a text', '{"query":"{ __typename }","variables":"{}"}'],
    ['whose variables are a list', '{"query":"{ __typename }","variables":[1]}'],
    ['whose operationName is a number', '{"query":"{ __typename }","operationName":7}'],
    ['whose extensions are a list', '{"query":"{ __typename }","extensions":[1]}'],
    ['whose extensions are a number', '{"query":"{ __typename }","extensions":1}'],
    ['whose persistedQuery is a text', '{"query":"{ __typename }","extensions":{"persistedQuery":"x"}}'],
    ['whose hash is an object', '{"extensions":{"persistedQuery":{"version":1,"sha256Hash":{}}}}'],
    ['whose hash is unknown', `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"${'a'.repeat(64)}"}}}`],
    ['whose documentId is a list', '{"documentId":["x"]}'],
    ['whose documentId is unknown', '{"documentId":"x"}'],
    ['with a key twice', '{"query":"{ nope }","query":7}'],
    ['with a prototype', '{"__proto__":{"query":"{ __typename }"}}'],
    ['that is a NUL', '\0'],
    ['with a NUL', '{"query":"{ __typename }\0"}'],
    ['that starts with a byte order mark', '\ufeff{"query":"{ nope }"}'],
  ])('%s is told', async (_name, body) => {
    const answer = await send(body);
    expectTold(answer);
    expect(codesOf(answer)).toHaveLength(1);
  });

  it.each([
    ['broken UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 'BAD_USER_INPUT'],
    [
      'an overlong slash',
      Buffer.concat([Buffer.from('{"query":"{ __typename }","x":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
      'BAD_USER_INPUT',
    ],
    [
      'half of a character at its end',
      Buffer.concat([Buffer.from('{"query":"{ __typename }'), Buffer.from([0xe2, 0x82])]),
      'BAD_USER_INPUT',
    ],
    ['UTF-16', Buffer.from('{"query":"{ __typename }"}', 'utf16le'), 'BAD_USER_INPUT'],
  ])('of %s is refused', async (_name, body, code) => {
    const answer = await send(body);
    expectTold(answer, code);
    expect(answer.status).toBe(400);
  });

  it('that nests 100,000 deep, or as deep as it can, is refused at once', async () => {
    const bodies = [100_000, 500_000].flatMap((levels) => [
      `{"query":"{ __typename }","variables":{"x":${'['.repeat(levels)}${']'.repeat(levels)}}}`,
      '['.repeat(levels),
      '{"a":'.repeat(Math.min(levels, 190_000)),
    ]);
    await expectNoStall(async () => {
      for (const body of bodies) expectTold(await send(body), 'OPERATION_LIMIT_EXCEEDED', 'PAYLOAD_TOO_LARGE');
    });
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    'application/jsonx',
    'application/json-patch+json',
    '',
    ';',
    'application',
    '\u{7f}',
  ])('of the content type "%s" is refused with 415', async (type) => {
    const answer = await send(operation('{ __typename }'), { 'content-type': type });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expectTold(answer, 'UNSUPPORTED_MEDIA_TYPE', 'BAD_USER_INPUT');
  });

  it.each([
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
    'application/json ; charset=utf8',
    'application/json;',
  ])('of the content type "%s" is taken', async (type) => {
    expect((await send(operation('{ __typename }'), { 'content-type': type })).status).toBe(200);
  });

  it.each(['utf-16', 'iso-8859-1', 'shift_jis', 'nonsense', '"utf-16le"'])(
    'in the character set %s is refused',
    async (charset) => {
      expectTold(
        await send(operation('{ nope }'), { 'content-type': `application/json; charset=${charset}` }),
        'UNSUPPORTED_MEDIA_TYPE',
      );
    },
  );

  it.each(['br', 'deflate', 'zstd', 'compress', 'x-gzip, br', 'gzip, gzip', 'nonsense'])(
    'in the encoding %s is refused',
    async (encoding) => {
      const answer = await send(gzipSync(operation('{ nope }')), { 'content-encoding': encoding });
      expectTold(answer, 'UNSUPPORTED_MEDIA_TYPE', 'BAD_USER_INPUT');
      expect(answer.status).toBeGreaterThanOrEqual(400);
    },
  );

  it('of broken gzip is refused: none, half of one, one with a wrong sum, one with something behind it', async () => {
    const whole = gzipSync(operation('{ __typename }'));
    const wrongSum = Buffer.from(whole);
    wrongSum[wrongSum.length - 6] = wrongSum[wrongSum.length - 6]! ^ 0xff;
    for (const body of [Buffer.from('plain'), whole.subarray(0, 20), wrongSum, Buffer.alloc(0)]) {
      expectTold(await send(body, { 'content-encoding': 'gzip' }), 'BAD_USER_INPUT');
    }
  });

  it('of 1 MB that inflates to 1 GB is refused early, in bounded memory', async () => {
    const member = gzipSync(Buffer.alloc(10_000_000, ' '), { level: 9 });
    const bomb = Buffer.concat(Array.from({ length: 100 }, () => member));
    expect(bomb.length).toBeLessThan(1_048_576);
    await expectNoStall(async () => {
      const before = process.memoryUsage().rss;
      const started = performance.now();
      const answer = await send(bomb, { 'content-encoding': 'gzip' });
      expectTold(answer, 'PAYLOAD_TOO_LARGE');
      expect(answer.status).toBe(413);
      expect(performance.now() - started).toBeLessThan(5_000);
      expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    });
  });

  it('that is too large is refused with 413, also where its length is not told, or told wrongly', async () => {
    const large = Buffer.alloc(1_200_000, ' ');
    expectTold(await send(large), 'PAYLOAD_TOO_LARGE');
    const pieces = chunked([large.subarray(0, 600_000), large.subarray(600_000)]);
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
    const answer = await sendRaw(url(), { headers: authorized(headers) }, pieces);
    expectTold(answer, 'PAYLOAD_TOO_LARGE');
    expect(answer.status).toBe(413);
    const told = { 'content-type': 'application/json', 'content-length': '99999999999' };
    expectTold(await sendRaw(url(), { headers: authorized(told) }, ['{}']), 'PAYLOAD_TOO_LARGE');
  });

  it('with huge variables runs or is refused, and stalls nobody', async () => {
    const query = 'query ($x: Boolean = true) { __typename @include(if: $x) }';
    const keys = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`k${n}`, n]));
    const bodies = [
      operation(query, { variables: keys }),
      operation(query, { variables: { x: 'x'.repeat(1_000_000) } }),
      operation('query ($id: ID!) { job(id: $id) { id } }', { variables: { id: 'x'.repeat(1_000_000) } }),
      operation('query ($id: ID!) { job(id: $id) { id } }', { variables: { id: `1${'0'.repeat(400_000)}` } }),
      `{"query":"query ($n: Int) { jobs(first: $n) { nodes { id } } }","variables":{"n":1${'0'.repeat(500_000)}}}`,
      operation('query ($id: ID!) { job(id: $id) { id } }', {
        variables: { id: Array.from({ length: 200_000 }, () => 1) },
      }),
    ];
    await expectNoStall(async () => {
      for (const body of bodies) expectTold(await send(body));
    });
  });
});
