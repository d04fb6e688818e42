/** Alerts about queues: raised for what is wrong, told once when they begin and once when they end. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { takeWatch } from '../../platform/system/queue-figures.js';
import { makeOrg } from '../../tests/setup/database.js';
import { setLimits } from '../../tests/setup/quotas.js';
import { eventually } from '../../tests/setup/until.js';
import { createJobsTest, type JobsTest } from './testing.js';
import { type PastJob, storeHistory } from './testing-history.js';
import { lookAtQueues } from './worker/queue-watch.js';

let t: JobsTest;
let made = 0;
const newOrg = () => {
  made += 1;
  return makeOrg(t.platform, `alerts-${made}`);
};
const job = (given: Partial<PastJob>, count = 1): PastJob[] =>
  Array.from({ length: count }, () => ({
    status: 'COMPLETED',
    priority: 'NORMAL',
    executionUs: 1_000,
    delayUs: 1_000,
    endedAgoUs: 60e6,
    hasBegun: true,
    isReuse: false,
    waitsUs: 0,
    rows: 0,
    ...given,
  }));
const waiting = (count: number) => job({ status: 'PENDING', hasBegun: false, endedAgoUs: null }, count);
const failed = (count: number) => job({ status: 'FAILED' }, count);

const addWorker = (pool: string) =>
  t.database.asSuperuser('INSERT INTO app.job_workers (worker_id, pool, concurrency) VALUES ($1, $2, 4)', [
    crypto.randomUUID(),
    pool,
  ]);
/** Nobody reports in these tests, and what does not report is forgotten. */
const keepWorkers = () => t.database.asSuperuser(`UPDATE app.job_workers SET seen_at = now() + interval '1 hour'`);
/** Lets that much time pass since what alerts are about was there last. */
const letBeQuiet = ({ orgId }: Identity, seconds = 121) =>
  t.database.asSuperuser(
    `UPDATE app.queue_alerts SET quiet_since = quiet_since - $2 * interval '1 second' WHERE org_id = $1`,
    [orgId, seconds],
  );
const look = () => lookAtQueues(t.platform);
const alerts = async (identity: Identity) => {
  const query = '{ queueStats { alerts { kind severity value threshold since message } } }';
  return (await t.ask(identity, query)).queueStats.alerts as Record<string, unknown>[];
};
const kinds = async (identity: Identity) => (await alerts(identity)).map(({ kind }) => kind);
const entries = async ({ orgId }: Identity) => {
  const rows = await t.database.asSuperuser<{ text: string }>(
    `SELECT payload ->> 'op' || ' ' || (payload ->> 'instanceId') || ' ' || (payload ->> 'priority') AS text FROM app.outbox
      WHERE org_id = $1 AND type = 'audit.entry' AND payload ->> 'op' IN ('queue.degraded', 'queue.recovered') ORDER BY seq`,
    [orgId],
  );
  return rows.map(({ text }) => text);
};

beforeAll(async () => {
  t = await createJobsTest();
  await addWorker('shared');
  await keepWorkers();
});
afterAll(() => t.close());

