import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type CommandLine, commandLine } from '../../setup/command-line.js';
import { type RunningHarborwatch, startHarborwatch } from '../../setup/harborwatch.js';
import { eventually } from '../../setup/until.js';

/** A public site's access log where it is at hand, with its known counts; the project's own small one otherwise. */
const realLog = '../shared/data/apache_access.log.gz';
const log = existsSync(realLog)
  ? { file: realLog, lines: 10_000, status200: 9_126, status404: 213 }
  : { file: 'docs/examples/access.log', lines: 400, status200: 256, status404: 24 };
if (log.file !== realLog) console.warn(`The real access log is not at hand: the first hour runs on ${log.file}.`);

const minute = 60_000;

/** The commands and operations of the README, in its order. */
const blocks = [...readFileSync('README.md', 'utf8').matchAll(/```(sh|graphql)\n([\s\S]*?)```/g)].map(
  ([, language, text]) => ({
    language: language!,
    text: text!.trim(),
  }),
);
const readme = (language: string, part: string) => {
  const block = blocks.find((candidate) => candidate.language === language && candidate.text.includes(part));
  if (!block) throw new Error(`The README has no ${language} block with "${part}".`);
  return block.text;
};

let harborwatch: RunningHarborwatch;
let shell: CommandLine;
let token: string;

