import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ingest } from '../../tests/setup/events.js';
import { eventually } from '../../tests/setup/until.js';
import { createJobsTest, endlessQuery, type JobsTest } from './testing.js';

let t: JobsTest;
beforeAll(async () => {
  t = await createJobsTest();
  await t.startWorker();
});
afterAll(() => t.close());

const waitMs = 20_000;
const jobCount = async (org: 0 | 1 = 0): Promise<number> =>
  (await t.ask(t.orgs[org], '{ jobs { totalCount { value } } }')).jobs.totalCount.value;

describe('submitJob', () => {
  test('runs a query over the organisation’s own events and answers inline when asked to wait', async () => {
    const event = (host: string) => ({ timestamp: new Date().toISOString(), host, message: 'hello' });
    await ingest(t.platform, t.orgs[0], 'logs', [event('a'), event('a'), event('b')]);
    await ingest(t.platform, t.orgs[1], 'logs', [event('c')]);
    const query = `SELECT host, COUNT(*) AS events FROM logs WHERE timestamp >= NOW() - INTERVAL '1 hour' GROUP BY host ORDER BY 1`;
    const { submitJob } = await t.ask(
      t.orgs[0],
      `mutation ($input: SubmitJobInput!) { submitJob(input: $input) {
        status progress { percent phase rowsMatched exact } resultCount executionTimeMs cacheHit queuePosition
        metadata submittedBy { id } org { id } columns { name type } results { nodes totalCount { value relation } }
      } }`,
      { input: { query, waitMs, metadata: { ticket: 'T-1 \u0000' } } },
    );
    expect(submitJob).toEqual({
      status: 'COMPLETED',
      progress: { percent: 100, phase: 'COMPLETED', rowsMatched: '2', exact: true },
      resultCount: 2,
      executionTimeMs: expect.any(Number),
      cacheHit: false,
      queuePosition: null,
      metadata: { ticket: 'T-1 \u0000' },
      submittedBy: { id: t.orgs[0].subject.userId },
      org: { id: t.orgs[0].orgId },
      columns: [
        { name: 'host', type: 'STRING' },
        { name: 'events', type: 'LONG' },
      ],
      results: {
        nodes: [
          { host: 'a', events: 2 },
          { host: 'b', events: 1 },
        ],
        totalCount: { value: 2, relation: 'EXACT' },
      },
    });
  });

  test('refuses bad input by its code and place, and stores nothing', async () => {
    const before = await jobCount();
    const refused: [Record<string, unknown>, Record<string, unknown>][] = [
      [{ query: 'SELECT *\nFORM logs' }, { code: 'QUERY_SYNTAX', argument: 'input.query', line: 2, column: 1 }],
      [
        { query: 'SELECT nosuch FROM logs' },
        { code: 'QUERY_UNKNOWN_COLUMN', argument: 'input.query', line: 1, column: 8 },
      ],
      [{ query: 'SELECT 1 FROM users' }, { code: 'QUERY_UNKNOWN_TABLE', argument: 'input.query', line: 1, column: 15 }],
      [
        { query: 'SELECT 1; SELECT 2' },
        { code: 'QUERY_MULTIPLE_STATEMENTS', argument: 'input.query', line: 1, column: 11 },
      ],
      [{ query: 'DELETE FROM logs' }, { code: 'QUERY_NOT_READ_ONLY', argument: 'input.query' }],
      [{ query: 'SELECT pg_sleep(1)' }, { code: 'QUERY_FUNCTION_NOT_ALLOWED', argument: 'input.query' }],
      [
        { query: 'SELECT 1', timeoutMs: 0 },
        { code: 'INVALID_TIMEOUT', argument: 'input.timeoutMs', max: 3_600_000 },
      ],
      [
        { query: 'SELECT 1', timeoutMs: 3_600_001 },
        { code: 'INVALID_TIMEOUT', argument: 'input.timeoutMs' },
      ],
      [
        { query: 'SELECT 1', waitMs: 30_001 },
        { code: 'BAD_USER_INPUT', argument: 'input.waitMs' },
      ],
      [
        { query: 'SELECT 1', metadata: 'x'.repeat(16_384) },
        { code: 'METADATA_TOO_LARGE', argument: 'input.metadata' },
      ],
      [
        { query: 'SELECT 1', metadata: JSON.parse('['.repeat(10_000) + ']'.repeat(10_000)) },
        { code: 'BAD_USER_INPUT', argument: 'input.metadata' },
      ],
      [
        { query: 'SELECT 1', idempotencyKey: '' },
        { code: 'BAD_USER_INPUT', argument: 'input.idempotencyKey' },
      ],
    ];
    for (const [input, extensions] of refused) {
      await expect(t.submit(t.orgs[0], input)).rejects.toMatchObject({ extensions });
    }
    expect(await jobCount()).toBe(before);
  });

  test('makes one job of twenty submissions at once under one idempotency key', async () => {
    const before = await jobCount();
    const input = { query: 'SELECT 1', idempotencyKey: 'twenty' };
    const made = await Promise.all(Array.from({ length: 20 }, () => t.submit(t.orgs[0], input)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(await jobCount()).toBe(before + 1);
    await expect(t.submit(t.orgs[0], { ...input, query: 'SELECT 2' })).rejects.toMatchObject({
      extensions: { code: 'IDEMPOTENCY_KEY_REUSED', argument: 'input.idempotencyKey', jobId: made[0].id },
    });
    const others = await t.submit(t.orgs[1], { ...input, query: 'SELECT 2' });
    expect(others.id).not.toBe(made[0].id);
  });

  test('answers with the job as it is when the time to wait is over', async () => {
    const job = await t.submit(t.orgs[0], { query: endlessQuery, waitMs: 50 });
    expect(['PENDING', 'RUNNING']).toContain(job.status);
    await t.ask(t.orgs[0], 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { cancelledAt } }', { id: job.id });
  });

  test('needs the capability jobs:write, and reading jobs:read', async () => {
    const nobody = { ...t.orgs[0], capabilities: [] };
    await expect(t.submit(nobody, { query: 'SELECT 1' })).rejects.toThrow('FORBIDDEN');
    await expect(t.ask(nobody, '{ jobs { nodes { id } } }')).rejects.toThrow('FORBIDDEN');
  });
});

describe('failures', () => {
  test('a query that breaks while it runs fails with code, message and place', async () => {
    const job = await t.submit(t.orgs[0], { query: 'SELECT 1 / (n - 2) FROM generate_series(1, 3) n', waitMs });
    expect(job).toMatchObject({ status: 'FAILED', error: { code: 'QUERY_FAILED', message: 'Division by zero.' } });
  });

  test('a query past its timeout fails with QUERY_TIMEOUT', async () => {
    const job = await t.submit(t.orgs[0], { query: endlessQuery, timeoutMs: 300, waitMs });
    expect(job).toMatchObject({ status: 'FAILED', error: { code: 'QUERY_TIMEOUT' } });
  });

  test('a result over the limit fails with RESULT_TOO_LARGE, and none of it stays', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT n FROM generate_series(1, 1000001) n' });
    const watching = 'subscription ($id: ID!) { jobProgress(id: $id) { status error { code } } }';
    let last: unknown;
    for await (const state of t.watch(t.orgs[0], watching, { id })) last = state;
    expect(last).toEqual({ status: 'FAILED', error: { code: 'RESULT_TOO_LARGE' } });
    const kept = await t.database.asSuperuser('SELECT 1 FROM app.job_results WHERE job_id = $1', [id]);
    expect(kept).toEqual([]);
  }, 120_000);
});

const page = `query ($id: ID!, $first: Int, $after: String, $offset: Int) {
  job(id: $id) { results(first: $first, after: $after, offset: $offset) {
    nodes edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor } totalCount { value relation }
  } }
}`;

interface ResultPage {
  nodes: unknown[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string };
}
const readPage = async (variables: Record<string, unknown>): Promise<ResultPage> =>
  (await t.ask(t.orgs[0], page, variables)).job.results;

describe('results', () => {
  let id: string;
  beforeAll(async () => {
    const job = await t.submit(t.orgs[0], {
      query: `SELECT n, 'row ' || n AS text FROM generate_series(1, 12345) n`,
      waitMs,
    });
    expect(job).toMatchObject({ status: 'COMPLETED', resultCount: 12_345 });
    id = job.id;
  });

  test('are paged by cursor with no row twice or missing', async () => {
    for (const first of [1_000, 777, 10_000]) {
      const seen: unknown[] = [];
      let after: string | null = null;
      do {
        const results = await readPage({ id, first, after });
        expect(results.pageInfo.hasPreviousPage).toBe(after !== null);
        seen.push(...results.nodes);
        after = results.pageInfo.hasNextPage ? results.pageInfo.endCursor : null;
      } while (after !== null);
      expect(seen).toEqual(Array.from({ length: 12_345 }, (_, index) => ({ n: index + 1, text: `row ${index + 1}` })));
    }
  });

  test('are found by offset, from the start or after a cursor', async () => {
    const numbers = async (variables: Record<string, unknown>) => {
      const { results } = (await t.ask(t.orgs[0], page, { id, ...variables })).job;
      return { numbers: results.nodes.map(({ n }: { n: number }) => n), ...results };
    };
    expect((await numbers({})).numbers.length).toBe(1_000);
    const middle = await numbers({ first: 3, offset: 9_998 });
    expect(middle.numbers).toEqual([9_999, 10_000, 10_001]);
    expect((await numbers({ first: 2, after: middle.edges[0].cursor, offset: 1 })).numbers).toEqual([10_001, 10_002]);
    expect(await numbers({ offset: 12_345 })).toMatchObject({
      nodes: [],
      pageInfo: { hasNextPage: false, endCursor: null },
    });
    expect((await numbers({ first: 0 })).totalCount).toEqual({ value: 12_345, relation: 'EXACT' });
  });

  test('refuse sizes over the limit, negative offsets, and cursors of another job or organisation', async () => {
    const refusal = async (variables: Record<string, unknown>, identity = t.orgs[0]) =>
      t.ask(identity, page, { id, ...variables }).then(
        () => 'answered',
        (error) => error.extensions.code,
      );
    expect(await refusal({ first: 10_001 })).toBe('INVALID_PAGE_SIZE');
    expect(await refusal({ first: -1 })).toBe('INVALID_PAGE_SIZE');
    expect(await refusal({ offset: -1 })).toBe('INVALID_PAGE_SIZE');
    expect(await refusal({ after: 'nonsense' })).toBe('INVALID_CURSOR');
    const same = { query: `SELECT n, 'row ' || n AS text FROM generate_series(1, 12345) n`, waitMs };
    for (const identity of t.orgs) {
      const other = await t.submit(identity, same);
      const { results } = (await t.ask(identity, page, { id: other.id, first: 1 })).job;
      expect(await refusal({ after: results.pageInfo.endCursor })).toBe('INVALID_CURSOR');
    }
  });

  test('are refused, and deleted by the sweep, when their time is over', async () => {
    const job = await t.submit(t.orgs[0], { query: 'SELECT 1 AS one', waitMs });
    await t.database.asSuperuser(`UPDATE app.jobs SET expires_at = now() - interval '2 minutes' WHERE id = $1`, [
      job.id,
    ]);
    const answer = await t.ask(t.orgs[0], `{ job(id: "${job.id}") { status resultCount columns { name } } }`);
    expect(answer.job).toEqual({ status: 'COMPLETED', resultCount: 1, columns: null });
    await expect(readPage({ id: job.id })).rejects.toThrow('RESULT_EXPIRED');
    await t.startWorker(); // Its first sweep deletes what has expired.
    await eventually(async () => {
      const kept = await t.database.asSuperuser('SELECT 1 FROM app.job_results WHERE job_id = $1', [job.id]);
      expect(kept).toEqual([]);
    });
  });
});

describe('another organisation’s job', () => {
  test('answers exactly as one that does not exist', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 1', waitMs });
    const missing = '00000000-0000-7000-8000-000000000000';
    for (const unknown of [id, missing, 'not-an-id']) {
      const variables = { id: unknown };
      expect(await t.ask(t.orgs[1], 'query ($id: ID!) { job(id: $id) { id } }', variables)).toEqual({ job: null });
      const cancel = t.ask(
        t.orgs[1],
        'mutation ($id: ID!) { cancelJob(input: { id: $id }) { cancelledAt } }',
        variables,
      );
      await expect(cancel).rejects.toThrow('NOT_FOUND: There is no job with this id.');
      const watching = t.watch(t.orgs[1], 'subscription ($id: ID!) { jobProgress(id: $id) { id } }', variables);
      await expect(watching[Symbol.asyncIterator]().next()).rejects.toThrow('NOT_FOUND: There is no job with this id.');
    }
    const { _entities } = await t.ask(
      t.orgs[1],
      'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Job { id } } }',
      {
        r: [{ __typename: 'Job', id }],
      },
    );
    expect(_entities).toEqual([null]);
  });
});

