import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../tests/setup/until.js';
import { RawSocket } from './raw-socket.js';
import { feedsSdl, type StreamGraph, startStreamGraph } from './testing.js';

let graph: StreamGraph;
let socket: RawSocket;
beforeEach(async () => {
  graph = await startStreamGraph();
  socket = await RawSocket.connect(graph.url);
});
afterEach(async () => {
  await socket.close();
  await graph.close();
});

const subscribe = async (id: string, query: string) => {
  socket.subscribe(id, query, { t: id });
  await eventually(() => expect(graph.feed(id).open).toBe(1));
};
const reload = (change: (sdl: string) => string) => graph.gateway.update(graph.supergraphWith(change(feedsSdl)));
const plain = 'subscription ($t: String!) { plain(topic: $t) { n by { name } } }';

it('a subscription that means the same goes on over a new supergraph without a gap', async () => {
  await subscribe('a', plain);
  for (let n = 0; n < 2; n += 1) {
    graph.feed('a').publish({ n: n * 2, by: { id: 'x' } });
    await reload((sdl) => sdl.replace('ping: String!', `ping: String! more${n}: Int`));
    graph.feed('a').publish({ n: n * 2 + 1, by: { id: 'x' } });
  }
  await socket.until(() => socket.of('a').length === 4);
  expect(socket.of('a')).toEqual(
    Array.from({ length: 4 }, (_, n) => ({ data: { plain: { n, by: { name: 'Person x' } } } })),
  );
  expect(graph.feed('a').opened).toBe(1);
});

it('a subscription whose field is gone ends by name, and others go on', async () => {
  await subscribe('a', plain);
  await subscribe('b', 'subscription ($t: String!) { own(topic: $t) { n } }');
  await reload((sdl) => sdl.replace('own(topic: String!): Tick @tag(name: "stream-own")', ''));
  expect((await socket.ended('b'))?.type).toBe('complete');
  expect(socket.of('b')).toMatchObject([{ errors: [{ extensions: { code: 'SUBSCRIPTION_SCHEMA_RELOAD' } }] }]);
  await eventually(() => expect(graph.feed('b').open).toBe(0));
  graph.feed('a').publish({ n: 1 });
  await socket.until(() => socket.of('a').length === 1);
  socket.subscribe('c', 'subscription { own(topic: "x") { n } }');
  expect((await socket.ended('c'))?.type).toBe('error');
});

it('a subscription that would open another stream now ends by name', async () => {
  await subscribe('a', 'subscription ($t: String!) { plain(topic: $t) { n strict } }');
  await reload((sdl) =>
    sdl
      .replace('strict: String!', 'strict: String! @inaccessible')
      .replace('type Person', 'type Other { strict: String! } type Person'),
  );
  expect((await socket.ended('a'))?.type).toBe('complete');
  expect(socket.of('a')).toMatchObject([{ errors: [{ extensions: { code: 'SUBSCRIPTION_SCHEMA_RELOAD' } }] }]);
});

it('a subscription that was opened before a reload and an equal one after it both get every event', async () => {
  await subscribe('a', plain);
  await reload((sdl) => sdl.replace('ping: String!', 'ping: String! more: Int'));
  socket.subscribe('late', plain, { t: 'a' });
  socket.subscribe('query', '{ ping }');
  await socket.ended('query');
  graph.feed('a').publish({ n: 1 });
  await socket.until(() => socket.of('a').length === 1 && socket.of('late').length === 1);
  expect(socket.of('late')).toEqual(socket.of('a'));
});

it('a supergraph that is broken changes nothing', async () => {
  await subscribe('a', plain);
  await expect(graph.gateway.update('type Query { broken')).rejects.toThrow();
  graph.feed('a').publish({ n: 1 });
  await socket.until(() => socket.of('a').length === 1);
  expect(socket.of('a')).toEqual([{ data: { plain: { n: 1, by: null } } }]);
});
