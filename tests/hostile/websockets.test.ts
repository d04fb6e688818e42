/** What a hostile client sends over a WebSocket. */
import { describe, expect, it } from 'vitest';
import { expectKnown, hostileClient } from '../setup/hostile.js';
import { sendRaw } from '../setup/raw-http.js';

const { url, openSocket } = hostileClient();

describe('a WebSocket', () => {
  const codes = {
    badMessage: 4400,
    unauthorized: 4401,
    subprotocol: 4406,
    exists: 4409,
    tooMany: 4429,
    tooBig: 1009,
    badText: 1007,
  };

  it.each<[string, string | Buffer, number]>([
    ['garbage', 'garbage', codes.badMessage],
    ['half of a message', '{"type":"ping"', codes.badMessage],
    ['an empty message', '', codes.badMessage],
    ['binary garbage', Buffer.from([0xff, 0xfe, 0x00]), codes.badMessage],
    ['null', 'null', codes.badMessage],
    ['a number', '7', codes.badMessage],
    ['a list', '[]', codes.badMessage],
    ['a message without a type', '{}', codes.badMessage],
    ['an unknown type', '{"type":"nonsense"}', codes.badMessage],
    ['a type that is no text', '{"type":{"a":1}}', codes.badMessage],
    [
      'a type of the older protocol',
      '{"type":"start","id":"1","payload":{"query":"{ __typename }"}}',
      codes.badMessage,
    ],
    ['a type of the server', '{"type":"connection_ack"}', codes.badMessage],
    ['an operation without an id', '{"type":"subscribe","payload":{"query":"{ __typename }"}}', codes.badMessage],
    [
      'an operation whose id is a number',
      '{"type":"subscribe","id":1,"payload":{"query":"{ __typename }"}}',
      codes.badMessage,
    ],
    [
      'an operation of an endless id',
      JSON.stringify({ type: 'subscribe', id: 'x'.repeat(60_000), payload: { query: '{ __typename }' } }),
      codes.badMessage,
    ],
    ['a second connection_init', '{"type":"connection_init"}', codes.tooMany],
    ['a message of 64 KB and one byte', 'x'.repeat(65_537), codes.tooBig],
    ['a message of 10 MB', 'x'.repeat(10_000_000), codes.tooBig],
    [
      'a message that nests 30,000 deep',
      `{"type":"ping","payload":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
      codes.badMessage,
    ],
  ])('that sends %s is closed, alone', async (_name, message, code) => {
    const socket = await openSocket();
    socket.send(message);
    expect(await socket.closed).toBe(code);
  });

  it.each<[string, unknown]>([
    ['no payload', undefined],
    ['a payload that is null', null],
    ['a payload that is a text', '{ __typename }'],
    ['a payload without a query', {}],
    ['a query that is a number', { query: 7 }],
    ['variables that are a list', { query: '{ __typename }', variables: [1] }],
    ['an operationName that is a number', { query: '{ __typename }', operationName: 7 }],
    ['extensions that are a text', { query: '{ __typename }', extensions: 'x' }],
    ['an unknown hash', { query: '', extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } }],
    ['an unknown id', { query: '', documentId: 'x' }],
  ])('is told of an operation with %s, and goes on', async (_name, payload) => {
    const socket = await openSocket();
    const [answer] = await socket.ask(payload);
    expectKnown([answer?.errors[0]?.extensions?.code], JSON.stringify(answer));
    expect((await socket.ask({ query: '{ __typename }' }))[0]?.data).toEqual({ __typename: 'Query' });
    socket.close();
  });

  it('that asks before connection_init, speaks another protocol or none, is closed', async () => {
    const early = await openSocket({ init: false });
    early.send('{"type":"subscribe","id":"1","payload":{"query":"{ __typename }"}}');
    expect(await early.closed).toBe(codes.unauthorized);
    for (const protocol of ['graphql-ws', null]) {
      const socket = await openSocket({ init: false, protocol });
      // A client that was offered no protocol of its own breaks off by itself.
      expect([codes.subprotocol, 1002, 1006]).toContain(await socket.closed);
    }
  });

  it('that uses an id twice at once is closed', async () => {
    const socket = await openSocket();
    const query = 'subscription { eventTail(dataset: "logs") { cursor } }';
    for (let n = 0; n < 2; n += 1) socket.send(JSON.stringify({ type: 'subscribe', id: 'one', payload: { query } }));
    expect(await socket.closed).toBe(codes.exists);
  });

  it('that breaks the protocol of frames is closed', async () => {
    const frames = [
      [0xc1, 0x80, 0, 0, 0, 0],
      [0x81, 0x05, 0x68, 0x65, 0x6c, 0x6c, 0x6f],
      [0x83, 0x80, 0, 0, 0, 0],
      [0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0],
      [0x80, 0x80, 0, 0, 0, 0],
      [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
      [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe],
    ];
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': 'graphql-transport-ws',
    };
    for (const frame of frames) {
      const { status } = await sendRaw(url(), { method: 'GET', headers }, [Buffer.from(frame)]);
      expect(status).toBe(101);
    }
  });

  it.each<Record<string, string>>([
    {
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-version': '7',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    },
    { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13', 'sec-websocket-key': 'x' },
    { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13' },
    // No WebSocket is asked for: an ordinary request, whose connection would stay open.
    { upgrade: 'nonsense', connection: 'Upgrade, close' },
  ])('that asks wrongly for its upgrade is refused with 4xx: %o', async (headers: Record<string, string>) => {
    const { status } = await sendRaw(url(), { method: 'GET', headers });
    expect([400, 405, 426]).toContain(status);
  });
});
