import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GraphQLError, GraphQLObjectType, GraphQLSchema, GraphQLString, parse } from 'graphql';
import { useServer as answerProtocol } from 'graphql-ws/use/ws';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { eventually } from '../../tests/setup/until.js';
import { contextFor, quiet } from './testing.js';
import { UpstreamSocket } from './upstream-socket.js';

const ticks = { text: 'subscription { tick }', kind: 'subscription' } as const;
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0).reverse()) await item.close();
});

/** A stream that a test feeds. */
class Feed implements AsyncIterableIterator<unknown> {
  returned = false;
  readonly #waiting: unknown[] = [];
  #wake: () => void = () => {};
  push(...ticks: string[]) {
    this.#waiting.push(...ticks.map((tick) => ({ data: { tick } })));
    this.#wake();
  }
  async next(): Promise<IteratorResult<unknown>> {
    while (!this.returned) {
      if (this.#waiting.length > 0) return { done: false, value: this.#waiting.shift() };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return { done: true, value: undefined };
  }
  async return() {
    this.returned = true;
    this.#wake();
    return { done: true, value: undefined } as const;
  }
  [Symbol.asyncIterator]() {
    return this;
  }
}

/** A subgraph whose streams the test feeds, and a socket to it. */
async function setUp(refuse?: () => GraphQLError[] | undefined, port = 0) {
  const feeds: Feed[] = [];
  const payloads: { extensions?: Record<string, unknown> | null }[] = [];
  const http = createServer();
  const sockets = new WebSocketServer({ server: http });
  let connections = 0;
  sockets.on('connection', () => {
    connections += 1;
  });
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: { tick: { type: GraphQLString } } }),
  });
  answerProtocol(
    {
      onSubscribe: (_context, _id, payload) => {
        payloads.push(payload);
        return refuse?.() ?? ({ schema, document: parse('subscription { tick }') } as never);
      },
      subscribe: async () => {
        const feed = new Feed();
        feeds.push(feed);
        return feed as never;
      },
    },
    sockets,
  );
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  const address = http.address() as AddressInfo;
  const socket = new UpstreamSocket({
    name: 'jobs',
    url: `ws://127.0.0.1:${address.port}/`,
    timeoutMs: 2_000,
    eventBytes: 100_000,
    signer: undefined,
    logger: quiet,
  });
  const down = () => {
    for (const client of sockets.clients) client.terminate();
    http.closeAllConnections();
    return new Promise((resolve) => http.close(resolve));
  };
  open.push({ close: down }, socket);
  const feedOf = (place: number) => eventually(() => feeds[place] ?? Promise.reject(new Error('not yet')));
  return { socket, sockets, feeds, feedOf, payloads, down, port: address.port, connections: () => connections };
}

const lost = (code = 'SUBGRAPH_CONNECTION_LOST') => ({
  done: false,
  value: { errors: [{ message: expect.any(String), extensions: { code } }] },
});
const ended = { done: true, value: undefined };
const event = (tick: string) => ({ done: false, value: { data: { tick } } });

