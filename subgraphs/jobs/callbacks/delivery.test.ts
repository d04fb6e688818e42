/** Callbacks from the end of a job to its receiver: real workers, real receivers on loopback, the real database. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Identity } from '../../../platform/identity.js';
import { returnExpiredLeases } from '../../../platform/system/jobs.js';
import { eventually } from '../../../tests/setup/until.js';
import { endlessQuery } from '../testing.js';
import { status } from './receivers.js';
import { type CallbacksTest, createCallbacksTest, signaturesBy } from './testing.js';

let t: CallbacksTest;
let org: Identity;
let other: Identity;

beforeEach(async () => {
  t = await createCallbacksTest();
  [org, other] = t.orgs;
});
afterEach(() => t.close());

describe('the end of a job', () => {
  const url = 'http://127.0.0.1:9/';
  const submit = async (query: string, callbackUrl: string | null = url): Promise<string> =>
    (await t.submit(org, { query, callbackUrl })).id;
  const typeOf = async (jobId: string) => {
    const select = 'SELECT type, status, url, org_id AS org FROM app.job_callbacks WHERE job_id = $1';
    return t.database.asSuperuser(select, [jobId]);
  };
  const made = (type: string) => [{ type, status: 'PENDING', url, org: org.orgId }];

  test('makes one callback in its transaction, whoever brings it: a worker, a caller, a sweep, an old result', async () => {
    const cancelled = await submit('SELECT 1 AS one FROM logs');
    expect(await typeOf(cancelled)).toEqual([]);
    await t.ask(org, 'mutation ($id: ID!) { cancelJob(input: { id: $id }) { job { status } } }', { id: cancelled });
    expect(await typeOf(cancelled)).toEqual(made('job.cancelled'));

    const abandoned = await submit(endlessQuery);
    await t.database.asSuperuser(
      `UPDATE app.jobs SET status = 'RUNNING', attempt = 1, lease_until = now() - interval '1 second' WHERE id = $1`,
      [abandoned],
    );
    const error = { code: 'JOB_ABANDONED', message: 'x' };
    await returnExpiredLeases(t.platform.postgres, { maxAttempts: 1, error });
    expect(await typeOf(abandoned)).toEqual(made('job.failed'));

    expect(await typeOf(await t.endedJob(org, url))).toEqual(made('job.completed'));

    const completed = await submit('SELECT 1 AS one FROM logs');
    const failed = await submit('SELECT 1 / 0 AS one FROM generate_series(1, 2)');
    const unasked = await submit('SELECT 1 AS one FROM logs', null);
    await t.startWorker();
    await eventually(async () => expect(await typeOf(completed)).toMatchObject([{ type: 'job.completed' }]), 60_000);
    await eventually(async () => expect(await typeOf(failed)).toMatchObject([{ type: 'job.failed' }]), 60_000);
    await eventually(async () => {
      const [job] = await t.database.asSuperuser<{ status: string }>('SELECT status FROM app.jobs WHERE id = $1', [
        unasked,
      ]);
      expect(job!.status).toBe('COMPLETED');
    }, 60_000);
    expect(await typeOf(unasked)).toEqual([]);
  });

  test('tells nobody where its transaction is undone', async () => {
    const id = await submit('SELECT 1 AS one FROM logs');
    const undone = t.platform.postgres.withOrg(org, async (tx) => {
      await tx.query(`UPDATE jobs SET status = 'CANCELLED', completed_at = now() WHERE id = $1`, [id]);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(await typeOf(id)).toEqual([]);
  });

  test('reaches the receiver within two seconds of it', async () => {
    const { url: address, calls } = await t.receiver();
    await t.startWorker();
    const delaysMs: number[] = [];
    // A machine that is busy with something else may be late now and then.
    while (delaysMs.length < 5 && !delaysMs.some((delayMs) => delayMs < 2_000)) {
      const id = await submit(`SELECT ${delaysMs.length} AS one FROM logs`, `${address}/done`);
      await eventually(() => expect(calls).toHaveLength(delaysMs.length + 1), 60_000);
      const { type, timestamp, data } = JSON.parse(calls.at(-1)!.body);
      delaysMs.push(Date.now() - Date.parse(timestamp));
      expect([type, data.jobId, data.resultCount]).toEqual(['job.completed', id, 0]);
    }
    expect(Math.min(...delaysMs)).toBeLessThan(2_000);
  });
});

describe('a call', () => {
  test('tells of the job by the specification, signed, and without its query', async () => {
    const { url, calls } = await t.receiver();
    const id = await t.endedJob(org, `${url}/jobs?key=1`);
    const before = Math.floor(Date.now() / 1_000);
    t.startSending();
    const { id: callbackId } = await t.becomes(id, {
      status: 'DELIVERED',
      attempts: 1,
      lastStatusCode: 204,
      nextInMs: null,
    });
    const [call] = calls;
    expect(call).toMatchObject({ method: 'POST', path: '/jobs?key=1' });
    expect(call!.headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': callbackId });
    expect(Number(call!.headers['webhook-timestamp'])).toBeGreaterThanOrEqual(before);
    expect(Number(call!.headers['webhook-timestamp'])).toBeLessThanOrEqual(Date.now() / 1_000);
    expect(JSON.parse(call!.body)).toEqual({
      type: 'job.completed',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: {
        jobId: id,
        status: 'COMPLETED',
        resultCount: 42,
        executionTimeMs: 250,
        error: null,
        metadata: { report: 'daily' },
      },
    });
    expect(signaturesBy(await t.secretOf(org), call!)).toEqual([0]);
    expect(signaturesBy(await t.secretOf(other), call!)).toEqual([]);
  });

  test('is verified by the code in docs/callbacks.md, which refuses what was changed, replayed or signed by others', async () => {
    const { url, calls } = await t.receiver();
    await t.endedJob(org, url);
    t.startSending();
    await eventually(() => expect(calls).toHaveLength(1));
    const text = await readFile('docs/callbacks.md', 'utf8');
    const [, sample] = /```js\n([\s\S]*?)```/.exec(text)!;
    const { verify } = await import(`data:text/javascript,${encodeURIComponent(sample!)}`);
    const { headers, body } = calls[0]!;
    const secret = await t.secretOf(org);
    expect(verify(secret, headers, body)).toMatchObject({ type: 'job.completed' });
    expect(() => verify(secret, headers, body.replace('42', '43'))).toThrow('not signed');
    expect(() => verify(secret, { ...headers, 'webhook-id': 'x' }, body)).toThrow('not signed');
    const old = String(Number(headers['webhook-timestamp']) - 301);
    expect(() => verify(secret, { ...headers, 'webhook-timestamp': old }, body)).toThrow('too old');
    const others = await t.secretOf(other);
    expect(() => verify(others, headers, body)).toThrow('not signed');
  });

  test('that fails is made again under the same id with a fresh signature, until it succeeds', async () => {
    const { url, calls } = await t.receiver((response, n) => status(n < 4 ? 500 : 200)(response, n));
    const id = await t.endedJob(org, url);
    t.startSending();
    for (const [attempts, aboutMs] of [
      [1, 5_000],
      [2, 30_000],
      [3, 120_000],
    ] as const) {
      // While it is under way, the next attempt is when this one counts as lost.
      await eventually(async () => {
        const row = await t.callbackOf(id);
        expect(row).toMatchObject({ status: 'PENDING', attempts, lastStatusCode: 500, lastError: 'REFUSED' });
        expect(row!.nextInMs).toBeGreaterThan(aboutMs * 0.8 - 2_500);
        expect(row!.nextInMs).toBeLessThan(aboutMs * 1.2);
      });
      await t.letPass((aboutMs * 1.2) / 1_000);
    }
    const { id: callbackId } = await t.becomes(id, {
      status: 'DELIVERED',
      attempts: 4,
      lastStatusCode: 200,
      lastError: null,
    });
    expect(calls.map(({ headers }) => headers['webhook-id'])).toEqual(Array(4).fill(callbackId));
    const secret = await t.secretOf(org);
    for (const call of calls) expect(signaturesBy(secret, call)).toEqual([0]);
  });

  test('waits for as long as the receiver asks', async () => {
    const { url } = await t.receiver(status(429, { 'retry-after': '600' }));
    const id = await t.endedJob(org, url);
    t.startSending();
    const { nextInMs } = await t.becomes(id, { status: 'PENDING', attempts: 1, lastStatusCode: 429 });
    expect(nextInMs).toBeGreaterThan(590_000);
    expect(nextInMs).toBeLessThanOrEqual(600_000);
  });

  test('is given up after 24 hours, and at once where the receiver is gone', async () => {
    const failing = await t.receiver(status(503));
    const gone = await t.receiver(status(410));
    const id = await t.endedJob(org, failing.url);
    const goneId = await t.endedJob(org, gone.url);
    t.startSending();
    await t.becomes(goneId, { status: 'DEAD', attempts: 1, lastStatusCode: 410, lastError: 'GONE', nextInMs: null });
    await t.becomes(id, { status: 'PENDING', attempts: 1 });
    await t.letPass(86_400);
    await t.becomes(id, { status: 'DEAD', attempts: 2, lastStatusCode: 503, lastError: 'REFUSED', nextInMs: null });
    expect(gone.calls).toHaveLength(1);
  });

  test('to an address that is not admitted is never made, and tells nothing of what is there', async () => {
    const ids = await t.endedJobs(org, ['https://127.0.0.2:9/', 'https://169.254.169.254/latest', 'http://[::1]:9/']);
    t.startSending();
    for (const id of ids) {
      await t.becomes(id, { status: 'PENDING', attempts: 1, lastStatusCode: null, lastError: 'ADDRESS_NOT_ALLOWED' });
    }
  });

  test('to a receiver that hangs keeps neither other organisations nor other receivers of the same one waiting', async () => {
    const hanging = await t.receiver(() => {});
    const mine = await t.receiver();
    const theirs = await t.receiver();
    await t.endedJobs(org, Array(200).fill(hanging.url));
    t.startSending();
    await eventually(() => expect(hanging.calls.length).toBe(8));
    const began = performance.now();
    await t.endedJob(org, mine.url);
    await t.endedJob(other, theirs.url);
    await eventually(() => expect([mine.calls.length, theirs.calls.length]).toEqual([1, 1]));
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(hanging.calls.length).toBe(8);
  });

  test('to a host that two organisations call waits for no more than a place, however many wait of the other one', async () => {
    const shared = await t.receiver((response, n) => {
      if (calls[n - 1]!.path === '/theirs') status(204)(response, n);
    });
    const { calls, url } = shared;
    await t.endedJobs(org, Array(100).fill(`${url}/mine`));
    t.startSending();
    await eventually(() => expect(calls).toHaveLength(8));
    await t.endedJob(other, `${url}/theirs`);
    // Those that hang are given up after 5 s: then it has the first place that is free, and not that of the hundredth.
    await eventually(() => expect(calls.map(({ path }) => path)).toContain('/theirs'));
    expect(calls.findIndex(({ path }) => path === '/theirs')).toBeLessThan(24);
  });

  test('to several receivers that hang leaves room for others of the same organisation', async () => {
    const hanging = await Promise.all([t.receiver(() => {}), t.receiver(() => {}), t.receiver(() => {})]);
    await t.endedJobs(
      org,
      Array.from({ length: 300 }, (_, n) => hanging[n % 3]!.url),
    );
    t.startSending();
    await eventually(() => expect(hanging.reduce((sum, { calls }) => sum + calls.length, 0)).toBeGreaterThan(15));
    const answering = await t.receiver();
    await t.endedJob(org, answering.url);
    // Once it is seen that they hang. Those that wait for them would take a minute and a half.
    await eventually(() => expect(answering.calls).toHaveLength(1));
  });

  test('of an organisation with many receivers that hang leaves room for others', async () => {
    const hanging = await Promise.all(Array.from({ length: 8 }, () => t.receiver(() => {})));
    await t.endedJobs(
      org,
      Array.from({ length: 80 }, (_, n) => hanging[n % 8]!.url),
    );
    t.startSending();
    const under = () => hanging.reduce((sum, { calls }) => sum + calls.length, 0);
    await eventually(() => expect(under()).toBe(16));
    const theirs = await t.receiver();
    await t.endedJob(other, theirs.url);
    await eventually(() => expect(theirs.calls).toHaveLength(1), 4_000);
    expect(under()).toBe(16);
  });
});

describe('several senders', () => {
  test('never make the same attempt: each of many callbacks is sent once', async () => {
    const many = process.env.HARBORWATCH_DEEP ? 5_000 : 300;
    const { url, calls } = await t.receiver();
    await t.endedJobs(org, Array(many / 2).fill(url));
    await t.endedJobs(other, Array(many / 2).fill(url));
    for (let n = 0; n < 4; n += 1) t.startSending();
    await eventually(async () => {
      const open = `SELECT count(*)::int AS open FROM app.job_callbacks WHERE status <> 'DELIVERED' OR attempts <> 1`;
      expect(await t.database.asSuperuser(open)).toEqual([{ open: 0 }]);
    }, 100_000);
    expect(calls).toHaveLength(many);
    expect(new Set(calls.map(({ headers }) => headers['webhook-id'])).size).toBe(many);
  });

  test('a sender that is killed in the middle of a call leaves it to another one, under the same id', async () => {
    const { url, calls } = await t.receiver((response, n) => (n === 1 ? undefined : status(200)(response, n)));
    const id = await t.endedJob(org, url);
    const child = sendElsewhere();
    await eventually(() => expect(calls).toHaveLength(1), 60_000);
    child.kill('SIGKILL');
    await once(child, 'exit');
    t.startSending();
    // Nobody knows that it died before its lease is over.
    expect((await t.callbackOf(id))!.nextInMs).toBeGreaterThan(30_000);
    await t.letPass(60);
    const { id: callbackId } = await t.becomes(id, { status: 'DELIVERED', attempts: 2 });
    expect(calls.map(({ headers }) => headers['webhook-id'])).toEqual([callbackId, callbackId]);
    expect(signaturesBy(await t.secretOf(org), calls[1]!)).toEqual([0]);
  });

  test('a sender that comes back after its lease was over changes nothing any more', async () => {
    const answers: (() => void)[] = [];
    const { url, calls } = await t.receiver((response, n) => {
      if (n === 1) answers.push(() => status(410)(response, n));
      else status(200)(response, n);
    });
    const id = await t.endedJob(org, url);
    t.startSending();
    await eventually(() => expect(calls).toHaveLength(1));
    await t.letPass(60);
    await t.becomes(id, { status: 'DELIVERED', attempts: 2 });
    answers[0]!();
    await t.ask(org, 'mutation ($id: ID!) { resendJobCallback(input: { id: $id }) { id } }', {
      id: (await t.callbackOf(id))!.id,
    });
    await t.becomes(id, { status: 'DELIVERED', attempts: 3, lastError: null });
  });

  test('one that stops hands back what it has not ended: it is due at once, and not counted as a failure', async () => {
    const { url, calls } = await t.receiver((response, n) => (n === 1 ? undefined : status(200)(response, n)));
    const id = await t.endedJob(org, url);
    const sending = t.startSending();
    await eventually(() => expect(calls).toHaveLength(1));
    await sending.stop(200);
    expect(await t.callbackOf(id)).toMatchObject({ status: 'PENDING', lastError: null });
    expect((await t.callbackOf(id))!.nextInMs).toBeLessThanOrEqual(0);
    t.startSending();
    await t.becomes(id, { status: 'DELIVERED', attempts: 2 });
    expect(calls[1]!.headers['webhook-id']).toBe(calls[0]!.headers['webhook-id']);
  });
});

/** A sender in a process of its own. */
function sendElsewhere(): ChildProcess {
  const module = `
    const at = ${JSON.stringify(new URL('../../../', import.meta.url).href)};
    const { loadConfig } = await import(at + 'platform/config.ts');
    const { createPlatform } = await import(at + 'platform/platform.ts');
    const { startCallbacks } = await import(at + 'subgraphs/jobs/callbacks/index.ts');
    startCallbacks(createPlatform(loadConfig(process.env), 'worker'));`;
  const runTypeScript = fileURLToPath(new URL('../../../tests/support/run-typescript.mjs', import.meta.url));
  const child = spawn(process.execPath, ['--import', runTypeScript, '--input-type=module', '--eval', module], {
    env: { PATH: process.env.PATH, ...t.env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  t.atEnd(async () => child.kill('SIGKILL'));
  return child;
}
