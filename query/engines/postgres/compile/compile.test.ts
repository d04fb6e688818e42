import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/setup/database.js';
import {
  column,
  distinct,
  extend,
  filter,
  join,
  limit,
  literal,
  project,
  scan,
  sort,
  summarize,
  union,
  values,
} from '../../../plan/build.js';
import { aggregate, call } from '../../../plan/functions/index.js';
import type { Expr, Plan } from '../../../plan/types.js';
import type { PlanQuery } from '../../../prepared-query.js';
import type { JsonValue } from '../../../result.js';
import { checkQuery } from '../check.js';
import { runPlan } from '../run.js';
import { inSession } from '../session.js';
import { compilePlan } from './compile.js';

const orgId = '00000000-0000-4000-8000-000000000001';
let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  for (let month = 1; month <= 6; month++) {
    await database.asSuperuser(`SELECT app.ensure_partition('security_events', $1)`, [`2024-0${month}-01`]);
  }
  await database.asSuperuser(
    `INSERT INTO app.security_events (org_id, batch_no, "TimeGenerated", "EventID", "Account", "Computer")
     SELECT $1, 1, '2024-01-01'::timestamptz + n * interval '10 minutes', 4600 + n % 100, 'account' || n % 500, 'host' || n % 50
       FROM generate_series(1, 25000) n`,
    [orgId],
  );
  await database.asSuperuser('ANALYZE app.security_events');
  pool = new pg.Pool({ connectionString: database.url('query'), max: 2 });
  pool.on('error', () => {});
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

const events = (bounds: { from?: string; to?: string } = {}): Plan =>
  scan({
    dataset: 'security_events',
    timeColumn: 'TimeGenerated',
    columns: [
      { name: 'TimeGenerated', type: 'datetime' },
      { name: 'EventID', type: 'long' },
      { name: 'Account', type: 'string' },
      { name: 'Computer', type: 'string' },
      { name: 'IpAddress', type: 'string' },
      { name: 'attributes', type: 'dynamic' },
      { name: '_id', type: 'string' },
    ],
    nullStrings: false,
    ...bounds,
  });

const col = (plan: Plan, name: string) => column(plan.columns.find((each) => each.name === name)!);
const countOf = (plan: Plan) => summarize(plan, [], [{ kind: 'aggregate', name: 'n', ...aggregate('count', []) }]);

async function run(plan: Plan): Promise<JsonValue[][]> {
  const rows: JsonValue[][] = [];
  for await (const batch of runPlan(pool, plan, { orgId, timeoutMs: 20_000 })) rows.push(...batch.rows);
  return rows;
}

/** PostgreSQL's plan for what the engine sends, as text. */
async function explain(plan: Plan): Promise<string> {
  const { text, values: parameters } = compilePlan(plan);
  const { rows } = await inSession(pool, { orgId, timeoutMs: 10_000 }, (client) =>
    client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, parameters),
  );
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

const partitions = (explained: string) => new Set(explained.match(/security_events_y2024m\d\d\b/g));

