/** Runs that take their time: what is seen of them on the way, and how they end early. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasets } from '../../../datasets/index.js';
import { capabilitiesOf, type Identity } from '../../../platform/identity.js';
import { enginesOf, prepareQuery } from '../../../query/index.js';
import { eventually } from '../../../tests/setup/until.js';
import { LeaseStore } from '../store/leases.js';
import { createJobsTest, endlessQuery, type JobsTest } from '../testing.js';
import { JobRun, type RunContext } from './run.js';

let t: JobsTest;
let leases: LeaseStore;
const events = 3_000;
const oldest = Date.parse('2026-01-05T00:00:00Z');
const stepMs = 20 * 60_000;

beforeAll(async () => {
  t = await createJobsTest();
  leases = new LeaseStore(t.platform.postgres);
  for (const month of ['2026-01-01', '2026-02-01']) {
    await t.database.asSuperuser(`SELECT app.ensure_partition('logs', $1)`, [month]);
  }
  await t.database.asSuperuser(
    `INSERT INTO app.logs (org_id, batch_no, timestamp, severity, host, bytes_in, message)
     SELECT $1, 1, $2::timestamptz + n * interval '20 minutes', (array['high', 'low', NULL])[1 + n % 3], 'host ' || n % 97,
            n * 1000003::bigint, 'a message about ' || n
       FROM generate_series(0, $3 - 1) n`,
    [t.orgs[0].orgId, new Date(oldest).toISOString(), events],
  );
}, 120_000);

afterAll(() => t?.close());

/** True of every event, after about a millisecond. */
const slowly = 'strlen(strrep(message, 8000)) > 0';
const soon = { quickMs: 1, longCost: 0 };
const never = { longCost: Number.POSITIVE_INFINITY, longMs: 1_000_000 };

interface State {
  status: string;
  percent: number;
  phase: string | null;
  isExact: boolean;
  since: Date | null;
  rows: number;
  revision: number;
}

const stateOf = async (id: string): Promise<State> => {
  const [row] = await t.database.asSuperuser<State>(
    `SELECT status, percent, phase, is_exact AS "isExact", covered_since AS since, rows_fetched AS rows, revision
       FROM app.jobs WHERE id = $1`,
    [id],
  );
  return row!;
};

const claim = () => leases.claim('shared', 'test', 1);

/** Submits a job and runs it as a worker does. */
async function begin(input: Record<string, unknown>, context: Partial<RunContext> = {}) {
  const { id } = await t.submit(t.orgs[0], { language: 'KQL', maxResultAgeSeconds: 0, ...input });
  const [claimed] = await claim();
  expect(claimed?.jobId).toBe(id);
  const { pubsub, logger } = t.platform;
  const run = new JobRun(
    { leases, engines: enginesOf(t.platform), pubsub, logger, slowQueryMs: 600_000, slicing: soon, ...context },
    claimed!,
  );
  let isOver = false;
  const ended = run.execute().finally(() => {
    isOver = true;
  });
  /** What was seen of it until its end. */
  const watch = async (): Promise<State[]> => {
    const states: State[] = [];
    do {
      states.push(await stateOf(id));
      await delay(15);
    } while (!isOver);
    return [...states, await stateOf(id)];
  };
  return { id, run, ended, watch };
}

const resultOf = async (id: string) => {
  const { job } = await t.ask(
    t.orgs[0],
    `query ($id: ID!) { job(id: $id) {
       status resultCount partial columns { name type } error { code message } expiresAt
       progress { percent phase exact coveredSince rowsMatched }
       results(partial: true, first: 10000) { nodes totalCount { value } }
     } }`,
    { id },
  );
  return job;
};

const mutate = (what: 'cancelJob' | 'finalizeJob', id: string) =>
  t.ask(
    t.orgs[0],
    `mutation ($id: ID!) { ${what}(input: { id: $id }) { ${what === 'cancelJob' ? 'previousStatus' : 'id status partial resultCount progress { percent exact }'} } }`,
    { id },
  );

const reaches = (id: string, check: (state: State) => boolean) =>
  eventually(async () => {
    const state = await stateOf(id);
    expect(state).toSatisfy(check);
    return state;
  }, 60_000);

