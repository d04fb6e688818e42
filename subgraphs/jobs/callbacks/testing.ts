/** For tests of callbacks: organisations with jobs that ended, senders, and a way to let time pass. */
import { createHmac } from 'node:crypto';
import { expect } from 'vitest';
import { loadConfig } from '../../../platform/config.js';
import type { Identity } from '../../../platform/identity.js';
import { createPlatform } from '../../../platform/platform.js';
import type { Worker } from '../../../platform/subgraph.js';
import { eventually } from '../../../tests/setup/until.js';
import { createJobsTest, type JobsTest } from '../testing.js';
import { startCallbacks } from './index.js';
import { type ReceivedCall, type Receiver, startReceiver } from './receivers.js';

/** A callback's row, as it stands. */
interface Row {
  id: string;
  status: string;
  attempts: number;
  nextInMs: number | null;
  lastStatusCode: number | null;
  lastError: string | null;
}

export interface CallbacksTest extends JobsTest {
  /** Calls to 127.0.0.1 are admitted. */
  receiver(...args: Parameters<typeof startReceiver>): Promise<Receiver>;
  /** The sender of callbacks as a process of its own has it: on its own connections. */
  startSending(): Worker;
  /** Ends something when the test ends. */
  atEnd(end: () => Promise<unknown>): void;
  /**
   * Jobs that are born ended, as those are that an old result answers.
   * @param urls of their callbacks; null for none
   * @returns their ids
   */
  endedJobs(identity: Identity, urls: readonly (string | null)[]): Promise<string[]>;
  endedJob(identity: Identity, url: string): Promise<string>;
  /** The callback of a job. */
  callbackOf(jobId: string): Promise<Row | undefined>;
  /** Waits until the callback of a job is so. */
  becomes(jobId: string, expected: Partial<Row>): Promise<Row>;
  /** Lets that much time pass for callbacks and their secrets. */
  letPass(seconds: number): Promise<void>;
  secretOf(identity: Identity): Promise<string>;
}

export async function createCallbacksTest(): Promise<CallbacksTest> {
  const test = await createJobsTest({ CALLBACK_ALLOWED_ADDRESSES: '127.0.0.1' });
  const ending: (() => Promise<unknown>)[] = [];
  const { asSuperuser } = test.database;
  const endedJobs: CallbacksTest['endedJobs'] = async (identity, urls) => {
    const rows = await test.platform.postgres.withOrg(identity, (tx) =>
      tx.query<{ id: string }>(
        `INSERT INTO jobs (org_id, status, language, query, priority, timeout_ms, fingerprint, columns, started_at,
                           completed_at, expires_at, percent, rows_fetched, callback_url, metadata)
         SELECT $1, 'COMPLETED', 'SQL', 'SELECT secret_text', 'NORMAL', 1000, '\\x00', '[]', now() - interval '250 ms', now(),
                now() + interval '1 hour', 100, 42, url, '{"report":"daily"}' FROM unnest($2::text[]) AS url RETURNING id`,
        [identity.orgId, urls],
      ),
    );
    return rows.map(({ id }) => id);
  };
  const callbackOf: CallbacksTest['callbackOf'] = async (jobId) => {
    const [row] = await asSuperuser<Row>(
      `SELECT id, status, attempts, extract(epoch FROM next_attempt_at - now())::float8 * 1000 AS "nextInMs",
              last_status_code AS "lastStatusCode", last_error AS "lastError" FROM app.job_callbacks WHERE job_id = $1`,
      [jobId],
    );
    return row;
  };
  return {
    ...test,
    atEnd: (end) => ending.push(end),
    receiver: async (...args) => {
      const started = await startReceiver(...args);
      ending.push(started.close);
      return started;
    },
    startSending: () => {
      const platform = createPlatform(loadConfig(test.env), 'worker');
      const worker = startCallbacks(platform)!;
      let stopped: Promise<void> | undefined;
      const stop = (deadlineMs: number) => {
        stopped ??= worker.stop(deadlineMs).then(() => platform.close());
        return stopped;
      };
      ending.push(() => stop(100));
      return { name: worker.name, stop };
    },
    endedJobs,
    endedJob: async (identity, url) => (await endedJobs(identity, [url]))[0]!,
    callbackOf,
    becomes: (jobId, expected) =>
      eventually(async () => {
        const row = await callbackOf(jobId);
        expect(row).toMatchObject(expected);
        return row!;
      }),
    letPass: async (seconds) => {
      const past = (column: string) => `${column} = ${column} - interval '${seconds} seconds'`;
      await asSuperuser(`UPDATE app.job_callbacks SET ${past('next_attempt_at')}, ${past('trying_since')}`);
      await asSuperuser(`UPDATE app.callback_secrets SET ${past('previous_expires_at')}`);
    },
    secretOf: async (identity) => (await test.ask(identity, '{ callbackSecret { secret } }')).callbackSecret.secret,
    close: async () => {
      await Promise.all(ending.splice(0).map((end) => end()));
      await test.close();
    },
  };
}

/** Which of a call's signatures the secret makes: the specification's own words, once more. */
export function signaturesBy(secret: string, { headers, body }: ReceivedCall): number[] {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const signature = createHmac('sha256', key).update(content).digest('base64');
  const given = String(headers['webhook-signature']).split(' ');
  return given.flatMap((one, index) => (one === `v1,${signature}` ? [index] : []));
}
