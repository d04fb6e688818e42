import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../tests/setup/database.js';
import { filter, limit, project, summarize } from '../../plan/build.js';
import { col, count, fn, is, keep, logs, long, moment, text } from '../../plan/optimize/samples.js';
import type { Plan } from '../../plan/types.js';
import type { PlanQuery } from '../../prepared-query.js';
import { type ReportOptions, reportOnQuery } from './report.js';

const orgId = '00000000-0000-4000-8000-000000000001';
const otherOrgId = '00000000-0000-4000-8000-000000000002';

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.asSuperuser(`SELECT app.ensure_partition('logs', '2024-01-01')`);
  await database.asSuperuser(
    `INSERT INTO app.logs (org_id, batch_no, timestamp, host, protocol, bytes_in)
     SELECT CASE WHEN n <= 250 THEN $1 ELSE $2 END::uuid, 1, '2024-01-01'::timestamptz + n * interval '1 second', 'a',
            'protocol ' || n % 1000, n
       FROM generate_series(1, 20000) n`,
    [orgId, otherOrgId],
  );
  await database.asSuperuser('ANALYZE app.logs');
  pool = new pg.Pool({ connectionString: database.url('query'), max: 2 });
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

const ask = (plan: Plan, options: Partial<ReportOptions> = {}) => {
  const query: PlanQuery = {
    form: 'PLAN',
    language: 'KQL',
    source: '',
    datasets: ['logs'],
    knownColumns: [],
    rowWise: { ok: true },
    plan,
  };
  return reportOnQuery(pool, query, { orgId, sees: 'BOUNDS', ...options });
};

describe('platform administrators see', () => {
  test('the planner’s figures, its plan and its indexes, under the names of the whole tables', async () => {
    const early = fn('<', col('timestamp'), moment('2024-01-01T00:00:05Z'));
    const report = await ask(filter(logs(), early), { sees: 'EVERYTHING' });
    expect(report.text).toContain('scan logs to 2024-01-01T00:00:05Z');
    expect(report.text).toMatch(/Index.* Scan/);
    expect(report.indexesUsed).toEqual(['logs_pkey']);
    expect(report.estimatedCost).toBeGreaterThan(0);
    expect(report.estimatedRows).toBeGreaterThan(0);
    expect(report).toMatchObject({ engine: 'POSTGRES', recommendations: [], runsInSlices: true });
  });

  test('the index that a selective filter would use, as a statement that makes it', async () => {
    const columns = [...logs().columns, { name: 'protocol', type: 'string' as const }];
    const protocol = { kind: 'column', name: 'protocol', type: 'string' } as const;
    const rare = filter({ ...logs(), columns } as Plan, is(protocol, text('protocol 7')));
    const { recommendations } = await ask(project(rare, keep('host')), { sees: 'EVERYTHING', orgId: otherOrgId });
    expect(recommendations).toMatchObject([
      { dataset: 'logs', columns: ['protocol'], reason: expect.stringContaining('has no index') },
    ]);
    const { statement } = recommendations[0]!;
    expect(statement).toBe('CREATE INDEX ON app.logs (org_id, "protocol", "timestamp" DESC);');
    await database.asSuperuser(statement);
    await database.asSuperuser('ANALYZE app.logs');
    const after = await ask(project(rare, keep('host')), { sees: 'EVERYTHING', orgId: otherOrgId });
    expect(after.indexesUsed).toEqual(['logs_org_id_protocol_timestamp_idx']);
  });
});

describe('others see', () => {
  test('a power of ten of their own rows at most, and nothing of the planner’s', async () => {
    expect(await ask(logs())).toEqual({
      engine: 'POSTGRES',
      text: 'scan logs [timestamp, severity, host, bytes_in]',
      estimatedRows: 1_000,
      estimatedCost: null,
      indexesUsed: [],
      recommendations: [],
      runsInSlices: true,
    });
  });

  test('the same whatever they ask for that only others have', async () => {
    const absent = await ask(filter(logs(), is(col('bytes_in'), long(-1))));
    const foreign = await ask(filter(logs(), is(col('bytes_in'), long(19_999))));
    expect(foreign.estimatedRows).toBe(absent.estimatedRows);
  });

  test('what the plan’s form and its time bounds leave', async () => {
    const rows = async (plan: Plan) => (await ask(plan)).estimatedRows;
    expect(await rows(filter(logs(), fn('<', col('timestamp'), moment('2024-01-01T00:00:10Z'))))).toBe(10);
    expect(await rows(summarize(logs(), [], [count('n')]))).toBe(1);
    expect(await rows(limit(logs(), 30))).toBe(100);
  });
});
