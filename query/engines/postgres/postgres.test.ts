import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets as declared } from '../../../datasets/index.js';
import { createTestDatabase, type TestDatabase } from '../../../tests/setup/database.js';
import {
  type Batch,
  checkQuery,
  estimateQuery,
  type JsonValue,
  prepareQuery,
  runQuery,
  type SqlQuery,
} from '../../index.js';
import { validQueries } from '../../languages/sql/cases.js';

const orgId = '00000000-0000-4000-8000-000000000001';
const otherOrgId = '00000000-0000-4000-8000-000000000002';
const rowsPerOrg = 2_500;

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.asSuperuser(`SELECT app.ensure_partition('logs', '2024-01-01')`);
  for (const [org, host] of [
    [orgId, 'mine'],
    [otherOrgId, 'theirs'],
  ]) {
    await database.asSuperuser(
      `INSERT INTO app.logs (org_id, batch_no, timestamp, severity, source_ip, bytes_in, host, message, attributes)
       SELECT $1, CASE WHEN n <= 2000 THEN 7 ELSE 8 END, '2024-01-01'::timestamptz + n * interval '1 second', 'high', '10.0.0.1', n, $2, 'event ' || n,
              '{"tags":["a"],"a":1}'
         FROM generate_series(1, $3::int) n`,
      [org, host, rowsPerOrg],
    );
  }
  pool = new pg.Pool({ connectionString: database.url('query'), max: 2 });
  pool.on('error', () => {});
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

