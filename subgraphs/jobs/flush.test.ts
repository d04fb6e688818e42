/** flushQueue: cancels what waits and nothing else, whoever claims and flushes at the same time. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { LeaseStore } from './store/leases.js';
import { createJobsTest, type JobsTest } from './testing.js';

const isDeep = process.env.HARBORWATCH_DEEP !== undefined;

let t: JobsTest;
beforeEach(async () => {
  t = await createJobsTest();
});
afterEach(() => t.close());

const flush = async (identity: Identity): Promise<number> =>
  (await t.ask(identity, 'mutation { flushQueue }')).flushQueue;
const fill = ({ orgId }: Identity, count: number) =>
  t.database.asSuperuser(
    `INSERT INTO app.jobs (org_id, language, query, priority, timeout_ms, fingerprint)
     SELECT $1, 'SQL', 'SELECT 1', (ARRAY['LOW', 'NORMAL', 'HIGH'])[1 + n % 3]::app.job_priority, 1000, ''
       FROM generate_series(1, $2::int) AS n`,
    [orgId, count],
  );
const statuses = async ({ orgId }: Identity): Promise<Record<string, number>> => {
  const rows = await t.database.asSuperuser<{ status: string; count: number }>(
    'SELECT status, count(*)::int AS count FROM app.jobs WHERE org_id = $1 GROUP BY 1',
    [orgId],
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
};

describe('flushQueue', () => {
  test('and claims at the same time: each job is claimed or cancelled, never both, and the number is that of the cancelled', async () => {
    const [identity] = t.orgs;
    const leases = new LeaseStore(t.platform.postgres);
    for (let round = 0; round < (isDeep ? 20 : 3); round++) {
      await t.database.asSuperuser('DELETE FROM app.job_results');
      await t.database.asSuperuser(
        `UPDATE app.jobs SET status = 'CANCELLED', completed_at = now(), lease_until = NULL WHERE completed_at IS NULL`,
      );
      const before = (await statuses(identity)).CANCELLED ?? 0;
      await fill(identity, 200);
      const claimed: string[] = [];
      let isOver = false;
      const claiming = Array.from({ length: 3 }, async (_, worker) => {
        while (!isOver) {
          const jobs = await leases.claim('shared', `worker ${worker}`, 1 + worker * 2);
          claimed.push(...jobs.map(({ jobId }) => jobId));
          if (jobs.length === 0) break;
        }
      });
      const numbers = await Promise.all([flush(identity), flush(identity)]);
      isOver = true;
      await Promise.all(claiming);
      const cancelled = numbers[0]! + numbers[1]!;
      expect(new Set(claimed).size).toBe(claimed.length);
      const now = await statuses(identity);
      expect({ PENDING: 0, RUNNING: 0, ...now }).toEqual({
        PENDING: 0,
        RUNNING: claimed.length,
        CANCELLED: before + cancelled,
      });
      expect(claimed.length + cancelled).toBe(200);
    }
  }, 300_000);

  test('leaves running jobs and other organisations’ alone, and is written down', async () => {
    const [identity, other] = t.orgs;
    await fill(identity, 3);
    await new LeaseStore(t.platform.postgres).claim('shared', 'worker', 1);
    await fill(other, 2);
    expect(await flush(identity)).toBe(2);
    expect(await statuses(identity)).toEqual({ RUNNING: 1, CANCELLED: 2 });
    expect(await statuses(other)).toEqual({ PENDING: 2 });
    expect(await flush(identity)).toBe(0);
    const entries = await t.database.asSuperuser(
      `SELECT payload ->> 'who' AS who, payload -> 'data' ->> 'waiting' AS waiting FROM app.outbox
        WHERE org_id = $1 AND payload ->> 'op' = 'queue.flush' ORDER BY seq`,
      [identity.orgId],
    );
    expect(entries).toEqual([
      { who: 'admin@one.example', waiting: '2' },
      { who: 'admin@one.example', waiting: '0' },
    ]);
  });

  test('tells watchers, who see the end', async () => {
    const [identity] = t.orgs;
    const { id } = await t.submit(identity, { query: 'SELECT 1' });
    const states = t.watch(identity, 'subscription ($id: ID!) { jobProgress(id: $id) { status } }', { id });
    const seen: string[] = [];
    for await (const { status } of states) {
      seen.push(status);
      if (seen.length === 1) await flush(identity);
    }
    expect(seen.at(0)).toBe('PENDING');
    expect(seen.at(-1)).toBe('CANCELLED');
  });

  test(`cancels ${isDeep ? '10,000' : '2,000'} jobs within seconds, in transactions of at most 500`, async () => {
    const [identity] = t.orgs;
    const count = isDeep ? 10_000 : 2_000;
    await fill(identity, count);
    const began = performance.now();
    expect(await flush(identity)).toBe(count);
    expect(performance.now() - began).toBeLessThan(30_000);
    const [most] = await t.database.asSuperuser<{ jobs: number }>(
      'SELECT max(jobs)::int AS jobs FROM (SELECT count(*) AS jobs FROM app.job_ends GROUP BY tx) AS ended',
    );
    expect(most!.jobs).toBeLessThanOrEqual(500);
  }, 120_000);

  test('needs org:admin', async () => {
    const analyst = {
      ...t.orgs[0],
      capabilities: [{ action: 'jobs:write' as const }, { action: 'jobs:read' as const }],
    };
    await expect(flush(analyst)).rejects.toThrow('FORBIDDEN');
  });
});
