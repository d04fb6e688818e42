import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../platform/identity.js';
import { deleteOldJobEvents } from '../../platform/system/job-events.js';
import { returnExpiredLeases } from '../../platform/system/jobs.js';
import { createTestPlatform, makeOrg, type TestPlatform } from '../../tests/setup/database.js';
import { eventually } from '../../tests/setup/until.js';
import { type JobEventStep, JobEventStreams, type JobEventType } from './service/events.js';
import { type JobStatus, jobEvents, transitions } from './states.js';
import { JobEventStore } from './store/events.js';
import { ringJob } from './topics.js';

const isDeep = process.env.HARBORWATCH_DEEP === '1';

let t: TestPlatform;
let streams: JobEventStreams;
beforeAll(async () => {
  t = await createTestPlatform();
  streams = new JobEventStreams(new JobEventStore(t.platform.postgres), t.platform.pubsub);
});
afterAll(() => t.close());

let orgCount = 0;
/** An organisation whose log nobody else writes to. */
const freshOrg = () => makeOrg(t.platform, `events-${++orgCount}`);
const cursorOf = ({ orgId }: Identity) => ({ cursors: t.platform.cursors, binding: { orgId, list: 'jobEvents' } });
const open = (identity: Identity, after?: string) => streams.open(identity, after, cursorOf(identity));
/** A stream that sends nothing fails by the test's time. */
const next = async (stream: AsyncIterator<JobEventStep>) => (await stream.next()).value as JobEventStep;
const take = async (stream: AsyncIterator<JobEventStep>, count: number) => {
  const steps: JobEventStep[] = [];
  while (steps.length < count) steps.push(await next(stream));
  return steps;
};
const named = ({ event }: JobEventStep) => `${event.jobId} ${event.type} ${event.attempt}`;

const insert = `INSERT INTO app.jobs (org_id, language, query, priority, timeout_ms, fingerprint)
  SELECT $1, 'SQL', 'SELECT 1', 'NORMAL', 1000, '' FROM generate_series(1, $2) RETURNING id`;
/** How each status is set, of the jobs in $1. */
const become: Record<JobStatus, string> = {
  PENDING: `status = 'PENDING', lease_until = NULL`,
  RUNNING: `status = 'RUNNING', lease_until = now() + interval '1 hour', attempt = attempt + 1`,
  COMPLETED: `status = 'COMPLETED', lease_until = NULL, completed_at = now(), columns = '[]', rows_fetched = 7, percent = 100`,
  FAILED: `status = 'FAILED', lease_until = NULL, completed_at = now(), error = '{"code": "QUERY_TIMEOUT", "message": "late"}'`,
  CANCELLED: `status = 'CANCELLED', lease_until = NULL, completed_at = now()`,
};
const update = (to: JobStatus) => `UPDATE app.jobs SET ${become[to]} WHERE id = ANY ($1::uuid[])`;

const addJobs = async ({ orgId }: Identity, count = 1) =>
  (await t.database.asSuperuser<{ id: string }>(insert, [orgId, count])).map(({ id }) => id);
const move = (ids: string[], to: JobStatus) => t.database.asSuperuser(update(to), [ids]);
/** The organisation's whole log, in the order of the commits. */
const wholeLog = async ({ orgId }: Identity) =>
  (
    await t.database.asSuperuser<{ name: string }>(
      `SELECT job_id || ' ' || type || ' ' || attempt AS name FROM app.job_events WHERE org_id = $1 ORDER BY tx, seq`,
      [orgId],
    )
  ).map(({ name }) => name);

