import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import type { PageRequest } from '../../platform/paging.js';
import { makeOrg } from '../../tests/setup/database.js';
import { estimateEnd } from './service/estimates.js';
import { jobColumns, type ListedJob } from './store/jobs.js';
import { type JobOrder, pageStatement } from './store/list.js';
import { createJobsTest, type JobsTest } from './testing.js';

let t: JobsTest;
beforeAll(async () => {
  t = await createJobsTest();
  // Jobs are stored here as they never come into the world.
  await t.database.asSuperuser('ALTER TABLE app.jobs DISABLE TRIGGER USER');
});
afterAll(() => t.close());

const statuses = ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const;
const languages = ['SQL', 'KQL'] as const;
const priorities = ['LOW', 'NORMAL', 'HIGH'] as const;
const sorts = ['CREATED_AT', 'COMPLETED_AT', 'EXECUTION_TIME', 'PRIORITY'] as const;

/** A job as the model has it; times are whole seconds. */
interface Made {
  id: string;
  status: (typeof statuses)[number];
  language: (typeof languages)[number];
  priority: (typeof priorities)[number];
  created: number;
  started: number | null;
  completed: number | null;
}

const moment = (seconds: number | null) => (seconds === null ? null : new Date(seconds * 1_000).toISOString());
const startOfTime = Date.parse('2026-01-01T00:00:00Z') / 1_000;

/** Stores jobs as a history may have left them. */
async function store(org: Identity, jobs: Omit<Made, 'id'>[]): Promise<Made[]> {
  const rows = await t.database.asSuperuser<{ id: string; number: number }>(
    `WITH given AS (
       SELECT *, uuidv7() AS id FROM unnest($2::int[], $3::text[], $4::text[], $5::app.job_priority[], $6::timestamptz[], $7::timestamptz[], $8::timestamptz[])
         AS given (number, status, language, priority, created, started, completed)
     ), stored AS (
       INSERT INTO app.jobs (org_id, id, status, language, query, priority, timeout_ms, fingerprint, created_at, started_at,
                             completed_at, lease_until, columns, error)
       SELECT $1, id, status, language, 'SELECT 1', priority, 1000, '', created, started, completed,
              CASE status WHEN 'RUNNING' THEN now() END, CASE status WHEN 'COMPLETED' THEN '[]'::jsonb END,
              CASE status WHEN 'FAILED' THEN '{"code": "QUERY_FAILED", "message": "no"}'::jsonb END
         FROM given
     ) SELECT id, number FROM given ORDER BY number`,
    [
      org.orgId,
      jobs.map((_, number) => number),
      jobs.map(({ status }) => status),
      jobs.map(({ language }) => language),
      jobs.map(({ priority }) => priority),
      jobs.map(({ created }) => moment(created)),
      jobs.map(({ started }) => moment(started)),
      jobs.map(({ completed }) => moment(completed)),
    ],
  );
  return jobs.map((job, index) => ({ ...job, id: rows[index]!.id }));
}

/** Few values, so that many are equal. */
const anyJob = fc
  .record({
    status: fc.constantFrom(...statuses),
    language: fc.constantFrom(...languages),
    priority: fc.constantFrom(...priorities),
    created: fc.nat(4),
    waited: fc.nat(2),
    ran: fc.nat(3),
    hasRun: fc.boolean(),
  })
  .map(({ status, language, priority, created, waited, ran, hasRun }): Omit<Made, 'id'> => {
    const isOver = status !== 'PENDING' && status !== 'RUNNING';
    const started = hasRun || status === 'RUNNING' ? startOfTime + created + waited : null;
    return {
      status,
      language,
      priority,
      created: startOfTime + created,
      started,
      completed: isOver ? startOfTime + created + waited + ran : null,
    };
  });

const sortKeys: Record<(typeof sorts)[number], (job: Made) => number> = {
  CREATED_AT: ({ created }) => created,
  COMPLETED_AT: ({ completed }) => completed ?? Number.NEGATIVE_INFINITY,
  EXECUTION_TIME: ({ started, completed }) => (started === null || completed === null ? -1 : completed - started),
  PRIORITY: ({ priority }) => priorities.indexOf(priority),
};

interface Wanted {
  sort: (typeof sorts)[number];
  order: 'ASC' | 'DESC';
  status: (typeof statuses)[number] | null;
  language: (typeof languages)[number] | null;
  priority: (typeof priorities)[number] | null;
  since: string | null;
  until: string | null;
}

