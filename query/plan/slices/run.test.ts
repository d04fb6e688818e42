/** Slices on real PostgreSQL: put together they are the answer of one run. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../tests/setup/database.js';
import { runPlan } from '../../engines/postgres/run.js';
import type { JsonValue } from '../../result.js';
import { distinct, extend, filter, limit, literal, project, scan, sort, summarize } from '../build.js';
import { bindNow } from '../now.js';
import { optimize } from '../optimize/index.js';
import { col, count, descending, fn, is, keep, logColumns, long, named, of, text } from '../optimize/samples.js';
import type { Expr, Pick, Plan } from '../types.js';
import { type PartialResult, runInSlices, type SliceOptions, SlicesTooLarge } from './run.js';
import { canSlice, narrowed, type Slicing } from './slices.js';

const orgId = '00000000-0000-4000-8000-000000000001';
const logs = (): Plan => scan({ dataset: 'logs', timeColumn: 'timestamp', nullStrings: false, columns: logColumns });

let database: TestDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  for (const month of ['2024-01-01', '2024-02-01'])
    await database.asSuperuser(`SELECT app.ensure_partition('logs', $1)`, [month]);
  await database.asSuperuser(
    `INSERT INTO app.logs (org_id, batch_no, timestamp, severity, host, bytes_in)
     SELECT $1, 1, '2024-01-20'::timestamptz + n * interval '1 hour 7 minutes', (array['high', 'low', NULL])[1 + n % 3],
            'host ' || n % 11, nullif(n % 17, 0) * 1000000007::bigint
       FROM generate_series(1, 400) n`,
    [orgId],
  );
  pool = new pg.Pool({ connectionString: database.url('query'), max: 2 });
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

/** How many plans were run, beside what came of them. */
async function runSliced(plan: Plan, options: SliceOptions = {}, range = {}) {
  const plans: Plan[] = [];
  const states: PartialResult[] = [];
  const run = (each: Plan) => {
    plans.push(each);
    return runPlan(pool, each, { orgId, timeoutMs: 20_000 });
  };
  const slicing = canSlice(optimize(bindNow(narrowed(plan, range), '2024-06-01T00:00:00Z')));
  expect(slicing).toMatchObject({ ok: true });
  for await (const state of runInSlices(run, slicing as Slicing, options)) states.push(state);
  let rows: JsonValue[][] = [];
  for (const state of states) rows = state.mode === 'REPLACE' ? state.rows : [...rows, ...state.rows];
  return { plans, states, rows };
}

async function inOneRun(plan: Plan): Promise<JsonValue[][]> {
  const rows: JsonValue[][] = [];
  for await (const batch of runPlan(pool, plan, { orgId, timeoutMs: 20_000 })) rows.push(...batch.rows);
  return rows;
}

const inAnyOrder = (rows: JsonValue[][]) => rows.map((row) => JSON.stringify(row)).toSorted();
const newest = (input: Plan) => sort(input, [descending(col('timestamp'))]);
const host: Expr = col('host');
const latest: Pick = {
  kind: 'pick',
  by: col('timestamp'),
  which: 'GREATEST',
  columns: [named('last', col('timestamp')), named('bytes', col('bytes_in'))],
};
const since = fn('-', col('timestamp'), literal('datetime', '2024-01-01T00:00:00Z'));

const grouped = summarize(logs(), keep('host'), [
  count('n'),
  of('total', 'sum', col('bytes_in')),
  of('mean', 'avg', col('bytes_in')),
  of('least', 'min', col('bytes_in')),
  of('longest', 'max', since),
  latest,
]);

