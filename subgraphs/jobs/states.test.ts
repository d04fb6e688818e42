import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemIdentity } from '../../platform/identity.js';
import { returnExpiredLeases } from '../../platform/system/jobs.js';
import { createTestPlatform, type TestPlatform } from '../../tests/setup/database.js';
import { isTerminal, type JobEvent, type JobStatus, jobEvents, jobStatuses, transitions } from './states.js';
import { ChunkBuilder } from './store/chunks.js';
import { JobsStore } from './store/jobs.js';
import { type Lease, LeaseStore } from './store/leases.js';

describe('the table', () => {
  test('leads every event to one status, whatever it comes from', () => {
    for (const event of jobEvents) {
      const targets = new Set(jobStatuses.map((status) => transitions[status][event]).filter((to) => to !== null));
      expect(targets.size).toBe(1);
    }
  });

  test('lets every job come to an end, and none leave it', () => {
    expect(jobStatuses.filter(isTerminal)).toEqual(['COMPLETED', 'FAILED', 'CANCELLED']);
    for (const status of ['PENDING', 'RUNNING'] as const) expect(transitions[status].cancel).toBe('CANCELLED');
  });
});

describe('the database', () => {
  let platform: TestPlatform;
  beforeAll(async () => {
    platform = await createTestPlatform();
  });
  afterAll(() => platform.close());

  /** Everything that can be done to a job; a stale step comes from a worker that lost it an attempt ago. */
  const steps = fc.array(
    fc.record({ what: fc.constantFrom(...jobEvents, 'renew' as const, 'append' as const), isStale: fc.boolean() }),
    { maxLength: 14 },
  );
  const maxAttempts = 3;

  test('does with any sequence of events what the table says, and keeps rows of the present attempt alone', async () => {
    const { postgres } = platform.platform;
    const jobs = new JobsStore(postgres);
    const leases = new LeaseStore(postgres);
    const identity = systemIdentity(platform.orgs[0].orgId, 'test', Number.POSITIVE_INFINITY);

    const oneJob = fc.asyncProperty(steps, async (sequence) => {
      const { id } = (await jobs.insert(identity, {
        language: 'SQL',
        query: 'SELECT 1',
        dataset: null,
        range: {},
        priority: 'NORMAL',
        timeoutMs: 1_000,
        metadata: null,
        submittedBy: null,
        idempotencyKey: null,
        fingerprint: Buffer.alloc(0),
      }))!;
      const model = { status: 'PENDING' as JobStatus, attempt: 0, chunks: 0 };

      const perform = async (what: JobEvent | 'renew' | 'append', lease: Lease): Promise<boolean> => {
        switch (what) {
          case 'claim':
            return (await leases.claim(identity.orgId, id, 'test')) !== undefined;
          case 'cancel':
            return (await jobs.cancel(identity, id)) !== undefined;
          case 'complete':
            return leases.complete(
              lease,
              { columns: [], rowCount: model.chunks, render: undefined, search: undefined },
              undefined,
            );
          case 'fail':
            return leases.fail(lease, { code: 'QUERY_FAILED', message: 'no' });
          case 'release':
            return leases.release(lease);
          case 'renew':
            return leases.renew(lease);
          case 'append': {
            const chunks = new ChunkBuilder();
            chunks.add([1]);
            const chunk = (await chunks.take())!;
            return leases.append(lease, { ...chunk, firstRow: model.chunks }, { percent: 1, rowsFetched: 1 });
          }
          case 'expire': {
            await postgres.withOrg(identity, (tx) =>
              tx.query(
                `UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1 AND lease_until IS NOT NULL`,
                [id],
              ),
            );
            const error = { code: 'JOB_ABANDONED', message: 'given up' };
            return (await returnExpiredLeases(postgres, { maxAttempts, error })).some(({ jobId }) => jobId === id);
          }
        }
      };

      for (const { what, isStale } of sequence) {
        const isFenced = what !== 'claim' && what !== 'cancel' && what !== 'expire';
        const lease = { orgId: identity.orgId, jobId: id, attempt: model.attempt - (isStale ? 1 : 0) };
        const admitted =
          what === 'renew' || what === 'append' ? model.status === 'RUNNING' : transitions[model.status][what] !== null;
        const expected = admitted && !(isFenced && isStale);
        expect(await perform(what, lease)).toBe(expected);
        if (expected && what === 'append') model.chunks += 1;
        if (expected && what !== 'renew' && what !== 'append') {
          const givesUp = what === 'expire' && model.attempt >= maxAttempts;
          model.status = givesUp ? 'FAILED' : transitions[model.status][what]!;
          if (what === 'claim') model.attempt += 1;
          if (what !== 'complete') model.chunks = 0;
        }
        const [row] = await jobs.find(identity, [id]);
        const kept = await postgres.withOrg(identity, (tx) =>
          tx.query<{ attempt: number; isWeighed: boolean }>(
            `SELECT attempt, sum(json_bytes) OVER () = (SELECT result_bytes FROM jobs WHERE id = $1) AS "isWeighed"
               FROM job_results WHERE job_id = $1`,
            [id],
          ),
        );
        expect({ status: row!.status, attempt: row!.attempt, chunks: kept.length }).toEqual(model);
        expect(kept.every(({ attempt, isWeighed }) => attempt === model.attempt && isWeighed)).toBe(true);
      }
      await jobs.cancel(identity, id); // Claims take the oldest job that waits.
    });
    await fc.assert(oneJob, { numRuns: 60 });
  }, 180_000);
});