describe('jobs', () => {
  test('are listed newest first and paged both ways, filtered, with cursors bound to the filters', async () => {
    const [, identity] = t.orgs;
    const start = new Date().toISOString();
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) ids.unshift((await t.submit(identity, { query: `SELECT ${n}`, waitMs })).id);
    const list = `query ($userId: ID, $status: JobStatus, $since: DateTime, $until: DateTime, $first: Int, $after: String, $last: Int, $before: String) {
      jobs(userId: $userId, status: $status, createdAfter: $since, createdBefore: $until, first: $first, after: $after, last: $last, before: $before) {
        nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount { value }
      } }`;
    const read = async (variables: Record<string, unknown>) => {
      const answer = (await t.ask(identity, list, { since: start, ...variables })).jobs;
      return { ...answer, ids: answer.nodes.map((node: { id: string }) => node.id) };
    };
    expect((await read({})).ids).toEqual(ids);
    expect((await read({})).totalCount).toEqual({ value: 7 });
    const first = await read({ first: 3 });
    expect(first.ids).toEqual(ids.slice(0, 3));
    expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    const second = await read({ first: 3, after: first.pageInfo.endCursor });
    expect(second.ids).toEqual(ids.slice(3, 6));
    expect(second.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    const back = await read({ last: 2, before: second.pageInfo.startCursor });
    expect(back.ids).toEqual(ids.slice(1, 3));
    expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    expect((await read({ last: 2 })).ids).toEqual(ids.slice(5));
    expect((await read({ status: 'COMPLETED' })).ids).toEqual(ids);
    expect((await read({ status: 'FAILED' })).ids).toEqual([]);
    expect((await read({ until: start })).ids).toEqual([]);
    expect((await read({ userId: identity.subject.userId })).ids).toEqual(ids);
    expect((await read({ userId: 'nobody' })).ids).toEqual([]);
    await expect(read({ status: 'COMPLETED', after: first.pageInfo.endCursor })).rejects.toThrow('INVALID_CURSOR');
    await expect(read({ first: 201 })).rejects.toThrow('INVALID_PAGE_SIZE');
  });
});