function expected(jobs: Made[], { sort, order, status, language, priority, since, until }: Wanted): string[] {
  const key = sortKeys[sort];
  const found = jobs.filter(
    (job) =>
      (status === null || job.status === status) &&
      (language === null || job.language === language) &&
      (priority === null || job.priority === priority) &&
      (since === null || moment(job.created)! >= since) &&
      (until === null || moment(job.created)! < until),
  );
  const ordered = found.toSorted((a, b) => key(a) - key(b) || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
  return order === 'ASC' ? ordered : ordered.toReversed();
}

const list = `query ($sort: JobSort, $order: SortOrder, $status: JobStatus, $language: QueryLanguage, $priority: JobPriority,
    $since: DateTime, $until: DateTime, $first: Int, $after: String, $last: Int, $before: String) {
  jobs(sort: $sort, order: $order, status: $status, language: $language, priority: $priority, createdAfter: $since,
       createdBefore: $until, first: $first, after: $after, last: $last, before: $before) {
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount { value }
  } }`;

interface Page {
  ids: string[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
  totalCount: { value: number };
}
async function read(org: Identity, variables: Record<string, unknown>): Promise<Page> {
  const { nodes, ...page } = (await t.ask(org, list, variables)).jobs;
  return { ...page, ids: nodes.map(({ id }: { id: string }) => id) };
}

/** All pages, from one end to the other. */
async function readAll(org: Identity, wanted: Wanted, size: number, way: 'FORWARD' | 'BACKWARD'): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const forward = way === 'FORWARD';
    const page: Page = await read(org, {
      ...wanted,
      ...(forward ? { first: size, after: cursor } : { last: size, before: cursor }),
    });
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = page.pageInfo;
    expect(forward ? hasPreviousPage : hasNextPage).toBe(cursor !== null);
    if (forward) ids.push(...page.ids);
    else ids.unshift(...page.ids);
    if (!(forward ? hasNextPage : hasPreviousPage)) return ids;
    cursor = forward ? endCursor : startCursor;
  }
}

describe('jobs', () => {
  test('of any history come in any order with any filters, page by page both ways, none twice or missing', async () => {
    const anyWanted: fc.Arbitrary<Wanted> = fc.record({
      sort: fc.constantFrom(...sorts),
      order: fc.constantFrom('ASC', 'DESC'),
      status: fc.option(fc.constantFrom(...statuses), { freq: 2 }),
      language: fc.option(fc.constantFrom(...languages), { freq: 2 }),
      priority: fc.option(fc.constantFrom(...priorities), { freq: 2 }),
      since: fc.option(
        fc.nat(5).map((seconds) => moment(startOfTime + seconds)!),
        { freq: 2 },
      ),
      until: fc.option(
        fc.nat(5).map((seconds) => moment(startOfTime + seconds)!),
        { freq: 2 },
      ),
    });
    let histories = 0;
    const property = fc.asyncProperty(
      fc.array(anyJob, { maxLength: 25 }),
      fc.array(fc.tuple(anyWanted, fc.integer({ min: 1, max: 7 })), { minLength: 6, maxLength: 6 }),
      async (history, questions) => {
        histories += 1;
        const org = await makeOrg(t.platform, `list-${histories}`);
        const jobs = await store(org, history);
        for (const [wanted, size] of questions) {
          const all = expected(jobs, wanted);
          expect(await readAll(org, wanted, size, 'FORWARD')).toEqual(all);
          expect(await readAll(org, wanted, size, 'BACKWARD')).toEqual(all);
          expect((await read(org, { ...wanted, first: 1 })).totalCount).toEqual({ value: all.length });
        }
      },
    );
    await fc.assert(property, { numRuns: process.env.HARBORWATCH_DEEP === '1' ? 500 : 15 });
  }, 600_000);

  test('have pages of 50, at most 200, and cursors bound to filters, sort and order', async () => {
    const org = await makeOrg(t.platform, 'pages');
    const job = { status: 'PENDING', language: 'SQL', priority: 'LOW', started: null, completed: null } as const;
    await store(
      org,
      Array.from({ length: 60 }, (_, number) => ({ ...job, created: startOfTime + number })),
    );
    const first = await read(org, {});
    expect(first.ids.length).toBe(50);
    const after = first.pageInfo.endCursor;
    expect((await read(org, { after, sort: 'CREATED_AT', order: 'DESC' })).ids.length).toBe(10);
    for (const other of [{ sort: 'PRIORITY' }, { order: 'ASC' }, { language: 'SQL' }, { priority: 'LOW' }]) {
      await expect(read(org, { after, ...other })).rejects.toThrow('INVALID_CURSOR');
    }
    await expect(read(t.orgs[1], { after })).rejects.toThrow('INVALID_CURSOR');
    await expect(read(org, { first: 201 })).rejects.toMatchObject({
      extensions: { code: 'INVALID_PAGE_SIZE', limit: 200 },
    });
  });

  test('of 100,000 are found by an index in every order, and no more of them is read than the page', async () => {
    const org = await makeOrg(t.platform, 'many');
    await t.database.asSuperuser(
      `INSERT INTO app.jobs (org_id, status, language, query, priority, timeout_ms, fingerprint, created_at, started_at, completed_at, columns)
       SELECT $1, 'COMPLETED', 'SQL', 'SELECT 1', (ARRAY['LOW', 'NORMAL', 'HIGH'])[1 + n % 3]::app.job_priority, 1000, '',
              now() - n * interval '1 second', now() - n * interval '1 second', now() - n * interval '1 second' + (n % 977) * interval '1 ms', '[]'
         FROM generate_series(1, 100000) n`,
      [org.orgId],
    );
    await t.database.asSuperuser('VACUUM ANALYZE app.jobs');
    const explain = (order: JobOrder, page: PageRequest) =>
      t.platform.postgres.withOrg(org, async (tx) => {
        const { sql, parameters } = pageStatement(jobColumns, {}, order, page);
        const lines = await tx.query<Record<string, string>>(`EXPLAIN (ANALYZE, TIMING OFF) ${sql}`, parameters);
        return lines.map((line) => line['QUERY PLAN']).join('\n');
      });
    for (const sort of sorts) {
      for (const order of ['ASC', 'DESC'] as const) {
        const [middle] = await t.platform.postgres.withOrg(org, (tx) => {
          const { sql, parameters } = pageStatement(jobColumns, {}, { sort, order }, { ...forward, limit: 50_000 });
          return tx.query<ListedJob>(`SELECT * FROM (${sql}) AS page OFFSET 50000`, parameters);
        });
        for (const position of [undefined, [middle!.sortKey, middle!.id]]) {
          for (const direction of ['FORWARD', 'BACKWARD'] as const) {
            const plan = await explain({ sort, order }, { limit: 50, direction, position });
            expect(plan).toMatch(/Index Scan .*rows=51/);
            expect(plan).not.toMatch(/Sort|Seq Scan|Removed by Filter/);
          }
        }
      }
    }
  }, 120_000);
});
const forward = { direction: 'FORWARD', position: undefined } as const;

