import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tests/setup/until.js';
import { RawSocket } from './raw-socket.js';
import { identityOf, type StreamGraph, startStreamGraph } from './testing.js';

let graph: StreamGraph;
beforeAll(async () => {
  graph = await startStreamGraph();
});
afterAll(() => graph.close());

const topic = () => crypto.randomUUID();
const plain = 'subscription ($t: String!) { plain(topic: $t) { n by { name } } }';
const numbers = (socket: RawSocket, id: string, field: string) => socket.of(id).map(({ data }) => data[field].n);

describe('equal subscriptions of equal callers', () => {
  it('1,000 subscribers get every event exactly once and in order, over one stream and one hop an event', async () => {
    const name = topic();
    const sockets = await Promise.all(Array.from({ length: 1_000 }, () => RawSocket.connect(graph.url)));
    for (const [index, socket] of sockets.entries()) socket.subscribe(`s${index % 7}`, plain, { t: name });
    const feed = graph.feed(name);
    // A socket answers its messages in order: once all have answered this query, all have subscribed.
    for (const socket of sockets) socket.subscribe('query', '{ ping }');
    await Promise.all(sockets.map((socket) => socket.ended('query')));
    expect([feed.opened, feed.open]).toEqual([1, 1]);
    const hops = graph.people.calls;
    const events = Array.from({ length: 20 }, (_, n) => ({ n, by: { id: 'é' } }));
    feed.publish(...events.slice(0, 5));
    await eventually(() => expect(sockets[0]!.messages.length).toBeGreaterThan(3));
    for (const event of events.slice(5)) feed.publish(event);
    const id = (index: number) => `s${index % 7}`;
    await Promise.all(sockets.map((socket, index) => socket.until(() => socket.of(id(index)).length === 20)));
    for (const [index, socket] of sockets.entries()) {
      expect(numbers(socket, id(index), 'plain')).toEqual(events.map(({ n }) => n));
    }
    expect(sockets[999]!.of(id(999))[3]).toEqual({ data: { plain: { n: 3, by: { name: 'Person é' } } } });
    expect(graph.people.calls - hops).toBe(20);
    await Promise.all(sockets.map((socket) => socket.close()));
    await eventually(() => expect(feed.open).toBe(0));
  });

  it('lose one subscriber without a gap for the others', async () => {
    const name = topic();
    const [one, two] = await Promise.all([RawSocket.connect(graph.url), RawSocket.connect(graph.url)]);
    one.subscribe('1', plain, { t: name });
    two.subscribe('1', plain, { t: name });
    two.subscribe('2', '{ ping }');
    await two.ended('2');
    graph.feed(name).publish({ n: 1 });
    await Promise.all([one, two].map((socket) => socket.until(() => socket.of('1').length === 1)));
    one.send({ id: '1', type: 'complete' });
    one.subscribe('2', '{ ping }');
    await one.ended('2');
    graph.feed(name).publish({ n: 2 });
    await two.until(() => two.of('1').length === 2);
    expect([one.of('1').length, graph.feed(name).opened]).toEqual([1, 1]);
    await Promise.all([one.close(), two.close()]);
  });

  it('share the stream of a subgraph also where they ask other subgraphs for other fields', async () => {
    const name = topic();
    const socket = await RawSocket.connect(graph.url);
    socket.subscribe('name', 'subscription ($t: String!) { plain(topic: $t) { n by { id name } } }', { t: name });
    socket.subscribe('caller', 'subscription ($t: String!) { plain(topic: $t) { n by { id caller } } }', { t: name });
    await eventually(() => expect(graph.feed(name).open).toBe(1));
    socket.subscribe('query', '{ ping }');
    await socket.ended('query');
    graph.feed(name).publish({ n: 1, by: { id: 'a' } });
    await socket.until(() => socket.of('name').length === 1 && socket.of('caller').length === 1);
    expect(socket.of('name')[0].data.plain.by).toEqual({ id: 'a', name: 'Person a' });
    expect(socket.of('caller')[0].data.plain.by).toEqual({ id: 'a', caller: 'nobody' });
    expect(graph.feed(name).opened).toBe(1);
    await socket.close();
  });
});

