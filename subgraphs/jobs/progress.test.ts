import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { createTestPlatform, makeOrg, type TestPlatform } from '../../tests/setup/database.js';
import { JobsService } from './service/jobs.js';
import { ResultStore } from './store/chunks.js';
import { type JobRow, JobsStore } from './store/jobs.js';
import { ringJob } from './topics.js';

/** Counts its statements. */
class CountingStore extends JobsStore {
  reads = 0;
  override async find(identity: Identity, ids: readonly string[]): Promise<JobRow[]> {
    this.reads += 1;
    return super.find(identity, ids);
  }
}

let t: TestPlatform;
let store: CountingStore;
let jobs: JobsService;
beforeAll(async () => {
  t = await createTestPlatform();
  store = new CountingStore(t.platform.postgres);
  jobs = new JobsService(store, new ResultStore(t.platform.postgres), t.platform.pubsub);
});
afterAll(() => t.close());

const addJobs = async ({ orgId }: Identity, count: number) =>
  (
    await t.database.asSuperuser<{ id: string }>(
      `INSERT INTO app.jobs (org_id, language, query, priority, timeout_ms, fingerprint)
       SELECT $1, 'SQL', 'SELECT 1', 'NORMAL', 1000, '' FROM generate_series(1, $2) RETURNING id`,
      [orgId, count],
    )
  ).map(({ id }) => id);
const set = (ids: string[], assignments: string) =>
  t.database.asSuperuser(
    `UPDATE app.jobs SET ${assignments}, updated_at = clock_timestamp() WHERE id = ANY ($1::uuid[])`,
    [ids],
  );
const cancelled = `status = 'CANCELLED', completed_at = now(), lease_until = NULL`;
const readAll = async (stream: AsyncIterable<JobRow>) => {
  const statuses: string[] = [];
  for await (const { status } of stream) statuses.push(status);
  return statuses;
};

test('500 watchers of 500 jobs, and no ring at all: all see the end within 2 s, with a handful of statements a look', async () => {
  const org = await makeOrg(t.platform, 'many-jobs');
  const ids = await addJobs(org, 500);
  const watchers = await Promise.all(ids.map((id) => jobs.watch(org, id)));
  expect(
    (await Promise.all(watchers.map((watcher) => watcher.next()))).every(({ value }) => value.status === 'PENDING'),
  ).toBe(true);
  await set(ids, cancelled);
  const [before, began] = [store.reads, performance.now()];
  const ends = await Promise.all(watchers.map(readAll));
  const lookCount = 1 + Math.ceil((performance.now() - began) / 2_000);
  expect(ends.every((statuses) => statuses.join() === 'CANCELLED')).toBe(true);
  expect(store.reads - before).toBeLessThan(40 * lookCount);
});

test('1,000 watchers of one job see each change of it, with a handful of statements a ring', async () => {
  const org = await makeOrg(t.platform, 'one-job');
  const [id] = await addJobs(org, 1);
  const watchers = await Promise.all(Array.from({ length: 1_000 }, () => jobs.watch(org, id!)));
  const nexts = () => Promise.all(watchers.map((watcher) => watcher.next()));
  await nexts();
  const before = store.reads;
  for (const percent of [10, 20, 30]) {
    const changes = nexts();
    await set([id!], `percent = ${percent}`);
    ringJob(t.platform.pubsub, org.orgId, id!);
    expect(new Set((await changes).map(({ value }) => value.percent))).toEqual(new Set([percent]));
  }
  const ends = watchers.map(readAll);
  await set([id!], cancelled);
  ringJob(t.platform.pubsub, org.orgId, id!);
  expect(new Set((await Promise.all(ends)).map((statuses) => statuses.join()))).toEqual(new Set(['CANCELLED']));
  expect(store.reads - before).toBeLessThan(60);
});

test('a storm of rings without a change sends nothing, and costs no more statements than they can be read one by one', async () => {
  const org = await makeOrg(t.platform, 'storm');
  const [id] = await addJobs(org, 1);
  const watcher = await jobs.watch(org, id!);
  await watcher.next();
  const before = store.reads;
  const changed = watcher.next();
  for (let ring = 0; ring < 5_000; ring += 1) t.platform.pubsub.ring({ orgId: org.orgId, name: `job:${id}` });
  await set([id!], cancelled);
  ringJob(t.platform.pubsub, org.orgId, id!);
  expect((await changed).value.status).toBe('CANCELLED');
  expect(store.reads - before).toBeLessThan(1_000);
});

test('a job of another organisation, a job that is missing and an id that is none are refused alike', async () => {
  const [mine, foreign] = [await makeOrg(t.platform, 'mine'), await makeOrg(t.platform, 'foreign')];
  const [id] = await addJobs(foreign, 1);
  for (const asked of [id!, crypto.randomUUID(), 'no uuid']) {
    await expect(jobs.watch(mine, asked)).rejects.toMatchObject({ code: 'NOT_FOUND', details: { argument: 'id' } });
  }
});
