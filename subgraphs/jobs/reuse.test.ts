import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { datasets } from '../../datasets/index.js';
import { capabilitiesOf, type Identity } from '../../platform/identity.js';
import { BatchWriter } from '../../platform/ingest.js';
import type { Worker } from '../../platform/subgraph.js';
import { deleteExpiredResults } from '../../platform/system/jobs.js';
import { enginesOf, type JsonValue, prepareQuery, runQuery } from '../../query/index.js';
import { makeOrg } from '../../tests/setup/database.js';
import { ingest } from '../../tests/setup/events.js';
import { readWholeFeed } from '../../tests/setup/feed.js';
import { ChunkBuilder } from './store/chunks.js';
import { LeaseStore } from './store/leases.js';
import { createJobsTest, type JobsTest } from './testing.js';

let t: JobsTest;
/** One that has no jobs and no events yet. */
let org: Identity;
let orgs = 0;
beforeAll(async () => {
  t = await createJobsTest();
});
afterAll(() => t.close());
beforeEach(async () => {
  orgs += 1;
  org = await makeOrg(t.platform, `reuse-${orgs}`);
});

interface Answer {
  id: string;
  status: string;
  cacheHit: boolean;
  executionTimeMs: number | null;
  startedAt: string | null;
  expiresAt: string;
  resultCount: number;
  columns: { name: string }[];
  render: unknown;
  results: { nodes: Record<string, JsonValue>[] };
}

const submit = async (query: string, input: Record<string, unknown> = {}, identity: Identity = org): Promise<Answer> =>
  (
    await t.ask(
      identity,
      `mutation ($input: SubmitJobInput!) { submitJob(input: $input) {
        id status cacheHit executionTimeMs startedAt expiresAt resultCount columns { name } render
        results(partial: true) { nodes }
      } }`,
      { input: { query, waitMs: 20_000, ...input } },
    )
  ).submitJob;

const hits = async (query: string, input: Record<string, unknown> = {}, identity: Identity = org): Promise<boolean> =>
  (await submit(query, input, identity)).cacheHit;

const alter = (id: string, set: string) => t.database.asSuperuser(`UPDATE app.jobs SET ${set} WHERE id = $1`, [id]);
const day = (date: string, host = 'a') => ({ timestamp: `${date}T12:00:00Z`, host });
/** Waits until every batch is below the horizon of claims: other databases' transactions hold it back too. */
const settled = () => readWholeFeed(t.platform.postgres, org);
const countOf = (from: string, to: string) =>
  `SELECT count(*) AS n FROM logs WHERE timestamp >= '${from}' AND timestamp < '${to}'`;

