/** When jobs start while the workers do 80 % of what they can: what subgraphs/jobs/sla.ts promises, measured. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Identity, Tier } from '../../platform/identity.js';
import { updateOrg } from '../../platform/system/accounts.js';
import { startWithinMs } from '../../subgraphs/jobs/sla.js';
import { createJobsTest, type JobsTest } from '../../subgraphs/jobs/testing.js';
import { Random } from '../query/random/random.js';
import { makeOrg } from '../setup/database.js';
import { eventually } from '../setup/until.js';

type Priority = keyof typeof startWithinMs;

const isDeep = Boolean(process.env.HARBORWATCH_DEEP);
const loadSeconds = isDeep ? 300 : 12;
const measuredJobs = isDeep ? 200 : 40;
const share = 0.8;
const tiers: Tier[] = ['ENTERPRISE', 'PRO', 'BASIC', 'BASIC'];
/** Of ten jobs. */
const mix: Priority[] = ['HIGH', 'HIGH', 'NORMAL', 'NORMAL', 'NORMAL', 'NORMAL', 'NORMAL', 'LOW', 'LOW', 'LOW'];

let t: JobsTest;
let orgs: Identity[];
let queries = 0;
beforeAll(async () => {
  t = await createJobsTest({ WORKER_CONCURRENCY: '4' });
  orgs = await Promise.all(
    tiers.map(async (tier, at) => {
      const identity = await makeOrg(t.platform, `org-${at}`);
      // With the quotas of the tier.
      await updateOrg(t.platform.postgres, identity.orgId, { tier, limits: {} }, async () => {});
      return { ...identity, tier };
    }),
  );
});
afterAll(() => t.close());

/** A query that keeps the database busy for some 100 ms, and that nobody has asked before. */
const submit = (identity: Identity, priority: Priority) => {
  queries += 1;
  const query = `SELECT count(*) + ${queries} AS n FROM generate_series(1, 800000)`;
  return t.submit(identity, { query, priority });
};
const unfinished = async () => {
  const [row] = await t.database.asSuperuser<{ count: number }>(
    `SELECT count(*)::int AS count FROM app.jobs WHERE status <> 'COMPLETED'`,
  );
  return row!.count;
};
const allComplete = () => eventually(async () => expect(await unfinished()).toBe(0), 300_000);

/** Jobs a second, of a backlog of all organisations. */
async function measureCapacity(): Promise<number> {
  await Promise.all(Array.from({ length: measuredJobs }, (_, n) => submit(orgs[n % orgs.length]!, 'NORMAL')));
  const worker = await t.startWorker();
  await allComplete();
  const [row] = await t.database.asSuperuser<{ seconds: number }>(
    'SELECT extract(epoch FROM max(completed_at) - min(started_at))::float8 AS seconds FROM app.jobs',
  );
  await worker.stop(5_000);
  await t.database.asSuperuser('TRUNCATE app.jobs CASCADE');
  return measuredJobs / row!.seconds;
}

/** Submits at random moments, as many a second as `rate` in the mean, and waits until all have ended. */
async function load(rate: number): Promise<void> {
  const random = new Random(20_261_121);
  const submitting: Promise<unknown>[] = [];
  const began = performance.now();
  for (let atMs = 0; atMs < loadSeconds * 1_000; atMs += (-Math.log(1 - random.fraction()) * 1_000) / rate) {
    // By the clock, and not from one to the next: what is late is made up for.
    const early = began + atMs - performance.now();
    if (early > 0) await delay(early);
    submitting.push(submit(random.one(orgs), random.one(mix)));
  }
  await Promise.all(submitting);
  await allComplete();
}

test('no job starts later than its priority promises while the workers do 80 % of what they can', {
  timeout: (loadSeconds + 600) * 1_000,
}, async () => {
  const capacity = await measureCapacity();
  const worker = await t.startWorker();
  await load(share * capacity);
  await worker.stop(5_000);
  const delays = await t.database.asSuperuser<Record<'jobs' | 'p50' | 'p95' | 'max', number> & { priority: Priority }>(
    `SELECT priority, count(*)::int AS jobs, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) AS p95, max(ms) AS max
       FROM (SELECT priority::text, (extract(epoch FROM started_at - created_at) * 1000)::float8 AS ms FROM app.jobs) AS delays
      GROUP BY priority ORDER BY priority`,
  );
  console.log(
    `${capacity.toFixed(1)} jobs/s can be done; ${(share * capacity).toFixed(1)} jobs/s for ${loadSeconds} s:`,
  );
  for (const { priority, jobs, ...ms } of delays) {
    const figures = Object.entries(ms).map(([name, value]) => `${name} ${value.toFixed(0)} ms`);
    console.log(`  ${priority.padEnd(6)} ${jobs} jobs start after ${figures.join(', ')}`);
  }
  expect(delays.map(({ priority }) => priority)).toEqual(['HIGH', 'LOW', 'NORMAL']);
  for (const { priority, max } of delays) expect(max).toBeLessThanOrEqual(startWithinMs[priority]);
});
