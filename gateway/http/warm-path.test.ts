/** What holds for operations that are compiled already as it does for those that are new. */
import type { ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { Authenticator } from '../../platform/authentication/authenticator.js';
import { generateSigningKey, TokenKeys } from '../../platform/authentication/token-keys.js';
import { Tokens } from '../../platform/authentication/tokens.js';
import { systemClock } from '../../platform/clock.js';
import { loadConfig } from '../../platform/config.js';
import { eventually } from '../../tests/setup/until.js';
import { startEdge } from '../edge.js';
import { startGraph } from '../graph.js';
import { HttpSource } from '../sources/http.js';
import { type Answerer, quiet, says, startFakeSubgraph } from '../sources/testing.js';
import { composeSupergraph } from '../supergraph/compose.js';

const sdl = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9")
  type Query { price: Int priceIn(shop: String, digits: Int = 7): Int constructor: Thing }
  type Mutation { raise: Int }
  type Thing { name: String }`;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(answer: Answerer, settings: Record<string, string> = {}, sharesIdentity = false) {
  const config = loadConfig({ BREAKER_FAILURES: '1000', ...settings });
  const subgraph = await startFakeSubgraph(answer);
  closing.push(subgraph.close);
  const { supergraphSdl } = composeSupergraph([{ name: 'shop', sdl }]);
  const supergraphAt = (url: string) => supergraphSdl.replace('http://shop.subgraph.invalid/', url);
  const tokens = new Tokens(TokenKeys.fromText(await generateSigningKey()), 900);
  const sources: { url: string; closed: boolean }[] = [];
  const graph = await startGraph({
    config,
    logger: quiet,
    supergraphSdl: supergraphAt(subgraph.url),
    scalars: [],
    schemaIsPublic: true,
    sourceFor: ({ name, url }) => {
      const source = new HttpSource({ name, url, settings: config, logger: quiet });
      const entry = { url, closed: false };
      sources.push(entry);
      return Object.assign(source, {
        close: async () => {
          entry.closed = true;
          await HttpSource.prototype.close.call(source);
        },
      });
    },
  });
  closing.push(graph.close);
  const edge = await startEdge({
    config,
    logger: quiet,
    clock: systemClock,
    authenticator: sharesIdentity ? undefined : new Authenticator({ tokens, logger: quiet }),
    graph,
    routes: [],
    port: 0,
    host: '127.0.0.1',
  });
  closing.push(edge.drain);
  const ask = async (body: object, headers: Record<string, string> = {}) => {
    const response = await fetch(`${edge.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as any };
  };
  const tokenOf = async (userId: string) => {
    const session = { sessionId: crypto.randomUUID(), accessVersion: 1 };
    const claims = { userId, orgId: 'one', tier: 'PRO' as const, capabilities: [], ...session };
    return { authorization: `Bearer ${(await tokens.issue(claims, Date.now())).token}` };
  };
  return { ...graph, ask, tokenOf, subgraph, sources, supergraphAt };
}

const price = { query: 'query Price { price }' };
const raise = { query: 'mutation Raise { raise }' };
const priced = says('{"data":{"price":1,"raise":2}}');

/** A subgraph that keeps its callers waiting once it is told to. */
function holding() {
  const held: ServerResponse[] = [];
  const state = { holds: false, held };
  const answer: Answerer = (request, response, body) => {
    if (state.holds && !body.includes('mutation')) held.push(response);
    else priced(request, response, body);
  };
  return { answer, state };
}
const release = (response: ServerResponse, value: number) => response.end(JSON.stringify({ data: { price: value } }));

it('equal queries of one caller that run at the same time are one; those of another caller are their own', async () => {
  const { answer, state } = holding();
  const { ask, tokenOf, metrics } = await start(answer);
  const [ada, bob] = [await tokenOf('ada'), await tokenOf('bob')];
  await ask(price, ada);
  state.holds = true;
  const asked = [ask(price, ada), ask(price, ada), ask(price, bob), ask(price)];
  await eventually(async () => {
    expect(state.held).toHaveLength(3);
    expect(await metrics.text()).toMatch(/harborwatch_\w*shared\w* 1\n/);
  });
  for (const [index, response] of state.held.entries()) release(response, index);
  const [first, second, other, nobody] = (await Promise.all(asked)).map(({ body }) => body.data.price as number);
  expect(first).toBe(second);
  expect(new Set([first, other, nobody]).size).toBe(3);
});

it('a query that begins after a mutation ended is not answered by one that began before', async () => {
  const { answer, state } = holding();
  const { ask } = await start(answer);
  await ask(price);
  state.holds = true;
  const before = ask(price);
  await eventually(() => expect(state.held).toHaveLength(1));
  await ask(raise);
  const after = ask(price);
  await eventually(() => expect(state.held).toHaveLength(2));
  release(state.held[1]!, 2);
  release(state.held[0]!, 1);
  expect([(await before).body.data.price, (await after).body.data.price]).toEqual([1, 2]);
});

