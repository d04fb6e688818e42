/** Debug logs that are open to source addresses without a token: what they may ask, and what nobody else may. */
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SourceAddresses } from '../platform/authentication/source-addresses.js';
import { loadConfig } from '../platform/config.js';
import type { Identity } from '../platform/identity.js';
import { type GraphQLAnswer, startTestGateway, type TestGateway } from './setup/gateway.js';
import { eventually } from './setup/until.js';

/** Loopback addresses: the first of organisation one, the next of one app of organisation two, then of nobody we know. */
const [opened, ofOneApp, ofUnknownOrg, neighbour, proxy] = [
  '127.0.0.2',
  '127.0.0.3',
  '127.0.0.4',
  '127.0.0.5',
  '127.0.0.9',
];

let gateway: TestGateway;
let one: Identity;
let two: Identity;
beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      DEBUG_LOG_SOURCES: `one=${opened}, two=${ofOneApp}/32/shop, none=${ofUnknownOrg}`,
      TRUSTED_PROXIES: proxy!,
    },
  });
  [one, two] = gateway.orgs;
  const when = new Date().toISOString();
  const input = {
    entries: ['shop', 'bank'].flatMap((app) => [
      {
        app,
        id: 'first',
        type: 'D',
        module: 'web',
        when,
        who: 'eve',
        remote_ip: '192.0.2.1',
        data: { debug_data: { pid: 7 } },
      },
      { app, id: 'second', type: 'D', module: 'web', when, class: 'order' },
      { app, id: 'activity', type: 'A', module: 'web', when, pri: 'Sec' },
    ]),
  };
  for (const org of gateway.orgs) {
    const mutation = 'mutation ($input: WriteLogEntriesInput!) { writeLogEntries(input: $input) { accepted } }';
    const { data } = await gateway.query<{ writeLogEntries: { accepted: number } }>(org, mutation, { input });
    expect(data?.writeLogEntries.accepted).toBe(6);
  }
});
afterAll(() => gateway.close());

type Answer = GraphQLAnswer<any>;

/** Asks from an address, without a token unless the headers have one. */
const askFrom = (localAddress: string | undefined, query: string, headers: Record<string, string> = {}) =>
  postFrom(localAddress, '/graphql', { query }, headers);

async function postFrom(
  localAddress: string | undefined,
  path: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await new Promise<Parameters<NonNullable<Parameters<typeof request>[2]>>[0]>((resolve, reject) => {
    const sent = request(
      gateway.url + path,
      { method: 'POST', localAddress, agent: false, headers: { 'content-type': 'application/json', ...headers } },
      resolve,
    );
    sent.on('error', reject).end(JSON.stringify(body));
  });
  return { status: response.statusCode, ...((await json(response)) as object) } as Answer;
}

const debugLog = (app: string, fields = 'totalCount { value } nodes { id }', more = '') =>
  `{ debugLog(app: "${app}", module: "web", priority: DEBUG2 ${more}) { ${fields} } }`;
const idsOf = ({ data }: Answer) => data.debugLog.nodes.map(({ id }: { id: string }) => id);
const codesOf = ({ errors = [] }: Answer) => errors.map(({ extensions }) => extensions.code);