describe('alerts', () => {
  test.each<[string, PastJob[], string[]]>([
    ['a queue that is as it should be has none', [...waiting(20), ...failed(1), ...job({}, 19)], []],
    ['more than 20 jobs that only want a worker', waiting(21), ['QUEUE_DEPTH']],
    ['more than 50 jobs that wait', waiting(51), ['PENDING_JOBS', 'QUEUE_DEPTH']],
    ['more than 5 % of the jobs that ran have failed', [...failed(2), ...job({}, 18)], ['ERROR_RATE']],
    ['of few jobs the share of the failed ones tells nothing', failed(19), []],
    ['what failed over an hour ago is forgotten', job({ status: 'FAILED', endedAgoUs: 4_000e6 }, 30), []],
    ['one in twenty jobs takes over a minute', [...job({ executionUs: 61e6 }, 2), ...job({}, 18)], ['SLOW_JOBS']],
    [
      'jobs start too late for their priority',
      [...job({ priority: 'HIGH', delayUs: 11e6 }, 2), ...job({}, 18)],
      ['LATE_STARTS'],
    ],
    [
      'jobs that wait for too long count as late',
      [...job({}, 19), ...job({ status: 'PENDING', hasBegun: false, endedAgoUs: null, waitsUs: 61e6 }, 2)],
      ['LATE_STARTS'],
    ],
  ])('%s', async (_, jobs, expected) => {
    const identity = await newOrg();
    await storeHistory(t, identity, jobs);
    expect(await kinds(identity)).toEqual(expected);
  });

  test('jobs that wait for the organisation’s own quota ask for no worker', async () => {
    const identity = await newOrg();
    await setLimits(t, identity, { runningJobs: 2 });
    await storeHistory(t, identity, waiting(60));
    expect(await kinds(identity)).toEqual(['PENDING_JOBS']);
  });

  test('a dedicated pool without a live worker is told, and its workers end that', async () => {
    const identity = await newOrg();
    await t.database.asSuperuser(`UPDATE app.orgs SET worker_pool = 'gold' WHERE id = $1`, [identity.orgId]);
    expect(await alerts(identity)).toMatchObject([
      { kind: 'POOL_WITHOUT_WORKERS', severity: 'HIGH', value: 0, threshold: 1 },
    ]);
    await addWorker('gold');
    await eventually(async () => expect(await kinds(identity)).toEqual([]));
  });

  test('callbacks that were given up are told for a day from then on, however long they were tried', async () => {
    const identity = await newOrg();
    const { id } = await t.submit(identity, { query: 'SELECT 1' });
    await t.database.asSuperuser(
      `INSERT INTO app.job_callbacks (org_id, job_id, url, type, status, next_attempt_at, created_at, died_at)
       VALUES ($1, $2, 'https://receiver.example/', 'job.completed', 'DEAD', NULL, now() - interval '24 hours', now())`,
      [identity.orgId, id],
    );
    expect(await kinds(identity)).toEqual(['DEAD_CALLBACKS']);
    await t.database.asSuperuser(
      `UPDATE app.job_callbacks SET died_at = now() - interval '25 hours' WHERE org_id = $1`,
      [identity.orgId],
    );
    await eventually(async () => expect(await kinds(identity)).toEqual([]));
  });
});

describe('the watch', () => {
  test('tells an alert once when it begins and once when it ends, however often and wherever it looks', async () => {
    const [identity, other] = [await newOrg(), await newOrg()];
    await storeHistory(t, identity, waiting(51));
    await storeHistory(t, other, waiting(1));
    const lookThrice = async () => {
      for (let n = 0; n < 3; n++) await Promise.all([look(), look(), look()]);
    };
    await lookThrice();
    const begun = ['queue.degraded PENDING_JOBS WARN', 'queue.degraded QUEUE_DEPTH WARN'];
    expect(await entries(identity)).toEqual(begun);
    const on = await alerts(identity);
    expect(on.map(({ since }) => since)).toEqual([expect.any(String), expect.any(String)]);
    await t.ask(identity, 'mutation { flushQueue }');
    await lookThrice();
    await letBeQuiet(identity);
    await lookThrice();
    const ended = (await entries(identity)).slice(2);
    expect(ended.toSorted()).toEqual(['queue.recovered PENDING_JOBS WARN', 'queue.recovered QUEUE_DEPTH WARN']);
    await storeHistory(t, identity, waiting(21));
    await lookThrice();
    expect((await entries(identity)).slice(4)).toEqual(['queue.degraded QUEUE_DEPTH WARN']);
    expect(await entries(other)).toEqual([]);
  });

  test('tells nothing of a queue that goes back and forth over a threshold, but that it began and that it ended', async () => {
    const identity = await newOrg();
    for (let round = 0; round < 3; round++) {
      await storeHistory(t, identity, waiting(21));
      await look();
      await t.ask(identity, 'mutation { flushQueue }');
      await look();
      await letBeQuiet(identity, 100);
    }
    expect(await entries(identity)).toEqual(['queue.degraded QUEUE_DEPTH WARN']);
    expect(await kinds(identity)).toEqual([]);
    await look();
    await letBeQuiet(identity);
    await look();
    expect((await entries(identity)).slice(1)).toEqual(['queue.recovered QUEUE_DEPTH WARN']);
  });

  test('takes its turn: of many processes one looks in an interval', async () => {
    const takes = await Promise.all(Array.from({ length: 8 }, () => takeWatch(t.platform.postgres, 60_000)));
    expect(takes.filter(Boolean)).toHaveLength(1);
    expect(await takeWatch(t.platform.postgres, 0)).toBe(true);
  });
});
