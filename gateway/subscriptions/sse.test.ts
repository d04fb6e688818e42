import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../tests/setup/certificate.js';
import { eventually } from '../../tests/setup/until.js';
import { RawSocket } from './raw-socket.js';
import { identityOf, type StreamGraph, startStreamGraph, theEnd } from './testing.js';

let graph: StreamGraph;
beforeAll(async () => {
  graph = await startStreamGraph({ settings: { STREAM_PING_MS: '200', STREAMS_PER_USER: '2' } });
});
afterAll(() => graph.close());

interface SentEvent {
  event: string;
  data: any;
}

/** Reads server-sent events as they come; comments come as the event `comment`. */
async function* read(response: Response): AsyncGenerator<SentEvent, void> {
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      if (block.startsWith(':')) {
        yield { event: 'comment', data: undefined };
        continue;
      }
      const fields = new Map(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
      );
      const data = fields.get('data');
      yield { event: fields.get('event')!, data: data ? JSON.parse(data) : data };
    }
  }
}
const withoutComments = async function* (events: AsyncGenerator<SentEvent, void>) {
  for await (const event of events) if (event.event !== 'comment') yield event;
};

const post = (body: object, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(`${graph.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
const get = (parameters: Record<string, string>) =>
  fetch(`${graph.url}/graphql?${new URLSearchParams(parameters)}`, { headers: { accept: 'text/event-stream' } });
const all = async (response: Response) => {
  const events: SentEvent[] = [];
  for await (const event of withoutComments(read(response))) events.push(event);
  return events;
};
const query = 'subscription ($t: String!) { plain(topic: $t) { n by { name } } }';
const complete = { event: 'complete', data: '' };

describe('an event stream', () => {
  it('carries a subscription with fields of other subgraphs, and its end', async () => {
    const t = crypto.randomUUID();
    const response = await post({ query, variables: { t } });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    await eventually(() => expect(graph.feed(t).open).toBe(1));
    graph.feed(t).publish({ n: 1, by: { id: 'é' } }, { n: 2, by: null }, theEnd);
    expect(await all(response)).toEqual([
      { event: 'next', data: { data: { plain: { n: 1, by: { name: 'Person é' } } } } },
      { event: 'next', data: { data: { plain: { n: 2, by: null } } } },
      complete,
    ]);
  });

  it('opens over GET too, and answers queries', async () => {
    const t = crypto.randomUUID();
    const response = await get({ query, variables: JSON.stringify({ t }) });
    await eventually(() => expect(graph.feed(t).open).toBe(1));
    graph.feed(t).publish({ n: 1 }, theEnd);
    expect((await all(response)).map(({ event }) => event)).toEqual(['next', 'complete']);
    const answer = [{ event: 'next', data: { data: { ping: 'pong' } } }, complete];
    expect(await all(await get({ query: '{ ping }' }))).toEqual(answer);
    expect(await all(await post({ query: '{ ping }' }))).toEqual(answer);
  });

  it('runs mutations over POST alone', async () => {
    const mutation = 'mutation { publish(topic: "sse", n: 1) }';
    expect(await all(await post({ query: mutation }))).toEqual([
      { event: 'next', data: { data: { publish: 1 } } },
      complete,
    ]);
    const refused = await get({ query: mutation });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST']);
    expect(((await refused.json()) as any).errors[0].extensions.code).toBe('METHOD_NOT_ALLOWED');
    expect(graph.feed('sse').length).toBe(1);
  });

  it('ends at its source when the client goes, while the source has nothing to say', async () => {
    const t = crypto.randomUUID();
    const leaving = new AbortController();
    await post({ query, variables: { t } }, {}, leaving.signal);
    await eventually(() => expect(graph.feed(t).open).toBe(1));
    leaving.abort();
    await eventually(() => expect(graph.feed(t).open).toBe(0));
  });

  it('shows that it is alive while there is nothing to say', async () => {
    const leaving = new AbortController();
    const response = await post({ query, variables: { t: 'quiet' } }, {}, leaving.signal);
    const events = read(response);
    for (let i = 0; i < 3; i += 1) expect((await events.next()).value).toEqual({ event: 'comment', data: undefined });
    leaving.abort();
  });

  it('shares the stream and the answers of WebSockets of the same caller', async () => {
    const t = crypto.randomUUID();
    const identity = identityOf('one', 'ann');
    const token = await graph.tokenFor(identity);
    const socket = await RawSocket.connect(graph.url, token);
    socket.subscribe('1', query, { t });
    const response = await post({ query, variables: { t } }, { authorization: `Bearer ${token}` });
    socket.subscribe('2', '{ ping }');
    await socket.ended('2');
    await eventually(() => expect(graph.feed(t).open).toBe(1));
    const before = graph.people.calls;
    graph.feed(t).publish({ n: 1, by: { id: 'a' } }, theEnd);
    await socket.ended('1');
    expect(socket.of('1')).toEqual([{ data: { plain: { n: 1, by: { name: 'Person a' } } } }]);
    expect((await all(response))[0]!.data).toEqual(socket.of('1')[0]);
    expect([graph.feed(t).opened, graph.people.calls - before]).toEqual([1, 1]);
    await socket.close();
  });

  it('ends with an event that says so when its token ends', async () => {
    const authorization = `Bearer ${await graph.tokenFor(identityOf('one', 'expiring'), Date.now() - 898_000)}`;
    const events = await all(await post({ query, variables: { t: 'expiry' } }, { authorization }));
    expect(events).toMatchObject([
      { event: 'next', data: { errors: [{ extensions: { code: 'TOKEN_EXPIRED' } }] } },
      complete,
    ]);
    await eventually(() => expect(graph.feed('expiry').open).toBe(0));
  });

  it.each([
    ['a syntax error', { query: '{' }, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', { query: 'subscription { nothing }' }, 'GRAPHQL_VALIDATION_FAILED'],
    ['variables that do not fit', { query, variables: { t: {} } }, 'BAD_USER_INPUT'],
  ])('tells %s as its only event', async (_what, body, code) => {
    const events = await all(await post(body));
    expect(events).toMatchObject([{ event: 'next', data: { errors: [{ extensions: { code } }] } }, complete]);
  });

  it('is not opened for a request that is at fault itself', async () => {
    const codeOf = async (response: Response) => [
      response.status,
      ((await response.json()) as any).errors[0].extensions.code,
    ];
    expect(await codeOf(await post({ query: 5 }))).toEqual([400, 'BAD_USER_INPUT']);
    expect(await codeOf(await post([]))).toEqual([400, 'BAD_USER_INPUT']);
    expect(await codeOf(await get({ query: '{ ping }', variables: '{' }))).toEqual([400, 'BAD_USER_INPUT']);
    expect(await codeOf(await post({ query }, { authorization: 'Bearer nonsense' }))).toEqual([401, 'UNAUTHENTICATED']);
  });

  it('over the limit of its user is refused with 429', async () => {
    const authorization = `Bearer ${await graph.tokenFor(identityOf('one', 'busy'))}`;
    const leaving = new AbortController();
    const open = () => post({ query, variables: { t: 'busy' } }, { authorization }, leaving.signal);
    expect([(await open()).status, (await open()).status, (await open()).status]).toEqual([200, 200, 429]);
    leaving.abort();
  });
});

it('a subscription over plain HTTP is refused with what to do', async () => {
  const response = await post({ query, variables: { t: 'x' } }, { accept: 'application/json' });
  const { errors } = (await response.json()) as any;
  expect([response.status, errors[0].extensions.code]).toEqual([400, 'SUBSCRIPTION_TRANSPORT']);
  expect(errors[0].message).toMatch(/graphql-transport-ws.*text\/event-stream/);
});

it('a gateway that ends completes its event streams', async () => {
  const ending = await startStreamGraph();
  const response = await fetch(`${ending.url}/graphql?${new URLSearchParams({ query, variables: '{"t":"t"}' })}`, {
    headers: { accept: 'text/event-stream' },
  });
  await eventually(() => expect(ending.feed('t').open).toBe(1));
  const [events] = await Promise.all([all(response), ending.drain()]);
  expect(events).toEqual([complete]);
  await ending.close();
});

it('over HTTP/2, a stream whose client left before it opened is not opened any more', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'harborwatch-sse-'));
  const [TLS_CERT_FILE, TLS_KEY_FILE] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const { cert, key } = makeCertificate();
  await Promise.all([writeFile(TLS_CERT_FILE, cert), writeFile(TLS_KEY_FILE, key)]);
  const secure = await startStreamGraph({ settings: { TLS_CERT_FILE, TLS_KEY_FILE } });
  const session = connect(secure.url.replace('http:', 'https:'), { ca: cert });
  const [left, stays] = [crypto.randomUUID(), crypto.randomUUID()];
  const ask = (t: string) => {
    const parameters = new URLSearchParams({ query, variables: JSON.stringify({ t }) });
    return session.request({ ':path': `/graphql?${parameters}`, accept: 'text/event-stream' });
  };
  // The operation is new: it takes a while to plan.
  const gone = ask(left);
  await once(gone, 'ready');
  gone.close();
  const other = ask(stays);
  await once(other, 'data');
  await eventually(() => expect(secure.feed(stays).open).toBe(1));
  expect(secure.feed(left).opened).toBe(0);
  session.destroy();
  await secure.close();
  await rm(directory, { recursive: true });
});
