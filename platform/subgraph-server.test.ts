import { connect } from 'node:net';
import { setInterval } from 'node:timers/promises';
import { GraphQLError } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { HttpSource } from '../gateway/sources/http.js';
import { contextFor, sourceAt } from '../gateway/sources/testing.js';
import { jobs } from '../subgraphs/jobs/index.js';
import { createTestPlatform, type TestPlatform } from '../tests/setup/database.js';
import { eventually } from '../tests/setup/until.js';
import { generateSigningKey } from './authentication/token-keys.js';
import { fail } from './errors.js';
import { HopSigner, HopVerifier } from './hop-tokens.js';
import { createExecutor, type SubgraphExecutor, type SubgraphParts } from './subgraph.js';
import { type RunningSubgraphServer, startSubgraphServer } from './subgraph-server.js';

let base: TestPlatform;
let parts: SubgraphParts;
let server: RunningSubgraphServer;
let signer: HopSigner;
let source: HttpSource;
let url: string;
let healthy = true;

/** A subgraph without a schema, for what a real one does not do on purpose. */
const odd: SubgraphExecutor = {
  name: 'odd',
  cacheControlOf: (query) => (query === 'who' ? 'private, max-age=5' : undefined),
  execute: async ({ query }, { identity }) => {
    if (query === 'slow') return new Promise(() => {});
    if (query === 'fails') return fail('CONFLICT', 'Told as it is.');
    if (query === 'breaks') throw new Error('secret detail');
    if (query === 'syntax') throw new GraphQLError('Syntax error');
    return { data: { identity: identity as never } };
  },
  subscribe: async ({ query }, { identity }) => {
    if (query === 'subscription { throws }') throw new Error('secret detail');
    if (query === 'subscription { left }') {
      return (async function* () {
        for await (const _ of setInterval(10)) yield { data: { leftMs: identity!.deadline - Date.now() } };
      })();
    }
    return (async function* () {
      yield { data: { tick: 1 } };
      throw new Error('secret detail');
    })();
  },
};

beforeAll(async () => {
  base = await createTestPlatform();
  const { platform } = base;
  const key = await generateSigningKey();
  signer = new HopSigner(key);
  parts = jobs.create(platform);
  server = await startSubgraphServer({
    executors: [createExecutor(jobs, parts, platform.logger), odd],
    verifier: new HopVerifier(key, platform.redis, platform.logger),
    logger: platform.logger,
    bodyBytes: 100_000,
    port: 0,
    host: '127.0.0.1',
    health: async () => ({ jobs: healthy }),
  });
  url = `http://127.0.0.1:${server.port}`;
  source = sourceAt(`${url}/jobs`, {}, { signer });
});
afterAll(async () => {
  await source.close();
  await server.drain();
  await parts.close?.();
  await base.close();
});

const query = (text: string) => ({ text, kind: 'query' }) as const;
const submit = (text: string) =>
  ({ text: `mutation { submitJob(input: { query: "${text}" }) { id } }`, kind: 'mutation' }) as const;
const listBody = JSON.stringify({ query: '{ jobs { nodes { id } } }' });

/** A request as anybody could make it. */
const post = async (authorization: string | undefined, body = listBody, path = '/jobs', headers = {}) => {
  const response = await fetch(url + path, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...(authorization && { authorization }), ...headers },
  });
  return { status: response.status, body: (await response.json()) as { data?: any; errors?: any[] } };
};
const callerOf = (org: 0 | 1) => ({ identity: base.orgs[org], remoteIp: null, requestId: 'request-1' });
const sign = (body = listBody, subgraph = 'jobs', org: 0 | 1 = 0, ms = 5_000) =>
  `Bearer ${signer.sign(subgraph, body, callerOf(org), Date.now() + ms)}`;
const refused = {
  status: 401,
  body: { errors: [{ message: 'This address answers its gateway alone.', extensions: { code: 'HOP_TOKEN_INVALID' } }] },
};