describe('the streams of a subgraph', () => {
  it('share one connection, and each carries what belongs to its request', async () => {
    const { socket, feedOf, payloads, connections } = await setUp();
    const one = socket.subscribe(ticks, undefined, contextFor(10_000, { requestId: 'one' }));
    const two = socket.subscribe(ticks, undefined, contextFor(10_000, { requestId: 'two' }));
    const nexts = [one.next(), two.next()];
    (await feedOf(0)).push('a');
    (await feedOf(1)).push('b');
    expect(await Promise.all(nexts)).toEqual([event('a'), event('b')]);
    expect(connections()).toBe(1);
    expect(payloads.map(({ extensions }) => extensions)).toEqual([
      { headers: { 'x-request-id': 'one' } },
      { headers: { 'x-request-id': 'two' } },
    ]);
  });

  it('end at the subgraph when they end here, while an event is awaited', async () => {
    const { socket, feedOf } = await setUp();
    const stream = socket.subscribe(ticks, undefined, contextFor());
    const pending = stream.next();
    const feed = await feedOf(0);
    await stream.return!();
    expect(await pending).toEqual(ended);
    await eventually(() => expect(feed.returned).toBe(true));
  });

  it('end with the subgraph’s own errors where it refuses', async () => {
    const refusal = new GraphQLError('No.', { extensions: { code: 'FORBIDDEN' } });
    const { socket } = await setUp(() => [refusal]);
    const stream = socket.subscribe(ticks, undefined, contextFor());
    expect((await stream.next()).value.errors).toMatchObject([{ message: 'No.', extensions: { code: 'FORBIDDEN' } }]);
    expect(await stream.next()).toEqual(ended);
  });

  it('end with the subgraph’s stream', async () => {
    const { socket, feedOf } = await setUp();
    const stream = socket.subscribe(ticks, undefined, contextFor());
    const next = stream.next();
    await (await feedOf(0)).return();
    expect(await next).toEqual(ended);
  });

  it.each([
    ['breaks', 0],
    ['is closed normally, which graphql-ws would pass over in silence', 1_000],
    ['is closed by a subgraph that goes away', 1_001],
  ])('end with one error when the connection %s, and new ones open a new connection', async (_name, code) => {
    const { socket, sockets, feedOf, feeds, connections } = await setUp();
    const stream = socket.subscribe(ticks, undefined, contextFor());
    const first = stream.next();
    (await feedOf(0)).push('a');
    expect(await first).toEqual(event('a'));
    for (const client of sockets.clients) code === 0 ? client.terminate() : client.close(code);
    expect(await stream.next()).toEqual(lost());
    expect(await stream.next()).toEqual(ended);
    const again = socket.subscribe(ticks, undefined, contextFor());
    const next = again.next();
    (await feedOf(1)).push('b');
    expect(await next).toEqual(event('b'));
    expect([connections(), feeds.length]).toEqual([2, 2]);
  });

  it('answer SUBGRAPH_UNAVAILABLE while nothing listens, and open once something does', async () => {
    const gone = await setUp();
    await gone.down();
    const stream = gone.socket.subscribe(ticks, undefined, contextFor());
    expect(await stream.next()).toEqual(lost('SUBGRAPH_UNAVAILABLE'));
    expect(await stream.next()).toEqual(ended);
    const back = await setUp(undefined, gone.port);
    const again = gone.socket.subscribe(ticks, undefined, contextFor());
    const next = again.next();
    (await back.feedOf(0)).push('a');
    expect(await next).toEqual(event('a'));
  });

  it('end with an error when nobody reads them, and the others go on', async () => {
    const { socket, feedOf } = await setUp();
    const slow = socket.subscribe(ticks, undefined, contextFor());
    const slowFeed = await feedOf(0);
    const fast = socket.subscribe(ticks, undefined, contextFor());
    const fastFeed = await feedOf(1);
    slowFeed.push(...Array(2_000).fill('a'));
    await eventually(() => expect(slowFeed.returned).toBe(true));
    const next = fast.next();
    fastFeed.push('b');
    expect(await next).toEqual(event('b'));
    let count = 0;
    let last: unknown;
    for await (const answer of slow) {
      count += 1;
      last = answer;
    }
    expect(count).toBe(1_001);
    expect(last).toMatchObject({ errors: [{ extensions: { code: 'SUBGRAPH_CONNECTION_LOST' } }] });
  });

  it('end with an error at an event over the limit', async () => {
    const { socket, feedOf } = await setUp();
    const stream = socket.subscribe(ticks, undefined, contextFor());
    const next = stream.next();
    (await feedOf(0)).push('x'.repeat(200_000));
    expect(await next).toEqual(lost());
  });

  it('all end when the source closes, whether it ever connected or not', async () => {
    const { socket, feedOf } = await setUp();
    const stream = socket.subscribe(ticks, undefined, contextFor());
    await feedOf(0);
    const next = stream.next();
    socket.close();
    expect((await next).value?.errors?.[0].extensions.code ?? 'ended').toMatch(/SUBGRAPH_CONNECTION_LOST|ended/);
    (await setUp()).socket.close();
  });
});
