/** What the sender of callbacks reads and writes. Every write carries the attempt's number, as with jobs. */
import { systemIdentity } from '../../../platform/identity.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import type { CallbackLease } from '../../../platform/system/callbacks.js';
import type { Answer } from '../callbacks/sender.js';
import { type SigningKeys, signingKeys } from './callback-secrets.js';
import type { JobFailure } from './jobs.js';

/** What is to be sent, and where. */
export interface DueCallback {
  url: string;
  type: string;
  jobId: string;
  status: string;
  completedAt: string;
  resultCount: number | null;
  executionTimeMs: number | null;
  error: JobFailure | null;
  metadata: unknown;
  /** Attempts since it was made or sent again by hand, this one included. */
  tries: number;
  elapsedMs: number;
}

const held = `id = $1 AND attempts = $2 AND status = 'PENDING'`;

export class CallbackAttemptStore {
  constructor(
    readonly postgres: Postgres,
    private readonly installationSecret: string,
  ) {}

  /** @returns undefined where the lease is lost */
  async read(lease: CallbackLease): Promise<{ callback: DueCallback; keys: SigningKeys } | undefined> {
    return this.postgres.withOrg(identityOf(lease), async (tx) => {
      const [callback] = await tx.query<DueCallback>(
        `SELECT c.url, c.type, c.job_id AS "jobId", j.status, j.completed_at AS "completedAt",
                CASE WHEN j.status = 'COMPLETED' THEN j.rows_fetched END AS "resultCount",
                (extract(epoch FROM j.completed_at - j.started_at) * 1000)::int AS "executionTimeMs",
                j.error, j.metadata, c.tries, extract(epoch FROM now() - c.trying_since)::float8 * 1000 AS "elapsedMs"
           FROM job_callbacks c JOIN jobs j ON j.id = c.job_id
          WHERE c.id = $1 AND c.attempts = $2 AND c.status = 'PENDING'`,
        [lease.callbackId, lease.attempt],
      );
      return callback && { callback, keys: await signingKeys(tx, lease.orgId, this.installationSecret) };
    });
  }

  async delivered(lease: CallbackLease, { statusCode }: Answer): Promise<void> {
    await this.#fenced(
      lease,
      `status = 'DELIVERED', delivered_at = now(), next_attempt_at = NULL, last_status_code = $3, last_error = NULL`,
      [statusCode],
    );
  }

  /** @param retryInMs undefined where it is given up */
  async failed(lease: CallbackLease, { statusCode, error }: Answer, retryInMs: number | undefined): Promise<void> {
    await this.#fenced(
      lease,
      `status = CASE WHEN $5::float8 IS NULL THEN 'DEAD' ELSE 'PENDING' END, last_status_code = $3, last_error = $4,
       next_attempt_at = now() + $5::float8 * interval '1 millisecond', died_at = CASE WHEN $5::float8 IS NULL THEN now() END`,
      [statusCode, error, retryInMs ?? null],
    );
  }

  /** Hands it back: the attempt was not made to its end, and does not count as a try. */
  async release(lease: CallbackLease): Promise<void> {
    await this.#fenced(lease, 'tries = tries - 1, next_attempt_at = now()');
  }

  async #fenced(lease: CallbackLease, assignments: string, parameters: unknown[] = []): Promise<void> {
    await this.postgres.withOrg(identityOf(lease), (tx) =>
      tx.query(`UPDATE job_callbacks SET ${assignments} WHERE ${held}`, [
        lease.callbackId,
        lease.attempt,
        ...parameters,
      ]),
    );
  }
}

const identityOf = ({ orgId }: CallbackLease) => systemIdentity(orgId, 'job-callbacks');