describe('while a job runs', () => {
  test('rows that follow one another can be read, newest first, with how far back they go', async () => {
    const { id, ended } = await begin({ query: `logs | where ${slowly} | project timestamp | sort by timestamp desc` });
    await reaches(id, ({ rows, since }) => rows > 0 && since !== null);
    const { status, results, progress, columns } = await resultOf(id);
    if (status === 'RUNNING') {
      expect(progress).toMatchObject({ phase: 'FETCHING', exact: true });
      expect(columns ?? [{ name: 'timestamp' }]).toMatchObject([{ name: 'timestamp' }]);
      const times = results.nodes.map((node: { timestamp: string }) => Date.parse(node.timestamp));
      const newest = oldest + (events - 1) * stepMs;
      expect(times).toEqual(times.map((_: number, n: number) => newest - n * stepMs));
      expect(times.at(-1)).toBeLessThanOrEqual(Date.parse(progress.coveredSince) + stepMs);
    }
    await ended;
    expect(await resultOf(id)).toMatchObject({ status: 'COMPLETED', resultCount: events, partial: false });
  }, 120_000);

  test('groups over what is covered can be read, and are replaced as a whole', async () => {
    const { id, ended, watch } = await begin({ query: `logs | where ${slowly} | summarize n = count()` });
    const watching = watch();
    await reaches(id, ({ rows, since }) => rows > 0 && since !== null);
    const { status, results, progress } = await resultOf(id);
    if (status === 'RUNNING') {
      const since = Date.parse(progress.coveredSince);
      const covered = Math.floor((oldest + (events - 1) * stepMs - since) / stepMs) + 1;
      expect(results.nodes).toEqual([{ n: covered }]);
    }
    await ended;
    const states = await watching;
    expect(Math.max(...states.map(({ revision }) => revision))).toBeGreaterThan(1);
    expect((await resultOf(id)).results.nodes).toEqual([{ n: events }]);
    const chunks = await t.database.asSuperuser(
      `SELECT r.row_count, j.result_bytes = sum(r.json_bytes) OVER () AS weighed
         FROM app.job_results r JOIN app.jobs j ON j.id = r.job_id WHERE r.job_id = $1`,
      [id],
    );
    expect(chunks).toEqual([{ row_count: 1, weighed: true }]);
  }, 120_000);

  test('percent never falls, and is a measure exactly where time is covered', async () => {
    const sliced = await begin({ query: `logs | where ${slowly} | summarize n = count() by host` });
    const states = await sliced.watch();
    await sliced.ended;
    const percents = states.map(({ percent }) => percent);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(new Set(percents).size).toBeGreaterThan(3);
    expect(states.every(({ percent, status }) => (percent === 100) === (status === 'COMPLETED'))).toBe(true);
    expect(states.filter(({ percent }) => percent > 0).every(({ isExact }) => isExact)).toBe(true);
    const times = states.flatMap(({ since }) => (since === null ? [] : [since.getTime()]));
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    const phases = states.map(({ phase }) => phase).filter((phase, n, all) => phase !== all[n - 1]);
    expect(['PLANNING', 'RUNNING', 'MERGING', null].filter((phase) => phases.includes(phase))).toEqual(phases);

    const whole = await begin(
      { query: `logs | where ${slowly} | project message`, timeoutMs: 60_000 },
      { slicing: never },
    );
    const seen = (await whole.watch()).filter(({ status }) => status === 'RUNNING');
    expect(seen.some(({ rows, percent }) => rows > 0 && percent > 0)).toBe(true);
    expect(seen.every(({ isExact, since }) => !isExact && since === null)).toBe(true);
  }, 120_000);

  // PostgreSQL sends rows 8 KB at a time.
  test('a few wide rows that come in slowly can be read before the end, in one piece as well', async () => {
    const { id, ended } = await begin(
      {
        query:
          'logs | where (strlen(strrep(message, 15000)) + bytes_in) % 100 == 3 | project text = strrep(message, 300)',
      },
      { slicing: never },
    );
    const { rows } = await reaches(id, ({ status, rows }) => status === 'RUNNING' && rows > 0);
    expect(rows).toBeLessThan(30);
    await ended;
    expect(await resultOf(id)).toMatchObject({ status: 'COMPLETED', resultCount: 30 });
  }, 120_000);
});