it('equal mutations at the same time are each executed', async () => {
  const { ask, subgraph } = await start(priced);
  await ask(raise);
  await Promise.all([ask(raise), ask(raise), ask(raise)]);
  expect(subgraph.requests).toHaveLength(4);
});

it.each(['', 'Price\nquery', 'Other'])(
  'an operation name that the document does not have (%j) is refused, also where the document is known',
  async (operationName) => {
    const { ask } = await start(priced);
    await ask({ query: '{ price }' });
    const { status, body } = await ask({ query: '{ price }', operationName });
    expect([status, body.errors[0].extensions.code]).toEqual([400, 'OPERATION_RESOLUTION_FAILURE']);
  },
);

it('the second answer has the type and the text of the first, whatever the client accepts', async () => {
  const { ask } = await start(priced);
  for (const accept of [
    '*/*',
    'application/json',
    'application/graphql-response+json',
    'application/graphql-response+json,application/json;q=0.9',
    'application/graphql-response+json, application/json, multipart/mixed',
    'application/json, application/graphql-response+json',
    'application/json;q=0.5,application/graphql-response+json',
    'application/graphql-response+json, application/json; charset=utf-8',
    'text/html,application/json;q=0.9,*/*;q=0.8',
  ]) {
    const query = `{ price } # ${accept}`;
    const [first, second] = [await ask({ query }, { accept }), await ask({ query }, { accept })];
    expect(second.headers.get('content-type'), accept).toBe(first.headers.get('content-type'));
    expect([second.status, second.body], accept).toEqual([first.status, first.body]);
  }
});

it('the clients’ own Accept goes the way of compiled operations', async () => {
  const { ask, metrics } = await start(priced);
  const accept = 'application/graphql-response+json,application/json;q=0.9';
  for (let run = 0; run < 2; run += 1) await ask(price, { accept });
  expect(await metrics.text()).toMatch(/plan_cache_hits\w* 1\n/);
});

it('an answer that depends on headers of the caller tells caches so', async () => {
  const answer = says('{"data":{"price":1}}', 200, { 'cache-control': 'max-age=60' });
  const { ask } = await start(answer, { FORWARD_HEADERS: 'x-tenant,cookie' });
  for (let run = 0; run < 2; run += 1) {
    const { headers } = await ask(price);
    expect(headers.get('cache-control')).toBe('max-age=60, public');
    expect(headers.get('vary')?.toLowerCase().split(', ')).toEqual(expect.arrayContaining(['x-tenant', 'cookie']));
  }
});

it('keys of a subgraph’s answer that mean something to JavaScript change nothing', async () => {
  const { ask } = await start(says('{"data":{"__proto__":{"polluted":true},"price":1,"constructor":null}}'));
  for (let run = 0; run < 2; run += 1) {
    const { body } = await ask({ query: '{ price constructor { name } }' });
    expect(body).toEqual({ data: { price: 1, constructor: null } });
  }
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

it('a variable may have the name of something that objects inherit', async () => {
  const { ask, subgraph } = await start((_request, response, body) => {
    const [, alias] = /(\w+): priceIn/.exec(JSON.parse(body).query)!;
    response.end(JSON.stringify({ data: { [alias!]: 1 } }));
  });
  await ask({
    query: 'query ($constructor: Int = 5, $toString: String) { priceIn(digits: $constructor, shop: $toString) }',
  });
  expect(JSON.parse(subgraph.requests[0]!.body).variables).toEqual({ constructor: 5 });
});

it('the texts of operations take no more memory than the settings allow', async () => {
  const { ask, gateway } = await start(priced, { PLAN_CACHE_BYTES: '65536' });
  const texts = ['a', 'b'].map((letter) => `{ price } # ${letter.repeat(40_000)}`);
  for (const query of texts) await ask({ query });
  const hashes = await Promise.all(
    texts.map(async (text) => Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex')),
  );
  expect(hashes.map((hash) => gateway.textOf(hash)?.length)).toEqual([undefined, texts[1]!.length]);
});

it('a supergraph that is refused leaves no source open, and keeps those of the present one', async () => {
  const { gateway, sources, supergraphAt, subgraph } = await start(priced);
  const other = `${subgraph.url}/other`;
  const broken = supergraphAt(other).concat('\ntype Broken { a: Nothing }');
  await expect(gateway.update(broken)).rejects.toThrow();
  const two = composeSupergraph([
    { name: 'shop', sdl },
    { name: 'stock', sdl: 'type Query { stock: Int }' },
  ]).supergraphSdl;
  await expect(gateway.update(two.replace('http://stock.subgraph.invalid/', 'nowhere'))).rejects.toThrow();
  expect(sources.map(({ closed }) => closed)).toEqual([false, ...sources.slice(1).map(() => true)]);
  expect(sources.length).toBeGreaterThan(1);
  expect(gateway.supergraphSdl).toBe(supergraphAt(subgraph.url));
});
