/** Submissions that are repeated at the same time over connections that break. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../query/random/random.js';
import { startTestGateway, type TestGateway } from '../setup/gateway.js';
import { Customers } from './crash/customers.js';

const keys = process.env.HARBORWATCH_DEEP ? 1_000 : 50;
const retriesPerKey = 20;
/** How many keys are in use at the same time. */
const keysAtOnce = 4;

describe('submitJob with an idempotency key', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({ workers: true });
  });
  afterAll(() => gateway?.close());

  test(`makes one job of ${retriesPerKey} retries at once, every other connection cut, and answers all with it`, async () => {
    const customers = new Customers(gateway, new Random(1));
    const answers = new Map<string, string[]>();
    const waiting = Array.from({ length: keys }, (_, number) => number);
    const submitting = Array.from({ length: keysAtOnce }, async () => {
      for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
        const submission = {
          key: `key ${number}`,
          input: { query: `SELECT ${number} AS n`, priority: 'NORMAL' as const },
        };
        const ids = Array.from({ length: retriesPerKey }, () =>
          customers.submit(gateway.orgs[0], submission, { cutShare: 0.5 }),
        );
        answers.set(submission.key, await Promise.all(ids));
      }
    });
    await Promise.all(submitting);

    const jobs = await gateway.database.asSuperuser<{ key: string; id: string; submitted: number }>(
      `SELECT idempotency_key AS key, id,
              (SELECT count(*)::int FROM app.job_events e WHERE e.job_id = j.id AND e.type = 'SUBMITTED') AS submitted
         FROM app.jobs j`,
    );
    expect(jobs).toHaveLength(keys);
    for (const { key, id, submitted } of jobs) {
      expect(submitted).toBe(1);
      expect(answers.get(key)).toEqual(Array.from({ length: retriesPerKey }, () => id));
    }
  }, 900_000);
});
