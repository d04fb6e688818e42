/** A database with a few rows in which nulls, empty texts, upper case and ties stand, for tests of query languages. */
import pg from 'pg';
import type { Batch } from '../../query/engines/engine.js';
import { runPlan, runQuery } from '../../query/engines/postgres/run.js';
import type { Plan } from '../../query/plan/types.js';
import type { PlanQuery, SqlQuery } from '../../query/prepared-query.js';
import type { JsonValue, ResultColumn } from '../../query/result.js';
import { createTestDatabase, type TestDatabase } from './database.js';

const orgId = '00000000-0000-4000-8000-000000000001';

export interface Answer {
  columns: ResultColumn[];
  rows: JsonValue[][];
}

export interface QueryRows {
  database: TestDatabase;
  pool: pg.Pool;
  run(query: SqlQuery | PlanQuery): Promise<Answer>;
  runPlan(plan: Plan): Promise<Answer>;
  drop(): Promise<void>;
}

const inserts = [
  `SELECT app.ensure_partition('logs', '2024-01-01')`,
  `SELECT app.ensure_partition('logs', '2024-02-01')`,
  `SELECT app.ensure_partition('website_logs', '2024-01-01')`,
  `SELECT app.ensure_partition('web_activity', '2024-01-01')`,
  `INSERT INTO app.logs (org_id, batch_no, timestamp, severity, event_type, source_ip, source_port, bytes_in, bytes_out, user_name, host, message, attributes)
   VALUES
   ('${orgId}', 1, '2024-01-01 00:00:00Z', 'high', 'login', '10.0.0.1', 22, 100, 5, 'alice', 'web-1', 'Login failed for alice', '{"user":"alice","n":1,"tags":["a","b"]}'),
   ('${orgId}', 1, '2024-01-01 00:07:30Z', 'high', 'login', '10.0.0.2', 22, 250, NULL, 'Bob', 'WEB-1', 'login failed for Bob', '{"user":"Bob","n":2.5}'),
   ('${orgId}', 1, '2024-01-01 01:00:00.123456Z', 'low', 'logout', '8.8.8.8', NULL, NULL, 7, NULL, 'web-2', NULL, '{"n":null}'),
   ('${orgId}', 1, '2024-01-01 23:59:59.999999Z', NULL, 'login', NULL, 443, 100, 0, '', 'web-2', '', '{}'),
   ('${orgId}', 1, '2024-01-02 12:00:00Z', 'low', NULL, '192.168.1.9', 443, -3, 9000000000, 'alice', NULL, '100% of größe_日本', '{"user":{"x":1}}'),
   ('${orgId}', 2, '2024-02-10 08:30:00Z', 'critical', 'login', '2001:db8::1', 65535, 9007199254740993, 1, 'carol', 'db', 'type=EXECVE ab', '{"user":"alice","n":"7"}')`,
  `INSERT INTO app.website_logs (org_id, batch_no, request_timestamp, ip_address, url, http_method, status_code, response_time, username)
   VALUES
   ('${orgId}', 1, '2024-01-01 00:01:00Z', '10.0.0.1', '/a', 'GET', 200, 10, 'alice'),
   ('${orgId}', 1, '2024-01-01 00:02:00Z', '10.0.0.1', '/b', 'GET', 404, 2147483647, 'alice'),
   ('${orgId}', 1, '2024-01-01 00:04:00Z', '8.8.8.8', '/a', 'POST', 404, 30, 'Bob'),
   ('${orgId}', 1, '2024-01-01 01:01:00Z', NULL, NULL, 'GET', 500, NULL, NULL)`,
  `INSERT INTO app.web_activity (org_id, batch_no, eventdate, domain, username, action, url, status, response_ms, ip)
   VALUES
   ('${orgId}', 1, '2024-01-01 00:00:10Z', 'acme', 'alice', 'query', '/graphql', 200, 1.5, '10.0.0.1'),
   ('${orgId}', 1, '2024-01-01 00:03:00Z', 'acme', 'alice', 'mutation', '/graphql', 200, 2.5, '8.8.8.8'),
   ('${orgId}', 1, '2024-01-01 00:06:00Z', 'acme', 'bob', 'query', '/graphql', 500, NULL, NULL),
   ('${orgId}', 1, '2024-01-01 02:00:00Z', 'acme', NULL, 'ingest', '/ingest/logs', 200, 40, '172.16.0.5')`,
];

export async function createQueryRows(): Promise<QueryRows> {
  const database = await createTestDatabase();
  for (const insert of inserts) await database.asSuperuser(insert);
  const pool = new pg.Pool({ connectionString: database.url('query'), max: 2 });
  pool.on('error', () => {});
  const options = { orgId, timeoutMs: 20_000 };
  return {
    database,
    pool,
    run: (query) => answerOf(runQuery(pool, query, options)),
    runPlan: (plan) => answerOf(runPlan(pool, plan, options)),
    async drop() {
      await pool.end();
      await database.drop();
    },
  };
}

async function answerOf(batches: AsyncIterable<Batch>): Promise<Answer> {
  const rows: JsonValue[][] = [];
  let columns: ResultColumn[] = [];
  for await (const batch of batches) {
    columns = batch.columns;
    rows.push(...batch.rows);
  }
  return { columns, rows };
}
