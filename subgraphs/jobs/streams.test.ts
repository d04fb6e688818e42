/** The streams of jobs through a real gateway, over WebSocket. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'graphql-ws';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGateway } from '../../gateway/server.js';
import { composeSupergraph } from '../../gateway/supergraph/compose.js';
import { type Background, startBackground } from '../../platform/background.js';
import { type RunningRedis, startRedis } from '../../platform/embedded/redis.js';
import type { Identity } from '../../platform/identity.js';
import { printSubgraph } from '../../platform/subgraph.js';
import { createTestPlatform, makeOrg, type TestPlatform } from '../../tests/setup/database.js';
import { type Callers, callersOf } from '../../tests/setup/gateway.js';
import { toolchainDir } from '../../tests/setup/toolchain.js';
import { eventually } from '../../tests/setup/until.js';
import { subgraphs } from '../index.js';
import { births, isTerminal, type JobStatus, jobEvents, transitions } from './states.js';
import { endlessQuery } from './testing.js';

const isDeep = process.env.HARBORWATCH_DEEP === '1';

let t: TestPlatform;
let redis: RunningRedis;
let redisDir: string;
let background: Background;
let gateway: { port: number; drain(): Promise<void> };
let callers: Callers;

const { supergraphSdl } = composeSupergraph(
  subgraphs.map((subgraph) => ({ name: subgraph.name, sdl: printSubgraph(subgraph) })),
);
const startGatewayAgain = async () => {
  gateway = await startGateway(t.platform, {
    supergraphSdl,
    subgraphs,
    pagesDirectory: 'dist/public/graphiql/',
    port: 0,
    host: '127.0.0.1',
  });
  callers = callersOf(`http://127.0.0.1:${gateway.port}`, t.platform);
};

beforeAll(async () => {
  redisDir = await mkdtemp(path.join(tmpdir(), 'harborwatch-streams-redis-'));
  redis = await startRedis({ dataDir: redisDir, toolchainDir });
  t = await createTestPlatform({ REDIS_URL: redis.url, STREAM_DRAIN_MS: '500' });
  await startGatewayAgain();
  background = await startBackground(t.platform, subgraphs);
});
afterAll(async () => {
  await gateway?.drain();
  await background?.stop(2_000);
  await t?.close();
  await redis?.stop();
  await rm(redisDir, { recursive: true, force: true });
});

interface SeenEvent {
  cursor: string;
  type: string;
  jobId: string;
  status: JobStatus;
  attempt: number;
  lagged: number | null;
}
const fields = 'cursor type jobId status attempt lagged';

/** Reads `jobEvents`, and goes on by cursor wherever it was cut off. */
class Reader {
  readonly seen: SeenEvent[] = [];
  #client: Client | undefined;
  #isClosed = false;
  readonly #running: Promise<void>;

  /** @param leaveAfter it goes by itself after so many events, each time; undefined for never */
  constructor(
    private readonly identity: Identity,
    private readonly selection = fields,
    private readonly leaveAfter?: () => number,
  ) {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const client = await callers.webSocket(this.identity);
      this.#client = client;
      const query = `subscription ($after: String) { jobEvents(after: $after) { ${this.selection} } }`;
      const variables = { after: this.seen.at(-1)?.cursor ?? null };
      let left = this.leaveAfter?.() ?? Number.POSITIVE_INFINITY;
      try {
        for await (const { data, errors } of client.iterate<{ jobEvents: SeenEvent }>({ query, variables })) {
          if (errors) throw new Error(JSON.stringify(errors));
          this.seen.push(data!.jobEvents);
          left -= 1;
          if (left <= 0) break;
        }
      } catch {
        // The gateway is away for a moment.
        await delay(20);
      } finally {
        await client.dispose();
      }
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client?.dispose();
    await this.#running;
  }
}

