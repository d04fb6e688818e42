/** Random histories of two organisations at once: whatever each does, each sees exactly what it did itself. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { makeOrg } from '../setup/database.js';
import { startTestGateway, type TestGateway } from '../setup/gateway.js';
import { eventually } from '../setup/until.js';

let gateway: TestGateway;
let made = 0;

beforeAll(async () => {
  gateway = await startTestGateway({ workers: true });
});
afterAll(() => gateway?.close());

/** What an organisation did, as it must find it again. */
class Model {
  readonly jobs = new Set<string>();
  readonly collections = new Set<string>();
  readonly users = new Set<string>();
  readonly entries = new Map<string, Set<string>>();
  /** The hosts of its events. */
  readonly hosts: string[] = [];

  constructor(readonly identity: Identity) {
    this.users.add(identity.subject.userId!);
  }

  async ask<Data>(query: string, variables?: unknown): Promise<Data> {
    const { data, errors } = await gateway.query<Data>(this.identity, query, variables);
    expect(errors).toBeUndefined();
    return data!;
  }
}

/** Few names, so that both organisations use the same ones. */
const name = fc.constantFrom('alpha', 'beta');
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('events' as const), name, count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('entries' as const), name, count: fc.integer({ min: 1, max: 4 }) }),
  },
  fc.record({ kind: fc.constant('job' as const), name }),
  fc.record({ kind: fc.constant('collection' as const), name }),
  fc.record({ kind: fc.constant('user' as const), name }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const writes: { [Kind in Step['kind']]: (model: Model, step: Extract<Step, { kind: Kind }>) => Promise<void> } = {
  events: async (model, { name: host, count }) => {
    const now = new Date().toISOString();
    const events = Array.from({ length: count }, () => ({ timestamp: now, host }));
    await model.ask('mutation ($input: IngestEventsInput!) { ingestEvents(input: $input) { accepted } }', {
      // The same batch id in both organisations is two batches.
      input: { dataset: 'logs', events, batchId: `batch-${model.hosts.length}` },
    });
    model.hosts.push(...events.map(() => host));
  },
  entries: async (model, { name: app, count }) => {
    const known = model.entries.get(app) ?? new Set();
    const when = new Date().toISOString();
    const entries = Array.from({ length: count }, (_, index) => ({
      id: `${app}-${known.size + index}`,
      type: 'A',
      when,
      msg: 'm',
    }));
    await model.ask('mutation ($input: WriteLogEntriesInput!) { writeLogEntries(input: $input) { accepted } }', {
      input: { app, entries },
    });
    for (const { id } of entries) known.add(id);
    model.entries.set(app, known);
  },
  job: async (model, { name: key }) => {
    const { submitJob } = await model.ask<{ submitJob: { id: string } }>(
      'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { id } }',
      {
        input: {
          query: 'SELECT host, count(*) AS n FROM logs GROUP BY host',
          idempotencyKey: `${key}-${model.jobs.size}`,
        },
      },
    );
    model.jobs.add(submitJob.id);
  },
  collection: async (model, { name: friendlyName }) => {
    const { data } = await gateway.query<{ createCollection: { id: string } }>(
      model.identity,
      'mutation ($input: CreateCollectionInput!) { createCollection(input: $input) { id } }',
      {
        input: {
          friendlyName,
          query: 'SELECT timestamp, host FROM logs',
          mode: 'HASH',
          keyFields: ['host'],
          expireInSeconds: '86400',
        },
      },
    );
    // The name may be taken, by the organisation itself.
    if (data) model.collections.add(data.createCollection.id);
  },
  user: async (model, { name: user }) => {
    const { data } = await gateway.query<{ createUser: { id: string } }>(
      model.identity,
      'mutation ($input: CreateUserInput!) { createUser(input: $input) { id } }',
      { input: { email: `${user}@history.example`, name: user, password: 'long enough for all', roles: ['VIEWER'] } },
    );
    if (data) model.users.add(data.createUser.id);
  },
  read: async (model) => readAll(model),
};

interface Lists {
  jobs: { nodes: { id: string }[]; totalCount: { value: number } };
  collections: { nodes: { id: string }[]; totalCount: { value: number } };
  users: { nodes: { id: string }[]; totalCount: { value: number } };
  apps: { name: string; entryCount: { value: number } }[];
  dataset: { eventCount: { value: number } };
}

/** Every list and count, and a search. */
async function readAll(model: Model): Promise<void> {
  const lists = await model.ask<Lists>(`{
    jobs(first: 200) { nodes { id } totalCount { value } }
    collections(first: 200) { nodes { id } totalCount { value } }
    users(first: 200) { nodes { id } totalCount { value } }
    apps { name entryCount { value } }
    dataset(name: "logs") { eventCount { value } }
  }`);
  for (const list of ['jobs', 'collections', 'users'] as const) {
    expect(lists[list].nodes.map(({ id }) => id).sort(), list).toEqual([...model[list]].sort());
    expect(lists[list].totalCount.value, list).toBe(model[list].size);
  }
  expect(lists.dataset.eventCount.value).toBe(model.hosts.length);
  // What Harborwatch writes down about the organisation itself comes beside.
  const apps = lists.apps.filter((app) => app.name !== 'harborwatch');
  const entries = [...model.entries].map(([app, ids]) => ({ name: app, entryCount: { value: ids.size } }));
  expect(apps.sort(byName)).toEqual(entries.sort(byName));
  for (const [app, ids] of model.entries) {
    const { activityLog } = await model.ask<{ activityLog: { nodes: { id: string }[] } }>(
      'query ($app: String!) { activityLog(app: $app, days: 1, first: 200) { nodes { id } } }',
      { app },
    );
    expect(activityLog.nodes.map(({ id }) => id).sort(), app).toEqual([...ids].sort());
  }
}

/** What background work has to catch up with first: jobs' results and the entries of collections. */
async function readSettled(model: Model): Promise<void> {
  const rows = await search(model);
  expect(rows).toEqual(hostCounts(model));
  await eventually(async () => {
    const { collections } = await model.ask<{ collections: { nodes: { keys: { nodes: { key: string }[] } }[] } }>(
      '{ collections(first: 200) { nodes { keys(first: 50) { nodes { key } } } } }',
    );
    const hosts = [...new Set(model.hosts)].map((host) => JSON.stringify([host])).sort();
    for (const { keys } of collections.nodes) expect(keys.nodes.map(({ key }) => key).sort()).toEqual(hosts);
  });
}

async function search(model: Model): Promise<Record<string, number>> {
  const { submitJob } = await model.ask<{
    submitJob: { id: string; results: { nodes: { host: string; n: number }[] } };
  }>('mutation ($input: SubmitJobInput!) { submitJob(input: $input) { id results { nodes } } }', {
    input: { query: 'SELECT host, count(*) AS n FROM logs GROUP BY host', waitMs: 30_000 },
  });
  model.jobs.add(submitJob.id);
  return Object.fromEntries(submitJob.results.nodes.map(({ host, n }) => [host, n]));
}

const hostCounts = ({ hosts }: Model): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(hosts, (host) => host)].map(([host, all]) => [host, all.length]));

const byName = (one: { name: string }, other: { name: string }) => one.name.localeCompare(other.name);

const isDeep = process.env.HARBORWATCH_DEEP !== undefined;

test('each of two organisations sees exactly what it wrote, through every list and search', {
  timeout: 1_800_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ who: fc.constantFrom(0, 1), step }), { minLength: 6, maxLength: isDeep ? 60 : 20 }),
      async (history) => {
        made += 1;
        const identities = [`history-${made}-one`, `history-${made}-two`].map((slug) =>
          makeOrg(gateway.platform, slug),
        );
        const models = (await Promise.all(identities)).map((identity) => new Model(identity));
        // Each organisation's steps come in their order, and the two run into each other.
        await Promise.all(
          models.map(async (model, index) => {
            for (const { who, step: one } of history) {
              if (who === index) await (writes[one.kind] as (to: Model, step: Step) => Promise<void>)(model, one);
            }
          }),
        );
        await Promise.all(
          models.map(async (model) => {
            await readSettled(model);
            await readAll(model);
          }),
        );
      },
    ),
    { numRuns: isDeep ? 40 : 4, endOnFailure: true },
  );
});
