import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../tests/setup/until.js';
import { RawSocket } from './raw-socket.js';
import { type StreamGraph, startStreamGraph } from './testing.js';

const queueMessages = 50;
/** More than the kernel holds for a socket that is not read. */
const events = 600;
const text = 'x'.repeat(64_000);

let graph: StreamGraph;
beforeAll(async () => {
  graph = await startStreamGraph({
    settings: { SUBSCRIPTION_QUEUE_MESSAGES: String(queueMessages), STREAM_PING_MS: '600000' },
  });
});
afterAll(() => graph.close());

const open = async (field: string, sockets: number) => {
  const t = crypto.randomUUID();
  const query = `subscription ($t: String!) { ${field}(topic: $t) { n text } }`;
  const all = await Promise.all(Array.from({ length: sockets }, () => RawSocket.connect(graph.url)));
  for (const socket of all) {
    socket.subscribe('1', query, { t });
    socket.subscribe('2', '{ ping }');
    await socket.ended('2');
  }
  return { feed: graph.feed(t), all };
};
const numbers = (socket: RawSocket, field: string): number[] =>
  socket
    .of('1')
    .filter(({ data }) => data)
    .map(({ data }) => data[field].n);

it('a subscriber that does not read misses events, is told how many, and slows nobody', async () => {
  const { feed, all } = await open('plain', 4);
  const [slow, ...healthy] = all as [RawSocket, ...RawSocket[]];
  slow.webSocket.pause();
  for (let n = 0; n < events; n += 1) {
    feed.publish({ n, text });
    // The healthy ones read along.
    if (n % 20 === 19) await Promise.all(healthy.map((socket) => socket.until(() => socket.of('1').length > n)));
  }
  await Promise.all(healthy.map((socket) => socket.until(() => socket.of('1').length === events)));
  for (const socket of healthy) expect(numbers(socket, 'plain')).toEqual(Array.from({ length: events }, (_, n) => n));

  slow.webSocket.resume();
  expect((await slow.ended('1'))?.type).toBe('complete');
  const received = numbers(slow, 'plain');
  expect(received).toEqual(Array.from({ length: received.length }, (_, n) => n));
  expect(received.length).toBeLessThan(events);
  const { errors } = slow.of('1').at(-1);
  expect(errors).toMatchObject([{ extensions: { code: 'SUBSCRIPTION_LAGGED', missed: events - received.length } }]);
  // The socket lives on, and so does what else runs over it.
  slow.subscribe('3', '{ ping }');
  expect((await slow.ended('3'))?.type).toBe('complete');
  await Promise.all(all.map((socket) => socket.close()));
});

it('a stream with one subscriber that does not read waits at its source, and goes on with nothing missed', async () => {
  const { feed, all } = await open('plain', 1);
  const [slow] = all as [RawSocket];
  slow.webSocket.pause();
  feed.publish(...Array.from({ length: events }, (_, n) => ({ n, text })));
  let before = -1;
  await eventually(() => {
    const standsStill = feed.read === before;
    before = feed.read;
    expect(standsStill).toBe(true);
  });
  expect(feed.read).toBeLessThan(events);
  slow.webSocket.resume();
  await slow.until(() => slow.of('1').length === events || slow.messages.some(({ type }) => type === 'error'));
  expect(numbers(slow, 'plain')).toEqual(Array.from({ length: events }, (_, n) => n));
  await slow.close();
});

it('a subscriber of states that does not read gets the latest one when it does', async () => {
  const { feed, all } = await open('latest', 2);
  const [slow, healthy] = all as [RawSocket, RawSocket];
  slow.webSocket.pause();
  for (let n = 0; n < events; n += 1) {
    feed.publish({ n, text });
    await healthy.until(() => healthy.of('1').length > n);
  }
  slow.webSocket.resume();
  await slow.until(() => numbers(slow, 'latest').at(-1) === events - 1);
  expect(slow.of('1').every(({ errors }) => errors === undefined)).toBe(true);
  expect(slow.of('1').length).toBeLessThan(events);
  await Promise.all(all.map((socket) => socket.close()));
});

it('ends a connection that neither reads nor answers pings', async () => {
  const impatient = await startStreamGraph({ settings: { STREAM_PING_MS: '100' } });
  const socket = await RawSocket.connect(impatient.url);
  const t = crypto.randomUUID();
  socket.subscribe('1', 'subscription ($t: String!) { plain(topic: $t) { n } }', { t });
  await eventually(() => expect(impatient.feed(t).open).toBe(1));
  socket.webSocket.pause();
  await eventually(() => expect(impatient.feed(t).open).toBe(0));
  await socket.close();
  await impatient.close();
});