async function prepare(text: string): Promise<SqlQuery> {
  const query = await prepareQuery({ language: 'SQL', text, datasets: [...declared] });
  if (query.form !== 'SQL') throw new Error('SQL is prepared as it is.');
  return query;
}
/** A text as if the guard had let it through: what stands behind the guard is tested with it. */
const unguarded = async (text: string): Promise<SqlQuery> => ({
  ...(await prepare('SELECT 1')),
  source: text,
  text,
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function run(query: SqlQuery, options: Partial<Parameters<typeof runQuery>[2]> = {}): Promise<Batch[]> {
  return all(runQuery({ postgres: pool }, query, { orgId, timeoutMs: 20_000, ...options }));
}

async function rows(text: string, options: Partial<Parameters<typeof runQuery>[2]> = {}): Promise<JsonValue[][]> {
  return (await run(await prepare(text), options)).flatMap((batch) => batch.rows);
}

/** Every connection has been given back or closed. */
const settled = () => pool.totalCount === pool.idleCount && pool.waitingCount === 0;

describe('a query sees its organisation’s rows alone', () => {
  test('through the guard', async () => {
    expect(await rows('SELECT host, count(*) FROM logs GROUP BY host')).toEqual([['mine', rowsPerOrg]]);
    expect(await rows('SELECT DISTINCT host FROM logs', { orgId: otherOrgId })).toEqual([['theirs']]);
  });

  test.each([['SELECT DISTINCT host FROM app.logs'], ['SELECT DISTINCT host FROM q."securewatch-logs-*"']])(
    'and without it: %s',
    async (text) => {
      expect((await run(await unguarded(text)))[0]?.rows).toEqual([['mine']]);
    },
  );

  test.each([
    [`SELECT * FROM app.users`, 'QUERY_NOT_SUPPORTED'],
    [`SELECT set_config('app.org_id', '${otherOrgId}', true)`, 'QUERY_NOT_SUPPORTED'],
    [`SELECT query_to_xml('SELECT set_config(''app.org_id'', ''${otherOrgId}'', true)', true, true, '')`, /^QUERY_/],
    [`DELETE FROM q.logs`, 'QUERY_NOT_SUPPORTED'],
    [`CREATE TEMP TABLE t AS SELECT 1`, /^QUERY_NOT/],
    [`SELECT 1; SELECT 2`, 'QUERY_SYNTAX'],
    [`SELECT pg_read_file('/etc/passwd')`, 'QUERY_NOT_SUPPORTED'],
  ])('the database refuses by itself: %s', async (text, code) => {
    const expected = typeof code === 'string' ? code : expect.stringMatching(code);
    await expect(run(await unguarded(text))).rejects.toMatchObject({ code: expected });
    expect(await rows('SELECT DISTINCT host FROM logs')).toEqual([['mine']]);
  });

  test.each(['1', `${orgId}'; SET ROLE x; --`, '', orgId.replace('0', 'g')])(
    'an organisation must be a UUID: %j',
    async (bad) => {
      await expect(run(await prepare('SELECT 1'), { orgId: bad })).rejects.toThrow('must be a UUID');
      expect(settled()).toBe(true);
    },
  );

  test('an ingest batch cuts the rows down, and must be a bigint', async () => {
    const text = 'SELECT count(*), min(bytes_in) FROM logs';
    expect(await rows(text, { ingestBatch: '8' })).toEqual([[500, 2001]]);
    expect(await rows(text, { ingestBatch: '9' })).toEqual([[0, null]]);
    expect(await rows(text)).toEqual([[rowsPerOrg, 1]]);
    for (const ingestBatch of ['', '-1', "1'", '9223372036854775808']) {
      await expect(rows(text, { ingestBatch })).rejects.toThrow('bigint');
    }
  });
});

describe('what passes the guard runs', () => {
  test.each(validQueries)('%s', async (text) => {
    const query = await prepare(text);
    const { columns } = await checkQuery({ postgres: pool }, query, { orgId });
    const batches = await run(query);
    expect(batches[0]?.columns).toEqual(columns);
  });
});

describe('the result streams', () => {
  test('in batches, with the columns in each, and every row once', async () => {
    const batches = await run(await prepare('SELECT bytes_in FROM logs ORDER BY bytes_in'), { batchRows: 400 });
    expect(batches.length).toBeGreaterThan(6);
    expect(Math.max(...batches.map((batch) => batch.rows.length))).toBe(400);
    expect(batches.flatMap((batch) => batch.rows.map(([n]) => n))).toEqual(
      Array.from({ length: rowsPerOrg }, (_, i) => i + 1),
    );
    expect(batches.every((batch) => batch.columns[0]?.name === 'bytes_in')).toBe(true);
  });

  test('an empty result has its columns', async () => {
    expect(await run(await prepare('SELECT host, bytes_in AS n FROM logs WHERE false'))).toEqual([
      {
        columns: [
          { name: 'host', type: 'STRING' },
          { name: 'n', type: 'LONG' },
        ],
        rows: [],
      },
    ]);
  });

  test('a result of the size of a fetch ends', async () => {
    expect(await rows('SELECT bytes_in FROM logs LIMIT 50')).toHaveLength(50);
    expect(await rows('SELECT bytes_in FROM logs LIMIT 3', { batchRows: 3 })).toHaveLength(3);
  });

  test('wide rows come in smaller batches', async () => {
    const text = `SELECT repeat('x', 10000) || repeat('y', 10000) || n FROM generate_series(1, 1500) n`;
    const sizes = (await run(await prepare(text))).map((batch) => batch.rows.length);
    expect(Math.max(...sizes)).toBeLessThan(300);
    expect(sizes.reduce((a, b) => a + b)).toBe(1_500);
  });

  test('giant values end the query, not the process', async () => {
    const text = `WITH RECURSIVE t(s) AS (SELECT repeat('x', 10000) UNION ALL SELECT s || s FROM t WHERE length(s) < 100000000)
                  SELECT s FROM t`;
    await expect(rows(text)).rejects.toMatchObject({ code: 'RESULT_TOO_LARGE' });
    expect(await rows('SELECT 1')).toEqual([[1]]);
  });

  test('a batch that was read is not kept', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const batches = runQuery({ postgres: pool }, await prepare('SELECT * FROM logs'), {
      orgId,
      timeoutMs: 20_000,
      batchRows: 100,
    });
    const first = new WeakRef((await batches.next()).value as Batch);
    for (let i = 0; i < 5; i++) await batches.next();
    // A target stays alive until the turn of the event loop in which it was made or looked at is over.
    await new Promise(setImmediate);
    collectGarbage();
    expect(first.deref()).toBeUndefined();
    await batches.return();
  });

  test('leaving the loop early frees the connection, and it is as good as new', async () => {
    for (let i = 0; i < 5; i++) {
      for await (const { rows } of runQuery({ postgres: pool }, await prepare('SELECT * FROM logs'), {
        orgId,
        timeoutMs: 5_000,
      })) {
        expect(rows).toHaveLength(50);
        break;
      }
    }
    expect(settled()).toBe(true);
    expect(await rows('SELECT count(*) FROM logs')).toEqual([[rowsPerOrg]]);
  });

  test('nothing of a run stays on the connection', async () => {
    await rows('SELECT 1');
    const { rows: left } = await pool.query(
      `SELECT current_setting('app.org_id', true) AS org, current_setting('search_path') AS path`,
    );
    expect(left[0]).toEqual({ org: '', path: '"$user", public' });
  });
});

describe('a run stops within a second', () => {
  const slow = `SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b`;
  const isRunning = () =>
    database.asSuperuser(
      `SELECT pid FROM pg_stat_activity WHERE datname = $1 AND usename = 'harborwatch_query' AND state = 'active' AND query = $2`,
      [database.name, slow],
    );

  test('when it is aborted while the database works, and the database stops too', async () => {
    const controller = new AbortController();
    const running = run(await prepare(slow), { signal: controller.signal });
    running.catch(() => {});
    await expect.poll(isRunning).toHaveLength(1);
    const abortedAt = performance.now();
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'QUERY_CANCELLED' });
    expect(performance.now() - abortedAt).toBeLessThan(1_000);
    await expect.poll(isRunning, { timeout: 1_000 }).toEqual([]);
    expect(settled()).toBe(true);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('when it is aborted although the pool is full of such queries', async () => {
    const controller = new AbortController();
    const query = await prepare(slow);
    const running = [1, 2, 3].map(() => run(query, { signal: controller.signal }));
    for (const each of running) each.catch(() => {});
    await expect.poll(isRunning).toHaveLength(2);
    const abortedAt = performance.now();
    controller.abort();
    for (const each of running) await expect(each).rejects.toMatchObject({ code: 'QUERY_CANCELLED' });
    expect(performance.now() - abortedAt).toBeLessThan(1_000);
    await expect.poll(isRunning, { timeout: 1_000 }).toEqual([]);
    await expect.poll(settled).toBe(true);
    expect(await rows('SELECT 1')).toEqual([[1]]);
  });

  test('when it is aborted between two batches', async () => {
    const controller = new AbortController();
    const batches = runQuery({ postgres: pool }, await prepare('SELECT * FROM logs'), {
      orgId,
      timeoutMs: 5_000,
      signal: controller.signal,
    });
    await batches.next();
    controller.abort();
    await expect(batches.next()).rejects.toMatchObject({ code: 'QUERY_CANCELLED' });
    expect(settled()).toBe(true);
  });

  test('when it is aborted after its last row, and whoever waits for its connection gets a whole one', async () => {
    const one = new pg.Pool({ connectionString: database.url('query'), max: 1 });
    one.on('error', () => {});
    const [query, controller] = [await prepare('SELECT 1'), new AbortController()];
    const ask = (signal?: AbortSignal) =>
      runQuery({ postgres: one }, query, { orgId, timeoutMs: 5_000, ...(signal && { signal }) });
    const aborted = ask(controller.signal);
    await aborted.next();
    const waiting = all(ask());
    controller.abort();
    await aborted.next();
    expect(await waiting).toHaveLength(1);
    await one.end();
  });

  test('when it was aborted before it began', async () => {
    await expect(run(await prepare(slow), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'QUERY_CANCELLED',
    });
    await expect.poll(settled).toBe(true);
  });

  test('when its time is over', async () => {
    const startedAt = performance.now();
    await expect(run(await prepare(slow), { timeoutMs: 200 })).rejects.toMatchObject({ code: 'QUERY_TIMEOUT' });
    expect(performance.now() - startedAt).toBeLessThan(1_200);
    await expect.poll(isRunning, { timeout: 1_000 }).toEqual([]);
  });

  test('when its connection breaks', async () => {
    const running = run(await prepare(slow));
    running.catch(() => {});
    await expect.poll(isRunning).toHaveLength(1);
    const [backend] = await database.asSuperuser<{ pid: number }>(
      `SELECT pg_terminate_backend(pid), pid FROM pg_stat_activity WHERE datname = $1 AND query = $2`,
      [database.name, slow],
    );
    expect(backend?.pid).toBeGreaterThan(0);
    await expect(running).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(await rows('SELECT 1')).toEqual([[1]]);
  });

  test('when the database cannot be reached at all', async () => {
    const nowhere = new pg.Pool({ connectionString: 'postgres://x@127.0.0.1:1/x' });
    const query = await prepare('SELECT 1');
    await expect(all(runQuery({ postgres: nowhere }, query, { orgId, timeoutMs: 1_000 }))).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
    await expect(checkQuery({ postgres: nowhere }, query, { orgId })).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
    await nowhere.end();
  });
});

describe('errors are the caller’s to read', () => {
  test.each([
    ['SELECT mesage FROM logs', 'QUERY_UNKNOWN_COLUMN', 'There is no column "mesage". Did you mean "message"?', 1, 8],
    [
      `SELECT 'é😀',\n l.hsot FROM logs l`,
      'QUERY_UNKNOWN_COLUMN',
      'There is no column "hsot". Did you mean "host"?',
      2,
      2,
    ],
    ['SELECT org_id FROM logs', 'QUERY_UNKNOWN_COLUMN', 'There is no column "org_id".', 1, 8],
    ['SELECT EventID, EventIDD FROM SecurityEvent', 'QUERY_UNKNOWN_COLUMN', 'Did you mean "EventID"?', 1, 17],
    ['SELECT x.host FROM logs', 'QUERY_UNKNOWN_TABLE', 'no table or alias "x"', 1, 8],
    ['SELECT host + 1 FROM logs', 'QUERY_SYNTAX', 'Operator does not exist: text + integer.', 1, 13],
    ['SELECT upper(1, 2)', 'QUERY_SYNTAX', 'Function upper(integer, integer) does not exist.', 1, 8],
    ['SELECT host FROM logs GROUP BY severity', 'QUERY_SYNTAX', 'must appear in the GROUP BY clause', 1, 8],
    ["SELECT 'x'::int", 'QUERY_FAILED', 'Invalid input syntax for type integer: "x".', 1, 8],
    ['SELECT host, host FROM logs ORDER BY 3', 'QUERY_SYNTAX', 'ORDER BY position 3', 1, 38],
  ])('at submit: %j', async (text, code, message, line, column) => {
    const error = await checkQuery({ postgres: pool }, await prepare(text), { orgId }).catch((error) => error);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message), details: { line, column } });
    expect(await checkQuery({ postgres: pool }, await prepare('SELECT 1'), { orgId })).toMatchObject({
      columns: [{ type: 'LONG' }],
    });
  });

  test.each([
    ['SELECT 1 / (bytes_in - bytes_in) FROM logs', 'Division by zero.'],
    ['SELECT message::int FROM logs ORDER BY bytes_in', 'Invalid input syntax for type integer: "event 1".'],
    ['SELECT (SELECT bytes_in FROM logs)', 'More than one row returned by a subquery used as an expression.'],
    ['SELECT 9223372036854775807 + bytes_in FROM logs', 'Bigint out of range.'],
  ])('at run: %s', async (text, message) => {
    await expect(rows(text)).rejects.toMatchObject({ code: 'QUERY_FAILED', message });
    expect(settled()).toBe(true);
  });

  test('nothing is told of what lies behind the datasets', async () => {
    const texts = [
      'SELECT 1 FROM app.nothing',
      'SELECT * FROM app.users',
      'SELECT app.ensure_partition(1)',
      'SELECT q.no_such(1)',
      `SELECT 'app.nothing'::regclass`,
      'INSERT INTO q.logs DEFAULT VALUES',
    ];
    for (const text of texts) {
      const { message } = await run(await unguarded(text)).catch((error) => error);
      expect(message).not.toMatch(/app\.|nothing|users|ensure|schema|polic|permission|harborwatch/i);
    }
  });
});