describe('PostgreSQL reads no more than it has to', () => {
  test('partitions outside the scan’s bounds, and outside a filter’s, are pruned', async () => {
    expect(partitions(await explain(events())).size).toBe(6);
    const ofMarch = events({ from: '2024-03-01T00:00:00Z', to: '2024-03-08T00:00:00Z' });
    expect([...partitions(await explain(countOf(ofMarch)))]).toEqual(['security_events_y2024m03']);
    const all = events();
    const late = filter(all, call('>=', [col(all, 'TimeGenerated'), literal('datetime', '2024-05-02T00:00:00Z')]));
    expect(partitions(await explain(countOf(late))).size).toBe(2);
  });

  test('the newest events come from the index on time, partition by partition', async () => {
    const newest = limit(
      sort(events(), [{ value: col(events(), 'TimeGenerated'), descending: true, nullsFirst: false }]),
      10,
    );
    const explained = await explain(newest);
    expect(explained).not.toMatch(/\bSort\b/);
    expect(explained).toMatch(/Index Scan Backward/);
  });

  test.each<[string, (plan: Plan) => Expr]>([
    ['a text', (plan) => call('==', [col(plan, 'Account'), literal('string', 'account7')])],
    [
      'one of several texts',
      (plan) => call('in', [col(plan, 'Account'), literal('string', 'account7'), literal('string', 'x')]),
    ],
    ['a long that is stored as an integer', (plan) => call('==', [col(plan, 'EventID'), literal('long', 4624)])],
    ['one of several', (plan) => call('in', [col(plan, 'EventID'), literal('long', 4624), literal('long', 4625)])],
  ])('an index finds %s', async (_what, predicate) => {
    const plan = events();
    const explained = await explain(countOf(filter(plan, predicate(plan))));
    expect(explained).toMatch(/Index Cond: .*("Account"|"EventID") = /);
  });

  test('columns that nobody uses are not read', () => {
    const plan = events();
    const { text } = compilePlan(
      project(filter(plan, call('==', [col(plan, 'EventID'), literal('long', 1)])), [
        { name: 'a', value: col(plan, 'Account') },
      ]),
    );
    expect(text).not.toMatch(/attributes|Computer|e\.id/);
  });
});

describe('the text', () => {
  test('is a readable step after step, with every value beside it', () => {
    const plan = events({ from: '2024-01-01T00:00:00Z' });
    const failed = filter(plan, call('==', [col(plan, 'EventID'), literal('long', 4625)]));
    const counted = summarize(
      failed,
      [{ name: 'Account', value: col(failed, 'Account') }],
      [{ kind: 'aggregate', name: 'failures', ...aggregate('count', []) }],
    );
    const top = limit(sort(counted, [{ value: col(counted, 'failures'), descending: true, nullsFirst: false }]), 10);
    expect(compilePlan(top)).toEqual({
      text: `WITH scan1 AS (
  SELECT e."EventID", e."Account"
  FROM app."security_events" AS e
  WHERE e."TimeGenerated" >= $1::timestamptz
),
filter2 AS (
  SELECT scan1."Account"
  FROM scan1
  WHERE (scan1."EventID" = $2::bigint)
),
group3 AS (
  SELECT coalesce(filter2."Account", '') AS "Account", count(*) AS "failures"
  FROM filter2
  GROUP BY 1
),
limit4 AS (
  SELECT group3."Account", group3."failures"
  FROM group3
  ORDER BY group3."failures" DESC
  LIMIT 10
)
SELECT limit4."Account" AS "Account", limit4."failures" AS "failures"
FROM limit4
ORDER BY limit4."failures" DESC`,
      values: ['2024-01-01T00:00:00Z', '4625'],
    });
  });

  test('holds no value of the plan', () => {
    const evil = `'); DROP TABLE app.logs; --"$1`;
    const plan = events();
    const { text, values: parameters } = compilePlan(
      extend(filter(plan, call('has', [col(plan, 'Account'), literal('string', evil)])), [
        { name: 'x', value: literal('string', evil) },
      ]),
    );
    expect(text).not.toContain('DROP');
    expect(parameters.join()).toContain('DROP');
  });

  test('a name of a column cannot leave its quotes', async () => {
    const name = `a" FROM app.users --`;
    const plan = values([{ name, type: 'long' }], [[1]]);
    expect(await run(plan)).toEqual([[1]]);
  });
});

