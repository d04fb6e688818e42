/** Whose jobs start when the workers are full: a flood of one organisation's jobs, and tiers that all have a backlog. */
import { afterEach, expect, test } from 'vitest';
import type { Identity, Tier } from '../../platform/identity.js';
import { updateOrg } from '../../platform/system/accounts.js';
import { createJobsTest, type JobsTest } from '../../subgraphs/jobs/testing.js';
import { makeOrg } from '../setup/database.js';
import { eventually } from '../setup/until.js';

const isDeep = Boolean(process.env.HARBORWATCH_DEEP);
const tenants = isDeep ? 100 : 20;
const floodJobs = isDeep ? 10_000 : 1_000;
const waves = 5;
/** Of each organisation in a wave. */
const jobsAtOnce = 2;
const mostRatio = 2;
/** Of both workers together. */
const slots = 4;
const submittedAtOnce = 50;

let t: JobsTest;
let queries = 0;
afterEach(() => t.close());

/** A query of some 10 ms that nobody has asked before. */
async function submit(identity: Identity): Promise<string> {
  queries += 1;
  return (await t.submit(identity, { query: `SELECT count(*) + ${queries} AS n FROM generate_series(1, 100000)` })).id;
}

async function submitAll(identities: Identity[]): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < identities.length; at += submittedAtOnce) {
    ids.push(...(await Promise.all(identities.slice(at, at + submittedAtOnce).map(submit))));
  }
  return ids;
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

const waitingOf = async ({ orgId }: Identity): Promise<number> => {
  const [row] = await t.database.asSuperuser<{ count: number }>(
    `SELECT count(*)::int AS count FROM app.jobs WHERE org_id = $1 AND status = 'PENDING'`,
    [orgId],
  );
  return row!.count;
};

const allComplete = (ids: string[]) =>
  eventually(async () => {
    const left = await t.database.asSuperuser(
      `SELECT FROM app.jobs WHERE id = ANY($1) AND status <> 'COMPLETED' LIMIT 1`,
      [ids],
    );
    expect(left).toEqual([]);
  }, 120_000);

/** Waves of jobs of all these organisations at once, the next one when the one before is over: how many ms each waits. */
async function measureStarts(identities: Identity[]): Promise<number[]> {
  const ids: string[] = [];
  for (let wave = 0; wave < waves; wave++) {
    const submitted = await submitAll(times(jobsAtOnce, identities).flat());
    await allComplete(submitted);
    ids.push(...submitted);
  }
  const delays = await t.database.asSuperuser<{ ms: number }>(
    'SELECT (extract(epoch FROM first_started_at - created_at) * 1000)::float8 AS ms FROM app.jobs WHERE id = ANY($1)',
    [ids],
  );
  return delays.map(({ ms }) => ms);
}

const quantile = (values: number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1]!;

test(`a flood of ${floodJobs} jobs of one organisation at most doubles the p95 of the start delay of ${tenants - 1} others`, {
  timeout: 600_000,
}, async () => {
  t = await createJobsTest({ WORKER_CONCURRENCY: String(slots / 2) });
  const [flooder, ...others] = await Promise.all(
    Array.from({ length: tenants }, (_, n) => makeOrg(t.platform, `tenant-${n}`)),
  );
  await Promise.all([t.startWorker(), t.startWorker()]);
  await allComplete(await submitAll(others.slice(0, slots))); // connections and plans are made

  const before = await measureStarts(others);
  const flooding = submitAll(times(floodJobs, flooder!));
  await eventually(async () => expect(await waitingOf(flooder!)).toBeGreaterThan(floodJobs / 10));
  await flooding;
  const flooded = await measureStarts(others);
  const waiting = await waitingOf(flooder!);
  await t.ask(flooder!, 'mutation { flushQueue }');
  // Before and after: the machine may have other things to do at one time than at another.
  const calm = [...before, ...(await measureStarts(others))];

  const told = (delays: number[]) =>
    `p50 ${quantile(delays, 0.5).toFixed(0)} ms, p95 ${quantile(delays, 0.95).toFixed(0)} ms`;
  console.log(
    `Start delay of ${others.length} organisations' jobs: ${told(calm)}; with ${floodJobs} jobs of one more,`,
  );
  console.log(`of which ${waiting} still wait at the end: ${told(flooded)}`);
  expect(waiting).toBeGreaterThan(0);
  expect(quantile(flooded, 0.95)).toBeLessThanOrEqual(mostRatio * quantile(calm, 0.95));
});

test('while all tiers have jobs that wait, starts go 4 : 2 : 1', { timeout: 120_000 }, async () => {
  t = await createJobsTest({ WORKER_CONCURRENCY: String(slots / 2) });
  const weights: [Tier, number][] = [
    ['ENTERPRISE', 4],
    ['PRO', 2],
    ['BASIC', 1],
  ];
  const rounds = 30;
  const orgs = await Promise.all(
    weights.map(async ([tier, weight]) => {
      const identity = await makeOrg(t.platform, tier.toLowerCase());
      await updateOrg(t.platform.postgres, identity.orgId, { tier }, async () => {});
      return { ...identity, tier, weight };
    }),
  );
  // The least first: what came earlier counts within one organisation alone.
  const ids = await submitAll(orgs.toReversed().flatMap((org) => times(rounds * org.weight, org)));
  await Promise.all([t.startWorker(), t.startWorker()]);
  await allComplete(ids);
  const starts = await t.database.asSuperuser<{ org_id: string }>(
    'SELECT org_id FROM app.jobs ORDER BY first_started_at, id',
  );
  // Those that one claim starts come in any order.
  const tolerance = slots + 1;
  for (const { orgId, weight } of orgs) {
    let started = 0;
    for (const [index, start] of starts.entries()) {
      if (start.org_id === orgId) started += 1;
      expect(Math.abs(started - (weight / 7) * (index + 1))).toBeLessThanOrEqual(tolerance);
    }
    expect(started).toBe(rounds * weight);
  }
});
