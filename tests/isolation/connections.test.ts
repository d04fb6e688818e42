/** Many requests of two organisations over the same pooled connections, with everything that goes wrong in between. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { datasets } from '../../datasets/index.js';
import { startTestGateway, type TestGateway } from '../setup/gateway.js';
import { Doors, inParallel } from './doors.js';
import { eventOf, fillTenant, nameTenants, type Tenant } from './scene.js';

const requestsPerOrg = 50;
const rounds = process.env.HARBORWATCH_DEEP ? 40 : 3;

/** Every pool that the gateway opens, to look into their connections afterwards. */
const pools = new Set<pg.Pool>();
const { connect } = pg.Pool.prototype;

let gateway: TestGateway;
let tenants: [Tenant, Tenant];

beforeAll(async () => {
  pg.Pool.prototype.connect = function watched(this: pg.Pool, ...given: never[]) {
    pools.add(this);
    return (connect as (...all: never[]) => never).apply(this, given);
  } as never;
  gateway = await startTestGateway({ workers: true });
  tenants = await nameTenants(gateway);
  await Promise.all(tenants.map((tenant) => fillTenant(tenant, 20)));
});
afterAll(async () => {
  pg.Pool.prototype.connect = connect;
  await gateway?.close();
});

type Work = (tenant: Tenant, doors: Doors, token: string) => Promise<string>;

const post = async (doors: Doors, token: string, query: string, variables: Record<string, unknown> = {}) =>
  (await doors.post(token, { query, variables })).body;

const everything = `{
  viewer { org { name slug } user { email } }
  jobs(first: 20) { nodes { query metadata results(first: 50) { nodes } } totalCount { value } }
  collections(first: 20) { nodes { friendlyName keys(first: 20) { nodes { key content } } } }
  users(first: 20) { nodes { email name } }
  apps { name modules classes entryCount { value } }
}`;
const submit =
  'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { status error { code message } results { nodes } } }';

/** What requests do to connections: most of them badly. */
const works: Work[] = [
  (_tenant, doors, token) => post(doors, token, everything),
  ({ mark }, doors, token) =>
    post(doors, token, 'query ($app: String!) { activityLog(app: $app, days: 5, first: 100) { nodes { msg who } } }', {
      app: `${mark.text}-shop`,
    }),
  // The database refuses a row within a transaction.
  ({ mark }, doors, token) =>
    post(doors, token, 'mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }', {
      input: { email: `${mark.text}@user.example`, name: 'Again', password: 'long enough for all', roles: ['VIEWER'] },
    }),
  (_tenant, doors, token) =>
    post(doors, token, submit, { input: { query: 'SELECT 1 / (bytes_in - bytes_in) AS x FROM logs', waitMs: 20_000 } }),
  // A statement that runs out of time.
  (_tenant, doors, token) =>
    post(doors, token, submit, {
      input: { query: 'SELECT count(*) FROM generate_series(1, 100000000) a, logs', waitMs: 20_000, timeoutMs: 50 },
    }),
  (_tenant, doors, token) =>
    post(doors, token, submit, { input: { query: 'SELECT host, message FROM logs', waitMs: 20_000 } }),
  // The caller goes away.
  async (_tenant, { url }, token) => {
    const body = JSON.stringify({ query: everything });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const signal = AbortSignal.timeout(Math.ceil(Math.random() * 15));
    return fetch(`${url}/graphql`, { method: 'POST', body, headers, signal }).then(
      (response) => response.text().catch(() => ''),
      () => '',
    );
  },
  // A transaction that fails in the middle, and one that runs out of time.
  ({ identity }) => {
    const failing = gateway.platform.postgres.withOrg(identity, async (tx) => {
      await tx.query('SELECT 1 / 0');
    });
    return failing.then(String, String);
  },
  ({ identity }) => {
    const slow = gateway.platform.postgres.withOrg(identity, (tx) => tx.query('SELECT pg_sleep(5)'), { timeoutMs: 30 });
    return slow.then(String, String);
  },
  ({ identity }) => {
    const read = (sql: string) =>
      gateway.platform.postgres.withOrg(identity, (tx) => tx.query(sql), { readOnly: true });
    return read('SELECT message, host FROM logs LIMIT 20').then(JSON.stringify, String);
  },
  async ({ mark }, doors, token) => {
    const [dataset] = datasets;
    const events = [eventOf(mark, dataset!, new Date().toISOString()), { timestamp: 'never' }];
    const input = { dataset: dataset!.name, events };
    const mutation =
      'mutation ($input: IngestEventsInput!) { ingestEvents(input: $input) { accepted rejected { message } } }';
    return post(doors, token, mutation, { input });
  },
];

test('no answer of many at once has anything of the other organisation, whatever fails beside it', async () => {
  const doors = new Doors(gateway.url);
  const tokens = await Promise.all(tenants.map(({ identity }) => gateway.tokenFor(identity)));
  const faults: string[] = [];
  let own = 0;
  for (let round = 0; round < rounds; round += 1) {
    const requests = tenants.flatMap((_, who) =>
      Array.from({ length: requestsPerOrg }, (__, index) => ({ who, index })),
    );
    await inParallel(requests, requests.length, async ({ who, index }) => {
      const answer = await works[index % works.length]!(tenants[who]!, doors, tokens[who]!);
      const { mark } = tenants[1 - who]!;
      if (answer.includes(mark.text) || answer.includes(mark.address)) faults.push(answer.slice(0, 500));
      if (answer.includes(tenants[who]!.mark.text)) own += 1;
    });
  }
  expect(faults).toEqual([]);
  expect(own).toBeGreaterThan(rounds * requestsPerOrg * 0.5);
});

test('connections that go back to their pool carry no organisation', async () => {
  let looked = 0;
  for (const pool of pools) {
    const clients = await Promise.all(Array.from({ length: pool.idleCount }, () => pool.connect()));
    for (const client of clients) {
      const { rows } = await client.query(
        `SELECT coalesce(current_setting('app.org_id', true), '') AS org, coalesce(current_setting('app.audit_scopes', true), '') AS scopes`,
      );
      expect(rows).toEqual([{ org: '', scopes: '' }]);
      looked += 1;
      client.release();
    }
  }
  expect(looked).toBeGreaterThan(10);
});
