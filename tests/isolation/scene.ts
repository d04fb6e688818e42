/**
 * Two organisations with the same kinds of data. Every stored text of one carries a mark of its own, its figures are ones
 * that the other cannot have, and everything that it is answered is known.
 */
import { expect } from 'vitest';
import { datasets } from '../../datasets/index.js';
import type { ColumnType, Dataset } from '../../datasets/types.js';
import { actions, type Identity } from '../../platform/identity.js';
import { prepareQuery } from '../../query/index.js';
import type { TestGateway } from '../setup/gateway.js';
import { eventually } from '../setup/until.js';

/** What tells an organisation's data from another's. */
export interface Mark {
  /** In every text that is stored. */
  text: string;
  /** How many events of each dataset, and a figure in each of them. */
  events: number;
  figure: number;
  address: string;
}

export const marks: [Mark, Mark] = [
  { text: 'canary-ambertide', events: 509, figure: 41_311, address: '81.20.30.40' },
  { text: 'beacon-bluefjord', events: 7, figure: 5_209, address: '82.40.50.10' },
];

export interface Tenant {
  identity: Identity;
  mark: Mark;
  /** Whoever does things for the organisation: everything that tests do not do as a probe. */
  ask<Data = Record<string, unknown>>(query: string, variables?: unknown): Promise<Data>;
  /** Is told of every answer to `ask`. */
  onAnswer: (query: string, variables: unknown, data: object) => void;
}

/** Names the organisations and their administrators by their marks. */
export async function nameTenants(gateway: TestGateway): Promise<[Tenant, Tenant]> {
  const tenants = await Promise.all(
    gateway.orgs.map(async (identity, index): Promise<Tenant> => {
      const mark = marks[index as 0 | 1];
      const { asSuperuser } = gateway.database;
      await asSuperuser('UPDATE app.orgs SET name = $2, slug = $2 WHERE id = $1', [identity.orgId, mark.text]);
      await asSuperuser(
        `UPDATE app.users SET name = $2 || ' administrator', email = $2 || '@admin.example' WHERE org_id = $1`,
        [identity.orgId, mark.text],
      );
      // What crosses organisations by its nature is no part of an organisation's own administration.
      const capabilities = actions.filter((action) => action !== 'platform:admin').map((action) => ({ action }));
      const tenant: Tenant = {
        identity: { ...identity, capabilities },
        mark,
        onAnswer: () => {},
        ask: async (query, variables) => {
          const { data, errors } = await gateway.query<never>(tenant.identity, query, variables);
          expect(errors, query).toBeUndefined();
          tenant.onAnswer(query, variables, data!);
          return data!;
        },
      };
      return tenant;
    }),
  );
  return tenants as [Tenant, Tenant];
}

const sampleOf: Record<ColumnType, (mark: Mark, column: string, time: string) => unknown> = {
  STRING: ({ text }, column) => (/severity|level/.test(column) ? 'high' : `${text} ${column}`),
  INT: ({ figure }) => figure,
  LONG: ({ figure }) => figure * 100_003,
  REAL: ({ figure }) => figure + 0.5,
  BOOLEAN: () => true,
  DATETIME: (_mark, _column, time) => time,
  IP: ({ address }) => address,
  JSON: ({ text }) => ({ note: text }),
};

/** An event with every column. */
export const eventOf = (mark: Mark, { columns }: Dataset, time: string): Record<string, unknown> => ({
  ...Object.fromEntries(columns.map(({ name, type }) => [name, sampleOf[type](mark, name, time)])),
  undeclared: mark.text,
});

/** Gives an organisation something of everything. @param receiver of a callback; without one there is none */
export async function fillTenant(tenant: Tenant, events = tenant.mark.events, receiver?: string): Promise<void> {
  const { ask, mark } = tenant;
  await sendEvents(tenant, events);
  await ask('mutation ($input: CreateUserInput!) { createUser(input: $input) { __typename id email name } }', {
    input: {
      email: `${mark.text}@user.example`,
      name: `${mark.text} user`,
      password: `${mark.text} password`,
      roles: ['VIEWER'],
    },
  });
  await ask(
    'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename apiKey { __typename id } } }',
    {
      input: {
        name: `${mark.text} key`,
        capabilities: [{ action: 'audit:write', app: `${mark.text}-shop` }],
        serviceUserName: mark.text,
      },
    },
  );
  await Promise.all([submitJobs(ask, mark), keepCollection(ask, mark)]);
  if (receiver !== undefined) await haveCallback(tenant, receiver);
}

