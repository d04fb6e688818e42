/** What has to be true of the jobs after the storm, read from the rows and asked at the gateway. */
import { expect } from 'vitest';
import type { Identity } from '../../../platform/identity.js';
import { eventually } from '../../setup/until.js';
import type { Struck } from './chaos.js';
import type { Customers } from './customers.js';
import { type Order, primerKey } from './orders.js';
import type { JobsSystem } from './system.js';
import type { Watcher } from './watchers.js';

/** An order with the job that answered it. */
export interface Placed {
  order: Order;
  id: string;
}

/** Every acknowledged submission is one job, in the one terminal state that is its truth. */
export async function expectEnds(system: JobsSystem, placed: Placed[]): Promise<void> {
  const rows = await system.asSuperuser<{ id: string; key: string; status: string; code: string | null }>(
    `SELECT id, idempotency_key AS key, status, error ->> 'code' AS code FROM app.jobs`,
  );
  const jobs = new Map(rows.map(({ id, ...job }) => [id, job]));
  expect(jobs.size).toBe(placed.length);
  const wrong = placed.filter(({ order: { key, end }, id }) => {
    const job = jobs.get(id);
    return job?.key !== key || job.status !== end.status || job.code !== end.code;
  });
  expect(wrong.map(({ order: { key, end }, id }) => ({ id, key, end, is: jobs.get(id) }))).toEqual([]);
}

/** What is stored of a result is of its last attempt alone, without gap or double, and nothing is stored of other jobs. */
export async function expectWholeResults(system: JobsSystem, placed: Placed[]): Promise<void> {
  const chunks = await system.asSuperuser<{ id: string; attempts: number[]; rows: number[]; isLast: boolean }>(
    `SELECT job_id AS id, array_agg(DISTINCT r.attempt) AS attempts, bool_and(r.attempt = j.attempt) AS "isLast",
            array_agg(ARRAY[first_row, row_count] ORDER BY first_row) AS rows
       FROM app.job_results r JOIN app.jobs j ON j.org_id = r.org_id AND j.id = r.job_id GROUP BY job_id`,
  );
  const stored = new Map(chunks.map(({ id, ...chunk }) => [id, chunk]));
  const wrong = placed.filter(({ order: { rows }, id }) => {
    const job = stored.get(id);
    if (rows.length === 0 || !job) return rows.length > 0 || job !== undefined;
    let next = 0;
    const isWhole = (job.rows as unknown as [number, number][]).every(([first, count]) => {
      const follows = first === next;
      next += count;
      return follows;
    });
    return !isWhole || next !== rows.length || job.attempts.length !== 1 || !job.isLast;
  });
  expect(wrong.map(({ order: { key }, id }) => ({ id, key, stored: stored.get(id) }))).toEqual([]);
}

/** Every job has exactly one last event, and every organisation's subscriber got each of its events once, in their order. */
export async function expectAllEvents(system: JobsSystem, watchers: Watcher[], placed: Placed[]): Promise<void> {
  const rows = await system.asSuperuser<{ id: string; types: string[] }>(
    'SELECT job_id AS id, json_agg(type ORDER BY tx, seq) AS types FROM app.job_events GROUP BY job_id',
  );
  const stored = new Map(rows.map(({ id, types }) => [id, types]));
  const isLast = (type: string) => ['COMPLETED', 'FAILED', 'CANCELLED'].includes(type);
  const wrong = placed.filter(({ id, order: { end } }) => {
    const types = stored.get(id) ?? [];
    return types.filter(isLast).length !== 1 || types.at(-1) !== end.status || types[0] !== 'SUBMITTED';
  });
  expect(wrong.map(({ id }) => ({ id, types: stored.get(id) }))).toEqual([]);

  const ordered = placed.filter(({ order: { key } }) => !key.startsWith(primerKey)); // Those began before the stream.
  await eventually(() => {
    const unseen = ordered.filter(({ id, order }) => !watchers[order.org]!.sawEndOf(id));
    expect(unseen.map(({ id }) => id)).toEqual([]);
  });
  const different = ordered.filter(
    ({ id, order }) => watchers[order.org]!.eventsOf(id).join() !== stored.get(id)!.join(),
  );
  expect(
    different.map(({ id, order }) => ({ id, came: watchers[order.org]!.eventsOf(id), stored: stored.get(id) })),
  ).toEqual([]);
  expect(watchers.flatMap(({ objections }) => objections)).toEqual([]);
}

/** Callers read of every job what is true. */
export async function expectReadableResults(customers: Customers, orgs: Identity[], placed: Placed[]): Promise<void> {
  const query = `query ($id: ID!) { job(id: $id) {
    status resultCount error { code } progress { percent } results(first: 10000) { nodes totalCount { value } } } }`;
  interface Answer {
    job: {
      status: string;
      resultCount: number | null;
      error: { code: string } | null;
      progress: { percent: number };
      results: { nodes: { n: number }[]; totalCount: { value: number } } | null;
    };
  }
  const check = async ({ order, id }: Placed) => {
    const { data } = await customers.ask<Answer>(orgs[order.org]!, query, { id });
    const { job } = data;
    expect([job.status, job.error?.code ?? null]).toEqual([order.end.status, order.end.code]);
    if (order.end.status !== 'COMPLETED') return;
    expect([job.resultCount, job.progress.percent]).toEqual([order.rows.length, 100]);
    const values = job.results!.nodes.map(({ n }) => Number(n)).sort((a, b) => a - b);
    expect(values).toEqual(order.rows);
  };
  const waiting = [...placed];
  const readers = Array.from({ length: 8 }, async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await check(next);
  });
  await Promise.all(readers);
}

/** How many jobs needed how many attempts, such as `1: 280, 2: 18`. */
export async function attemptsHistogram(system: JobsSystem): Promise<string> {
  const rows = await system.asSuperuser<{ attempt: number; jobs: number }>(
    'SELECT attempt, count(*)::int AS jobs FROM app.jobs GROUP BY attempt ORDER BY attempt',
  );
  return rows.map(({ attempt, jobs }) => `${attempt}: ${jobs}`).join(', ');
}

/** How long after a blow the first job ended that started when what was struck was back. */
export async function recoveryMs(system: JobsSystem, { at, backAt }: Struck): Promise<number> {
  const [row] = await system.asSuperuser<{ ms: number }>(
    `SELECT (extract(epoch FROM min(completed_at) - $1::timestamptz) * 1000)::int AS ms
       FROM app.jobs WHERE started_at > $2 AND status = 'COMPLETED'`,
    [at, backAt],
  );
  return row!.ms;
}
