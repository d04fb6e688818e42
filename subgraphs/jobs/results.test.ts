/** Results as callers read them: in every state of their job, from every place, at the same cost. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Postgres, Tx } from '../../platform/postgres/postgres.js';
import { completed, running, storeChunk, storeResult } from '../../tests/setup/stored-results.js';
import { ResultStore } from './store/chunks.js';
import { createJobsTest, type JobsTest } from './testing.js';

let t: JobsTest;

beforeAll(async () => {
  t = await createJobsTest();
});
afterAll(() => t?.close());

/** A job of the first organisation, with rows that count from 0 in chunks of the given sizes. */
function makeJob(set: string, chunkSizes: readonly number[] = [], columns?: { name: string; type: string }[]) {
  let next = 0;
  const chunks = chunkSizes.map((size) => Array.from({ length: size }, () => [next++]));
  const { orgId } = t.orgs[0];
  return storeResult({ database: t.database, orgId, set, chunks, ...(columns ? { columns } : {}) });
}

const addChunk = (id: string, firstRow: number, rows: unknown[][]) => storeChunk(t.database, id, firstRow, rows);

const page = `query ($id: ID!, $first: Int, $after: String, $offset: Int, $partial: Boolean) {
  job(id: $id) { results(first: $first, after: $after, offset: $offset, partial: $partial) {
    columns { name type } rows nodes version totalCount { value relation } pageInfo { hasNextPage endCursor }
  } } }`;
const read = async (id: string, variables: Record<string, unknown> = {}) =>
  (await t.ask(t.orgs[0], page, { id, ...variables })).job.results;
const refusal = (id: string, variables: Record<string, unknown> = {}) =>
  read(id, variables).then(
    () => 'answered',
    (error) => error.extensions,
  );