describe('an opened address', () => {
  it('reads the debug logs of its organisation without a token, page by page', async () => {
    const fields = `totalCount { value relation } pageInfo { hasNextPage endCursor } edges { cursor }
      nodes { __typename id type who module priority ... on DebugLogEntry { pid } }`;
    const first = await askFrom(opened, debugLog('shop', fields, ', first: 1'));
    expect(first.errors).toBeUndefined();
    const { totalCount, pageInfo, nodes } = first.data.debugLog;
    expect(totalCount).toEqual({ value: 2, relation: 'EXACT' });
    expect(nodes).toEqual([
      {
        __typename: 'DebugLogEntry',
        id: 'second',
        type: 'DEBUG',
        who: null,
        module: 'web',
        priority: 'INFO',
        pid: null,
      },
    ]);
    const next = await askFrom(opened, debugLog('shop', fields, `, first: 1, after: "${pageInfo.endCursor}"`));
    expect(next.data.debugLog.nodes).toMatchObject([{ id: 'first', who: 'eve', pid: 7 }]);
    expect(idsOf(await askFrom(opened, debugLog('bank')))).toEqual(['second', 'first']);
  });

  it('reads them over a WebSocket too', async () => {
    class FromOpened extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols, { localAddress: opened });
      }
    }
    const url = `${gateway.url.replace('http', 'ws')}/graphql`;
    const client = createClient({ url, webSocketImpl: FromOpened, retryAttempts: 0 });
    const ask = async (query: string) => (await client.iterate({ query }).next()).value as Answer;
    expect(idsOf(await ask(debugLog('shop')))).toEqual(['second', 'first']);
    expect(codesOf(await ask('{ viewer { org { id } } }'))).toEqual(['UNAUTHENTICATED']);
    expect(codesOf(await ask('{ __schema { queryType { name } } }'))).toEqual(['UNAUTHENTICATED']);
    const subscribed = client.iterate({ query: 'subscription { eventTail(dataset: "logs") { cursor } }' }).next();
    const refused = await subscribed.then(
      ({ value }) => codesOf(value as Answer),
      (errors: NonNullable<Answer['errors']>) => errors.map(({ extensions }) => extensions.code),
    );
    expect(refused).toEqual(['UNAUTHENTICATED']);
    await client.dispose();
  });

  it.each([
    '{ viewer { org { id } } }',
    '{ org { id } }',
    '{ apps { name } }',
    '{ activityLog(app: "shop", days: 5) { nodes { id } } }',
    '{ datasets { name } }',
    '{ jobs { totalCount { value } } }',
    '{ collections { totalCount { value } } }',
    '{ widgets { totalEvents { cached } } }',
    '{ __schema { queryType { name } } }',
    '{ __type(name: "App") { name } }',
    'mutation { writeLogEntries(input: { entries: [{}] }) { accepted } }',
    'mutation { signOut }',
  ])('asks for nothing else: %s', async (query) => {
    // Once for the way of a first run, once for that of a compiled operation.
    await gateway.query(one, query.startsWith('mutation') ? '{ __typename }' : query);
    for (let run = 0; run < 2; run += 1) {
      const answer = await askFrom(opened, query);
      expect(codesOf(answer)).toEqual(['UNAUTHENTICATED']);
      expect(Object.values(answer.data ?? {}).filter((value) => value !== null)).toEqual([]);
    }
  });

  it('learns nothing of apps, actors, addresses or the schema through its entries', async () => {
    const answer = await askFrom(
      opened,
      debugLog('shop', 'nodes { id app { entryCount { value } } actor { who } remoteIp { family } }'),
    );
    expect(answer.data.debugLog.nodes).toEqual(
      ['second', 'first'].map((id) => ({ id, app: null, actor: null, remoteIp: null })),
    );
    expect(new Set(codesOf(answer))).toEqual(new Set(['UNAUTHENTICATED']));
    const mistaken = await askFrom(opened, '{ debugLogs }');
    expect(mistaken.errors?.[0]?.message).not.toContain('Did you mean');
    expect((await postFrom(opened, '/ingest/logs', {})).status).toBe(401);
  });

  it('with a token is whoever the token says; with a wrong one it is refused', async () => {
    const authorization = `Bearer ${await gateway.tokenFor(two)}`;
    const { data } = await askFrom(opened, '{ viewer { org { slug } } }', { authorization });
    expect(data.viewer.org.slug).toBe('two');
    const broken = await askFrom(opened, debugLog('shop'), { authorization: 'Bearer nonsense' });
    expect([broken.status, codesOf(broken)]).toEqual([401, ['UNAUTHENTICATED']]);
  });

  it('that is opened to one app sees no other one, be there such an app or not', async () => {
    expect(idsOf(await askFrom(ofOneApp, debugLog('shop')))).toEqual(['second', 'first']);
    const [other, missing] = [await askFrom(ofOneApp, debugLog('bank')), await askFrom(ofOneApp, debugLog('none'))];
    expect(codesOf(other)).toEqual(['FORBIDDEN']);
    expect(JSON.stringify(other).replaceAll('bank', 'none')).toBe(JSON.stringify(missing));
  });

  it('is written down with what it read, and leaves no web activity', async () => {
    await askFrom(opened, debugLog('shop', 'nodes { id }', ', traceId: "t-1"'));
    const reads = await gateway.database.asSuperuser<{ payload: object }>(
      `SELECT payload FROM app.outbox WHERE type = 'audit.entry' AND payload->'data'->>'traceId' = 't-1'`,
    );
    expect(reads).toMatchObject([
      {
        payload: {
          op: 'audit.read',
          who: `${opened}/32`,
          remoteIp: opened,
          class: 'app',
          instanceId: 'shop',
          data: { log: 'debugLog', module: 'web', priority: 'DEBUG2' },
        },
      },
    ]);
    await gateway.query(one, 'query Marked { viewer { org { id } } }');
    const rows = () =>
      gateway.database.asSuperuser<{ ip: string; operation: string | null }>(
        'SELECT ip, operation FROM app.web_activity WHERE org_id = $1',
        [one.orgId],
      );
    await eventually(async () => expect((await rows()).map(({ operation }) => operation)).toContain('Marked'));
    expect((await rows()).filter(({ ip }) => String(ip).startsWith(opened!))).toEqual([]);
  });
});

