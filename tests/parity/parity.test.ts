/** The same operations, embedded and distributed: one process with everything in it, and three with HTTP between them. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway } from '../../gateway/server.js';
import { generateSigningKey } from '../../platform/authentication/token-keys.js';
import { startBackground } from '../../platform/background.js';
import { loadConfig } from '../../platform/config.js';
import type { Identity } from '../../platform/identity.js';
import { createPlatform } from '../../platform/platform.js';
import { subgraphs } from '../../subgraphs/index.js';
import { createTestPlatform, type TestPlatform } from '../setup/database.js';
import { type Callers, callersOf } from '../setup/gateway.js';
import { startSubgraphProcess } from '../setup/subgraph-process.js';
import { eventually } from '../setup/until.js';
import { knownOperations, type Operation, queriesOfEverything } from './operations.js';

let base: TestPlatform;
let embedded: Callers;
let distributed: Callers;
const ids: Record<string, string> = {};
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  base = await createTestPlatform({ HOP_SIGNING_KEY: await generateSigningKey(), SUBGRAPH_TIMEOUT_MS: '20000' });
  closing.push(() => base.close());
  const processes = await Promise.all(
    [
      ['accounts', 'audit', 'events'],
      ['analytics', 'collections', 'jobs'],
    ].map((names) => startSubgraphProcess(names, base.env)),
  );
  closing.push(() => Promise.all(processes.map((served) => served.end('SIGKILL'))));
  const gatewayWith = async (env: Record<string, string>) => {
    const platform = createPlatform(loadConfig({ ...base.env, ...env }), 'test');
    const gateway = await startGateway(platform, {
      supergraphSdl: await readFile('schema/supergraph.graphql', 'utf8'),
      subgraphs,
      pagesDirectory: 'dist/public/graphiql/',
      port: 0,
      host: '127.0.0.1',
    });
    closing.push(async () => {
      await gateway.drain();
      await platform.close();
    });
    return callersOf(`http://127.0.0.1:${gateway.port}`, platform);
  };
  embedded = await gatewayWith({});
  distributed = await gatewayWith({ SUBGRAPH_URLS: processes.map(({ urls }) => urls).join(',') });
  await setTheScene();
});
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

/** The same data for both organisations: events, audit entries, a finished job, a collection. */
async function setTheScene(): Promise<void> {
  const background = await startBackground(base.platform, subgraphs);
  const at = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
  for (const org of base.orgs) {
    const run = async (query: string, variables?: unknown) => {
      const { data, errors } = await embedded.query<any>(org, query, variables);
      expect(errors).toBeUndefined();
      return data;
    };
    const requests = Array.from({ length: 40 }, (_, i) => ({
      request_timestamp: at(60 + i * 60),
      ip_address: `203.0.113.${i % 5}`,
      user_agent: 'Mozilla/5.0',
      url: `/page/${i % 7}`,
      http_method: 'GET',
      status_code: i % 4 === 0 ? 404 : 200,
      response_time: i,
      username: 'ada',
    }));
    await run('mutation ($e: [JSON!]!) { ingestEvents(input: { dataset: "website_logs", events: $e }) { accepted } }', {
      e: requests,
    });
    const entries = ['A', 'C', 'D'].map((type, i) => ({
      app: 'Shop',
      module: 'Orders',
      type,
      pri: 'Info',
      when: at(120 + i),
      who: 'ada',
      op: 'Update',
      class: 'Order',
      instance: '17',
      remote_ip: '203.0.113.7',
      msg: 'Changed',
      data:
        type === 'A'
          ? { activity_data: 'x' }
          : type === 'C'
            ? {
                change_data: {
                  entity: 'Order',
                  op: 'Update',
                  changes: [{ field: 'n', old_value: '1', new_value: '2' }],
                },
              }
            : {
                debug_data: {
                  pid: 1,
                  runtime: 'node',
                  file_name: 'a.js',
                  line_number: 1,
                  func_name: 'f',
                  stack_trace: '',
                  data: {},
                },
              },
    }));
    const written = await run(
      'mutation ($e: [JSON!]!) { writeLogEntries(input: { entries: $e }) { accepted rejected { message } } }',
      { e: entries },
    );
    expect(written.writeLogEntries.accepted).toBeGreaterThanOrEqual(2);
    const { submitJob } = await run(
      'mutation { submitJob(input: { query: "SELECT status_code, count(*) AS n FROM website_logs GROUP BY 1 ORDER BY 1" }) { id } }',
    );
    const { createCollection } = await run(`mutation { createCollection(input: {
      friendlyName: "visitors", query: "SELECT request_timestamp, ip_address, user_agent FROM website_logs",
      keyFields: ["ip_address"], valueFields: ["user_agent"], mode: HASH_AND_CONTENT, expireInSeconds: 31536000 }) { id } }`);
    await eventually(async () => {
      const { job, collection } = await run(
        'query ($j: ID!, $c: ID!) { job(id: $j) { status } collection(id: $c) { keyCount } }',
        {
          j: submitJob.id,
          c: createCollection.id,
        },
      );
      expect([job.status, collection.keyCount]).toEqual(['COMPLETED', expect.anything()]);
    }, 60_000);
    ids[`job ${org.orgId}`] = submitJob.id;
    ids[`collection ${org.orgId}`] = createCollection.id;
  }
  // From here on nothing moves by itself.
  await background.stop(5_000);
}

type Answer = { data?: unknown; errors?: unknown };