describe('with a worker', () => {
  let worker: Worker;
  beforeAll(async () => {
    worker = await t.startWorker();
    await prepareQuery({ language: 'KQL', text: 'print 1', datasets }); // Loads it.
  }, 60_000);
  afterAll(() => worker.stop(5_000));

  test('an equal query is answered with the old result, by a job of its own that never ran', async () => {
    await ingest(t.platform, org, 'logs', [day('2026-01-01', 'a'), day('2026-01-01', 'b')]);
    await settled();
    const query = 'logs | summarize n = count() by host | sort by host asc | render piechart';
    const first = await submit(query, { language: 'KQL' });
    expect(first).toMatchObject({ status: 'COMPLETED', cacheHit: false, resultCount: 2 });
    const second = await submit(query, { language: 'KQL', waitMs: 0, resultTtlSeconds: 60, priority: 'LOW' });
    expect(second).toEqual({
      ...first,
      id: expect.not.stringMatching(first.id),
      cacheHit: true,
      executionTimeMs: null,
      startedAt: null,
      expiresAt: expect.any(String),
    });
    expect(Date.parse(second.expiresAt)).toBeLessThan(Date.parse(first.expiresAt));
    const third = await submit(query, { language: 'KQL' });
    const kept = await t.database.asSuperuser<{ result_of: string }>(
      'SELECT DISTINCT result_of FROM app.jobs WHERE id = ANY ($1)',
      [[second.id, third.id]],
    );
    expect(kept).toEqual([{ result_of: first.id }]);
  });

  test('no result answers another text, range, dataset, organisation or set of capabilities', async () => {
    const query = 'SELECT count(*) FROM logs';
    await submit(query);
    expect(await hits(query)).toBe(true);
    expect(await hits(`${query} `)).toBe(false);
    expect(await hits(query, { from: '2026-01-01T00:00:00Z' })).toBe(false);
    expect(await hits(query, { to: '2026-01-01T00:00:00Z' })).toBe(false);
    expect(await hits(query, {}, t.orgs[1])).toBe(false);
    const analyst = { ...org, capabilities: capabilitiesOf(['ANALYST']) };
    expect(await hits(query, {}, analyst)).toBe(false);
    expect(await hits(query, {}, { ...analyst, capabilities: analyst.capabilities.toReversed() })).toBe(true);
    const search = JSON.stringify({ query: { match_all: {} } });
    await submit(search, { language: 'OPENSEARCH' });
    expect(await hits(search, { language: 'OPENSEARCH', dataset: 'logs' })).toBe(true);
    expect(await hits(search, { language: 'OPENSEARCH', dataset: 'website_logs' })).toBe(false);
  });

  test('what hangs on chance runs again, and everything with a maxResultAgeSeconds of 0', async () => {
    await submit('SELECT random() FROM generate_series(1, 3)');
    expect(await hits('SELECT random() FROM generate_series(1, 3)')).toBe(false);
    await submit('SELECT 1');
    expect(await hits('SELECT 1', { maxResultAgeSeconds: 0 })).toBe(false);
    expect(await hits('SELECT 1')).toBe(true);
  });

  test('a result is fresh for 5 minutes, 15 where the query is complex, an hour where it is historical', async () => {
    const historical = { to: '2026-01-01T00:00:00Z' };
    const cases: [query: string, input: Record<string, unknown>, seconds: number][] = [
      ['SELECT count(*) FROM logs', {}, 300],
      ['SELECT count(*) FROM logs a JOIN logs b USING (host)', {}, 900],
      ['SELECT count(*) FROM logs', historical, 3_600],
      ['SELECT count(*), now() FROM logs', historical, 300],
    ];
    for (const [query, input, seconds] of cases) {
      const { id } = await submit(query, input);
      const age = (aged: number) => alter(id, `completed_at = now() - interval '${aged} seconds'`);
      await age(seconds - 20);
      expect([query, await hits(query, input)]).toEqual([query, true]);
      expect(await hits(query, { ...input, maxResultAgeSeconds: seconds - 30 })).toBe(false);
      // That one ran again; it is not the one that is looked at.
      await t.database.asSuperuser('UPDATE app.jobs SET reuse_key = NULL WHERE org_id = $1 AND id <> $2', [
        org.orgId,
        id,
      ]);
      await age(seconds + 1);
      expect([query, await hits(query, { ...input, maxResultAgeSeconds: 86_400 })]).toEqual([query, false]);
    }
  });

  test('no result is taken that is expired, partial, or none', async () => {
    const query = 'SELECT count(*) FROM logs';
    for (const spoilt of [
      'expires_at = now()',
      'is_partial = true',
      `status = 'CANCELLED'`,
      'feed_horizon = NULL', // of a job that was claimed before horizons were kept
    ]) {
      const { id } = await submit(query);
      expect([spoilt, await hits(query)]).toEqual([spoilt, true]);
      await alter(id, spoilt);
      expect([spoilt, await hits(query)]).toEqual([spoilt, false]);
      await t.database.asSuperuser('UPDATE app.jobs SET reuse_key = NULL WHERE org_id = $1', [org.orgId]);
    }
  });

  test('ingest into the times and datasets that the query reads ends the reuse, and no other ingest', async () => {
    await ingest(t.platform, org, 'logs', [day('2026-01-05')]);
    await settled();
    const query = countOf('2026-01-01', '2026-02-01');
    const count = async () => {
      const { cacheHit, results } = await submit(query);
      return [cacheHit, results.nodes[0]!.n];
    };
    expect(await count()).toEqual([false, 1]);
    await ingest(t.platform, org, 'logs', [day('2025-12-31'), day('2025-12-01')]);
    await ingest(t.platform, org, 'logs', [{ timestamp: '2026-02-01T00:00:00Z' }, day('2026-03-01')]);
    await ingest(t.platform, org, 'website_logs', [{ request_timestamp: '2026-01-05T12:00:00Z', url: '/' }]);
    await ingest(t.platform, t.orgs[0], 'logs', [day('2026-01-05')]);
    expect(await count()).toEqual([true, 1]);
    await ingest(t.platform, org, 'logs', [{ timestamp: '2026-01-01T00:00:00Z' }]);
    await settled();
    expect(await count()).toEqual([false, 2]);
    expect(await count()).toEqual([true, 2]);
    await ingest(t.platform, org, 'logs', [{ timestamp: '2026-01-31T23:59:59.999999Z' }]);
    expect(await count()).toEqual([false, 3]);
  });

  test('rows stay for those whose result they are, count once, and go with the last of them', async () => {
    const query = 'SELECT * FROM generate_series(1, 5) n';
    const source = await submit(query);
    const taken = await submit(query);
    expect(taken.cacheHit).toBe(true);
    const used = async () =>
      (
        await t.database.asSuperuser<{ bytes: number }>(
          'SELECT sum(result_bytes)::int AS bytes FROM app.jobs WHERE org_id = $1',
          [org.orgId],
        )
      )[0]!.bytes;
    const chunks = async () =>
      (await t.database.asSuperuser('SELECT 1 FROM app.job_results WHERE org_id = $1', [org.orgId])).length;
    const before = await used();
    expect(before).toBeGreaterThan(0);
    expect(await chunks()).toBe(1);
    await alter(source.id, `expires_at = now() - interval '1 hour'`);
    await deleteExpiredResults(t.platform.postgres);
    expect([await used(), await chunks()]).toEqual([before, 1]);
    const nodes = async (id: string) =>
      (await t.ask(org, 'query ($id: ID!) { job(id: $id) { results { nodes } } }', { id })).job.results.nodes;
    expect(await nodes(taken.id)).toEqual(source.results.nodes);
    await expect(nodes(source.id)).rejects.toThrow('RESULT_EXPIRED');
    await alter(taken.id, `expires_at = now() - interval '1 hour'`);
    await deleteExpiredResults(t.platform.postgres);
    await deleteExpiredResults(t.platform.postgres);
    expect([await used(), await chunks()]).toEqual([0, 0]);
  });
});

