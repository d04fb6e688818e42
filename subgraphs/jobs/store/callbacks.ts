/** The rows of callbacks as callers see them. Every statement runs inside the caller's organisation. */
import type { Identity } from '../../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import { countRows } from '../../../platform/postgres/count.js';
import type { Postgres, Tx } from '../../../platform/postgres/postgres.js';
import type { CallbackError } from '../callbacks/sender.js';

export type CallbackStatus = 'PENDING' | 'DELIVERED' | 'DEAD';

export interface CallbackRow {
  id: string;
  jobId: string;
  type: string;
  /** Without its query string, which may hold a secret of the receiver's. */
  url: string;
  status: CallbackStatus;
  attempts: number;
  nextAttemptAt: string | null;
  lastStatusCode: number | null;
  lastError: CallbackError | null;
  createdAt: string;
  deliveredAt: string | null;
}

/** Which callbacks a list has; undefined is no condition. */
export interface CallbackFilters {
  status?: CallbackStatus | undefined;
}

const columns = `
  id, job_id AS "jobId", type, split_part(url, '?', 1) AS url, status, attempts, next_attempt_at AS "nextAttemptAt",
  last_status_code AS "lastStatusCode", last_error AS "lastError", created_at AS "createdAt", delivered_at AS "deliveredAt"`;

const matches = '($1::text IS NULL OR status = $1)';

export class CallbackStore {
  constructor(readonly postgres: Postgres) {}

  /** Newest first; BACKWARD reads the other way. */
  async list(identity: Identity, { status }: CallbackFilters, page: PageRequest): Promise<CallbackRow[]> {
    const [comparison, order] = page.direction === 'FORWARD' ? ['<', 'DESC'] : ['>', 'ASC'];
    const [createdAt, id] = page.position ?? [null, null];
    return this.#read(identity, (tx) =>
      tx.query<CallbackRow>(
        `SELECT ${columns} FROM job_callbacks WHERE ${matches}
            AND ($2::timestamptz IS NULL OR (created_at, id) ${comparison} ($2::timestamptz, $3::uuid))
          ORDER BY created_at ${order}, id ${order} LIMIT $4`,
        [status, createdAt, id, page.limit + 1],
      ),
    );
  }

  async count(identity: Identity, { status }: CallbackFilters): Promise<CappedCount> {
    return this.#read(identity, (tx) => countRows(tx, `job_callbacks WHERE ${matches}`, [status]));
  }

  async findOfJobs(identity: Identity, jobIds: readonly string[]): Promise<CallbackRow[]> {
    return this.#read(identity, (tx) =>
      tx.query<CallbackRow>(`SELECT ${columns} FROM job_callbacks WHERE job_id = ANY ($1::uuid[])`, [jobIds]),
    );
  }

  #read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }
}

/** Nobody else changes the callback until the transaction's end. */
export async function lockCallback(tx: Tx, id: string): Promise<CallbackRow | undefined> {
  const [row] = await tx.query<CallbackRow>(`SELECT ${columns} FROM job_callbacks WHERE id = $1 FOR UPDATE`, [id]);
  return row;
}

/** Lets it be sent again, as often and as long as a new one. */
export async function restartCallback(tx: Tx, id: string): Promise<CallbackRow> {
  const [row] = await tx.query<CallbackRow>(
    `UPDATE job_callbacks
        SET status = 'PENDING', tries = 0, trying_since = now(), next_attempt_at = now(), delivered_at = NULL, died_at = NULL
      WHERE id = $1 RETURNING ${columns}`,
    [id],
  );
  return row!;
}