const submit = async (identity: Identity, query: string): Promise<string> => {
  const mutation = 'mutation ($query: String!) { submitJob(input: { query: $query, maxResultAgeSeconds: 0 }) { id } }';
  const answer = await callers.query<{ submitJob: { id: string } }>(identity, mutation, { query });
  if (!answer.data?.submitJob) throw new Error(JSON.stringify(answer.errors));
  return answer.data.submitJob.id;
};
const cancel = (identity: Identity, id: string) =>
  callers.query(identity, 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { previousStatus } }', { id });
/** A writer goes on where the gateway was away. */
const persistently = async <T>(act: () => Promise<T>): Promise<T> => eventually(act, 60_000);

/** What a cursor of `jobEvents` is bound to. */
const logOf = ({ orgId }: Identity) => ({ orgId, list: 'jobEvents' });
const wholeLog = async ({ orgId }: Identity) =>
  (
    await t.database.asSuperuser<{ name: string }>(
      `SELECT job_id || ' ' || type || ' ' || attempt AS name FROM app.job_events WHERE org_id = $1 ORDER BY tx, seq`,
      [orgId],
    )
  ).map(({ name }) => name);
const names = (events: readonly SeenEvent[]) => events.map(({ jobId, type, attempt }) => `${jobId} ${type} ${attempt}`);
const leads = (from: JobStatus, to: JobStatus) => jobEvents.some((event) => transitions[from][event] === to);