describe('every change of a job’s status', () => {
  test('is an event with what was known then; what changes no status is none', async () => {
    const org = await freshOrg();
    const stream = await open(org);
    const [id] = await addJobs(org);
    for (const to of ['RUNNING', 'PENDING', 'RUNNING', 'COMPLETED'] as const) {
      await move([id!], to);
      await t.database.asSuperuser('UPDATE app.jobs SET updated_at = now(), status = status WHERE id = $1', [id]);
    }
    ringJob(t.platform.pubsub, org.orgId, id!);
    const steps = await take(stream, 5);
    expect(steps.map(({ event: { type, attempt, percent, rowCount } }) => [type, attempt, percent, rowCount])).toEqual([
      ['SUBMITTED', 0, 0, null],
      ['STARTED', 1, 0, null],
      ['RETURNED', 1, 0, null],
      ['STARTED', 2, 0, null],
      ['COMPLETED', 2, 100, 7],
    ]);
    expect(steps.every(({ event, lagged }) => event.jobId === id && lagged === 0 && event.error === null)).toBe(true);
    await stream.return?.();
    expect(await wholeLog(org)).toHaveLength(5);
  });

  test('is written by each role, one by one and for many jobs in one statement', async () => {
    const org = await freshOrg();
    const ids = await t.platform.postgres.withOrg(org, async (tx) => {
      const rows = await tx.query<{ id: string }>(insert, [org.orgId, 300]);
      const all = rows.map(({ id }) => id);
      await tx.query(update('RUNNING'), [all]);
      await tx.query(
        `UPDATE jobs SET lease_until = now() - interval '1 second', attempt = CASE WHEN id = $1 THEN 20 ELSE 1 END`,
        [all[0]],
      );
      return all;
    });
    const error = { code: 'JOB_ABANDONED', message: 'lost' };
    expect(await returnExpiredLeases(t.platform.postgres, { maxAttempts: 20, error })).toHaveLength(300);
    const log = await wholeLog(org);
    const of = (type: JobEventType) => log.filter((name) => name.includes(` ${type} `)).length;
    expect([log.length, of('SUBMITTED'), of('STARTED'), of('RETURNED'), of('FAILED')]).toEqual([900, 300, 300, 299, 1]);
    expect(log).toContain(`${ids[0]} FAILED 20`);
  });

  test('goes with its transaction: what is rolled back never happened', async () => {
    const org = await freshOrg();
    const undone = t.platform.postgres.withOrg(org, async (tx) => {
      await tx.query(insert, [org.orgId, 3]);
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    expect(await wholeLog(org)).toEqual([]);
  });

  test('a job that is born completed begins with COMPLETED', async () => {
    const org = await freshOrg();
    const [id] = await t.database.asSuperuser<{ id: string }>(
      `INSERT INTO app.jobs (org_id, language, query, priority, timeout_ms, fingerprint, status, completed_at, columns)
       VALUES ($1, 'SQL', 'SELECT 1', 'NORMAL', 1000, '', 'COMPLETED', now(), '[]') RETURNING id`,
      [org.orgId],
    );
    expect(await wholeLog(org)).toEqual([`${id!.id} COMPLETED 0`]);
  });
});

describe('readers', () => {
  /** A reader that now and then goes away and comes back with its cursor. */
  class Reader {
    readonly seen: string[] = [];
    readonly gaps: (number | null)[] = [];
    #cursor: string | undefined;
    #stream: AsyncIterableIterator<JobEventStep> | undefined;
    #reading: Promise<void> | undefined;
    constructor(private readonly identity: Identity) {}

    async connect(): Promise<void> {
      const stream = await open(this.identity, this.#cursor);
      this.#stream = stream;
      this.#reading = (async () => {
        for await (const step of stream) {
          this.seen.push(named(step));
          if (step.lagged !== 0) this.gaps.push(step.lagged);
          this.#cursor = step.cursor;
        }
      })();
    }
    async disconnect(): Promise<void> {
      await this.#stream?.return?.();
      await this.#reading;
    }
    /** Before its first event a reader has no cursor: it would start at a later now. */
    async reconnect(): Promise<void> {
      if (this.#cursor === undefined) return;
      await this.disconnect();
      await this.connect();
    }
  }

  const writers = 4;
  const actions = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('insert' as const), writer: fc.nat(writers - 1) }) },
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('move' as const),
          writer: fc.nat(writers - 1),
          job: fc.nat(),
          to: fc.constantFrom<JobStatus>('RUNNING', 'PENDING', 'COMPLETED', 'FAILED', 'CANCELLED'),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constantFrom('commit' as const, 'rollback' as const),
          writer: fc.nat(writers - 1),
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('reconnect' as const), reader: fc.nat(2) }) },
    ),
    { minLength: 10, maxLength: 50 },
  );
  const leadsTo = (from: JobStatus, to: JobStatus) => jobEvents.some((event) => transitions[from][event] === to);

  test('all see every event once and in one order, whatever commits late, and however often they come back', async () => {
    const clients = await Promise.all(
      Array.from({ length: writers }, async () => {
        const client = new pg.Client({ connectionString: t.database.url('app') });
        await client.connect();
        return client;
      }),
    );
    const history = fc.asyncProperty(actions, async (sequence) => {
      const org = await freshOrg();
      const readers = Array.from({ length: 3 }, () => new Reader(org));
      await Promise.all(readers.map((reader) => reader.connect()));
      // A reader starts at "now"; this is behind it.
      const committed = new Map<string, JobStatus>();
      /** What each writer has done and not committed, by job. */
      const pending = clients.map(() => new Map<string, JobStatus>());
      const isOpen = clients.map(() => false);
      const begin = async (writer: number) => {
        if (isOpen[writer]) return;
        await clients[writer]!.query('BEGIN');
        await clients[writer]!.query(`SELECT set_config('app.org_id', $1, true)`, [org.orgId]);
        isOpen[writer] = true;
      };
      const end = async (writer: number, how: 'commit' | 'rollback') => {
        if (!isOpen[writer]) return;
        await clients[writer]!.query(how);
        isOpen[writer] = false;
        if (how === 'commit') for (const [id, status] of pending[writer]!) committed.set(id, status);
        pending[writer]!.clear();
        ringJob(t.platform.pubsub, org.orgId, 'some job');
      };
      for (const action of sequence) {
        if (action.kind === 'reconnect') await readers[action.reader]!.reconnect();
        else if (action.kind === 'insert') {
          await begin(action.writer);
          const { rows } = await clients[action.writer]!.query(insert, [org.orgId, 1]);
          pending[action.writer]!.set(rows[0].id, 'PENDING');
        } else if (action.kind === 'move') {
          // Jobs that nobody else holds a lock on.
          const free = [...committed].filter(([id]) =>
            pending.every((map, writer) => writer === action.writer || !map.has(id)),
          );
          const [id, status] = free[action.job % Math.max(1, free.length)] ?? [];
          const now = id === undefined ? undefined : (pending[action.writer]!.get(id) ?? status!);
          if (id === undefined || !leadsTo(now!, action.to)) continue;
          await begin(action.writer);
          await clients[action.writer]!.query(update(action.to), [[id]]);
          pending[action.writer]!.set(id, action.to);
        } else await end(action.writer, action.kind);
      }
      for (let writer = 0; writer < writers; writer += 1) await end(writer, 'commit');
      const log = await wholeLog(org);
      await eventually(() => {
        for (const reader of readers) expect(reader.seen).toEqual(log);
      });
      expect(readers.flatMap(({ gaps }) => gaps)).toEqual([]);
      await Promise.all(readers.map((reader) => reader.disconnect()));
    });
    try {
      await fc.assert(history, { numRuns: isDeep ? 400 : 25 });
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  }, 600_000);

  test('a transaction that began earlier and commits later is not skipped', async () => {
    const org = await freshOrg();
    const stream = await open(org);
    const release = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    const early = t.platform.postgres.withOrg(org, async (tx) => {
      const [row] = await tx.query<{ id: string }>(insert, [org.orgId, 1]);
      began.resolve();
      await release.promise;
      return row!.id;
    });
    await began.promise;
    const [late] = await addJobs(org);
    ringJob(t.platform.pubsub, org.orgId, late!);
    const first = stream.next();
    release.resolve();
    const steps = [(await first).value as JobEventStep, await next(stream)];
    expect(steps.map(({ event }) => event.jobId)).toEqual([await early, late]);
    await stream.return?.();
  });

  test('of another organisation see nothing of it', async () => {
    const [mine, foreign] = [await freshOrg(), await freshOrg()];
    const stream = await open(foreign);
    const waiting = next(stream);
    await move(await addJobs(mine, 5), 'CANCELLED');
    ringJob(t.platform.pubsub, foreign.orgId, 'some job');
    const [own] = await addJobs(foreign);
    expect((await waiting).event.jobId).toBe(own);
    await stream.return?.();
  });

  test('with a cursor that is not of this stream are refused', async () => {
    const [one, two] = [await freshOrg(), await freshOrg()];
    const stream = await open(one);
    await addJobs(one);
    const { cursor } = await next(stream);
    await stream.return?.();
    const { cursors } = t.platform;
    const ofAnotherList = cursors.encode({ orgId: one.orgId, list: 'jobs' }, ['1', '1']);
    for (const bad of ['', 'nonsense', `${cursor.slice(0, -2)}AA`, ofAnotherList]) {
      await expect(open(one, bad)).rejects.toMatchObject({ code: 'INVALID_CURSOR', details: { argument: 'after' } });
    }
    await expect(open(two, cursor)).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  test('that are too far behind go on with the newest event, and are told how many they missed', async () => {
    const org = await freshOrg();
    const hasty = new JobEventStreams(new JobEventStore(t.platform.postgres), t.platform.pubsub, { maxLag: 1_000 });
    const stream = await open(org);
    await addJobs(org);
    const { cursor } = await next(stream);
    await stream.return?.();
    await addJobs(org, 1_200);
    const steps = await eventually(async () => {
      const late = await hasty.open(org, cursor, cursorOf(org));
      const step = await next(late);
      if (step.lagged === 0) {
        await late.return?.();
        throw new Error('the jobs still wait for an older transaction');
      }
      const [another] = await addJobs(org);
      const following = await next(late);
      await late.return?.();
      return { step, another, following };
    });
    expect(steps.step.lagged).toBe(1_199);
    expect([steps.following.event.jobId, steps.following.lagged]).toEqual([steps.another, 0]);
  });
});

describe('events are kept for 7 days', () => {
  test('then they go from the oldest on, and a cursor among them goes on at the oldest that is left and says so', async () => {
    const org = await freshOrg();
    const stream = await open(org);
    const ids = await addJobs(org, 10);
    const steps = await take(stream, 10);
    await stream.return?.();
    const orderOf = (id: string) => steps.findIndex(({ event }) => event.jobId === id);
    ids.sort((a, b) => orderOf(a) - orderOf(b));
    // Of all organisations: what other tests left here, and six of these.
    await t.database.asSuperuser(
      `UPDATE app.job_events SET occurred_at = now() - interval '8 days' WHERE org_id <> $1 OR job_id = ANY ($2::uuid[])`,
      [org.orgId, ids.slice(0, 6)],
    );
    // One that is old but stands behind younger ones stays: the log keeps no holes.
    await t.database.asSuperuser(
      `UPDATE app.job_events SET occurred_at = now() - interval '8 days' WHERE job_id = $1`,
      [ids[8]],
    );
    await deleteOldJobEvents(t.platform.postgres);
    expect((await wholeLog(org)).map((name) => name.split(' ')[0])).toEqual(ids.slice(6));
    const behind = async (index: number) => {
      const late = await open(org, steps[index]!.cursor);
      const step = await next(late);
      await late.return?.();
      return [step.event.jobId, step.lagged];
    };
    expect(await behind(2)).toEqual([ids[6], null]);
    expect(await behind(6)).toEqual([ids[7], 0]);
  });

  test('more than one batch goes at once, and two that delete do not wait for each other', async () => {
    const org = await freshOrg();
    await addJobs(org, 12_000);
    await t.database.asSuperuser(`UPDATE app.job_events SET occurred_at = now() - interval '8 days'`);
    const counts = await Promise.all([
      deleteOldJobEvents(t.platform.postgres),
      deleteOldJobEvents(t.platform.postgres),
    ]);
    const rest = await deleteOldJobEvents(t.platform.postgres);
    expect(counts[0]! + counts[1]! + rest).toBeGreaterThanOrEqual(12_000);
    expect(await wholeLog(org)).toEqual([]);
  });
});

test('the log of one organisation is read within its index', async () => {
  const org = await freshOrg();
  const [{ plan }] = (await t.platform.postgres.withOrg(org, async (tx) => {
    await tx.query('SET LOCAL enable_seqscan = off');
    const lines = await tx.query<Record<'QUERY PLAN', string>>(
      `EXPLAIN SELECT tx, seq FROM app.job_events AS log WHERE (tx, seq) > ('5'::xid8, 7::bigint)
          AND tx < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY log.tx, log.seq LIMIT 10`,
    );
    return [{ plan: lines.map((line) => line['QUERY PLAN']).join('\n') }];
  })) as [{ plan: string }];
  expect(plan).toMatch(
    /Index (Only )?Scan using job_events_org_id_tx_seq_idx[\s\S]*Index Cond: \(\(org_id = [\s\S]*ROW\(tx, seq\) >/,
  );
  expect(plan).not.toContain('Sort');
});