describe('in slices', () => {
  test.each([
    ['KQL', 'logs | where severity == "high" | project timestamp, host, bytes_in'],
    [
      'KQL',
      'logs | summarize n = count(), total = sum(bytes_in), mean = avg(bytes_in), hosts = dcount(host) by severity',
    ],
    ['KQL', 'logs | summarize arg_max(timestamp, message) by host | where host != "host 3" | top 20 by timestamp desc'],
    ['KQL', 'logs | where timestamp > ago(36500d) | distinct host, severity'],
    ['KQL', 'logs | top 25 by bytes_in desc | project bytes_in, message'],
    ['LINQ', 'from logs group by host select host, count() as n where n > 10'],
    [
      'SQL',
      'SELECT severity, count(*) AS n, min(timestamp) AS first, avg(bytes_in) AS mean FROM logs GROUP BY severity ORDER BY n',
    ],
    ['SQL', "SELECT timestamp, upper(host) AS host FROM logs WHERE severity = 'low' ORDER BY timestamp DESC"],
    ['KQL', 'logs | summarize percentile(bytes_in, 50) by severity'],
    ['SQL', 'SELECT count(*) AS n FROM logs WHERE false'],
  ])(
    '%s answers as in one piece: %s',
    async (language, query) => {
      const answers = [];
      for (const slicing of [never, soon]) {
        const { id, ended } = await begin({ language, query }, { slicing });
        await ended;
        const { status, columns, results } = await resultOf(id);
        const rows = results.nodes.map((row: unknown) => JSON.stringify(row));
        answers.push({ status, columns, rows: /order|top/i.test(query) ? rows : rows.toSorted() });
      }
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[0]!.status).toBe('COMPLETED');
    },
    60_000,
  );

  test('a sum whose part is too large, and not the whole, answers as in one piece', async () => {
    const query = `logs | extend v = iff(bytes_in == 0, -9223372036854775807, iff(bytes_in > ${(events - 3) * 1000003}, 4611686018427387904, 0)) | summarize s = sum(v)`;
    const answers = [];
    for (const slicing of [never, soon]) {
      const { id, ended } = await begin({ query }, { slicing });
      await ended;
      const { status, error, results } = await resultOf(id);
      answers.push({ status, error, rows: results?.nodes });
    }
    expect(answers[1]).toEqual(answers[0]);
  }, 60_000);
});

describe('finalizeJob', () => {
  test('keeps exactly what could be read, and stops the query within a second', async () => {
    for (const query of [
      `logs | where ${slowly} | project timestamp | sort by timestamp desc`,
      `logs | where ${slowly} | summarize n = count() by host`,
    ]) {
      const { id, ended } = await begin({ query });
      await reaches(id, ({ rows }) => rows > 0);
      const { finalizeJob } = await mutate('finalizeJob', id);
      const began = performance.now();
      expect(finalizeJob).toMatchObject({
        status: 'COMPLETED',
        partial: true,
        progress: { percent: 100, exact: false },
      });
      const before = await resultOf(id);
      expect(before).toMatchObject({ resultCount: finalizeJob.resultCount, progress: { phase: 'COMPLETED' } });
      expect(before.results.nodes).toHaveLength(finalizeJob.resultCount);
      expect(before.expiresAt).not.toBeNull();
      await ended;
      expect(performance.now() - began).toBeLessThan(1_500);
      expect(await t.runningQueries()).toBe(0);
      expect(await resultOf(id)).toEqual(before);
      // Once more changes nothing.
      expect((await mutate('finalizeJob', id)).finalizeJob).toEqual(finalizeJob);
    }
  }, 120_000);

  test('of a job that has found nothing yet keeps no rows', async () => {
    const { id, ended } = await begin({ language: 'SQL', query: endlessQuery });
    await eventually(async () => expect(await t.runningQueries()).toBe(1));
    expect((await mutate('finalizeJob', id)).finalizeJob).toMatchObject({ status: 'COMPLETED', resultCount: 0 });
    await ended;
    expect(await resultOf(id)).toMatchObject({ columns: [], results: { nodes: [] } });
  });

  test('is refused where nothing runs', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 1', maxResultAgeSeconds: 0 });
    const refused = (status: string) => ({ extensions: { code: 'JOB_NOT_RUNNING', status, argument: 'input.id' } });
    await expect(mutate('finalizeJob', id)).rejects.toMatchObject(refused('PENDING'));
    await mutate('cancelJob', id);
    await expect(mutate('finalizeJob', id)).rejects.toMatchObject(refused('CANCELLED'));
    await expect(mutate('finalizeJob', t.orgs[0].orgId)).rejects.toMatchObject({ extensions: { code: 'NOT_FOUND' } });
    await expect(mutate('finalizeJob', 'x')).rejects.toMatchObject({ extensions: { code: 'NOT_FOUND' } });
  });
});

