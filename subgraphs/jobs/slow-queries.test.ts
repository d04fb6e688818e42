/** The log of slow queries: those of the organisation, all of them, with as much of their plan as the caller may see. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import type { QueryReport } from '../../query/index.js';
import { makeOrg } from '../../tests/setup/database.js';
import { createJobsTest, type JobsTest } from './testing.js';
import { history, type PastJob, storeHistory } from './testing-history.js';

const slowQueryMs = 500;
let t: JobsTest;
beforeAll(async () => {
  t = await createJobsTest({ SLOW_QUERY_MS: String(slowQueryMs) });
});
afterAll(() => t.close());

const list = `query ($first: Int, $after: String) { slowQueries(first: $first, after: $after) {
  nodes { executionTimeMs completedAt job { id } plan { text estimatedRows estimatedCost indexesUsed recommendations { statement } } }
  pageInfo { hasNextPage hasPreviousPage endCursor } totalCount { value } } }`;
const read = async (identity: Identity, variables: object = {}) =>
  (await t.ask(identity, list, { ...variables })).slowQueries;

const report: QueryReport = {
  engine: 'POSTGRES',
  text: "Scan logs\nLimit 5\n\nSeq Scan on logs_y2026m01  (cost=0.00..9 rows=7)\n  Filter: (host = 'a\n\nb')",
  estimatedRows: 7,
  estimatedCost: 9,
  indexesUsed: ['logs_time'],
  recommendations: [{ dataset: 'logs', columns: ['host'], reason: 'r', statement: 'CREATE INDEX' }],
  runsInSlices: false,
};
const keepPlan = (id: string) =>
  t.database.asSuperuser('UPDATE app.jobs SET plan = $2 WHERE id = $1', [id, JSON.stringify(report)]);

describe('slowQueries', () => {
  test('are exactly the jobs that ran for longer, and those whose plan was kept, newest first, page by page', async () => {
    let made = 0;
    const paged = fc.asyncProperty(history, fc.integer({ min: 1, max: 7 }), async (jobs, first) => {
      made += 1;
      const identity = await makeOrg(t.platform, `slow-${made}`);
      const brief: PastJob[] = jobs.map((job, n) => ({
        ...job,
        executionUs: n % 2 ? job.executionUs : job.executionUs % 1e6,
      }));
      await storeHistory(t, identity, brief);
      const rows = await t.database.asSuperuser<{ id: string; status: string; ms: number; isReuse: boolean }>(
        `SELECT id, status, extract(epoch FROM completed_at - started_at)::float8 * 1000 AS ms, result_of IS NOT NULL AS "isReuse"
           FROM app.jobs WHERE org_id = $1 AND completed_at IS NOT NULL ORDER BY completed_at DESC, id DESC`,
        [identity.orgId],
      );
      const withPlan = new Set(rows.filter((_, n) => n % 5 === 0).map(({ id }) => id));
      for (const id of withPlan) await keepPlan(id);
      const expected = rows
        .filter(
          ({ id, status, ms, isReuse }) => withPlan.has(id) || (status !== 'CANCELLED' && !isReuse && ms > slowQueryMs),
        )
        .map(({ id }) => id);
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const page: any = await read(identity, { first, after });
        expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
        expect(page.totalCount.value).toBe(expected.length);
        seen.push(...page.nodes.map(({ job }: { job: { id: string } }) => job.id));
        after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
      } while (after !== null);
      expect(seen).toEqual(expected);
    });
    await fc.assert(paged, { numRuns: process.env.HARBORWATCH_DEEP ? 100 : 8 });
  }, 300_000);

  test('show what the planner says to platform administrators alone', async () => {
    const [identity, other] = t.orgs;
    const { id } = await t.submit(identity, { query: 'SELECT 1' });
    await t.database.asSuperuser(
      `UPDATE app.jobs SET status = 'COMPLETED', started_at = now(), completed_at = now(), columns = '[]' WHERE id = $1`,
      [id],
    );
    await keepPlan(id);
    const { runsInSlices: _, engine: __, ...everything } = report;
    const shown = { ...everything, estimatedRows: '7', recommendations: [{ statement: 'CREATE INDEX' }] };
    const plans = async (as: Identity) => (await read(as)).nodes.map(({ plan }: { plan: unknown }) => plan);
    expect(await plans(identity)).toEqual([shown]);
    const analyst = { ...identity, capabilities: [{ action: 'jobs:read' as const }] };
    expect(await plans(analyst)).toEqual([
      { text: 'Scan logs\nLimit 5', estimatedRows: null, estimatedCost: null, indexesUsed: [], recommendations: [] },
    ]);
    expect(await plans(other)).toEqual([]);
  });

  test('refuse cursors of another organisation, and need jobs:read', async () => {
    const [identity, other] = t.orgs;
    const { pageInfo } = await read(identity, { first: 1 });
    await expect(read(other, { after: pageInfo.endCursor })).rejects.toThrow('INVALID_CURSOR');
    await expect(read({ ...identity, capabilities: [] })).rejects.toThrow('FORBIDDEN');
  });
});
