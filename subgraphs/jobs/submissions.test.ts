import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelUnaskedJobs } from '../../platform/system/jobs.js';
import { eventually } from '../../tests/setup/until.js';
import { createJobsTest, endlessQuery, type JobsTest } from './testing.js';

let t: JobsTest;
beforeAll(async () => {
  t = await createJobsTest();
  await t.startWorker();
});
afterAll(() => t.close());

const jobCount = async (): Promise<number> =>
  (await t.ask(t.orgs[0], '{ jobs { totalCount { value } } }')).jobs.totalCount.value;
const alter = (id: string, set: string) => t.database.asSuperuser(`UPDATE app.jobs SET ${set} WHERE id = $1`, [id]);
const waitMs = 20_000;

describe('submitJob', () => {
  test('refuses what is out of its bounds, with the code, the argument and the bounds', async () => {
    const before = await jobCount();
    const refused: [Record<string, unknown>, Record<string, unknown>][] = [
      ...[0, -1, 3_600_001, 2_147_483_647].map((timeoutMs): [object, object] => [
        { timeoutMs },
        { code: 'INVALID_TIMEOUT', argument: 'input.timeoutMs', min: 1, max: 3_600_000 },
      ]),
      [{ metadata: 'x'.repeat(16_383) }, { code: 'METADATA_TOO_LARGE', argument: 'input.metadata', limit: 16_384 }],
      [{ metadata: { text: 'é'.repeat(8_192) } }, { code: 'METADATA_TOO_LARGE', argument: 'input.metadata' }],
    ] as [Record<string, unknown>, Record<string, unknown>][];
    for (const [argument, min, max] of [
      ['waitMs', 0, 30_000],
      ['maxResultAgeSeconds', 0, 86_400],
      ['resultTtlSeconds', 60, 2_592_000],
      ['cancelUnaskedSeconds', 10, 86_400],
    ] as const) {
      for (const value of [min - 1, max + 1]) {
        refused.push([{ [argument]: value }, { code: 'BAD_USER_INPUT', argument: `input.${argument}`, min, max }]);
      }
    }
    for (const [input, extensions] of refused) {
      const submission = t.submit(t.orgs[0], { query: 'SELECT 1', ...input });
      await expect(submission, JSON.stringify(input).slice(0, 100)).rejects.toMatchObject({ extensions });
    }
    expect(await jobCount()).toBe(before);
    // What is at the bounds is taken.
    const { id } = await t.submit(t.orgs[0], {
      query: 'SELECT 1',
      timeoutMs: 3_600_000,
      metadata: 'x'.repeat(16_382),
      resultTtlSeconds: 60,
      maxResultAgeSeconds: 86_400,
      cancelUnaskedSeconds: 86_400,
      waitMs,
    });
    const { job } = await t.ask(t.orgs[0], '{ job(id: "ID") { completedAt expiresAt } }'.replace('ID', id));
    expect(Date.parse(job.expiresAt) - Date.parse(job.completedAt)).toBe(60_000);
  });

  test('under one idempotency key answers an equal request with one job, twenty at once too', async () => {
    const before = await jobCount();
    const input = {
      query: 'SELECT 20',
      idempotencyKey: 'key-20',
      metadata: { a: 1, b: { c: 2, d: [3, 4] } },
      priority: 'HIGH',
      resultTtlSeconds: 3_600,
    };
    const made = await Promise.all(Array.from({ length: 20 }, () => t.submit(t.orgs[0], input)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(await jobCount()).toBe(before + 1);
    // How long one waits, and what is said that goes without saying, changes nothing.
    const again = await t.submit(t.orgs[0], { ...input, waitMs: 1_000, language: 'SQL', timeoutMs: 300_000 });
    expect(again.id).toBe(made[0].id);
    const turned = { b: { d: [3, 4], c: 2 }, a: 1 };
    expect((await t.submit(t.orgs[0], { ...input, metadata: turned })).id).toBe(made[0].id);
    for (const other of [
      { query: 'SELECT 21' },
      { language: 'KQL', query: 'print 20' },
      { from: '2026-01-01T00:00:00Z' },
      { to: '2026-01-01T00:00:00Z' },
      { priority: 'LOW' },
      { timeoutMs: 1_000 },
      { metadata: { a: 2 } },
      { metadata: { ...turned, b: { c: 2, d: [4, 3] } } },
      { maxResultAgeSeconds: 0 },
      { resultTtlSeconds: 60 },
      { cancelUnaskedSeconds: 60 },
    ]) {
      await expect(t.submit(t.orgs[0], { ...input, ...other }), JSON.stringify(other)).rejects.toMatchObject({
        extensions: { code: 'IDEMPOTENCY_KEY_REUSED', argument: 'input.idempotencyKey', jobId: made[0].id },
      });
    }
    expect(await jobCount()).toBe(before + 1);
    expect((await t.submit(t.orgs[1], { ...input, query: 'SELECT 22' })).id).not.toBe(made[0].id);
  });
});

describe('touchJob', () => {
  const touch = async (id: string, ttlSeconds?: number, identity = t.orgs[0]): Promise<number> => {
    const mutation = 'mutation ($input: TouchJobInput!) { touchJob(input: $input) { expiresAt } }';
    const { touchJob } = await t.ask(identity, mutation, { input: { id, ttlSeconds } });
    return Math.round((Date.parse(touchJob.expiresAt) - Date.now()) / 1_000);
  };

  test('keeps a result for longer from now, and never for less', async () => {
    const { id } = await t.submit(t.orgs[0], { query: `SELECT 'touched'`, resultTtlSeconds: 600, waitMs });
    const near = (seconds: number) => [seconds - 5, seconds];
    const within = (value: number, [low, high]: number[]) => expect(value >= low! && value <= high!).toBe(true);
    await alter(id, `expires_at = now() + interval '20 seconds'`);
    within(await touch(id), near(600));
    within(await touch(id, 60), near(600));
    within(await touch(id, 2_592_000), near(2_592_000));
  });

  test('refuses what has no result, by its code, and another organisation’s job as a missing one', async () => {
    const query = `SELECT 'refused'`;
    const { id } = await t.submit(t.orgs[0], { query, waitMs });
    for (const ttl of [59, 2_592_001]) {
      await expect(touch(id, ttl)).rejects.toMatchObject({
        extensions: { code: 'BAD_USER_INPUT', argument: 'input.ttlSeconds', min: 60, max: 2_592_000 },
      });
    }
    await expect(touch(id, 60, t.orgs[1])).rejects.toThrow('NOT_FOUND');
    await expect(touch('no-id')).rejects.toThrow('NOT_FOUND');
    await alter(id, 'expires_at = now()');
    await expect(touch(id)).rejects.toThrow('RESULT_EXPIRED');
    const running = await t.submit(t.orgs[0], { query: endlessQuery });
    await expect(touch(running.id)).rejects.toMatchObject({
      extensions: { code: 'JOB_NOT_COMPLETED', argument: 'input.id' },
    });
    await t.ask(t.orgs[0], 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { cancelledAt } }', { id: running.id });
    await expect(touch(running.id)).rejects.toThrow('JOB_CANCELLED');
    const failed = await t.submit(t.orgs[0], { query: 'SELECT 1 / (n - 2) FROM generate_series(1, 3) n', waitMs });
    await expect(touch(failed.id)).rejects.toThrow('JOB_FAILED');
  });
});

describe('a job with cancelUnaskedSeconds', () => {
  const unasked = (id: string) => alter(id, `asked_at = now() - interval '11 seconds'`);
  const statusOf = async (id: string) =>
    (await t.database.asSuperuser<{ status: string }>('SELECT status FROM app.jobs WHERE id = $1', [id]))[0]!.status;
  const submitEndless = async (cancelUnaskedSeconds?: number): Promise<string> => {
    const { id } = await t.submit(t.orgs[0], { query: endlessQuery, cancelUnaskedSeconds });
    await eventually(async () => expect(await statusOf(id)).toBe('RUNNING'));
    return id;
  };
  const cancel = (id: string) =>
    t.ask(t.orgs[0], 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { cancelledAt } }', { id });

  test('is cancelled by a sweep once nobody has asked for so long, and its query in the database with it', async () => {
    const [asked, without] = [await submitEndless(10), await submitEndless()];
    await alter(without, `asked_at = now() - interval '1 day'`);
    await unasked(asked);
    await eventually(async () => expect(await statusOf(asked)).toBe('CANCELLED'));
    await eventually(async () => expect(await t.runningQueries()).toBe(1));
    expect(await statusOf(without)).toBe('RUNNING');
    await cancel(without);
  });

  test('goes on while somebody asks: for the job, in a list, or by watching it', async () => {
    // The worker's sweep would meet the moments in between.
    const id = await submitEndless(86_400);
    const askedLately = async () => {
      const [row] = await t.database.asSuperuser<{ lately: boolean }>(
        `SELECT asked_at > now() - interval '5 seconds' AS lately FROM app.jobs WHERE id = $1`,
        [id],
      );
      return row!.lately;
    };
    for (const query of ['{ job(id: "ID") { id } }', '{ jobs { nodes { id } } }']) {
      await unasked(id);
      await t.ask(t.orgs[0], query.replace('ID', id));
      expect(await askedLately()).toBe(true);
    }
    const watching = t.watch(t.orgs[0], 'subscription ($id: ID!) { jobProgress(id: $id) { status } }', { id });
    const states = watching[Symbol.asyncIterator]();
    await states.next();
    const next = states.next();
    await unasked(id);
    await eventually(async () => expect(await askedLately()).toBe(true));
    await cancelUnaskedJobs(t.platform.postgres);
    expect(await statusOf(id)).toBe('RUNNING');
    await cancel(id);
    await next;
    await states.return?.();
  });
});

describe('a flood of submissions', () => {
  const submission = `mutation ($input: SubmitJobInput!) { submitJob(input: $input) {
    id query language dataset from to priority metadata resultExpected: resultCount } }`;
  const submitNew = async (input: Record<string, unknown>) =>
    (await t.ask(t.orgs[0], submission, { input: { maxResultAgeSeconds: 0, ...input } })).submitJob;

  test('stores each job as it was sent, each with an id of its own', async () => {
    const inputs = Array.from({ length: 150 }, (_, n) => ({
      ...(n % 3 === 0
        ? { language: 'OPENSEARCH', dataset: 'logs', query: `{"query": {"match_all": {}}, "size": ${n}}` }
        : { language: 'SQL', query: `SELECT ${n} AS n, 'a "quoted" \\ text ä' AS t` }),
      priority: ['LOW', 'NORMAL', 'HIGH'][n % 3],
      metadata: [{ n, text: '\u0000 \\ " ä', list: [n, null] }, null, 'text', n][n % 4],
      ...(n % 5 === 0
        ? { from: '2024-01-01T00:00:00.5Z', to: `2024-02-01T00:00:${String(n % 60).padStart(2, '0')}Z` }
        : {}),
    }));
    await submitNew({ query: 'SELECT 1' }); // From here on the quota is known to be far.
    const made = await Promise.all(inputs.map(submitNew));
    expect(new Set(made.map(({ id }) => id)).size).toBe(inputs.length);
    for (const [n, input] of inputs.entries()) {
      expect(made[n]).toMatchObject({ dataset: null, from: null, to: null, ...JSON.parse(JSON.stringify(input)) });
    }
  });

  test('with few idempotency keys makes one job of each, and a job that cannot be stored fails alone', async () => {
    await submitNew({ query: 'SELECT 1' });
    const made = await Promise.all(
      Array.from({ length: 90 }, (_, n) => submitNew({ query: `SELECT ${n % 3}`, idempotencyKey: `flood ${n % 3}` })),
    );
    expect(new Set(made.map(({ id, query }) => `${query} ${id}`)).size).toBe(3);
    const nobody = {
      ...t.orgs[0],
      subject: { kind: 'USER', id: crypto.randomUUID(), userId: crypto.randomUUID() },
    } as const;
    const asNobody = t.ask(nobody, submission, { input: { query: 'SELECT 2', maxResultAgeSeconds: 0 } });
    const others = Array.from({ length: 20 }, () => submitNew({ query: 'SELECT 3' }));
    const outcomes = await Promise.allSettled([asNobody, ...others]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', ...others.map(() => 'fulfilled')]);
  });
});