describe('what a waiting job is told', () => {
  const told = '{ id queuePosition estimatedDurationMs estimatedCompletionAt }';

  test('is how many go before it: more urgent ones, and older ones among equals', async () => {
    const org = await makeOrg(t.platform, 'queue');
    const waiting = { status: 'PENDING', language: 'SQL', started: null, completed: null } as const;
    const jobs = await store(
      org,
      Array.from({ length: 40 }, (_, number) => ({
        ...waiting,
        priority: priorities[number % 3]!,
        created: startOfTime + (number % 5),
      })),
    );
    const inOrder = jobs
      .toSorted(
        (a, b) => sortKeys.PRIORITY(b) - sortKeys.PRIORITY(a) || a.created - b.created || (a.id < b.id ? -1 : 1),
      )
      .map(({ id }) => id);
    const { nodes } = (await t.ask(org, `{ jobs { nodes ${told} } }`)).jobs;
    const places = new Map(nodes.map((node: { id: string; queuePosition: number }) => [node.id, node.queuePosition]));
    expect(inOrder.map((id) => places.get(id))).toEqual(inOrder.map((_, index) => index + 1));
    for (const at of [0, 17, 39]) {
      const { job } = await t.ask(org, `query ($id: ID!) { job(id: $id) ${told} }`, { id: inOrder[at] });
      expect(job).toMatchObject({ queuePosition: at + 1, estimatedDurationMs: null, estimatedCompletionAt: null });
    }
  });

  test('costs some milliseconds in a queue of 10,000', async () => {
    const org = await makeOrg(t.platform, 'long-queue');
    await t.database.asSuperuser(
      `INSERT INTO app.jobs (org_id, status, language, query, priority, timeout_ms, fingerprint)
       SELECT $1, 'PENDING', 'SQL', 'SELECT 1', 'NORMAL', 1000, '' FROM generate_series(1, 10000)`,
      [org.orgId],
    );
    await t.database.asSuperuser('VACUUM ANALYZE app.jobs');
    const last = (await read(org, { first: 1 })).ids[0];
    let best = Number.POSITIVE_INFINITY;
    for (let n = 0; n < 10; n++) {
      const start = performance.now();
      const { job } = await t.ask(org, `query ($id: ID!) { job(id: $id) ${told} }`, { id: last });
      best = Math.min(best, performance.now() - start);
      expect(job.queuePosition).toBe(10_000);
    }
    expect(best).toBeLessThan(50);
  }, 60_000);

  test('is a moment that counts on those before it; a running job’s own measure where it has one', () => {
    const now = startOfTime * 1_000;
    const estimate = (job: object, position: number | null, medianMs: number | null, running: number) =>
      estimateEnd(
        { status: 'PENDING', startedAt: null, percent: 0, isExact: false, ...job },
        position,
        { medianMs, running },
        now,
      );
    const inMs = (ms: number) => new Date(now + ms).toISOString();
    expect(estimate({}, 1, 1_000, 0)).toBe(inMs(1_000));
    expect(estimate({}, 4, 1_000, 2)).toBe(inMs(3_000));
    expect(estimate({}, 4, null, 2)).toBeNull();
    const startedAt = inMs(-6_000);
    const running = { status: 'RUNNING', startedAt };
    expect(estimate({ ...running, percent: 75, isExact: true }, null, null, 1)).toBe(inMs(2_000));
    expect(estimate({ ...running, percent: 75 }, null, 10_000, 1)).toBe(inMs(4_000));
    expect(estimate({ ...running, percent: 75 }, null, 1_000, 1)).toBe(inMs(0));
    expect(estimate({ status: 'COMPLETED', startedAt }, null, 1_000, 1)).toBeNull();
  });
});