describe('a slow query', () => {
  const planOf = async (id: string, identity: Identity) =>
    (
      await t.ask(identity, 'query ($id: ID!) { job(id: $id) { plan { engine text estimatedCost runsInSlices } } }', {
        id,
      })
    ).job.plan;
  const kept = async (id: string) => {
    const [row] = await t.database.asSuperuser<{ plan: { text: string } | null }>(
      'SELECT plan FROM app.jobs WHERE id = $1',
      [id],
    );
    return row!.plan;
  };

  test('keeps how it ran, in full for platform administrators alone; others are told how they would run now', async () => {
    const query = 'logs | where host == "host 7" | count';
    const slow = await begin({ query }, { slowQueryMs: 0 });
    await slow.ended;
    expect((await kept(slow.id))?.text).toContain('Aggregate');
    await t.database.asSuperuser(`UPDATE app.jobs SET plan = jsonb_set(plan::jsonb, '{estimatedCost}', '123')`);
    expect(await planOf(slow.id, t.orgs[0])).toMatchObject({
      engine: 'POSTGRES',
      estimatedCost: 123,
      runsInSlices: true,
    });
    const analyst = { ...t.orgs[0], capabilities: capabilitiesOf(['ANALYST']) };
    const seen = await planOf(slow.id, analyst);
    expect(seen).toMatchObject({ estimatedCost: null, runsInSlices: true });
    expect(seen.text).toContain('scan logs');
    expect(seen.text).not.toContain('Aggregate');

    const quick = await begin({ query });
    await quick.ended;
    expect(await kept(quick.id)).toBeNull();
    expect((await planOf(quick.id, t.orgs[0])).estimatedCost).not.toBe(123);
  }, 60_000);

  test('keeps it as well where its time was over', async () => {
    const { id, ended } = await begin({ language: 'SQL', query: endlessQuery, timeoutMs: 300 }, { slowQueryMs: 100 });
    await ended;
    expect((await resultOf(id).catch((error) => error.extensions)).code).toBe('JOB_FAILED');
    expect((await kept(id))?.text).toContain('Nested Loop');
  }, 60_000);
});

