import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets as declared } from '../../../../datasets/index.js';
import { createQueryRows, type QueryRows } from '../../../../tests/setup/query-rows.js';
import type { Plan } from '../../../plan/types.js';
import type { TimeRange } from '../../../prepared-query.js';
import type { JsonValue } from '../../../result.js';
import { validQueries } from '../cases.js';
import { guardSql } from '../guard.js';
import { translated, untranslated } from './cases.js';

let rows: QueryRows;
beforeAll(async () => {
  rows = await createQueryRows();
});
afterAll(async () => rows?.drop());

const datasets = [...declared];
const guard = (text: string, range?: TimeRange) => guardSql(text, datasets, range);

async function planOf(text: string, range?: TimeRange): Promise<Plan> {
  const { translation } = await guard(text, range);
  if (!translation.ok) throw new Error(translation.reason);
  return translation.plan;
}

const inAnyOrder = (list: JsonValue[][]): string[] => list.map((row) => JSON.stringify(row)).sort();

async function compare(sql: string, isOrdered = false, range?: TimeRange): Promise<JsonValue[][]> {
  const own = await rows.run(await guard(sql, range));
  const planned = await rows.runPlan(await planOf(sql, range));
  expect(planned.columns).toEqual(own.columns);
  if (isOrdered) expect(planned.rows).toEqual(own.rows);
  else expect(inAnyOrder(planned.rows)).toEqual(inAnyOrder(own.rows));
  return own.rows;
}

describe('the plan of a SELECT gives PostgreSQL’s own columns, types and rows', () => {
  test.each(translated)('$sql', async ({ sql, isOrdered }) => {
    await compare(sql, isOrdered);
  });
});

describe('what has no exact plan is named, with its place', () => {
  test.each(untranslated)('%s', async (sql, reason, line, column) => {
    const { translation } = await guard(sql);
    expect(translation).toMatchObject({ ok: false, reason: expect.stringContaining(reason), line, column });
  });
});

describe('whatever passes the guard runs, cut to a time range too, and its plan, where it has one, agrees', () => {
  test.each(validQueries)('%s', async (sql) => {
    const query = await guard(sql);
    const own = await rows.run(query);
    if (query.translation.ok) {
      const planned = await rows.runPlan(query.translation.plan);
      expect(planned.columns).toEqual(own.columns);
      expect(inAnyOrder(planned.rows)).toEqual(inAnyOrder(own.rows));
    }
    const cut = await rows.run(
      await guard(sql.replace('U&"l\\006fgs"', 'logs'), { from: '2024-01-01T00:05:00Z', to: '2024-02-01T00:00:00Z' }),
    );
    expect(cut.columns).toEqual(own.columns);
  });
});

describe('errors of the run are PostgreSQL’s', () => {
  test.each([
    'SELECT 1 / (bytes_in - bytes_in) FROM logs WHERE bytes_in = 250',
    'SELECT response_time + 1 FROM website_logs',
    'SELECT sum(bytes_in) * 1.0 / 0 FROM logs',
    'SELECT bytes_in * bytes_in FROM logs',
    'SELECT -(-response_time - 2) FROM website_logs',
  ])('%s', async (sql) => {
    const failed = { code: 'QUERY_FAILED' };
    await expect(rows.run(await guard(sql))).rejects.toMatchObject(failed);
    await expect(rows.runPlan(await planOf(sql))).rejects.toMatchObject(failed);
  });
});

describe('a time range from outside cuts every dataset', () => {
  const range = { from: '2024-01-01T00:05:00Z', to: '2024-01-02T12:00:00Z' };

  test.each([
    'SELECT timestamp FROM logs',
    'SELECT count(*) FROM "securewatch-logs-*" l',
    'SELECT a.host, b.url FROM logs a LEFT JOIN website_logs b ON a.user_name = b.username',
    'WITH x AS (SELECT * FROM logs), logs AS (SELECT count(*) AS n FROM x) SELECT n FROM logs',
    'SELECT l.a FROM logs AS l(a, b)',
    'TABLE logs',
    'SELECT host FROM logs *',
    'SELECT count(*) FROM (SELECT 1 FROM logs UNION ALL SELECT 1 FROM website_logs) u',
  ])('as text and as a plan: %s', async (sql) => {
    await compare(sql, false, range);
  });

  test('at its first moment, and not at its last', async () => {
    const result = await rows.run(await guard('SELECT timestamp FROM logs ORDER BY 1', range));
    expect(result.rows.flat()).toEqual([
      '2024-01-01T00:07:30Z',
      '2024-01-01T01:00:00.123456Z',
      '2024-01-01T23:59:59.999999Z',
    ]);
  });

  test('also where a plan is not to be had', async () => {
    const count = async (sql: string) => (await rows.run(await guard(sql, range))).rows.flat();
    expect(await count('SELECT (SELECT count(*) FROM logs)')).toEqual([3]);
    expect(await count('SELECT count(*) FROM logs a JOIN logs b USING (timestamp)')).toEqual([3]);
    expect(await count('SELECT count(*) FROM logs NATURAL JOIN logs b')).toEqual([0]);
    expect(
      await count('SELECT count(l) FROM logs l, LATERAL (SELECT 1 FROM logs i WHERE i.timestamp = l.timestamp) x'),
    ).toEqual([3]);
    expect(await count('SELECT max(n) FROM (SELECT row_number() OVER () AS n FROM logs) x')).toEqual([3]);
    expect(
      await count(
        `SELECT count(*) FROM logs WHERE EXISTS (SELECT FROM website_logs w WHERE w.username = logs.user_name)`,
      ),
    ).toEqual([0]);
  });

  test('so that the partitions outside of it are not read', async () => {
    const partitions = async (text: string, of: TimeRange): Promise<string[]> => {
      const query = (await guard(text, of)).text.replaceAll(/FROM "?logs"?/g, 'FROM q."logs"');
      const plan = await rows.database.asSuperuser<{ 'QUERY PLAN': string }>(`EXPLAIN ${query}`);
      return [...new Set(plan.flatMap((line) => line['QUERY PLAN'].match(/\blogs_y\d{4}m\d{2}/g) ?? []))].sort();
    };
    const sql = "SELECT l.host FROM logs l WHERE l.severity = 'high' ORDER BY l.timestamp DESC LIMIT 1";
    const [january, february] = await partitions(sql, {});
    expect(february).toBeDefined();
    expect(await partitions(sql, range)).toEqual([january]);
    expect(await partitions(sql, { from: '2024-02-01T00:00:00Z' })).toEqual([february]);
    const joined = 'WITH x AS (SELECT host FROM logs) SELECT count(*) FROM x JOIN logs l ON l.host = x.host';
    expect(await partitions(joined, { to: '2024-02-01T00:00:00Z' })).toEqual([january]);
  });
});