describe('jobEvents', () => {
  test('every reader sees every event once and in one order, over restarts of the gateway, a Redis that stands still and one that is emptied', async () => {
    const org = await makeOrg(t.platform, 'chaos');
    const first = await submit(org, 'SELECT 0');
    const readers = [
      new Reader(org),
      new Reader(org, `${fields} job { id status submittedBy { id } }`),
      new Reader(org, fields, () => 1 + Math.floor(Math.random() * 12)),
    ];
    // A reader without a cursor starts at now: events until each has its first one.
    await eventually(async () => {
      await submit(org, 'SELECT 0');
      for (const reader of readers) expect(reader.seen.length).toBeGreaterThan(0);
    });
    const starts = readers.map(({ seen }) => names(seen)[0]!);

    const jobsPerWriter = isDeep ? 500 : 50;
    const writer = async (number: number) => {
      for (let index = 0; index < jobsPerWriter; index += 1) {
        const isLong = index % 10 === number;
        const id = await persistently(() => submit(org, isLong ? endlessQuery : `SELECT ${index}`));
        if (isLong || index % 3 === 0) await persistently(() => cancel(org, id));
      }
    };
    const writing = Promise.all([0, 1, 2, 3].map(writer));
    const client = new Redis(redis.url);
    const logReaches = (count: number) =>
      eventually(async () => expect((await wholeLog(org)).length).toBeGreaterThan(count), 60_000);
    await logReaches(60);
    await client.flushall();
    client.disconnect();
    await logReaches(120);
    await gateway.drain();
    await startGatewayAgain();
    await logReaches(200);
    process.kill(redis.pid!, 'SIGSTOP');
    await logReaches(260);
    process.kill(redis.pid!, 'SIGCONT');
    await writing;
    await eventually(async () => {
      const [row] = await t.database.asSuperuser<{ count: number }>(
        `SELECT count(*)::int AS count FROM app.jobs WHERE org_id = $1 AND status IN ('PENDING', 'RUNNING')`,
        [org.orgId],
      );
      expect(row!.count).toBe(0);
    }, 120_000);

    const log = await wholeLog(org);
    expect(new Set(log.map((name) => name.split(' ')[0])).size).toBeGreaterThan(4 * jobsPerWriter);
    for (const [index, reader] of readers.entries()) {
      const expected = log.slice(log.indexOf(starts[index]!));
      await eventually(() => expect(names(reader.seen)).toEqual(expected));
      expect(reader.seen.every(({ lagged }) => lagged === 0)).toBe(true);
      await reader.close();
    }

    const complete = await replay(org);
    const paths = Map.groupBy(complete, ({ jobId }) => jobId);
    expect(paths.has(first)).toBe(true);
    for (const path of paths.values()) {
      expect(Object.values<JobStatus>(births)).toContain(path[0]!.status);
      for (const [index, { status }] of path.slice(1).entries()) {
        expect(leads(path[index]!.status, status)).toBe(true);
      }
      expect(isTerminal(path.at(-1)!.status)).toBe(true);
    }
  }, 400_000);

  /** The whole log, as it is read behind a cursor before its first event. */
  const replay = async (org: Identity): Promise<SeenEvent[]> => {
    const count = (await wholeLog(org)).length;
    const after = t.platform.cursors.encode(logOf(org), ['3', '0']);
    const client = await callers.webSocket(org);
    const seen: SeenEvent[] = [];
    const query = `subscription ($after: String) { jobEvents(after: $after) { ${fields} } }`;
    for await (const { data } of client.iterate<{ jobEvents: SeenEvent }>({ query, variables: { after } })) {
      seen.push(data!.jobEvents);
      if (seen.length === count) break;
    }
    await client.dispose();
    // That cursor's event is not kept, so nobody can tell what was before it.
    expect(seen[0]!.lagged).toBe(null);
    return seen;
  };

  test('a job’s event tells what was known then, and gives the job as it is now', async () => {
    const org = await makeOrg(t.platform, 'then-and-now');
    const client = await callers.webSocket(org);
    const query = `subscription { jobEvents { type status at percent resultCount partial error { code } job { id status resultCount } } }`;
    const seen: Record<string, unknown>[] = [];
    const reading = (async () => {
      for await (const { data } of client.iterate<{ jobEvents: Record<string, unknown> }>({ query })) {
        seen.push(data!.jobEvents);
        if (data!.jobEvents.type === 'FAILED') break;
      }
    })();
    let good = '';
    await eventually(async () => {
      good = await submit(org, 'SELECT 1 UNION ALL SELECT 2');
      await eventually(() => expect(seen.length).toBeGreaterThan(0), 500);
    });
    await eventually(() => expect(seen.map(({ type }) => type)).toContain('COMPLETED'));
    await submit(org, 'SELECT 1 / (SELECT 0)');
    await reading;
    await client.dispose();
    const ofGood = seen.filter(({ job }) => (job as { id: string }).id === good);
    expect(ofGood.at(-1)).toMatchObject({
      type: 'COMPLETED',
      status: 'COMPLETED',
      percent: 100,
      resultCount: 2,
      partial: false,
    });
    expect(ofGood.at(-1)!.job).toEqual({ id: good, status: 'COMPLETED', resultCount: 2 });
    expect(seen.at(-1)).toMatchObject({
      type: 'FAILED',
      status: 'FAILED',
      resultCount: null,
      error: { code: 'QUERY_FAILED' },
    });
    expect(seen.every(({ at }) => Date.now() - Date.parse(String(at)) < 60_000)).toBe(true);
  });

  const refusal = async (identity: Identity, variables: { after?: string }) => {
    const client = await callers.webSocket(identity);
    const query = 'subscription ($after: String) { jobEvents(after: $after) { type } }';
    try {
      for await (const { errors } of client.iterate({ query, variables })) return errors?.[0]?.extensions?.code;
      return undefined;
    } catch (error) {
      return (error as { extensions: { code: string } }[])[0]?.extensions.code;
    } finally {
      await client.dispose();
    }
  };

  test('refuses a cursor that is not of this stream and this organisation, and callers without jobs:read', async () => {
    const [mine, foreign] = [await makeOrg(t.platform, 'mine'), await makeOrg(t.platform, 'foreign')];
    const { cursors } = t.platform;
    const ofForeign = cursors.encode(logOf(foreign), ['3', '0']);
    for (const after of ['', 'x', ofForeign]) expect(await refusal(mine, { after })).toBe('INVALID_CURSOR');
    expect(await refusal({ ...mine, capabilities: ['events:read'] as never }, {})).toMatch(/^FORBIDDEN/);
  });

  test('shows nothing of another organisation’s jobs', async () => {
    const [mine, foreign] = [await makeOrg(t.platform, 'seen'), await makeOrg(t.platform, 'unseen')];
    const reader = new Reader(foreign);
    await eventually(async () => {
      await submit(mine, 'SELECT 1');
      await submit(foreign, 'SELECT 2');
      expect(reader.seen.length).toBeGreaterThan(0);
    });
    await submit(mine, 'SELECT 3');
    const last = await submit(foreign, 'SELECT 4');
    await eventually(() => expect(names(reader.seen)).toContain(`${last} COMPLETED 1`));
    await reader.close();
    const owned = (await wholeLog(foreign)).map((name) => name.split(' ')[0]);
    expect(reader.seen.filter(({ jobId }) => !owned.includes(jobId))).toEqual([]);
  });
});