/** A job that ends, and a receiver that is told of it. */
async function haveCallback({ ask, mark }: Tenant, receiver: string): Promise<void> {
  const { submitJob } = await ask<{ submitJob: { id: string } }>(
    'mutation ($query: String!, $url: String!) { submitJob(input: { query: $query, callbackUrl: $url }) { __typename id } }',
    { query: `SELECT '${mark.text}' AS told`, url: `${receiver}/${mark.text}` },
  );
  await eventually(async () => {
    const { job } = await ask<{ job: { callback: { status: string } | null } }>(
      'query ($id: ID!) { job(id: $id) { __typename callback { __typename id status } } }',
      { id: submitJob.id },
    );
    expect(job.callback?.status).toBe('DELIVERED');
  });
}

/** Makes a job run and end once more. */
export async function runJob({ ask, mark }: Tenant): Promise<void> {
  const { submitJob } = await ask<{ submitJob: { status: string } }>(
    `mutation ($query: String!) {
       submitJob(input: { query: $query, waitMs: 20000, maxResultAgeSeconds: 0 }) { __typename id status } }`,
    { query: `SELECT '${mark.text}' AS again` },
  );
  expect(submitJob.status).toBe('COMPLETED');
}

/** Sends events of every dataset, and as many log entries; may be called again. */
export async function sendEvents({ ask, mark }: Tenant, events = mark.events): Promise<void> {
  const time = new Date(Date.now() - 120_000).toISOString();
  const round = crypto.randomUUID().slice(0, 8);
  for (const dataset of datasets) {
    const { ingestEvents } = await ask<{ ingestEvents: { accepted: number } }>(
      `mutation ($input: IngestEventsInput!) { ingestEvents(input: $input) { __typename accepted batchId duplicate } }`,
      {
        input: {
          dataset: dataset.name,
          batchId: `${mark.text}-${dataset.name}-${round}`,
          events: Array.from({ length: events }, () => eventOf(mark, dataset, time)),
        },
      },
    );
    expect(ingestEvents.accepted).toBe(events);
  }
  await writeEntries(ask, mark, events, round);
}

async function writeEntries(ask: Tenant['ask'], mark: Mark, count: number, round: string): Promise<void> {
  const data = { A: { note: mark.text }, D: { file: mark.text, function: mark.text, line: mark.figure } };
  const changes = [{ field: mark.text, old_value: mark.text, new_value: mark.text }];
  const change = { entity: `${mark.text} entity`, op: 'Update', changes };
  const entries = Array.from({ length: count }, (_, index) => {
    const type = (['A', 'C', 'D'] as const)[index % 3]!;
    return {
      id: `${mark.text}-${round}-${index}`,
      app: `${mark.text}-shop`,
      system: mark.text,
      module: `${mark.text}-module`,
      type,
      pri: 'Crit',
      when: new Date(Date.now() - 60_000).toISOString(),
      who: `${mark.text}-who`,
      op: `${mark.text}-op`,
      class: `${mark.text}-class`,
      instance_id: `${mark.text}-instance`,
      error: mark.text,
      remote_ip: mark.address,
      msg: `${mark.text} message`,
      data: type === 'C' ? change : data[type],
      trace_id: mark.text,
      span_id: mark.text,
    };
  });
  for (let from = 0; from < count; from += 600) {
    const { writeLogEntries } = await ask<{ writeLogEntries: { rejected: unknown[] } }>(
      `mutation ($input: WriteLogEntriesInput!) {
         writeLogEntries(input: $input) { __typename accepted batchId duplicate rejected { __typename index message } } }`,
      { input: { entries: entries.slice(from, from + 600), batchId: `${mark.text}-entries-${from}-${round}` } },
    );
    expect(writeLogEntries.rejected).toEqual([]);
  }
}