describe('errors of the run', () => {
  const failing = () => {
    const plan = values([{ name: 'n', type: 'long' }], [['9223372036854775807']]);
    return extend(plan, [{ name: 'm', value: call('+', [col(plan, 'n'), literal('long', 1)]) }]);
  };
  test('are the caller’s to read, without a place in a text that is not theirs', async () => {
    const error = await run(failing()).catch((error) => error);
    expect(error).toMatchObject({ code: 'QUERY_FAILED', details: { argument: 'query' } });
    expect(error.details).not.toHaveProperty('line');
    expect(error.message).not.toMatch(/extend|values|\$\d|SELECT|fn\./);
    expect(pool.totalCount - pool.idleCount).toBe(0);
  });

  test('a compiled plan stops when it is told to, and at its timeout', async () => {
    const numbers = (name: string): Plan => ({
      op: 'range',
      columns: [{ name, type: 'long' }],
      from: literal('long', 1),
      to: literal('long', 1_000_000),
      step: literal('long', 1),
    });
    const slow = countOf(join('CROSS', numbers('a'), numbers('b'), []));
    const consume = async (options: { timeoutMs: number; signal?: AbortSignal }) => {
      for await (const _ of runPlan(pool, slow, { orgId, ...options }));
    };
    await expect(consume({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'QUERY_TIMEOUT' });
    const startedAt = performance.now();
    await expect(consume({ timeoutMs: 20_000, signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
      code: 'QUERY_CANCELLED',
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('checking a plan describes its columns, and runs nothing', async () => {
    const query: PlanQuery = {
      form: 'PLAN',
      language: 'KQL',
      source: '',
      datasets: [],
      knownColumns: [],
      rowWise: { ok: true },
      plan: failing(),
    };
    expect(await checkQuery(pool, query, { orgId })).toEqual({
      columns: [
        { name: 'n', type: 'LONG' },
        { name: 'm', type: 'LONG' },
      ],
    });
  });
});

describe('plans of any size', () => {
  const chain = (length: number, wrap: (plan: Plan, n: number) => Plan): Plan => {
    let plan: Plan = values([{ name: 's', type: 'string' }], [['x']]);
    for (let n = 0; n < length; n++) plan = wrap(plan, n);
    return plan;
  };
  const compiledWithinMs = (plan: Plan): number => {
    const startedAt = performance.now();
    compilePlan(plan);
    return performance.now() - startedAt;
  };

  test('10,000 terms are one parameter', async () => {
    const plan = events();
    const terms = Array.from({ length: 10_000 }, (_, n) => literal('string', `account${n}`));
    const found = filter(plan, call('in', [col(plan, 'Account'), ...terms]));
    expect(compiledWithinMs(countOf(found))).toBeLessThan(500);
    expect(compilePlan(countOf(found)).values).toHaveLength(1);
    expect(await run(countOf(found))).toEqual([[25_000]]);
  });

  test('1,000 filters and 300 columns run, one after the other', async () => {
    const filters = chain(1_000, (plan, n) => filter(plan, call('!=', [col(plan, 's'), literal('string', `y${n}`)])));
    expect(compiledWithinMs(filters)).toBeLessThan(1_000);
    expect(await run(filters)).toEqual([['x']]);
    const columns = chain(300, (plan, n) => extend(plan, [{ name: `c${n}`, value: literal('long', n) }]));
    expect((await run(columns))[0]).toHaveLength(301);
    const sorted = chain(40, (plan, n) =>
      limit(sort(plan, [{ value: col(plan, 's'), descending: n % 2 > 0, nullsFirst: true }]), 5),
    );
    expect(await run(sorted)).toEqual([['x']]);
  });

  test('1,000 relations in one union run', async () => {
    const one = values([{ name: 's', type: 'string' }], [['x']]);
    expect(await run(countOf(union(Array.from({ length: 1_000 }, () => one))))).toEqual([[1_000]]);
  });

  test('columns that are made of each other twice are worked out once', async () => {
    const numbers = (length: number) => {
      let plan: Plan = values([{ name: 'n', type: 'long' }], [[1]]);
      for (let n = 0; n < length; n++)
        plan = project(plan, [{ name: 'n', value: call('+', [col(plan, 'n'), col(plan, 'n')]) }]);
      return plan;
    };
    expect(await run(numbers(60))).toEqual([['1152921504606846976']]);
  });

  test('what is too large is refused, and the server lives', async () => {
    for (const length of [1_000, 20_000]) {
      const steps = chain(length, (plan) => distinct(plan));
      await expect(run(steps)).rejects.toMatchObject({
        code: 'QUERY_NOT_SUPPORTED',
        message: expect.stringContaining('steps'),
      });
    }
    expect(await run(values([{ name: 'n', type: 'long' }], [[1]]))).toEqual([[1]]);
  });
});