describe('within a second of its end by others, nothing runs any more', () => {
  const endsSoon = async (ended: Promise<unknown>, end: () => unknown) => {
    const began = performance.now();
    await end();
    await eventually(async () => expect(await t.runningQueries()).toBe(0), 1_000);
    expect(performance.now() - began).toBeLessThan(1_000);
    await ended;
  };

  test('when it waits for a connection', async () => {
    const pool = t.platform.postgres.queryPool;
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 12', maxResultAgeSeconds: 0 });
    const taken = await Promise.all(Array.from({ length: pool.options.max! }, () => pool.connect()));
    try {
      const [claimed] = await claim();
      const { pubsub, logger } = t.platform;
      const context = { leases, engines: enginesOf(t.platform), pubsub, logger, slowQueryMs: 1_000 };
      const ended = new JobRun(context, claimed!).execute();
      await eventually(() => expect(pool.waitingCount).toBe(1));
      const began = performance.now();
      await mutate('cancelJob', id);
      await ended;
      expect(performance.now() - began).toBeLessThan(1_000);
    } finally {
      for (const client of taken) client.release();
    }
  }, 60_000);

  test('when it is planned', async () => {
    const { id } = await t.submit(t.orgs[0], { query: 'SELECT 13', maxResultAgeSeconds: 0 });
    await t.database.asSuperuser(
      `UPDATE app.jobs SET query = 'logs | count // unknown', language = 'KQL' WHERE id = $1`,
      [id],
    );
    const [claimed] = await claim();
    // The thread of languages takes one text after the other.
    const others = Array.from({ length: 12 }, (_, n) => {
      const conditions = Array.from({ length: 400 }, (__, k) => `host == "a${n} ${k}"`).join(' or ');
      return prepareQuery({ language: 'KQL', text: `logs | where ${conditions}`, datasets }).catch(() => {});
    });
    const { pubsub, logger } = t.platform;
    const context = { leases, engines: enginesOf(t.platform), pubsub, logger, slowQueryMs: 1_000 };
    const ended = new JobRun(context, claimed!).execute();
    expect((await stateOf(id)).phase).toBe('PLANNING');
    const began = performance.now();
    await mutate('cancelJob', id);
    await ended;
    expect(performance.now() - began).toBeLessThan(1_000);
    await Promise.all(others);
  }, 60_000);

  test('when it runs in one piece, or in slices that are merged or not', async () => {
    const { id, ended } = await begin({ language: 'SQL', query: endlessQuery });
    await eventually(async () => expect(await t.runningQueries()).toBe(1));
    await endsSoon(ended, () => mutate('cancelJob', id));
    for (const query of [
      `logs | where ${slowly} | project timestamp, host`,
      `logs | where ${slowly} | summarize n = count() by host`,
    ]) {
      const sliced = await begin({ query });
      await reaches(sliced.id, ({ phase, isExact }) => isExact && phase !== 'RUNNING');
      await endsSoon(sliced.ended, () => mutate('cancelJob', sliced.id));
    }
  }, 120_000);

  test('when its rows come in', async () => {
    const query = `SELECT n, repeat('x', 2000) AS text FROM logs, (SELECT bytes_in AS n FROM logs) AS other`;
    const { id, ended } = await begin({ language: 'SQL', query });
    await reaches(id, ({ rows }) => rows >= 2_000);
    await endsSoon(ended, () => mutate('cancelJob', id));
    const kept = await t.database.asSuperuser('SELECT 1 FROM app.job_results WHERE job_id = $1', [id]);
    expect(kept).toEqual([]);
  }, 60_000);

  test('when its rows cannot be stored', async () => {
    const query = `SELECT n, repeat('x', 2000) AS text FROM (SELECT bytes_in AS n FROM logs) AS other, logs`;
    const { id, run, ended } = await begin({ language: 'SQL', query });
    await reaches(id, ({ rows }) => rows >= 1_000);
    const release = await t.database.hold('LOCK TABLE app.job_results IN EXCLUSIVE MODE');
    await delay(300);
    await endsSoon(Promise.resolve(), () => run.handBack()).finally(release);
    await ended;
    expect(await stateOf(id)).toMatchObject({ status: 'PENDING', rows: 0 });
    await mutate('cancelJob', id);
  }, 60_000);

  test('when its time is over, which begins with the claim', async () => {
    const { id } = await t.submit(t.orgs[0], { query: endlessQuery, timeoutMs: 700, maxResultAgeSeconds: 0 });
    // What it waited for a worker does not count.
    await delay(1_000);
    const [claimed] = await claim();
    const { pubsub, logger } = t.platform;
    const context = { leases, engines: enginesOf(t.platform), pubsub, logger, slowQueryMs: 1_000_000 };
    const began = performance.now();
    await new JobRun(context, claimed!).execute();
    expect(performance.now() - began).toBeGreaterThan(600);
    await eventually(async () => expect(await t.runningQueries()).toBe(0), 1_000);
    expect(performance.now() - began).toBeLessThan(1_700);
    const [row] = await t.database.asSuperuser<{ error: unknown }>('SELECT error FROM app.jobs WHERE id = $1', [id]);
    expect(row).toMatchObject({ error: { code: 'QUERY_TIMEOUT' } });
  }, 60_000);
});