const ask = async (by: Callers, org: Identity, { signedIn, query, variables }: Operation): Promise<Answer> => {
  const { data, errors } = await by.query(signedIn ? org : undefined, query, variables);
  return JSON.parse(JSON.stringify({ data, errors }), ofAnyProcess);
};

/** What a process takes is another figure in each, though it may stand still for a while. */
const ofAnyProcess = (name: string, value: unknown) =>
  /^(heapUsed|heapTotal|external)$/.test(name) && typeof value === 'number' ? 'some bytes' : value;

const volatile = Symbol('changes from one moment to the next');

/** What two answers of the same gateway have in common, with a mark in the place of everything else. */
function common(one: unknown, two: unknown): unknown {
  if (Object.is(one, two)) return one;
  if (Array.isArray(one) && Array.isArray(two) && one.length === two.length) {
    return one.map((item, i) => common(item, two[i]));
  }
  if (isObject(one) && isObject(two) && Object.keys(one).join() === Object.keys(two).join()) {
    return Object.fromEntries(Object.entries(one).map(([key, value]) => [key, common(value, two[key])]));
  }
  return volatile;
}

/** An answer with the marks of another. */
function marked(answer: unknown, marks: unknown): unknown {
  if (marks === volatile) return volatile;
  if (Array.isArray(answer) && Array.isArray(marks)) return answer.map((item, i) => marked(item, marks[i]));
  if (isObject(answer) && isObject(marks)) {
    return Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, marked(value, marks[key])]));
  }
  return answer;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An answer about one organisation with what is made anew each time, and the organisation's name, taken out. */
function withoutGenerated(answer: Answer): Answer {
  const seen = new Map<string, string>();
  const text = JSON.stringify(answer)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => {
      if (!seen.has(id)) seen.set(id, `id ${seen.size + 1}`);
      return seen.get(id)!;
    })
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, 'moment')
    .replace(/"(accessToken|refreshToken|endCursor|startCursor|cursor)":"[^"]+"/g, '"$1":"generated"')
    .replace(/\b(one|two)\b/g, 'org')
    .replace(/\b(three|four)\b/g, 'new');
  return JSON.parse(text);
}

const now = new Date();
const clientVariables = {
  name: 'website_logs',
  first: 2,
  input: { query: 'SELECT 1', id: 'none', email: 'nobody@one.example', password: 'wrong wrong', refreshToken: 'x' },
  id: 'none',
};
const api = await readFile('schema/api.graphql', 'utf8');
const operations = knownOperations(now, clientVariables);
const everything = queriesOfEverything(api, {
  id: '"ID"',
  name: '"website_logs"',
  app: '"Shop"',
  days: '30',
  first: '5',
  who: '"ada"',
});
const reads = [...operations.filter(({ kind }) => kind === 'query'), ...everything];
const writes = operations.filter(({ kind }) => kind === 'mutation');

/** The operation about something that is there. */
const about = (operation: Operation, org: Identity): Operation => {
  const id = ids[`${/\bcollection\(/.test(operation.query) ? 'collection' : 'job'} ${org.orgId}`]!;
  const variables = isObject(operation.variables) && operation.variables.id === 'none';
  return {
    ...operation,
    query: operation.query.replaceAll('"ID"', JSON.stringify(id)),
    variables: variables ? { ...(operation.variables as object), id } : operation.variables,
  };
};

describe('embedded and distributed answer alike', () => {
  it('has operations to compare', () => {
    expect(reads.length).toBeGreaterThan(30);
    expect(writes.length).toBeGreaterThan(8);
  });

  it.each(reads)('$name', async (read) => {
    const [org] = base.orgs;
    const operation = about(read, org);
    const before = await ask(embedded, org, operation);
    const apart = await ask(distributed, org, operation);
    const after = await ask(embedded, org, operation);
    const marks = common(before, after);
    expect(marks).not.toBe(volatile);
    expect(marked(apart, marks)).toEqual(marks);
  });

  it.each(writes)('$name', async (write) => {
    const [one, two] = base.orgs;
    const here = await ask(embedded, one, about(write, one));
    // What is unique over all organisations gets another name the second time.
    const other = JSON.parse(JSON.stringify(about(write, two)).replace(/\bthree\b/g, 'four'));
    const there = await ask(distributed, two, other);
    expect(withoutGenerated(there)).toEqual(withoutGenerated(here));
  });

  it.each([
    [
      'of a job that has ended',
      'subscription ($id: ID!) { jobProgress(id: $id) { id status submittedBy { email } org { slug } results { nodes } } }',
      'job',
    ],
    ['of a job that is not there', 'subscription { jobProgress(id: "none") { id } }', 'job'],
    ['with a cursor that is none', 'subscription { eventTail(dataset: "logs", after: "x") { cursor } }', 'job'],
    ['of jobs with a cursor that is none', 'subscription { jobEvents(after: "x") { cursor } }', 'job'],
    ['of a dataset that is not there', 'subscription { eventTail(dataset: "none") { cursor } }', 'job'],
  ])('in the events of a stream %s', async (_name, query, kind) => {
    const [org] = base.orgs;
    const eventsOf = async (by: Callers) => {
      const client = await by.webSocket(org);
      const events: unknown[] = [];
      try {
        for await (const event of client.iterate({ query, variables: { id: ids[`${kind} ${org.orgId}`]! } })) {
          events.push(event);
        }
      } catch (errors) {
        events.push({ errors });
      } finally {
        await client.dispose();
      }
      return JSON.parse(JSON.stringify(events));
    };
    const here = await eventsOf(embedded);
    expect(here.length).toBeGreaterThan(0);
    expect(await eventsOf(distributed)).toEqual(here);
  });
});
