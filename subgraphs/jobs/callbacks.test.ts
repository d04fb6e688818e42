/** Callbacks in the graph: what callers see of them, how they send them again, and their secrets. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../platform/config.js';
import type { Identity } from '../../platform/identity.js';
import { createPlatform } from '../../platform/platform.js';
import { eventually } from '../../tests/setup/until.js';
import { startCallbacks } from './callbacks/index.js';
import { status } from './callbacks/receivers.js';
import { type CallbacksTest, createCallbacksTest, signaturesBy } from './callbacks/testing.js';

let t: CallbacksTest;
let org: Identity;
let other: Identity;

beforeEach(async () => {
  t = await createCallbacksTest();
  [org, other] = t.orgs;
});
afterEach(() => t.close());

describe('secrets', () => {
  const rotate = 'mutation { rotateCallbackSecret { secret createdAt previousExpiresAt } }';

  test('are of 32 bytes, one for each organisation, the same at each reading, and not in the database', async () => {
    const secret = await t.secretOf(org);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(await t.secretOf(org)).toBe(secret);
    expect(await t.secretOf(other)).not.toBe(secret);
    const kept = await t.database.asSuperuser<{ row: string }>('SELECT s::text AS row FROM app.callback_secrets s');
    const hex = Buffer.from(secret.slice(6), 'base64').toString('hex');
    expect(kept).toHaveLength(2);
    for (const { row } of kept) expect(row).not.toContain(hex);
  });

  test('that are asked for at the same time for the first time are one', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => t.secretOf(org)));
    expect(new Set(all).size).toBe(1);
  });

  test('sign beside their successor for 24 hours, and then no more', async () => {
    const { url, calls } = await t.receiver();
    const first = await t.secretOf(org);
    const { rotateCallbackSecret: rotated } = await t.ask(org, rotate);
    expect(rotated.secret).not.toBe(first);
    expect(await t.secretOf(org)).toBe(rotated.secret);
    expect(Date.parse(rotated.previousExpiresAt) - Date.parse(rotated.createdAt)).toBe(86_400_000);
    await t.endedJob(org, url);
    t.startSending();
    await eventually(() => expect(calls).toHaveLength(1));
    expect(signaturesBy(rotated.secret, calls[0]!)).toEqual([0]);
    expect(signaturesBy(first, calls[0]!)).toEqual([1]);

    await t.letPass(86_400);
    await t.endedJob(org, url);
    await eventually(() => expect(calls).toHaveLength(2));
    expect(String(calls[1]!.headers['webhook-signature']).split(' ')).toHaveLength(1);
    expect(signaturesBy(rotated.secret, calls[1]!)).toEqual([0]);
    const later = await t.ask(org, '{ callbackSecret { previousExpiresAt } }');
    expect(later.callbackSecret.previousExpiresAt).toBeNull();
  });

  test('two before the present one does not sign', async () => {
    const { url, calls } = await t.receiver();
    const first = await t.secretOf(org);
    const second = (await t.ask(org, rotate)).rotateCallbackSecret.secret;
    const third = (await t.ask(org, rotate)).rotateCallbackSecret.secret;
    await t.endedJob(org, url);
    t.startSending();
    await eventually(() => expect(calls).toHaveLength(1));
    expect([third, second, first].map((secret) => signaturesBy(secret, calls[0]!))).toEqual([[0], [1], []]);
  });

  test('are for administrators, and each reading and rotation is written down without them', async () => {
    const analyst = { ...org, capabilities: org.capabilities.filter(({ action }) => action !== 'org:admin') };
    await expect(t.ask(analyst, '{ callbackSecret { secret } }')).rejects.toThrow('FORBIDDEN');
    await expect(t.ask(analyst, rotate)).rejects.toThrow('FORBIDDEN');
    const secrets = [await t.secretOf(org), (await t.ask(org, rotate)).rotateCallbackSecret.secret];
    const acts = await t.database.asSuperuser<{ op: string; payload: object }>(
      `SELECT payload ->> 'op' AS op, payload FROM app.outbox WHERE org_id = $1 AND type = 'audit.entry' ORDER BY seq`,
      [org.orgId],
    );
    expect(acts.map(({ op }) => op)).toEqual(['callback-secret.read', 'callback-secret.rotate']);
    for (const secret of secrets) expect(JSON.stringify(acts)).not.toContain(secret.slice(6, 30));
  });

  test('an installation without API_KEY_SECRET says so, and sends nothing unsigned', async () => {
    const { API_KEY_SECRET: _, ...env } = t.env;
    const platform = createPlatform(loadConfig(env), 'worker');
    expect(startCallbacks(platform)).toBeUndefined();
    await platform.close();
  });
});

describe('what callers see', () => {
  const fields = 'id jobId type url status attempts nextAttemptAt lastStatusCode lastError createdAt deliveredAt';
  const callback = async (identity: Identity, jobId: string) =>
    (await t.ask(identity, `query ($id: ID!) { job(id: $id) { callback { ${fields} } } }`, { id: jobId })).job
      ?.callback;
  const resend = `mutation ($id: ID!) { resendJobCallback(input: { id: $id }) { ${fields} } }`;
  const list = `query ($status: JobCallbackStatus, $first: Int, $after: String) {
    jobCallbacks(status: $status, first: $first, after: $after) {
      nodes { ${fields} } pageInfo { hasNextPage hasPreviousPage endCursor } totalCount { value relation } } }`;
  const idsOf = (answer: { jobCallbacks: { nodes: { jobId: string }[] } }) =>
    answer.jobCallbacks.nodes.map(({ jobId }) => jobId);

  test('a job has its callback with what became of it, and the URL without its query string', async () => {
    const { url } = await t.receiver(status(500));
    const id = await t.endedJob(org, `${url}/a/b?token=secret#part`);
    expect(await callback(org, id)).toEqual({
      id: expect.any(String),
      jobId: id,
      type: 'job.completed',
      url: `${url}/a/b`,
      status: 'PENDING',
      attempts: 0,
      nextAttemptAt: expect.any(String),
      lastStatusCode: null,
      lastError: null,
      createdAt: expect.any(String),
      deliveredAt: null,
    });
    t.startSending();
    await t.becomes(id, { attempts: 1, lastError: 'REFUSED' });
    expect(await callback(org, id)).toMatchObject({ attempts: 1, lastStatusCode: 500, lastError: 'REFUSED' });
    const [silent] = await t.endedJobs(org, [null]);
    expect(await callback(org, silent!)).toBeNull();
  });

  test('dead letters are listed and sent again, under the same id and with a schedule from the start', async () => {
    const { url, calls } = await t.receiver((response, n) => status(n === 1 ? 410 : n === 2 ? 500 : 200)(response, n));
    const id = await t.endedJob(org, url);
    t.startSending();
    const { id: callbackId } = await t.becomes(id, { status: 'DEAD' });
    await t.letPass(100_000);
    expect(idsOf(await t.ask(org, list, { status: 'DEAD' }))).toEqual([id]);
    const { resendJobCallback } = await t.ask(org, resend, { id: callbackId.toUpperCase() });
    expect(resendJobCallback).toMatchObject({ id: callbackId, status: 'PENDING' });
    const row = await t.becomes(id, { status: 'PENDING', attempts: 2, lastStatusCode: 500 });
    expect(row.nextInMs).toBeLessThan(6_100);
    // One that is going already is left alone: its attempts keep their times.
    await t.ask(org, resend, { id: callbackId });
    expect((await t.callbackOf(id))!.nextInMs).toBeGreaterThan(1_000);
    await t.letPass(7);
    await t.becomes(id, { status: 'DELIVERED', attempts: 3 });
    await t.ask(org, resend, { id: callbackId });
    await t.becomes(id, { status: 'DELIVERED', attempts: 4 });
    expect(new Set(calls.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([callbackId]));
    const acts = await t.database.asSuperuser(
      `SELECT payload ->> 'op' AS op, payload ->> 'instanceId' AS id, payload -> 'data' ->> 'previousStatus' AS was
         FROM app.outbox WHERE type = 'audit.entry' ORDER BY seq`,
    );
    const act = { op: 'job-callback.resend', id: callbackId };
    expect(acts).toEqual([
      { ...act, was: 'DEAD' },
      { ...act, was: 'DELIVERED' },
    ]);
  });

  test('the list goes from the newest on, page by page, with a filter that its cursors are bound to', async () => {
    const { url } = await t.receiver();
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.unshift(await t.endedJob(org, url));
    const first = await t.ask(org, list, { first: 2 });
    expect(idsOf(first)).toEqual(ids.slice(0, 2));
    expect(first.jobCallbacks).toMatchObject({
      pageInfo: { hasNextPage: true, hasPreviousPage: false },
      totalCount: { value: 5, relation: 'EXACT' },
    });
    const after = first.jobCallbacks.pageInfo.endCursor;
    const second = await t.ask(org, list, { after });
    expect(idsOf(second)).toEqual(ids.slice(2));
    expect(second.jobCallbacks.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    await expect(t.ask(org, list, { after, status: 'DEAD' })).rejects.toThrow('INVALID_CURSOR');
    await expect(t.ask(org, list, { first: 201 })).rejects.toThrow('INVALID_PAGE_SIZE');
    expect(idsOf(await t.ask(org, list, { status: 'DELIVERED' }))).toEqual([]);
  });

  test('another organisation sees, lists, counts and resends nothing of it, and is told as for an id that nobody has', async () => {
    const { url, calls } = await t.receiver(status(410));
    const id = await t.endedJob(org, url);
    t.startSending();
    const { id: callbackId } = await t.becomes(id, { status: 'DEAD' });
    expect(await callback(other, id)).toBeUndefined();
    const listed = await t.ask(other, list, {});
    expect(listed.jobCallbacks).toMatchObject({ nodes: [], totalCount: { value: 0 } });
    const messages = await Promise.all(
      [callbackId, crypto.randomUUID(), 'no uuid'].map((wrong) =>
        t.ask(other, resend, { id: wrong }).catch((error: Error) => error.message),
      ),
    );
    expect(new Set(messages)).toEqual(new Set(['NOT_FOUND: There is no callback with this id.']));
    expect(await t.callbackOf(id)).toMatchObject({ status: 'DEAD', attempts: 1 });
    expect(calls).toHaveLength(1);
    const mine = (await t.ask(org, list, {})).jobCallbacks.nodes;
    expect(mine).toHaveLength(1);
  });

  test('lists and resending are for administrators; the callback of a job is for whoever reads jobs', async () => {
    const id = await t.endedJob(org, 'https://receiver.example/');
    const analyst = { ...org, capabilities: org.capabilities.filter(({ action }) => action !== 'org:admin') };
    await expect(t.ask(analyst, list)).rejects.toThrow('FORBIDDEN');
    await expect(t.ask(analyst, resend, { id })).rejects.toThrow('FORBIDDEN');
    expect(await callback(analyst, id)).toMatchObject({ status: 'PENDING' });
  });
});

describe('submitJob', () => {
  const submit = (callbackUrl: string) => t.submit(org, { query: 'SELECT 1 AS one FROM logs', callbackUrl });

  test('refuses a forbidden callback with a code of its own, and stores nothing', async () => {
    for (const url of [
      'https://169.254.169.254/',
      'https://0x7f.2/',
      'ftp://x.example/',
      'https://u:p@x.example/',
      'x',
    ]) {
      await expect(submit(url), url).rejects.toMatchObject({
        extensions: { code: 'CALLBACK_NOT_ALLOWED', argument: 'input.callbackUrl' },
      });
    }
    expect(await t.database.asSuperuser('SELECT FROM app.jobs')).toEqual([]);
  });

  test('keeps an allowed one in the spelling in which it is called', async () => {
    await submit('HTTPS://Receiver.example:443/a/../jobs?key=1#part');
    const [job] = await t.database.asSuperuser('SELECT callback_url AS url FROM app.jobs');
    expect(job).toEqual({ url: 'https://receiver.example/jobs?key=1' });
  });
});
