/** The jobs as they are: the stores and the graph on a real database, and a look behind them. */
import pg from 'pg';
import { expect } from 'vitest';
import { LeaseStore } from '../store/leases.js';
import type { JobsTest } from '../testing.js';
import type { Model } from './model.js';

export interface Scene {
  test: JobsTest;
  /** Two workers. */
  workers: readonly [LeaseStore, LeaseStore];
  /** Any statement as the superuser. */
  sql<Row = Record<string, unknown>>(text: string, parameters?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

export async function openScene(test: JobsTest): Promise<Scene> {
  const url = new URL(process.env.HARBORWATCH_TEST_POSTGRES!);
  url.pathname = `/${test.database.name}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  const { postgres } = test.platform;
  return {
    test,
    workers: [new LeaseStore(postgres), new LeaseStore(postgres)],
    sql: async <Row>(text: string, parameters?: unknown[]) => (await client.query(text, parameters)).rows as Row[],
    close: () => client.end(),
  };
}

interface StoredJob {
  id: string;
  status: string;
  attempt: number;
  isPartial: boolean;
  resultOf: string | null;
  errorCode: string | null;
  rows: number[];
  events: string[];
}

/** All that is stored of the jobs. Rows are told by the sizes of their chunks. */
const storedJobs = `
  SELECT id, status, attempt, is_partial AS "isPartial", result_of AS "resultOf", error ->> 'code' AS "errorCode",
         coalesce((SELECT json_agg(row_count ORDER BY first_row) FROM app.job_results r WHERE r.job_id = j.id), '[]') AS rows,
         (SELECT json_agg(type ORDER BY tx, seq) FROM app.job_events e WHERE e.job_id = j.id) AS events
    FROM app.jobs j ORDER BY created_at, id`;

/** Jobs that break an invariant of SPEC.md, with its number. */
const brokenInvariants = `
  WITH stored AS (
    SELECT job_id, min(attempt) AS first_attempt, max(attempt) AS last_attempt, sum(json_bytes) AS bytes, sum(row_count) AS rows,
           max(first_row + row_count) AS next_row
      FROM app.job_results GROUP BY job_id)
  SELECT id, status, invariant FROM app.jobs j LEFT JOIN stored ON stored.job_id = j.id
    CROSS JOIN LATERAL (VALUES
      (2, (status = 'RUNNING') <> (lease_until IS NOT NULL) OR (status = 'RUNNING') <> (worker_id IS NOT NULL)),
      (3, stored.job_id IS NOT NULL AND (status NOT IN ('RUNNING', 'COMPLETED') OR first_attempt <> attempt OR last_attempt <> attempt)),
      (3, stored.job_id IS NOT NULL AND rows <> next_row),
      (5, (percent = 100) <> (status = 'COMPLETED')),
      (7, result_bytes <> coalesce(bytes, 0)),
      (2, (phase IS NOT NULL) AND status <> 'RUNNING'),
      (8, result_of IS NOT NULL AND EXISTS (SELECT FROM app.jobs o WHERE o.id = j.result_of AND o.result_of IS NOT NULL)),
      (1, (completed_at IS NOT NULL) <> (status IN ('COMPLETED', 'FAILED', 'CANCELLED')) OR (error IS NOT NULL) <> (status = 'FAILED'))
    ) AS checked (invariant, is_broken)
   WHERE is_broken`;

/** @throws where the database has something else than the model, or breaks an invariant */
export async function expectAgreement(model: Model, { sql }: Scene): Promise<void> {
  const stored = await sql<StoredJob>(storedJobs);
  const expected = model.jobs.map((job) => ({
    id: job.id,
    status: job.status,
    attempt: job.attempt,
    isPartial: job.isPartial,
    resultOf: job.resultOf?.id ?? null,
    errorCode: job.errorCode,
    rows: job.chunks.map((chunk) => chunk.length),
    events: job.events,
  }));
  expect(stored).toEqual(expected);
  expect(await sql(brokenInvariants)).toEqual([]);
}
