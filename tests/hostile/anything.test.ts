/** Requests and messages made at random, from whole nonsense to what is nearly right. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectTold, hostileClient, operation } from '../setup/hostile.js';

const runs = process.env.HARBORWATCH_DEEP ? 20_000 : 500;
const runsTimeoutMs = process.env.HARBORWATCH_DEEP ? 1_800_000 : 240_000;

const { send, openSocket } = hostileClient();

describe('anything', () => {
  const valid = operation('query Q($n: Int) { jobs(first: $n) { nodes { id } } }', {
    variables: { n: 1 },
    operationName: 'Q',
  });
  /** A valid body with bytes that are changed, taken out or put in. */
  const mutated = fc
    .array(fc.tuple(fc.nat(valid.length - 1), fc.constantFrom('cut', 'put', 'change'), fc.nat(255)), {
      minLength: 1,
      maxLength: 6,
    })
    .map((changes) => {
      let bytes = Buffer.from(valid);
      for (const [at, what, byte] of changes) {
        const tail = bytes.subarray(what === 'put' ? at : at + 1);
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(what === 'cut' ? [] : [byte]), tail]);
      }
      return bytes;
    });
  const json = fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text));
  const requestLike = fc
    .record(
      {
        query: fc.oneof(fc.constant('{ __typename }'), fc.jsonValue()),
        variables: fc.jsonValue(),
        operationName: fc.jsonValue(),
        extensions: fc.jsonValue(),
        documentId: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    .map((request) => Buffer.from(JSON.stringify(request)));
  const words = [
    '{',
    '}',
    '(',
    ')',
    ':',
    '...',
    '@skip(if: true)',
    '@include(if: $a)',
    '$a',
    '!',
    '[',
    ']',
    '"',
    '"""',
    '#',
    'query',
    'mutation',
    'subscription',
    'fragment',
    'on',
    'Query',
    'Job',
    'viewer',
    'org',
    'id',
    'jobs',
    'nodes',
    '__typename',
    '__schema',
    'first',
    '1',
    '-1',
    '1e9',
    'null',
    'F',
    '=',
    '|',
    '&',
    '\\u0000',
  ];
  const document = fc
    .array(fc.constantFrom(...words), { maxLength: 40 })
    .map((tokens) => Buffer.from(operation(tokens.join(' '))));
  const body = fc.oneof(
    mutated,
    json,
    requestLike,
    document,
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );
  const headers = fc.record({
    'content-type': fc.oneof(
      { weight: 8, arbitrary: fc.constant('application/json') },
      { weight: 1, arbitrary: fc.stringMatching(/^[\x21-\x7e]{0,30}$/) },
    ),
    accept: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('application/json', 'application/graphql-response+json', '*/*') },
      { weight: 1, arbitrary: fc.stringMatching(/^[\x21-\x7e]{1,30}$/) },
    ),
  });
  const encoding = fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom('gzip', 'gzip-of-it', 'br', 'identity') },
  );

  it(`that is sent as a request is told: ${runs} of them`, { timeout: runsTimeoutMs }, async () => {
    const attack = fc.asyncProperty(body, headers, encoding, async (plain, given, encoded) => {
      const bytes = encoded === 'gzip-of-it' ? gzipSync(plain) : plain;
      const extra = encoded === undefined ? {} : { 'content-encoding': encoded === 'gzip-of-it' ? 'gzip' : encoded };
      expectTold(await send(bytes, { ...given, ...extra }));
    });
    await fc.assert(attack, { numRuns: runs });
  });

  it(`that is sent over a WebSocket closes none but its own: ${runs} of them`, { timeout: runsTimeoutMs }, async () => {
    const message = fc.oneof(
      fc.json({ maxDepth: 3 }),
      fc
        .record(
          {
            type: fc.constantFrom('connection_init', 'ping', 'pong', 'subscribe', 'complete', 'next', 'x'),
            id: fc.oneof(fc.constantFrom('a', 'b'), fc.jsonValue()),
            payload: fc.oneof(fc.constant({ query: '{ __typename }' }), fc.jsonValue()),
          },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value)),
      document.map((bytes) => `{"type":"subscribe","id":"d","payload":${bytes}}`),
      fc.string(),
    );
    const attack = fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      async (messages, init) => {
        const socket = await openSocket({ init });
        for (const text of messages) socket.send(text);
        socket.close();
        expect([1000, 1005, 4400, 4401, 4403, 4409, 4429]).toContain(await socket.closed);
      },
    );
    await fc.assert(attack, { numRuns: Math.ceil(runs / 4) });
  });
});