describe('a late subscriber', () => {
  /** Subscribes early, sees the first event through, and then subscribes late. */
  const lateAfter = async (query: string, variables: object, first: unknown) => {
    const field = /\{ (\w+)\(/.exec(query)![1]!;
    const name = topic();
    const socket = await RawSocket.connect(graph.url);
    socket.subscribe('early', query, { t: name, ...variables });
    await eventually(() => expect(graph.feed(name).open).toBe(1));
    graph.feed(name).publish(first);
    await socket.until(() => socket.of('early').length === 1);
    socket.subscribe('late', query, { t: name, ...variables });
    socket.subscribe('query', '{ ping }');
    await socket.ended('query');
    return { socket, feed: graph.feed(name), field };
  };

  it('of a stream without a tag opens a stream of its own', async () => {
    const { socket, feed } = await lateAfter(plain, {}, { n: 1 });
    expect(feed.opened).toBe(2);
    feed.publish({ n: 2 });
    await socket.until(() => socket.of('late').length === 1 && socket.of('early').length === 2);
    expect([numbers(socket, 'early', 'plain'), numbers(socket, 'late', 'plain')]).toEqual([[1, 2], [2]]);
    await socket.close();
  });

  it('of a stream of states shares it, and gets the latest state first, with the other fields as they are now', async () => {
    const query = 'subscription ($t: String!) { latest(topic: $t) { n by { name } } }';
    const before = graph.people.calls;
    const { socket, feed } = await lateAfter(query, {}, { n: 1, by: { id: 'a' } });
    await socket.until(() => socket.of('late').length === 1);
    expect(socket.of('late')).toEqual([{ data: { latest: { n: 1, by: { name: 'Person a' } } } }]);
    expect([feed.opened, graph.people.calls - before]).toEqual([1, 2]);
    feed.publish({ n: 2 });
    await socket.until(() => socket.of('late').length === 2 && socket.of('early').length === 2);
    expect([numbers(socket, 'early', 'latest'), numbers(socket, 'late', 'latest')]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await socket.close();
  });

  it('of a live stream shares it, and gets what comes from now on', async () => {
    const query = 'subscription ($t: String!, $after: Int) { tail(topic: $t, after: $after) { n } }';
    const { socket, feed } = await lateAfter(query, { after: null }, { n: 0 });
    feed.publish({ n: 1 });
    await socket.until(() => socket.of('late').length === 1 && socket.of('early').length === 2);
    expect([numbers(socket, 'late', 'tail'), feed.opened]).toEqual([[1], 1]);
    await socket.close();
  });

  it('behind a cursor gets everything behind it, also where an equal subscription was faster', async () => {
    const query = 'subscription ($t: String!, $after: Int) { tail(topic: $t, after: $after) { n } }';
    const { socket, feed } = await lateAfter(query, { after: -1 }, { n: 0 });
    feed.publish({ n: 1 });
    await socket.until(() => socket.of('late').length === 2 && socket.of('early').length === 2);
    expect([numbers(socket, 'late', 'tail'), feed.opened]).toEqual([[0, 1], 2]);
    await socket.close();
  });

  it('of a stream that is tagged as its caller’s own never shares it', async () => {
    const name = topic();
    const socket = await RawSocket.connect(graph.url);
    for (const id of ['1', '2'])
      socket.subscribe(id, 'subscription ($t: String!) { own(topic: $t) { n } }', { t: name });
    await eventually(() => expect(graph.feed(name).open).toBe(2));
    await socket.close();
  });
});

it('callers who differ in organisation, user, tier or capabilities never share a stream or an answer', async () => {
  const name = topic();
  const callers = [
    identityOf('one', 'ann'),
    identityOf('one', 'bob'),
    identityOf('two', 'ann'),
    identityOf('one', 'ann', { tier: 'BASIC' }),
    identityOf('one', 'ann', { capabilities: [{ action: 'events:read', app: 'shop' }] }),
    undefined,
  ];
  const sockets = await Promise.all(
    callers.map(async (caller) => RawSocket.connect(graph.url, caller && (await graph.tokenFor(caller)))),
  );
  const query = 'subscription ($t: String!) { plain(topic: $t) { by { caller } } }';
  for (const socket of sockets) {
    socket.subscribe('events', query, { t: name });
    socket.subscribe('fields', 'subscription ($t: String!) { caller(topic: $t) }', { t: name });
  }
  await eventually(() => expect(graph.feed(name).open).toBe(12));
  graph.feed(name).publish({ n: 1, by: { id: 'x' } });
  await Promise.all(
    sockets.map((socket) => socket.until(() => socket.of('events').length + socket.of('fields').length === 2)),
  );
  const told = ['one/ann/PRO', 'one/bob/PRO', 'two/ann/PRO', 'one/ann/BASIC', 'one/ann/PRO', 'nobody'];
  expect(sockets.map((socket) => socket.of('events')[0].data.plain.by.caller)).toEqual(told);
  expect(sockets.map((socket) => socket.of('fields')[0].data.caller)).toEqual(told);
  await Promise.all(sockets.map((socket) => socket.close()));
});

it('two tokens of one user share, whatever the order of their capabilities', async () => {
  const name = topic();
  const one = identityOf('one', 'ann');
  const other = { ...one, capabilities: [...one.capabilities].reverse() };
  const sockets = await Promise.all(
    [one, other].map(async (caller) => RawSocket.connect(graph.url, await graph.tokenFor(caller))),
  );
  for (const socket of sockets) {
    socket.subscribe('1', plain, { t: name });
    socket.subscribe('2', '{ ping }');
  }
  await Promise.all(sockets.map((socket) => socket.ended('2')));
  expect(graph.feed(name).opened).toBe(1);
  await Promise.all(sockets.map((socket) => socket.close()));
});

it('callers whose headers are forwarded share only where these are equal', async () => {
  const forwarding = await startStreamGraph({ settings: { FORWARD_HEADERS: 'x-shop' } });
  const name = topic();
  const sockets = await Promise.all(
    ['a', 'b', 'a'].map((shop) => RawSocket.connect(forwarding.url, undefined, { 'x-shop': shop })),
  );
  for (const socket of sockets) {
    socket.subscribe('1', plain, { t: name });
    socket.subscribe('2', '{ ping }');
  }
  await Promise.all(sockets.map((socket) => socket.ended('2')));
  await eventually(() => expect(forwarding.feed(name).open).toBe(2));
  // The same holds for caches between.
  const body = JSON.stringify({ query: '{ ping }' });
  const answer = await fetch(`${forwarding.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-shop': 'a' },
    body,
  });
  expect(answer.headers.get('vary')).toContain('x-shop');
  await Promise.all(sockets.map((socket) => socket.close()));
  await forwarding.close();
});