describe('jobProgress', () => {
  const states = async (identity: Identity, id: string, onState: (status: string) => void = () => {}) => {
    const client = await callers.webSocket(identity);
    const seen: string[] = [];
    const query = 'subscription ($id: ID!) { jobProgress(id: $id) { status } }';
    try {
      for await (const { data } of client.iterate<{ jobProgress: { status: string } }>({ query, variables: { id } })) {
        seen.push(data!.jobProgress.status);
        onState(data!.jobProgress.status);
      }
    } catch {
      // Cut off.
    } finally {
      await client.dispose();
    }
    return seen;
  };

  test('a watcher that a restart of the gateway cut off asks again, and gets the present state first and the end', async () => {
    const org = await makeOrg(t.platform, 'watched');
    const id = await submit(org, endlessQuery);
    const running = Promise.withResolvers<void>();
    const cut = states(org, id, (status) => status === 'RUNNING' && running.resolve());
    await running.promise;
    await gateway.drain();
    expect((await cut).at(-1)).toBe('RUNNING');
    await startGatewayAgain();
    const again = Promise.withResolvers<void>();
    const resumed = states(org, id, () => again.resolve());
    await again.promise;
    await cancel(org, id);
    expect(await resumed).toEqual(['RUNNING', 'CANCELLED']);
    expect(await states(org, id)).toEqual(['CANCELLED']);
  });

  test('ends after the end of the job although Redis does not answer', async () => {
    const org = await makeOrg(t.platform, 'still');
    const id = await submit(org, endlessQuery);
    const running = Promise.withResolvers<void>();
    const watching = states(org, id, (status) => status === 'RUNNING' && running.resolve());
    await running.promise;
    process.kill(redis.pid!, 'SIGSTOP');
    try {
      await cancel(org, id);
      const ended = performance.now();
      expect((await watching).at(-1)).toBe('CANCELLED');
      expect(performance.now() - ended).toBeLessThan(6_000);
    } finally {
      process.kill(redis.pid!, 'SIGCONT');
    }
  });
});

test('what docs/jobs.md shows is what the gateway runs', async () => {
  const org = await makeOrg(t.platform, 'reader');
  const blocks = [...readFileSync('docs/jobs.md', 'utf8').matchAll(/```graphql\n([\s\S]*?)```/g)].map(
    ([, text]) => text!,
  );
  const [mutation, ...subscriptions] = blocks;
  const { data } = await callers.query<{ submitJob: { id: string } }>(org, mutation!);
  const variables = { id: data!.submitJob.id, after: t.platform.cursors.encode(logOf(org), ['3', '0']) };
  expect(subscriptions).toHaveLength(2);
  for (const query of subscriptions) {
    const client = await callers.webSocket(org);
    for await (const answer of client.iterate({ query, variables })) {
      expect(answer.errors).toBeUndefined();
      break;
    }
    await client.dispose();
  }
});