describe('jobProgress', () => {
  const subscription = `subscription ($id: ID!) { jobProgress(id: $id) {
    id status progress { percent phase rowsMatched exact } resultCount
  } }`;

  test('tells the present state first, progress that never falls, and ends after the end', async () => {
    const query = `SELECT n, (SELECT count(*) FROM generate_series(1, 2000) m WHERE m > n) AS later FROM generate_series(1, 6000) n`;
    const { id } = await t.submit(t.orgs[0], { query });
    const states = [];
    for await (const state of t.watch(t.orgs[0], subscription, { id })) states.push(state);
    const progress = states.map((state) => state.progress);
    expect(['QUEUED', 'RUNNING']).toContain(progress[0].phase);
    expect(progress.some(({ phase, percent }) => phase === 'FETCHING' && percent < 100)).toBe(true);
    expect(progress.map(({ percent }) => percent)).toEqual(
      progress.map(({ percent }) => percent).sort((a, b) => a - b),
    );
    expect(states.filter(({ status }) => status === 'COMPLETED')).toEqual([states.at(-1)]);
    expect(states.at(-1)).toMatchObject({
      progress: { percent: 100, phase: 'COMPLETED', rowsMatched: '6000', exact: true },
      resultCount: 6_000,
    });
  });

  test('of a job that has ended sends that and ends', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 1', waitMs });
    const states = [];
    for await (const state of t.watch(t.orgs[0], subscription, { id })) states.push(state.status);
    expect(states).toEqual(['COMPLETED']);
  });
});