describe('slices put together are the answer of one run', () => {
  test.each<[string, Plan]>([
    ['filtered rows', filter(logs(), is(host, text('host 3')))],
    ['rows by time', newest(project(logs(), keep('timestamp', 'host')))],
    [
      'the first rows of an order',
      limit(sort(logs(), [descending(col('bytes_in')), descending(col('timestamp'))]), 7, 3),
    ],
    ['the newest rows', limit(newest(logs()), 5)],
    ['different rows', distinct(project(logs(), keep('host', 'severity')))],
    ['groups', grouped],
    [
      'what is made of groups',
      limit(
        sort(extend(grouped, [named('twice', fn('*', col('n'), long(2)))]), [descending(col('n')), descending(host)]),
        4,
      ),
    ],
    [
      'one group over all',
      summarize(logs(), [], [count('n'), of('mean', 'avg', col('bytes_in')), of('first', 'min', col('timestamp'))]),
    ],
    [
      'sets beside sums',
      summarize(logs(), keep('severity'), [
        of('hosts', 'make_set', host),
        of('some', 'dcount', col('bytes_in')),
        count('n'),
      ]),
    ],
    [
      'a group over no rows',
      summarize(
        filter(logs(), is(host, text('none'))),
        [],
        [count('n'), of('mean', 'avg', fn('todouble', col('bytes_in'))), of('m', 'max', col('bytes_in'))],
      ),
    ],
  ])('%s', async (_what, plan) => {
    const { rows, states } = await runSliced(plan);
    expect(inAnyOrder(rows)).toEqual(inAnyOrder(await inOneRun(plan)));
    expect(states.at(-1)?.covered).toBe(1);
    expect(states.slice(0, -1).every(({ covered }) => covered < 1)).toBe(true);
  });

  test('rows by time come in their order', async () => {
    const plan = newest(project(logs(), keep('timestamp')));
    expect((await runSliced(plan)).rows).toEqual(await inOneRun(plan));
  });
});

test('progress only grows, and each state covers all events since the moment that it names', async () => {
  const { states } = await runSliced(summarize(logs(), [], [count('n')]), { slices: 5 });
  expect(states).toHaveLength(5);
  for (const [index, { covered, since: from, rows }] of states.entries()) {
    if (index > 0) expect(covered).toBeGreaterThan(states[index - 1]!.covered);
    if (from === undefined) continue;
    const counted = summarize({ ...logs(), from } as Plan, [], [count('n')]);
    expect(rows).toEqual(await inOneRun(counted));
  }
});

test('the oldest slices are not looked at where the newest rows are enough', async () => {
  const { plans, states } = await runSliced(limit(newest(logs()), 1));
  // The ends of time, the first slice, and the result of it.
  expect(plans).toHaveLength(3);
  expect(states).toHaveLength(1);
});

test('a range cuts the events, and a plan over no events answers as well', async () => {
  const day = { from: '2024-01-25T00:00:00Z', to: '2024-01-26T00:00:00Z' };
  const counted = summarize(logs(), [], [count('n')]);
  expect((await runSliced(counted, {}, day)).rows).toEqual(
    await inOneRun({ ...counted, input: { ...logs(), ...day } } as Plan),
  );
  const empty = { from: '2020-01-01T00:00:00Z', to: '2020-02-01T00:00:00Z' };
  expect((await runSliced(counted, {}, empty)).rows).toEqual([[0]]);
  expect((await runSliced(newest(logs()), {}, empty)).states.at(-1)).toMatchObject({ covered: 1, rows: [] });
});

test('what would need more memory than it may have is given up', async () => {
  const grouped = summarize(logs(), keep('timestamp'), [count('n')]);
  await expect(runSliced(grouped, { maxKeptBytes: 3_000 })).rejects.toThrow(SlicesTooLarge);
});

test('a slice that takes its time is followed by shorter ones, and quick ones by ones that double what is covered', async () => {
  const counted = summarize(logs(), [], [count('n')]);
  const quick = await runSliced(counted, { slices: 4, sliceMs: 60_000 });
  expect(quick.states.map(({ covered }) => Math.round(covered * 1_000))).toEqual([125, 250, 500, 1_000]);
  const slow = await runSliced(newest(logs()), { slices: 4, sliceMs: 0.001 });
  expect(new Set(slow.states.map(({ covered }) => covered)).size).toBeGreaterThan(6);
  expect(slow.rows).toEqual(await inOneRun(newest(logs())));
});