describe('a subgraph process', () => {
  it('answers its gateway for the caller and the caller’s organisation alone', async () => {
    const as = (org: 0 | 1) => contextFor(5_000, { identity: base.orgs[org] });
    const made = await source.execute(submit('SELECT 1'), undefined, as(0));
    expect(made.errors).toBeUndefined();
    const { id } = (made.data as { submitJob: { id: string } }).submitJob;
    const find = query('query ($id: ID!) { job(id: $id) { id status } }');
    expect(await source.execute(find, { id }, as(0))).toEqual({ data: { job: { id, status: 'PENDING' } } });
    expect(await source.execute(find, { id }, as(1))).toEqual({ data: { job: null } });
    const nobody = await source.execute(find, { id }, contextFor());
    expect(nobody.errors).toMatchObject([{ path: ['job'], extensions: { code: 'UNAUTHENTICATED' } }]);
    const weak = { ...base.orgs[0], capabilities: [{ action: 'events:read' as const }] };
    const weakly = await source.execute(find, { id }, contextFor(5_000, { identity: weak }));
    expect(weakly.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });

  it('refuses a call without a token, with an access token, and with a broken one, and tells no more', async () => {
    const { orgId, subject, tier, capabilities } = base.orgs[0];
    const claims = {
      orgId,
      tier,
      capabilities,
      userId: subject.userId!,
      sessionId: crypto.randomUUID(),
      accessVersion: 1,
    };
    const { token } = await base.platform.tokens.issue(claims, Date.now());
    expect(await post(undefined)).toEqual(refused);
    expect(await post(`Bearer ${token}`)).toEqual(refused);
    expect(await post('Basic eDp5')).toEqual(refused);
    expect(await post(`${sign()}x`)).toEqual(refused);
    expect(await post(sign().replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')))).toEqual(refused);
  });

  it('takes a token once', async () => {
    const token = sign();
    expect((await post(token)).status).toBe(200);
    expect(await post(token)).toEqual(refused);
    const again = sign();
    const statuses = (await Promise.all(Array.from({ length: 10 }, () => post(again)))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, ...Array(9).fill(401)]);
  });

  it('refuses a token with another body, for another subgraph, or that has expired', async () => {
    expect(
      await post(sign(), JSON.stringify({ query: 'mutation { cancelJob(input: { id: "1" }) { cancelledAt } }' })),
    ).toEqual(refused);
    expect(await post(sign(), `${listBody}\n`)).toEqual(refused);
    expect(await post(sign(listBody, 'audit'))).toEqual(refused);
    expect(await post(sign(listBody, 'odd'))).toEqual(refused);
    expect(await post(sign(listBody, 'jobs', 0, -20_000))).toEqual(refused);
  });

  it('takes the organisation from the token, whatever else the request says', async () => {
    await source.execute(submit('SELECT 1'), undefined, contextFor(5_000, { identity: base.orgs[0] }));
    const foreign = await post(sign(listBody, 'jobs', 1), listBody, '/jobs', { 'x-org-id': base.orgs[0].orgId });
    expect(foreign.body.data.jobs.nodes).toEqual([]);
  });

  it('gives the caller’s work until the call’s deadline, and answers SUBGRAPH_TIMEOUT after it', async () => {
    const { body } = await post(
      sign(JSON.stringify({ query: 'who' }), 'odd', 0, 2_000),
      JSON.stringify({ query: 'who' }),
      '/odd',
    );
    expect(body.data.identity.deadline).toBeLessThanOrEqual(Date.now() + 2_000);
    const slow = JSON.stringify({ query: 'slow' });
    const started = performance.now();
    const answer = await post(sign(slow, 'odd', 0, 200), slow, '/odd');
    expect(answer).toMatchObject({ status: 504, body: { errors: [{ extensions: { code: 'SUBGRAPH_TIMEOUT' } }] } });
    expect(performance.now() - started).toBeLessThan(700);
  });

  it('tells its own errors, and masks all others', async () => {
    const ask = async (text: string) => {
      const body = JSON.stringify({ query: text });
      return (await post(sign(body, 'odd'), body, '/odd')).body.errors![0];
    };
    expect(await ask('fails')).toMatchObject({ message: 'Told as it is.', extensions: { code: 'CONFLICT' } });
    expect(await ask('syntax')).toMatchObject({ message: 'Syntax error', extensions: { code: 'BAD_USER_INPUT' } });
    const masked = await ask('breaks');
    expect(masked.extensions.code).toBe('INTERNAL_SERVER_ERROR');
    expect(masked.message).not.toContain('secret');
  });

  it('refuses a body over its limit, other methods and other paths, and names what it takes', async () => {
    const large = JSON.stringify({ query: `{ jobs { nodes { id } } } #${'x'.repeat(100_000)}` });
    const tooLarge = await post(sign(large), large);
    expect(tooLarge).toMatchObject({ status: 413, body: { errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] } });
    expect(tooLarge.body.errors![0].message).toContain('100,000');
    expect((await fetch(`${url}/jobs`)).status).toBe(405);
    const nowhere = await post(sign(), listBody, '/audit');
    expect(nowhere.status).toBe(404);
    expect(nowhere.body.errors![0].message).toContain('/jobs, /odd');
  });

  it('lives through broken requests and sockets', async () => {
    for (const bytes of [
      'nonsense\r\n\r\n',
      `POST /jobs HTTP/1.1\r\nhost: x\r\nauthorization: ${sign()}\r\ncontent-length: 1000\r\n\r\nhalf`,
      'GET /jobs HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    ]) {
      const socket = connect(server.port, '127.0.0.1');
      await new Promise((resolve) => socket.write(bytes, resolve));
      socket.destroy();
    }
    expect((await post(sign())).status).toBe(200);
  });

  it('tells whether it is ready', async () => {
    expect(await source.isHealthy()).toBe(true);
    healthy = false;
    expect(await source.isHealthy()).toBe(false);
    const response = await fetch(`${url}/health/ready`);
    expect(await response.json()).toEqual({ status: 'degraded', subgraphs: { jobs: false } });
    healthy = true;
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });
});

describe('a stream of a subgraph process', () => {
  const progress = {
    text: 'subscription ($id: ID!) { jobProgress(id: $id) { id status } }',
    kind: 'subscription',
  } as const;

  it('is for the caller of its operation, on a connection that callers share', async () => {
    const [mine, foreign] = [0, 1].map((org) => contextFor(5_000, { identity: base.orgs[org as 0 | 1] }));
    const made = await source.execute(submit('SELECT 2'), undefined, mine!);
    const { id } = (made.data as { submitJob: { id: string } }).submitJob;
    const own = await source.subscribe(progress, { id }, mine!);
    expect((await own.next()).value).toEqual({ data: { jobProgress: { id, status: 'PENDING' } } });
    const other = await source.subscribe(progress, { id }, foreign!);
    expect((await other.next()).value.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    const nobody = await source.subscribe(progress, { id }, contextFor());
    expect((await nobody.next()).value.errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    const next = own.next();
    const cancel = {
      text: `mutation { cancelJob(input: { id: "${id}" }) { cancelledAt } }`,
      kind: 'mutation',
    } as const;
    await source.execute(cancel, undefined, mine!);
    expect((await next).value).toEqual({ data: { jobProgress: { id, status: 'CANCELLED' } } });
    expect((await own.next()).done).toBe(true);
  });

  it('is refused before the connection opens where the gateway did not sign it', async () => {
    const open = (headers = {}, path = '/jobs') =>
      new Promise((resolve) => {
        const socket = new WebSocket(url.replace('http', 'ws') + path, 'graphql-transport-ws', { headers });
        socket.on('open', () => resolve('open')).on('error', (error) => resolve(error.message));
      });
    expect(await open()).toContain('401');
    expect(await open({ authorization: sign('') }, '/nowhere')).toContain('404');
    expect(await open({ authorization: sign('', 'odd') })).toContain('401');
  });

  it('is refused where its operation is not the one that was signed', async () => {
    const payload = { query: progress.text, variables: { id: '1' } };
    const messages: any[] = [];
    const socket = new WebSocket(`${url.replace('http', 'ws')}/jobs`, 'graphql-transport-ws', {
      headers: { authorization: sign('') },
    });
    socket.on('message', (data) => messages.push(JSON.parse(String(data))));
    socket.on('open', () => socket.send('{"type":"connection_init"}'));
    await eventually(() => expect(messages[0]?.type).toBe('connection_ack'));
    const token = sign(JSON.stringify({ query: progress.text, variables: { id: '2' } })).slice('Bearer '.length);
    for (const extensions of [{ token }, {}, { token: 1 }]) {
      socket.send(JSON.stringify({ type: 'subscribe', id: crypto.randomUUID(), payload: { ...payload, extensions } }));
    }
    await eventually(() => expect(messages).toHaveLength(4));
    for (const message of messages.slice(1)) {
      expect(message).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'HOP_TOKEN_INVALID' } }] });
    }
    socket.close();
  });

  it('gives every event as much time as the call had that opened it', async () => {
    const other = sourceAt(`${url}/odd`, {}, { name: 'odd', signer });
    const context = contextFor(500, { identity: base.orgs[0] });
    const stream = await other.subscribe({ text: 'subscription { left }', kind: 'subscription' }, undefined, context);
    while (Date.now() < context.deadline) {
      const { leftMs } = (await stream.next()).value.data;
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(500);
    }
    await stream.return!();
    await other.close();
  });

  it('masks what breaks in it, and leaves the connection to the others', async () => {
    const other = sourceAt(`${url}/odd`, {}, { name: 'odd', signer });
    const throws = await other.subscribe(
      { text: 'subscription { throws }', kind: 'subscription' },
      undefined,
      contextFor(),
    );
    const breaks = await other.subscribe(
      { text: 'subscription { breaks }', kind: 'subscription' },
      undefined,
      contextFor(),
    );
    expect((await breaks.next()).value).toEqual({ data: { tick: 1 } });
    for (const stream of [throws, breaks]) {
      const { value } = await stream.next();
      expect(value.errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
      expect(JSON.stringify(value)).not.toContain('secret');
    }
    await other.close();
  });
});