const query = async <Data = any>(text: string, variables: object = {}): Promise<Data> => {
  const response = await fetch(`${harborwatch.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify({ query: text, variables }),
  });
  const { data, errors } = (await response.json()) as any;
  expect(errors).toBeUndefined();
  return data;
};

const signIn = async () => {
  token = '';
  const { email, password } = harborwatch;
  const text = 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }';
  token = (await query(text, { input: { email, password } })).signIn.accessToken;
};

const jobPage = `query ($id: ID!, $after: String) { job(id: $id) { results(first: 700, after: $after) {
  nodes pageInfo { hasNextPage endCursor } totalCount { value relation } } } }`;

/** All rows of a job's result, page by page. */
async function allResults(id: string): Promise<any[]> {
  const rows: any[] = [];
  let after: string | null = null;
  do {
    const { results }: any = (await query(jobPage, { id, after })).job;
    rows.push(...results.nodes);
    after = results.pageInfo.hasNextPage ? results.pageInfo.endCursor : null;
  } while (after);
  return rows;
}

const submit = async (text: string, waitMs = 0) =>
  (
    await query('mutation ($input: SubmitJobInput!) { submitJob(input: $input) { id status } }', {
      input: { query: text, language: 'SQL', waitMs },
    })
  ).submitJob;

beforeAll(async () => {
  harborwatch = await startHarborwatch();
  shell = await commandLine(harborwatch.url);
  await signIn();
}, 5 * minute);

afterAll(async () => {
  await shell?.dispose();
  await harborwatch?.dispose();
}, 2 * minute);

describe('the first hour', { timeout: 5 * minute }, () => {
  let everyRowJob: string;

  it('signs in and sends a real log through the command line', async () => {
    const login = await shell.run(
      `${readme('sh', 'login')} --email ${harborwatch.email} --password-file -`,
      harborwatch.password,
    );
    expect(login).toMatchObject({ status: 0 });
    const ingest = await shell.run(readme('sh', 'ingest').replace('docs/examples/access.log', log.file));
    expect(ingest, ingest.stderr).toMatchObject({ status: 0 });
    const repeated = await shell.run(readme('sh', 'ingest').replace('docs/examples/access.log', log.file));
    expect(repeated.status).toBe(0);
    const { dataset } = await query('{ dataset(name: "website_logs") { eventCount { value relation } } }');
    expect(dataset.eventCount).toEqual({ value: log.lines, relation: 'EXACT' });
  });

  it('has the log that the README sends', () => {
    expect(readFileSync('docs/examples/access.log', 'utf8').split('\n').filter(Boolean)).toHaveLength(400);
  });

  it('answers the README’s question with the counts of the log', async () => {
    const answer = await shell.run(`${readme('sh', 'harborwatch query')} --output json`);
    expect(answer, answer.stderr).toMatchObject({ status: 0 });
    const counts = new Map((JSON.parse(answer.stdout) as any[]).map((row) => [row.status_code, row.requests]));
    expect([counts.get(200), counts.get(404)]).toEqual([log.status200, log.status404]);
    const table = await shell.run(readme('sh', 'harborwatch query'));
    expect(table.stdout).toContain(String(log.status404));
    const kql = await shell.run(`${readme('sh', '--language kql')} --output json`);
    expect(new Set(JSON.parse(kql.stdout).map(JSON.stringify))).toEqual(
      new Set(JSON.parse(answer.stdout).map(JSON.stringify)),
    );
  });

  it('lists the jobs of those questions, and writes a result to a file', async () => {
    const listed = await shell.run(readme('sh', 'harborwatch jobs'));
    expect(listed, listed.stderr).toMatchObject({ status: 0 });
    expect(listed.stdout).toContain('COMPLETED');
    const { jobs } = await query('{ jobs(status: COMPLETED, first: 1) { nodes { id resultCount } } }');
    const [{ id, resultCount }] = jobs.nodes;
    const file = join(harborwatch.dataDir, 'result.csv');
    const written = await shell.run(`npx harborwatch jobs results ${id} --format csv --output ${file}`);
    expect(written, written.stderr).toMatchObject({ status: 0 });
    expect(readFileSync(file, 'utf8').trim().split('\r\n')).toHaveLength(resultCount + 1);
  });

  it('shows a job’s progress over WebSocket before its end, with the submitter from another subgraph', async () => {
    const client = createClient({
      url: `${harborwatch.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
    });
    const { id } = await submit('SELECT w.url, n FROM website_logs w CROSS JOIN generate_series(1, 20) n');
    const text =
      'subscription ($id: ID!) { jobProgress(id: $id) { status progress { percent phase } submittedBy { name } } }';
    const states: any[] = [];
    for await (const { data } of client.iterate<any>({ query: text, variables: { id } }))
      states.push(data!.jobProgress);
    await client.dispose();
    expect(states.length).toBeGreaterThan(1);
    expect(['PENDING', 'RUNNING']).toContain(states[0].status);
    expect(states.at(-1)).toMatchObject({ status: 'COMPLETED', progress: { percent: 100 } });
    expect(states.every((state) => state.submittedBy.name === 'admin')).toBe(true);
    const percents = states.map((state) => state.progress.percent);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
  });

  it('pages through all results with no row twice and none missing', async () => {
    const job = await submit(
      'SELECT row_number() OVER (ORDER BY request_timestamp, url) AS number, status_code FROM website_logs',
      30_000,
    );
    everyRowJob = job.id;
    const rows = await allResults(job.id);
    expect(rows.map((row) => row.number).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: log.lines }, (_, index) => index + 1),
    );
    expect(rows.filter((row) => row.status_code === 404).length).toBe(log.status404);
  });

  it('runs every operation of the README as it is written', async () => {
    const tour = await query(readme('graphql', 'query FirstHour'));
    expect(tour.jobs.nodes[0].submittedBy.name).toBe(tour.viewer.user.name);
    expect(tour.jobs.nodes[0].org.name).toBe('Demo');
    const { createCollection } = await query(readme('graphql', 'createCollection'));
    await eventually(async () => {
      const { collection } = await query(
        'query ($id: ID!) { collection(id: $id) { status errors } }',
        createCollection,
      );
      expect(collection).toEqual({ status: 'RUNNING', errors: [] });
    }, 30_000);
    const client = createClient({
      url: `${harborwatch.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
    });
    const tail = client.iterate<any>({ query: readme('graphql', 'eventTail') });
    const first = tail.next();
    const now = new Date().toISOString();
    await eventually(async () => {
      const input = {
        dataset: 'website_logs',
        events: [{ request_timestamp: now, ip_address: '192.0.2.77', status_code: 200, user_agent: 'tour' }],
      };
      await query('mutation ($input: IngestEventsInput!) { ingestEvents(input: $input) { accepted } }', { input });
      if (!(await Promise.race([first, new Promise((resolve) => setImmediate(resolve))])))
        throw new Error('nothing yet');
    });
    expect((await first).value.data.eventTail.event.user_agent).toBe('tour');
    await tail.return?.();
    await client.dispose();
    await eventually(async () => {
      const text = 'query ($id: ID!, $key: JSON!) { collection(id: $id) { lookup(key: $key) { content } } }';
      const { collection } = await query(text, { ...createCollection, key: { ip_address: '192.0.2.77' } });
      expect(collection.lookup.content).toEqual({ user_agent: 'tour' });
    });
    await eventually(async () => {
      const { widgets } = await query('{ widgets { totalEvents(period: P_1H, refresh: true) { totalEvents } } }');
      expect(Number(widgets.totalEvents.totalEvents)).toBeGreaterThan(0);
    });
  });

  it('stops within 10 s, leaves no process, and finds everything again after the next start', async () => {
    const stopping = performance.now();
    expect(await harborwatch.stop()).toBe(0);
    expect(performance.now() - stopping).toBeLessThan(10_000);
    const { dataDir } = harborwatch;
    harborwatch = await startHarborwatch({ dataDir });
    await signIn();
    expect(await allResults(everyRowJob)).toHaveLength(log.lines);
    const { dataset, collections } = await query(
      '{ dataset(name: "website_logs") { eventCount { value } } collections { nodes { friendlyName } } }',
    );
    expect(dataset.eventCount.value).toBeGreaterThanOrEqual(log.lines);
    expect(collections.nodes).toEqual([{ friendlyName: 'visitors' }]);
  });
});