/** A batch of one event whose transaction stays open. */
interface OpenBatch {
  /** Ends it. */
  end(how: 'COMMIT' | 'ROLLBACK'): Promise<void>;
}

let batches = 0;
async function openBatch(timestamp: string): Promise<OpenBatch> {
  batches += 1;
  let end!: (how: 'COMMIT' | 'ROLLBACK') => void;
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  let opened!: () => void;
  const isOpen = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const batch = {
    dataset: 'logs',
    batchId: `open-${batches}`,
    timesMs: [Date.parse(timestamp)],
    bytes: 1,
    rejected: [],
  };
  const stored = new BatchWriter(t.platform.postgres, 'events').store(org, batch, async (tx, batchNo) => {
    await tx.query(`INSERT INTO logs (org_id, batch_no, attributes, timestamp) VALUES ($1, $2, '{}', $3)`, [
      org.orgId,
      batchNo,
      timestamp,
    ]);
    opened();
    if ((await ended) === 'ROLLBACK') throw new Error('rolled back');
  });
  const settled = stored.then(
    () => {},
    () => {},
  );
  await isOpen;
  return {
    end: async (how) => {
      end(how);
      await settled;
    },
  };
}

describe('step by step', () => {
  const query = countOf('2026-01-01', '2026-02-01');
  // A partition is not made while a batch is open.
  beforeAll(() =>
    ingest(
      t.platform,
      t.orgs[0],
      'logs',
      ['2025-12-31', '2026-01-01', '2026-02-01'].map((date) => day(date)),
    ),
  );

  /** The steps of the one job that waits, one call each. */
  const jobSteps = () => {
    const leases = new LeaseStore(t.platform.postgres);
    let lease: Awaited<ReturnType<LeaseStore['claim']>>[number];
    const chunks = new ChunkBuilder();
    return [
      async () => {
        const claimed = await leases.claim('shared', 'test', 10);
        lease = claimed.find(({ orgId }) => orgId === org.orgId)!;
      },
      async () => {
        const prepared = await prepareQuery({ language: 'SQL', text: query, datasets });
        const options = { orgId: org.orgId, timeoutMs: 10_000 };
        for await (const { rows } of runQuery(enginesOf(t.platform), prepared, options)) {
          for (const row of rows) chunks.add(row);
        }
      },
      async () => {
        const columns = [{ name: 'n', type: 'LONG' as const }];
        const result = { columns, rowCount: 1, render: undefined, search: undefined };
        expect(await leases.complete(lease, result, await chunks.take())).toBe(true);
      },
    ];
  };

  /** What the query counts now; by an old result where there is one. */
  const answer = async () => {
    const job = await submit(query, { waitMs: 0 });
    if (job.cacheHit) return { cacheHit: true, n: job.results.nodes[0]!.n };
    for (const step of jobSteps()) await step();
    const { results } = (await t.ask(org, '{ job(id: "ID") { results { nodes } } }'.replace('ID', job.id))).job;
    return { cacheHit: false, n: results.nodes[0].n };
  };

  test('a batch that a run cannot have seen whole ends the reuse, wherever it begins and commits', async () => {
    const places = [0, 1, 2, 3];
    for (const begin of places) {
      for (const commit of places.filter((place) => place >= begin)) {
        org = await makeOrg(t.platform, `history-${begin}-${commit}`);
        expect(await submit(query, { waitMs: 0 })).toMatchObject({ status: 'PENDING' });
        const steps = jobSteps();
        let batch: OpenBatch | undefined;
        for (const place of places) {
          if (place === begin) batch = await openBatch('2026-01-15T00:00:00Z');
          if (place === commit) await batch!.end('COMMIT');
          if (commit === 0) await settled();
          await steps[place]?.();
        }
        // Only what was over before the claim was seen for certain.
        expect([begin, commit, await answer()]).toEqual([begin, commit, { cacheHit: commit === 0, n: 1 }]);
      }
    }
  });

  test('a batch that is still open, or was undone, leaves the result as good as a new one', async () => {
    await submit(query, { waitMs: 0 });
    const batch = await openBatch('2026-01-15T00:00:00Z');
    for (const step of jobSteps()) await step();
    expect(await answer()).toEqual({ cacheHit: true, n: 0 });
    await batch.end('ROLLBACK');
    expect(await answer()).toEqual({ cacheHit: true, n: 0 });
  });

  test('in any history of batches and queries every answer is what a new run would say', async () => {
    const times = ['2025-12-31T23:59:59Z', '2026-01-01T00:00:00Z', '2026-01-31T23:59:59Z', '2026-02-01T00:00:00Z'];
    const isRead = (time: string) => time >= '2026-01-01' && time < '2026-02-01';
    const step = fc.oneof(
      fc.record({ what: fc.constant('OPEN' as const), time: fc.constantFrom(...times) }),
      fc.record({ what: fc.constant('END' as const), which: fc.nat(3), how: fc.constantFrom('COMMIT', 'ROLLBACK') }),
      fc.constant({ what: 'ASK' as const }),
    );
    let histories = 0;
    let reused = 0;
    const property = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (history) => {
      histories += 1;
      org = await makeOrg(t.platform, `any-${histories}`);
      let open: { batch: OpenBatch; time: string }[] = [];
      let count = 0;
      for (const each of history) {
        if (each.what === 'OPEN' && open.length < 4) open.push({ batch: await openBatch(each.time), time: each.time });
        if (each.what === 'END') {
          const ending = open[each.which];
          if (ending === undefined) continue;
          open = open.filter((other) => other !== ending);
          await ending.batch.end(each.how as 'COMMIT');
          if (each.how === 'COMMIT' && isRead(ending.time)) count += 1;
        }
        if (each.what === 'ASK') {
          const { cacheHit, n } = await answer();
          expect(n).toBe(count);
          if (cacheHit) reused += 1;
        }
      }
      for (const { batch } of open) await batch.end('ROLLBACK');
    });
    await fc.assert(property, { numRuns: process.env.HARBORWATCH_DEEP === '1' ? 1_000 : 60 });
    expect(reused).toBeGreaterThan(10);
  }, 600_000);
});