describe('values are JSON with all their digits', () => {
  const value = async (expression: string) => {
    const [batch] = await run(await prepare(`SELECT ${expression} AS v`));
    return [batch?.columns[0]?.type, batch?.rows[0]?.[0]];
  };
  test.each<[string, string, JsonValue]>([
    ['1::smallint', 'LONG', 1],
    ['9007199254740991', 'LONG', 9007199254740991],
    ['9007199254740992', 'LONG', '9007199254740992'],
    ['-9223372036854775808', 'LONG', '-9223372036854775808'],
    ['1.50', 'DECIMAL', '1.50'],
    [`'NaN'::numeric`, 'DECIMAL', 'NaN'],
    ['0.1::float8 + 0.2::float8', 'REAL', 0.30000000000000004],
    [`'NaN'::float8`, 'REAL', 'NaN'],
    [`'-Infinity'::float4`, 'REAL', '-Infinity'],
    ['true', 'BOOL', true],
    ['NULL::int', 'LONG', null],
    [`'x'`, 'STRING', 'x'],
    [`'\\x00ff'::bytea`, 'STRING', 'AP8='],
    [`'10.0.0.0/8'::inet`, 'STRING', '10.0.0.0/8'],
    [`'{0f8fad5b-d9cb-469f-a165-70867728950e}'::uuid`, 'GUID', '0f8fad5b-d9cb-469f-a165-70867728950e'],
    [`'2015-05-17 10:05:03.120001+02'::timestamptz`, 'DATETIME', '2015-05-17T08:05:03.120001Z'],
    [`'2015-05-17 10:05:03.12'::timestamp`, 'DATETIME', '2015-05-17T10:05:03.12Z'],
    [`'2015-05-17'::timestamptz`, 'DATETIME', '2015-05-17T00:00:00Z'],
    [`'infinity'::timestamptz`, 'DATETIME', 'infinity'],
    [`'12015-05-17'::timestamptz`, 'DATETIME', '+012015-05-17T00:00:00Z'],
    [`'0044-03-15 BC'::timestamptz`, 'DATETIME', '-000043-03-15T00:00:00Z'],
    [`'0001-01-01 BC'::date`, 'DATE', '0000-01-01'],
    [`'2015-05-17'::date`, 'DATE', '2015-05-17'],
    [`'10:05:03.5'::time`, 'STRING', '10:05:03.5'],
    [`interval '1 day 2 hours 3.5 seconds'`, 'TIMESPAN', 'P1DT2H3.5S'],
    [
      `'{"a":[1,12345678901234567890,1.5,"12345678901234567890"]}'::jsonb`,
      'DYNAMIC',
      { a: [1, '12345678901234567890', 1.5, '12345678901234567890'] },
    ],
    [`'"x"'::json`, 'DYNAMIC', 'x'],
    [`'null'::json`, 'DYNAMIC', null],
    [`ARRAY[1, NULL, 9007199254740993]`, 'DYNAMIC', [1, null, '9007199254740993']],
    [
      `ARRAY[['a"b', 'NULL'], ['c,d', '{}']]`,
      'DYNAMIC',
      [
        ['a"b', 'NULL'],
        ['c,d', '{}'],
      ],
    ],
    [`ARRAY['2015-05-17'::timestamptz]`, 'DYNAMIC', ['2015-05-17T00:00:00Z']],
    [`ARRAY['{"a":1}'::jsonb]`, 'DYNAMIC', [{ a: 1 }]],
    [`ARRAY[true, false]`, 'DYNAMIC', [true, false]],
    [`'{}'::text[]`, 'DYNAMIC', []],
    [`int4range(1, 5)`, 'STRING', '[1,5)'],
    [`ARRAY['::1'::inet]`, 'DYNAMIC', ['::1']],
  ])('%s', async (expression, type, expected) => {
    expect(await value(expression)).toEqual([type, expected]);
  });

  test('repeated column names are made unique', async () => {
    const { columns } = await checkQuery(
      { postgres: pool },
      await prepare('SELECT count(*), count(*), 1 AS count_2, count(*) FROM logs'),
      { orgId },
    );
    expect(columns.map(({ name }) => name)).toEqual(['count', 'count_3', 'count_2', 'count_4']);
  });
});

test('an estimate is the planner’s, without running the query', async () => {
  const { rows, cost } = await estimateQuery({ postgres: pool }, await prepare('SELECT * FROM logs'), { orgId });
  expect(rows).toBeGreaterThan(0);
  expect(cost).toBeGreaterThan(0);
  const query = await prepare(`SELECT 1,\n 1 / 0, nope FROM logs`);
  await expect(estimateQuery({ postgres: pool }, query, { orgId })).rejects.toMatchObject({
    details: { line: 2, column: 9 },
  });
});
