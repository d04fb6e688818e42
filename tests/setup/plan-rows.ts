/** Steps of plans to put together in tests, and a database of events to run them over. */
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { findDataset } from '../../datasets/index.js';
import type { RunOptions } from '../../query/engines/engine.js';
import { runPlan } from '../../query/engines/postgres/run.js';
import { datasetColumns } from '../../query/languages/dataset-columns.js';
import { column, literal, project, scan, summarize, values } from '../../query/plan/build.js';
import { aggregate } from '../../query/plan/functions/index.js';
import type { Aggregate, Expr, NamedExpr, Plan, PlanColumn, ScalarType, SortKey } from '../../query/plan/types.js';
import type { JsonValue } from '../../query/result.js';
import { createTestDatabase } from './database.js';

const orgId = '00000000-0000-4000-8000-000000000001';
export const otherOrgId = '00000000-0000-4000-8000-000000000002';

interface PlanRows {
  /** The rows of a plan, of the first organisation where no other is named. */
  run(plan: Plan, options?: Partial<RunOptions>): Promise<JsonValue[][]>;
  /** The rows of a plan without an order, in a fixed one. */
  set(plan: Plan, options?: Partial<RunOptions>): Promise<JsonValue[][]>;
  drop(): Promise<void>;
}

/** Makes the rows before the file's tests and removes them after: how to run plans over them. */
export function withPlanRows(): Pick<PlanRows, 'run' | 'set'> {
  let rows: PlanRows;
  beforeAll(async () => {
    rows = await createPlanRows();
  });
  afterAll(() => rows?.drop());
  return {
    run: (plan, options) => rows.run(plan, options),
    set: (plan, options) => rows.set(plan, options),
  };
}

/** A database of its own with 80 `logs` of each of two organisations. */
async function createPlanRows(): Promise<PlanRows> {
  const database = await createTestDatabase();
  for (const month of ['2024-01-01', '2024-02-01', '2024-03-01']) {
    await database.asSuperuser(`SELECT app.ensure_partition('logs', $1), app.ensure_partition('security_events', $1)`, [
      month,
    ]);
  }
  for (const org of [orgId, otherOrgId]) {
    await database.asSuperuser(
      `INSERT INTO app.logs (org_id, batch_no, timestamp, severity, source_ip, source_port, bytes_in, host, attributes)
       SELECT $1, CASE WHEN n <= 60 THEN 7 ELSE 8 END, '2024-01-01'::timestamptz + n * interval '1 day',
              CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'high' END,
              CASE WHEN n % 3 > 0 THEN ('10.0.0.' || n % 3)::inet END, n % 5, n, $2 || n % 2,
              jsonb_build_object('n', n, 'tags', jsonb_build_array('a', n))
         FROM generate_series(1, 80) n`,
      [org, org === orgId ? 'mine' : 'theirs'],
    );
  }
  const pool = new pg.Pool({ connectionString: database.url('query'), max: 3 });
  pool.on('error', () => {});
  const run: PlanRows['run'] = async (plan, options = {}) => {
    const rows: JsonValue[][] = [];
    for await (const batch of runPlan(pool, plan, { orgId, timeoutMs: 20_000, ...options })) rows.push(...batch.rows);
    return rows;
  };
  return {
    run,
    set: async (plan, options) =>
      (await run(plan, options)).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    drop: async () => {
      await pool.end();
      await database.drop();
    },
  };
}

export function logs(bounds: { from?: string; to?: string; nullStrings?: boolean } = {}): Plan {
  return scan({
    dataset: 'logs',
    timeColumn: 'timestamp',
    columns: [...datasetColumns(findDataset('logs')!), { name: '_id', type: 'string' }],
    nullStrings: false,
    ...bounds,
  });
}

export const col = (plan: Plan, name: string) => column(plan.columns.find((each) => each.name === name)!);
export const cols = (plan: Plan, ...names: string[]): NamedExpr[] =>
  names.map((name) => ({ name, value: col(plan, name) }));
export const only = (plan: Plan, ...names: string[]): Plan => project(plan, cols(plan, ...names));
export const by = (value: Expr, descending = false, nullsFirst = !descending): SortKey => ({
  value,
  descending,
  nullsFirst,
});
export const long = (value: JsonValue) => literal('long', value);
export const text = (value: JsonValue) => literal('string', value);
export const agg = (name: string, fn: string, args: Expr[], where?: Expr): Aggregate => ({
  kind: 'aggregate',
  name,
  ...aggregate(fn, args),
  ...(where !== undefined && { where }),
});
export const table = (columns: Record<string, ScalarType>, ...rows: JsonValue[][]): Plan =>
  values(
    Object.entries(columns).map(([name, type]): PlanColumn => ({ name, type })),
    rows,
  );

export const count = (plan: Plan) => summarize(plan, [], [agg('count_', 'count', [])]);