describe('any other address', () => {
  it.each([
    ['a neighbour', neighbour, {}],
    ['this machine', '127.0.0.1', {}],
    ['one of an organisation that there is not', ofUnknownOrg, {}],
    ['one that writes an opened address into X-Forwarded-For', neighbour, { 'x-forwarded-for': opened! }],
    ['one that writes it into X-Real-IP', neighbour, { 'x-real-ip': opened! }],
    [
      'a client of the proxy that writes one in front of its own',
      proxy,
      { 'x-forwarded-for': `${opened}, ${neighbour}` },
    ],
  ])('is refused: %s', async (_, address, headers: Record<string, string>) => {
    expect(codesOf(await askFrom(address, debugLog('shop'), headers))).toEqual(['UNAUTHENTICATED']);
  });

  it('behind a trusted proxy counts as what the proxy saw', async () => {
    expect(idsOf(await askFrom(proxy, debugLog('shop'), { 'x-forwarded-for': `10.1.1.1, ${opened}` }))).toEqual([
      'second',
      'first',
    ]);
  });
});

describe('ranges', () => {
  it('take an IPv4 address in IPv6 clothes for what it is, and nothing else beside them', async () => {
    const { debugLogSources } = loadConfig({
      DEBUG_LOG_SOURCES: 'one=10.1.0.0/16, one=10.1.2.0/24/shop, one=2001:db8::/32, two=10.2.0.0/16',
    });
    const sources = new SourceAddresses(debugLogSources, gateway.platform.postgres);
    const accessOf = async (address: string | null) => {
      const access = await sources.accessOf(address);
      return access && [access.orgId, access.subject, access.capabilities, access.tier];
    };
    const ofOne = (id: string, ...capabilities: object[]) => [
      one.orgId,
      { kind: 'ADDRESS', id },
      capabilities,
      'ENTERPRISE',
    ];
    const all = { action: 'debug:read' };
    const shop = { action: 'debug:read', app: 'shop' };
    expect(await accessOf('10.1.0.7')).toEqual(ofOne('10.1.0.0/16', all));
    expect(await accessOf('::ffff:10.1.0.7')).toEqual(ofOne('10.1.0.0/16', all));
    expect(await accessOf('10.1.2.7')).toEqual(ofOne('10.1.0.0/16 10.1.2.0/24', all, shop));
    expect(await accessOf('2001:DB8::7%eth0')).toEqual(ofOne('2001:db8::/32', all));
    expect((await accessOf('10.2.3.4'))?.[0]).toBe(two.orgId);
    for (const address of ['10.3.0.1', '2001:db9::1', '::1', 'LOCAL', '', null]) {
      expect(await accessOf(address), String(address)).toBeUndefined();
    }
  });
});
