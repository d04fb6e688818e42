import { GraphQLError } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../tests/setup/until.js';
import { type StreamGraph, startStreamGraph, theEnd } from './testing.js';

describe.each(['in process', 'over HTTP'] as const)('subscriptions over subgraphs %s', (transport) => {
  let graph: StreamGraph;
  beforeAll(async () => {
    graph = await startStreamGraph({ transport });
  });
  afterAll(() => graph.close());

  const topic = () => crypto.randomUUID();
  const subscribe = async (query: string, variables: Record<string, unknown>) => {
    const client = await graph.client();
    return { client, events: client.iterate<any>({ query, variables }) };
  };
  /** Publishes once the stream is open at its source. */
  const publish = async (name: string, ...events: unknown[]) => {
    await eventually(() => expect(graph.feed(name).open).toBeGreaterThan(0));
    graph.feed(name).publish(...events);
  };

  it('completes every event with fields of another subgraph', async () => {
    const name = topic();
    const { client, events } = await subscribe('subscription ($t: String!) { plain(topic: $t) { n by { name } } }', {
      t: name,
    });
    const first = events.next();
    await publish(name, { n: 1, by: { id: 'a' } }, { n: 2, by: { id: 'b' } });
    expect((await first).value).toEqual({ data: { plain: { n: 1, by: { name: 'Person a' } } } });
    expect((await events.next()).value).toEqual({ data: { plain: { n: 2, by: { name: 'Person b' } } } });
    await client.dispose();
  });

  it('answers null for an event without a value, and for an entity that does not exist', async () => {
    const name = topic();
    const { client, events } = await subscribe('subscription ($t: String!) { plain(topic: $t) { n by { name } } }', {
      t: name,
    });
    const first = events.next();
    await publish(name, null, { n: 2, by: { id: 'nobody' } }, { n: 3, by: null });
    expect((await first).value).toEqual({ data: { plain: null } });
    expect((await events.next()).value.data).toEqual({ plain: { n: 2, by: null } });
    expect((await events.next()).value).toEqual({ data: { plain: { n: 3, by: null } } });
    await client.dispose();
  });

  it('tells an error of one event with its path and goes on with the next', async () => {
    const name = topic();
    const query = 'subscription ($t: String!) { it: plain(topic: $t) { n words: text by { id name } strict } }';
    const { client, events } = await subscribe(query, { t: name });
    const first = events.next();
    const failed = new GraphQLError('No text.', { extensions: { code: 'TEXTLESS' } });
    await publish(
      name,
      { n: 1, text: failed, strict: 'x', by: { id: 'a' } },
      { n: 2, text: 'fine', strict: 'x', by: { id: 'broken' } },
      { n: 3, strict: failed },
      { n: 4, text: 'fine', strict: 'x', by: { id: 'a' } },
    );
    const one = (await first).value;
    expect(one.data.it).toEqual({ n: 1, words: null, by: { id: 'a', name: 'Person a' }, strict: 'x' });
    expect(one.errors).toMatchObject([{ path: ['it', 'words'], extensions: { code: 'TEXTLESS' } }]);
    const two = (await events.next()).value;
    expect(two.data.it.by).toBeNull();
    expect(two.errors).toMatchObject([{ path: ['it', 'by', 'name'], extensions: { code: 'NAMELESS' } }]);
    const three = (await events.next()).value;
    expect(three.data).toEqual({ it: null });
    expect(three.errors).toMatchObject([{ path: ['it', 'strict'], extensions: { code: 'TEXTLESS' } }]);
    expect((await events.next()).value).toEqual({
      data: { it: { n: 4, words: 'fine', by: { id: 'a', name: 'Person a' }, strict: 'x' } },
    });
    await client.dispose();
  });

  it('answers data null where the root field of an event may not be null', async () => {
    const name = topic();
    const { client, events } = await subscribe('subscription ($t: String!) { required(topic: $t) { n } }', { t: name });
    const first = events.next();
    await publish(name, null, { n: 2 });
    const { data, errors } = (await first).value;
    expect([data, errors.length]).toEqual([null, 1]);
    expect((await events.next()).value).toEqual({ data: { required: { n: 2 } } });
    await client.dispose();
  });

  it('ends an unsubscribed stream at its source while the source has nothing to say', async () => {
    const name = topic();
    const { client, events } = await subscribe('subscription ($t: String!) { plain(topic: $t) { n } }', { t: name });
    const pending = events.next();
    await eventually(() => expect(graph.feed(name).open).toBe(1));
    await events.return?.();
    await eventually(() => expect(graph.feed(name).open).toBe(0));
    expect((await pending).done).toBe(true);
    await client.dispose();
  });

  it('ends the streams of a lost socket at their source', async () => {
    const name = topic();
    const { client, events } = await subscribe('subscription ($t: String!) { plain(topic: $t) { n } }', { t: name });
    const pending = events.next().catch(() => {});
    await eventually(() => expect(graph.feed(name).open).toBe(1));
    client.terminate();
    await eventually(() => expect(graph.feed(name).open).toBe(0));
    await pending;
    await client.dispose();
  });

  it('completes where the source ends, and tells why where it breaks off', async () => {
    const [ending, breaking] = [topic(), topic()];
    const query = 'subscription ($t: String!) { plain(topic: $t) { n } }';
    const ended = await subscribe(query, { t: ending });
    const first = ended.events.next();
    await publish(ending, { n: 1 }, theEnd);
    expect((await first).value.data.plain.n).toBe(1);
    expect((await ended.events.next()).done).toBe(true);
    await ended.client.dispose();

    const broken = await subscribe(query, { t: breaking });
    const last = broken.events.next();
    await publish(breaking, new GraphQLError('Out of events.', { extensions: { code: 'DRY' } }));
    const { value } = await last;
    expect(value.errors).toHaveLength(1);
    expect(value.errors[0].extensions.code).toMatch(/DRY|SUBGRAPH/);
    expect((await broken.events.next()).done).toBe(true);
    // Only the event may be broken: its source is told that nobody listens any more. Over HTTP that is the subgraph's part.
    if (transport === 'in process') await eventually(() => expect(graph.feed(breaking).open).toBe(0));
    await broken.client.dispose();
  });

  it('answers what the source says where it opens no stream', async () => {
    const { client, events } = await subscribe('subscription { refused { n } }', {});
    expect((await events.next()).value.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    expect((await events.next()).done).toBe(true);
    await client.dispose();
  });

  it('goes on behind a cursor with nothing missed and nothing twice after a lost socket', async () => {
    const name = topic();
    const query = 'subscription ($t: String!, $after: Int) { tail(topic: $t, after: $after) { n by { name } } }';
    const before = await subscribe(query, { t: name });
    const first = before.events.next();
    await publish(name, { n: 0, by: { id: 'a' } }, { n: 1, by: { id: 'a' } });
    const seen = [(await first).value.data.tail.n, (await before.events.next()).value.data.tail.n];
    before.client.terminate();
    graph.feed(name).publish({ n: 2, by: { id: 'a' } }, { n: 3, by: { id: 'a' } });
    const after = await subscribe(query, { t: name, after: seen.at(-1) });
    seen.push((await after.events.next()).value.data.tail.n, (await after.events.next()).value.data.tail.n);
    await publish(name, { n: 4, by: { id: 'a' } });
    seen.push((await after.events.next()).value.data.tail.n);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    await before.client.dispose();
    await after.client.dispose();
  });
});
