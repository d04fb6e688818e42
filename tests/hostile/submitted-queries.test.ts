/** Queries of a hostile caller through the graph: submitted, estimated and completed, beside those of others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { QueryLanguage } from '../../query/index.js';
import { createJobsTest, type JobsTest } from '../../subgraphs/jobs/testing.js';
import { ingest } from '../setup/events.js';
import { expectKnown } from '../setup/hostile.js';
import type { Attack } from './queries/attack.js';
import { kqlAttacks } from './queries/kql.js';
import { linqAttacks } from './queries/linq.js';
import { openSearchAttacks } from './queries/opensearch.js';
import { resultAttacks } from './queries/results.js';
import { sqlAttacks } from './queries/sql.js';

/** One in so many of each language; all in the deep run. */
const stride = process.env.HARBORWATCH_DEEP === undefined ? 9 : 1;
const maxTextLength = 400_000;

type Attempt = [title: string, language: QueryLanguage, text: string];

const some = (language: QueryLanguage, attacks: Attack[]): Attempt[] =>
  attacks
    .filter(([, text], index) => index % stride === 0 && text.length < maxTextLength)
    .map(([title, text]) => [title, language, text]);

const attempts: Attempt[] = [
  ...some('KQL', kqlAttacks),
  ...some('SQL', sqlAttacks),
  ...some('LINQ', linqAttacks),
  ...some('OPENSEARCH', openSearchAttacks),
  ...resultAttacks.filter(([title]) => stride === 1 || !/\d0 MB|million/.test(title)),
];

let jobs: JobsTest;
beforeAll(async () => {
  jobs = await createJobsTest();
  await ingest(jobs.platform, jobs.orgs[0], 'logs', [
    { timestamp: '2024-01-01T00:00:00Z', host: 'a', message: 'x y', bytes_in: 5 },
    { timestamp: '2024-01-02T00:00:00Z', host: 'b', bytes_in: 7 },
  ]);
  await ingest(jobs.platform, jobs.orgs[1], 'logs', [{ timestamp: '2024-01-01T00:00:00Z', host: 'other' }]);
  await jobs.startWorker();
});
afterAll(() => jobs?.close());

/** The codes of what an operation ends with; none where it is answered. */
async function codesOf(operation: string, input: object): Promise<{ codes: string[]; answer?: any }> {
  try {
    return { codes: [], answer: await jobs.ask(jobs.orgs[0], operation, { input }) };
  } catch (error) {
    const { extensions, message } = error as { extensions?: { code?: string; reason?: string }; message: string };
    expect(extensions?.code, message).toBeDefined();
    const { code, reason } = extensions!;
    return { codes: reason === undefined ? [code!] : [code!, reason] };
  }
}

const submission = `mutation ($input: SubmitJobInput!) { submitJob(input: $input) {
  status error { code message line column } columns { name type } resultCount
  results(first: 2) { nodes aggregations searchResponse totalCount { value } }
} }`;
const estimate =
  'query ($input: EstimateQueryInput!) { estimateQuery(input: $input) { text estimatedRows runsInSlices } }';
const completion = 'query ($input: CompleteQueryInput!) { completeQuery(input: $input) { label insert start end } }';

describe('a hostile query', () => {
  it.each(attempts)('with %s (%s) ends with a code of the registry or an answer', async (_title, language, query) => {
    const submitted = await codesOf(submission, { language, query, waitMs: 20_000, timeoutMs: 2_000 });
    const { status, error } = submitted.answer?.submitJob ?? {};
    expectKnown([...submitted.codes, ...(error ? [error.code] : [])], JSON.stringify(error ?? submitted.codes));
    if (submitted.answer !== undefined) expect(['COMPLETED', 'FAILED'], JSON.stringify(error)).toContain(status);
    expect(submitted.codes).not.toContain('JOB_NOT_COMPLETED');
    expectKnown((await codesOf(estimate, { language, query })).codes, 'estimateQuery');
    expectKnown((await codesOf(completion, { language, query, position: query.length >> 1 })).codes, 'completeQuery');
  });
});

it('leaves the queries of others as they are', async () => {
  const [, other] = jobs.orgs;
  const input = { language: 'KQL', query: 'logs | project host', waitMs: 20_000 };
  const { submitJob } = await jobs.ask(other, submission, { input });
  expect(submitJob).toMatchObject({ status: 'COMPLETED', resultCount: 1, results: { nodes: [{ host: 'other' }] } });
});