async function submitJobs(ask: Tenant['ask'], mark: Mark): Promise<void> {
  // The first text of KQL loads the language, which takes longer than a request may on a busy machine.
  await prepareQuery({ language: 'KQL', text: 'print 1', datasets });
  const day = 86_400_000;
  const [from, to] = [-day, day].map((distance) => new Date(Date.now() + distance).toISOString());
  const search = { size: 5, aggs: { [`${mark.text} hosts`]: { terms: { field: 'host' } } } };
  const jobs: { language: string; query: string; dataset?: string; status: string }[] = [
    { language: 'OPENSEARCH', dataset: 'logs', query: JSON.stringify(search), status: 'COMPLETED' },
    {
      language: 'KQL',
      query: `logs | where message has "${mark.text}" | project timestamp, host, message, bytes_in, attributes
              | render table with (title="${mark.text}")`,
      status: 'COMPLETED',
    },
    {
      language: 'LINQ',
      query: `from logs where host -> "${mark.text}" group by host select count() as n`,
      status: 'COMPLETED',
    },
    {
      language: 'SQL',
      query: `SELECT timestamp, host, message, bytes_in, attributes FROM logs WHERE message LIKE '%${mark.text}%'`,
      status: 'COMPLETED',
    },
    { language: 'SQL', query: `SELECT 1 / (bytes_in - bytes_in) AS "${mark.text}" FROM logs`, status: 'FAILED' },
  ];
  for (const [index, { status, ...job }] of jobs.entries()) {
    const input = {
      ...job,
      ...(job.language === 'SQL' ? {} : { from, to }),
      idempotencyKey: `${mark.text}-job-${index}`,
      metadata: { note: mark.text },
    };
    const { submitJob } = await ask<{ submitJob: { id: string } }>(
      'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { __typename id query metadata } }',
      { input },
    );
    await eventually(async () => {
      const found = await ask<{ job: { status: string } }>('query ($id: ID!) { job(id: $id) { __typename status } }', {
        id: submitJob.id,
      });
      expect(found.job.status).toBe(status);
    }, 60_000);
  }
}

async function keepCollection(ask: Tenant['ask'], mark: Mark): Promise<void> {
  const { createCollection } = await ask<{ createCollection: { id: string } }>(
    'mutation ($input: CreateCollectionInput!) { createCollection(input: $input) { __typename id friendlyName } }',
    {
      input: {
        friendlyName: `${mark.text} collection`,
        description: mark.text,
        query: `SELECT timestamp, host, message FROM logs WHERE host LIKE '${mark.text}%'`,
        mode: 'HASH_AND_CONTENT',
        keyFields: ['host'],
        valueFields: ['message'],
        expireInSeconds: '864000',
      },
    },
  );
  await eventually(async () => {
    const { collection } = await ask<{ collection: { status: string; keyCount: number } }>(
      'query ($id: ID!) { collection(id: $id) { __typename status keyCount } }',
      createCollection,
    );
    expect(collection).toMatchObject({ status: 'RUNNING', keyCount: 1 });
  });
}

/** What each table holds of an organisation, as a hash by the table's name. */
export async function hashesOf({ database }: TestGateway, orgId: string): Promise<Record<string, string>> {
  const tables = await database.asSuperuser<{ name: string; column: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name, attname AS column
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = c.oid
      WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
        AND attname = CASE WHEN relname = 'orgs' THEN 'id' ELSE 'org_id' END ORDER BY 1`,
  );
  const hashed = tables.map(
    ({ name, column }) =>
      `SELECT '${name}' AS name, coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') AS hash
         FROM ${name} AS t WHERE ${column} = '${orgId}'`,
  );
  const rows = await database.asSuperuser<{ name: string; hash: string }>(hashed.join(' UNION ALL '));
  return Object.fromEntries(rows.map(({ name, hash }) => [name, hash]));
}

/** The hashes once nothing works on the organisation's rows any more. */
export async function settledHashes(gateway: TestGateway, orgId: string): Promise<Record<string, string>> {
  let last: Record<string, string> = {};
  let since = performance.now();
  return eventually(async () => {
    const hashes = await hashesOf(gateway, orgId);
    const changed = Object.keys(hashes).filter((table) => hashes[table] !== last[table]);
    last = hashes;
    if (changed.length > 0) since = performance.now();
    if (performance.now() - since < stillMs) throw new Error(`Rows still change, last in ${changed.join(', ')}.`);
    return hashes;
  }, 60_000);
}

/** Requests are written down as activity once a second. */
const stillMs = 2_000;

/** Every id that the database gave to rows of an organisation. */
export async function uuidsOf({ database }: TestGateway, orgId: string): Promise<Set<string>> {
  const columns = await database.asSuperuser<{ name: string; column: string; org: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name, quote_ident(a.attname) AS column,
            CASE WHEN relname = 'orgs' THEN 'id' ELSE 'org_id' END AS org
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname = 'app' AND atttypid = 'uuid'::regtype AND attnum > 0
        AND EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid
                     AND o.attname = CASE WHEN relname = 'orgs' THEN 'id' ELSE 'org_id' END)`,
  );
  const found = await Promise.all(
    columns.map(({ name, column, org }) =>
      database.asSuperuser<{ id: string }>(`SELECT DISTINCT ${column}::text AS id FROM ${name} WHERE ${org} = $1`, [
        orgId,
      ]),
    ),
  );
  return new Set(found.flat().flatMap(({ id }) => id ?? []));
}