describe('results', () => {
  test('of a job without any tell why by a code of their own, with partial or without', async () => {
    const jobs = {
      JOB_FAILED: await makeJob(
        `status = 'FAILED', completed_at = now(), error = '{"code":"QUERY_TIMEOUT","message":"Too slow."}'`,
      ),
      JOB_CANCELLED: await makeJob("status = 'CANCELLED', completed_at = now()"),
      RESULT_EXPIRED: await makeJob(`${completed} - interval '2 hours'`, [1]),
    };
    for (const [code, id] of Object.entries(jobs)) {
      for (const partial of [false, true, null]) expect(await refusal(id, { partial })).toMatchObject({ code });
    }
    expect(await refusal(jobs.JOB_FAILED)).toMatchObject({ reason: 'QUERY_TIMEOUT' });
  });

  test('of a job that waits or runs are refused, or those so far where partial ones are asked for', async () => {
    const [waiting, atWork] = [await makeJob("status = 'PENDING', columns = NULL"), await makeJob(running, [3, 1, 2])];
    expect(await refusal(waiting)).toMatchObject({ code: 'JOB_NOT_COMPLETED', status: 'PENDING' });
    expect(await refusal(atWork)).toMatchObject({ code: 'JOB_NOT_COMPLETED', status: 'RUNNING' });
    expect(await read(waiting, { partial: true })).toMatchObject({
      columns: [],
      rows: [],
      totalCount: { value: 0, relation: 'AT_LEAST' },
    });
    const first = await read(atWork, { partial: true, first: 4 });
    expect(first).toMatchObject({
      columns: [{ name: 'n', type: 'LONG' }],
      rows: [[0], [1], [2], [3]],
      nodes: [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }],
      totalCount: { value: 6, relation: 'AT_LEAST' },
      pageInfo: { hasNextPage: true },
    });
    // Rows that are added leave cursors as they are, and so does the end of the job.
    await addChunk(atWork, 6, [[6]]);
    const after = first.pageInfo.endCursor;
    expect((await read(atWork, { partial: true, after })).rows).toEqual([[4], [5], [6]]);
    await t.database.asSuperuser(`UPDATE app.jobs SET ${completed} WHERE id = $1`, [atWork]);
    expect(await read(atWork, { after })).toMatchObject({
      rows: [[4], [5], [6]],
      totalCount: { value: 7, relation: 'EXACT' },
      version: first.version,
    });
  });

  test('that were replaced while the job ran refuse the cursors of those before', async () => {
    const id = await makeJob(running, [5]);
    const { pageInfo, version } = await read(id, { partial: true, first: 2 });
    await t.database.asSuperuser('UPDATE app.jobs SET revision = revision + 1 WHERE id = $1', [id]);
    const refused = { id, partial: true, after: pageInfo.endCursor };
    await expect(t.ask(t.orgs[0], page, refused)).rejects.toThrow(/INVALID_CURSOR: .* Start again without it\./);
    const anew = await read(id, { partial: true, first: 2 });
    expect(anew.version).not.toBe(version);
    expect((await read(id, { partial: true, after: anew.pageInfo.endCursor })).rows).toEqual([[2], [3], [4]]);
  });

  test('that were replaced between two reads are never mixed', async () => {
    const id = await makeJob(running, [2]);
    const store = new ResultStore(t.platform.postgres);
    const state = { id, attempt: 1, revision: 0, resultOf: null };
    expect(await store.read(t.orgs[0], state, 0, 10)).toEqual({ rows: [[0], [1]], stored: 2 });
    for (const gone of [{ attempt: 2 }, { revision: 1 }]) {
      expect(await store.read(t.orgs[0], { ...state, ...gone }, 0, 10)).toBeUndefined();
    }
    expect(await store.read(t.orgs[1], state, 0, 10)).toBeUndefined();
  });

  test('that another job has are read from there', async () => {
    const source = await makeJob(completed, [3]);
    const id = await makeJob(`${completed}, result_of = '${source}'`);
    expect(await read(id)).toMatchObject({ rows: [[0], [1], [2]], totalCount: { value: 3, relation: 'EXACT' } });
    // They live as long as the later job, whatever becomes of the first.
    await t.database.asSuperuser(`UPDATE app.jobs SET expires_at = now() WHERE id = $1`, [source]);
    expect((await read(id, { offset: 2 })).rows).toEqual([[2]]);
    expect(await refusal(source)).toMatchObject({ code: 'RESULT_EXPIRED' });
  });

  test('have every column in the rows’ objects, whatever it is called', async () => {
    const names = ['__proto__', 'constructor', 'a "quoted" name', '1', '\u2028', '`'];
    const columns = names.map((name) => ({ name, type: 'LONG' }));
    const id = await makeJob(completed, [], columns);
    await addChunk(id, 0, [names.map((_, index) => index)]);
    const { nodes, rows } = await read(id);
    expect(rows).toEqual([[0, 1, 2, 3, 4, 5]]);
    expect(Object.keys(nodes[0]).sort()).toEqual([...names].sort());
    for (const [index, name] of names.entries())
      expect(Object.getOwnPropertyDescriptor(nodes[0], name)?.value).toBe(index);
  });

  test('refuse sizes over the limit by the argument’s name, and take any offset', async () => {
    const id = await makeJob(completed, [2]);
    expect(await refusal(id, { first: 10_001 })).toMatchObject({
      code: 'INVALID_PAGE_SIZE',
      argument: 'first',
      limit: 10_000,
    });
    expect(await refusal(id, { offset: -1 })).toMatchObject({ code: 'INVALID_PAGE_SIZE', argument: 'offset' });
    const { rows, pageInfo } = await read(id, { offset: 2_147_483_647, first: 10_000 });
    expect([rows, pageInfo.hasNextPage]).toEqual([[], false]);
  });

  test('are read from the page’s own chunks alone, wherever it stands', async () => {
    const id = await makeJob(completed);
    const json = JSON.stringify([[1]]);
    await t.database.asSuperuser(
      `INSERT INTO app.job_results (org_id, job_id, attempt, first_row, row_count, json_bytes, data)
       SELECT $1, $2, 1, n * 1000, 1000, 5, $3 FROM generate_series(0, 999) n`,
      [t.orgs[0].orgId, id, gzipSync(json)],
    );
    const { postgres } = t.platform;
    const plans: unknown[] = [];
    const explaining = {
      withOrg: (...[identity, fn, options]: Parameters<Postgres['withOrg']>) =>
        postgres.withOrg(
          identity,
          (tx) =>
            fn({
              query: async (sql: string, parameters?: unknown[]) => {
                plans.push(await tx.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, parameters));
                return tx.query(sql, parameters);
              },
            } as Tx),
          options,
        ),
    } as Postgres;
    const store = new ResultStore(explaining);
    for (const analysed of [false, true]) {
      if (analysed) await t.database.asSuperuser('ANALYZE app.job_results');
      for (const [start, limit, chunks] of [
        [0, 1_000, 1],
        [999_000, 1_000, 1],
        [500_500, 10_000, 11],
      ] as const) {
        await store.read(t.orgs[0], { id, attempt: 1, revision: 0, resultOf: null }, start, limit);
        // One more for each look at where the page begins and where the result ends.
        expect(rowsReadOf('job_results', plans.pop())).toBeLessThanOrEqual(chunks + 2);
      }
    }
  });
});

/** How many rows of a table the steps of a plan looked at. */
function rowsReadOf(table: string, plan: unknown): number {
  if (typeof plan !== 'object' || plan === null) return 0;
  const node = plan as Record<string, unknown>;
  const filtered = Number(node['Rows Removed by Filter'] ?? 0) + Number(node['Rows Removed by Index Recheck'] ?? 0);
  const own =
    node['Relation Name'] === table ? Number(node['Actual Rows']) * Number(node['Actual Loops']) + filtered : 0;
  return Object.values(node).reduce<number>((sum, child) => sum + rowsReadOf(table, child), own);
}
