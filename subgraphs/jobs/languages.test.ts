/** Every language through the graph: submitted, run by a worker, answered. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ingest } from '../../tests/setup/events.js';
import { createJobsTest, type JobsTest } from './testing.js';

let jobs: JobsTest;
let org: JobsTest['orgs'][0];

const events = [
  { timestamp: '2026-03-01T10:00:00Z', severity: 'high', host: 'a', bytes_in: 10 },
  { timestamp: '2026-03-01T11:00:00Z', severity: 'low', host: 'a', bytes_in: 20 },
  { timestamp: '2026-03-02T10:00:00.123456Z', severity: 'high', host: 'b', bytes_in: 40 },
];

beforeAll(async () => {
  jobs = await createJobsTest();
  org = jobs.orgs[0];
  await ingest(jobs.platform, org, 'logs', events);
  await jobs.startWorker();
});

afterAll(() => jobs?.close());

const fields = `id status dataset from to render error { code message line column }
  columns { name type } results { nodes aggregations searchResponse totalCount { value } }`;

async function answer(input: Record<string, unknown>) {
  const mutation = `mutation ($input: SubmitJobInput!) { submitJob(input: $input) { ${fields} } }`;
  return (await jobs.ask(org, mutation, { input: { waitMs: 20_000, ...input } })).submitJob;
}

const refusal = (input: Record<string, unknown>) =>
  answer(input).then(
    () => undefined,
    (error: { extensions: Record<string, unknown> }) => error.extensions,
  );

describe('a query is answered', () => {
  test('in KQL, with what its author would draw', async () => {
    const job = await answer({
      language: 'KQL',
      query:
        'logs | summarize Bytes = sum(bytes_in) by host | order by host asc | render barchart with (title="Bytes")',
    });
    expect(job).toMatchObject({
      status: 'COMPLETED',
      error: null,
      render: { kind: 'barchart', properties: { title: 'Bytes' } },
      columns: [
        { name: 'host', type: 'STRING' },
        { name: 'Bytes', type: 'LONG' },
      ],
    });
    expect(job.results.nodes).toEqual([
      { host: 'a', Bytes: 30 },
      { host: 'b', Bytes: 40 },
    ]);
    expect(job.results.searchResponse).toBeNull();
  });

  test('in LINQ', async () => {
    const job = await answer({
      language: 'LINQ',
      query: 'from logs group by host select host, count() as n where n > 1',
    });
    expect(job.results.nodes).toEqual([{ host: 'a', n: 2 }]);
  });

  test('in OpenSearch’s DSL, in OpenSearch’s shape', async () => {
    const job = await answer({
      language: 'OPENSEARCH',
      dataset: 'securewatch-logs-*',
      query: '{"query": {"term": {"severity": "high"}}, "size": 1, "aggs": {"hosts": {"terms": {"field": "host"}}}}',
    });
    expect(job).toMatchObject({ status: 'COMPLETED', dataset: 'logs' });
    expect(job.results.searchResponse).toMatchObject({
      timed_out: false,
      hits: {
        total: { value: 2, relation: 'eq' },
        max_score: 1,
        hits: [{ _index: 'securewatch-logs-2026.03', _score: 1, _source: { host: 'b', bytes_in: 40 } }],
      },
      aggregations: {
        hosts: {
          buckets: [
            { key: 'a', doc_count: 1 },
            { key: 'b', doc_count: 1 },
          ],
        },
      },
    });
    expect(job.results.aggregations.hosts.buckets).toHaveLength(2);
    expect(job.results.nodes).toHaveLength(1);
  });

  test.each([
    ['SQL', 'SELECT host FROM logs ORDER BY timestamp'],
    ['KQL', 'logs | order by timestamp asc | project host'],
    ['LINQ', 'from logs select host'],
  ])('in %s within a time range from outside of its text', async (language, query) => {
    const job = await answer({
      language,
      query,
      from: '2026-03-01T10:00:00.000000001Z',
      to: '2026-03-02T10:00:00.123456Z',
    });
    expect(job.results.nodes).toEqual([{ host: 'a' }]);
    expect(job).toMatchObject({ from: '2026-03-01T10:00:00.000001Z', to: '2026-03-02T10:00:00.123456Z' });
  });
});

describe('a query that cannot run is refused when it is submitted, with its place', () => {
  test.each([
    ['KQL', 'logs\n| where hots == "a"', { code: 'QUERY_UNKNOWN_COLUMN', line: 2, column: 9 }],
    ['KQL', 'logs | evaluate autocluster()', { code: 'QUERY_NOT_SUPPORTED', line: 1, column: 8 }],
    ['LINQ', 'from logs where hots = "a"', { code: 'QUERY_UNKNOWN_COLUMN', line: 1, column: 17 }],
    ['OPENSEARCH', '{"query": {"term": {"hots": 1}}}', { code: 'QUERY_UNKNOWN_COLUMN', line: 1 }],
  ])('%s %s', async (language, query, extensions) => {
    expect(await refusal({ language, query })).toMatchObject({ ...extensions, argument: 'input.query' });
  });

  test('a dataset goes with OpenSearch’s DSL alone, and must be there', async () => {
    expect(await refusal({ query: 'SELECT 1', dataset: 'logs' })).toMatchObject({ argument: 'input.dataset' });
    expect(await refusal({ language: 'OPENSEARCH', query: '{}', dataset: 'log' })).toMatchObject({
      code: 'UNKNOWN_DATASET',
      argument: 'input.dataset',
    });
  });

  test('a range that ends before it begins', async () => {
    const range = { from: '2026-03-02T00:00:00Z', to: '2026-03-01T00:00:00Z' };
    expect(await refusal({ query: 'SELECT 1', ...range })).toMatchObject({ argument: 'input.from' });
    const sameMoment = { from: '2026-03-02T00:00:00.0000002Z', to: '2026-03-02T00:00:00.000001Z' };
    expect(await refusal({ query: 'SELECT 1', ...sameMoment })).toMatchObject({ argument: 'input.from' });
  });

  test('a range that ends behind all time, by the name of its argument', async () => {
    expect(await refusal({ query: 'SELECT 1', to: '9999-12-31T23:59:59.9999999Z' })).toMatchObject({
      code: 'BAD_USER_INPUT',
      argument: 'input.to',
    });
  });
});

test('a range may be as short as a microsecond', async () => {
  const range = { from: '2026-03-02T00:00:00.0001Z', to: '2026-03-02T00:00:00.000101Z' };
  expect(await jobs.submit(org, { query: 'SELECT 1', ...range })).toMatchObject({ id: expect.any(String) });
});

describe('estimateQuery', () => {
  const report = `engine text estimatedRows estimatedCost indexesUsed recommendations { statement } runsInSlices`;
  const ask = async (identity: typeof org, input: Record<string, unknown>) =>
    (
      await jobs.ask(identity, `query ($input: EstimateQueryInput!) { estimateQuery(input: $input) { ${report} } }`, {
        input,
      })
    ).estimateQuery;
  const input = { language: 'KQL', query: 'logs | where severity == "high" | summarize count() by host' };

  test('tells others than platform administrators no more than their own rows do', async () => {
    const analyst = { ...org, capabilities: org.capabilities.filter(({ action }) => action !== 'platform:admin') };
    const bounds = await ask(analyst, input);
    expect(bounds).toMatchObject({ engine: 'POSTGRES', estimatedCost: null, indexesUsed: [], runsInSlices: true });
    expect(bounds.text).not.toContain('cost=');
    expect(Number(bounds.estimatedRows)).toBeLessThanOrEqual(10);
  });

  test('tells platform administrators what the planner says', async () => {
    const admin = { ...org, capabilities: [...org.capabilities, { action: 'platform:admin' as const }] };
    const everything = await ask(admin, input);
    expect(everything.estimatedCost).toBeGreaterThan(0);
    expect(everything.text).toMatch(/cost=\d/);
  });
});

test('completeQuery offers what could stand at the cursor', async () => {
  const query = 'logs | where sev';
  const operation = `query ($input: CompleteQueryInput!) { completeQuery(input: $input) { label kind insert start end } }`;
  const { completeQuery } = await jobs.ask(org, operation, {
    input: { language: 'KQL', query, position: query.length },
  });
  expect(completeQuery).toContainEqual(
    expect.objectContaining({ label: 'severity', kind: 'COLUMN', start: 13, end: 16 }),
  );
});
