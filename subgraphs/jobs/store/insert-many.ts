/** Many submissions of an organisation in one statement: a flood of them costs little more than one. */
import { LRUCache } from 'lru-cache';
import { Batching } from '../../../platform/batching.js';
import { HarborwatchError } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import { sharedPool } from '../../../platform/worker-pools.js';
import { births } from '../states.js';
import { type JobRow, jobColumns } from './jobs.js';
import type { NewJob } from './new-job.js';

const maxJobs = 64;
const maxOrgs = 10_000;

/** A job that was stored, and its organisation's pool; of a taken idempotency key the pool alone. */
export type StoredRow = JobRow & { pool: string };

/** Metadata is a list of its own: it may hold characters that a text of PostgreSQL cannot, and is kept as it was sent. */
const insert = `
  WITH input AS (
    SELECT uuidv7() AS id, input.*
      FROM ROWS FROM (json_to_recordset($2::json) AS (
        language text, query text, dataset text, "rangeFrom" timestamptz, "rangeTo" timestamptz, priority job_priority,
        "timeoutMs" int, "callbackUrl" text, "resultTtlSeconds" int, "cancelUnaskedSeconds" int,
        "submittedBy" uuid, "idempotencyKey" text, fingerprint text, "reuseKey" text, "reuseSeconds" int,
        "readsDatasets" json, "readsFrom" timestamptz, "readsTo" timestamptz), unnest($3::json[])) WITH ORDINALITY AS input (
        language, query, dataset, range_from, range_to, priority, timeout_ms, callback_url, result_ttl_seconds,
        cancel_unasked_seconds, submitted_by, idempotency_key, fingerprint, reuse_key, reuse_seconds, reads_datasets,
        reads_from, reads_to, metadata, place)
  ), born AS (
    INSERT INTO jobs (org_id, id, status, language, query, dataset, range_from, range_to, priority, timeout_ms, metadata,
                      callback_url, result_ttl_seconds, cancel_unasked_seconds, submitted_by, idempotency_key, fingerprint,
                      reuse_key, reuse_seconds, reads_datasets, reads_from, reads_to)
    SELECT $1::uuid, id, '${births.submit}', language, query, dataset, range_from, range_to, priority, timeout_ms, metadata,
           callback_url, result_ttl_seconds, cancel_unasked_seconds, submitted_by, idempotency_key, decode(fingerprint, 'hex'),
           decode(reuse_key, 'hex'), reuse_seconds,
           CASE WHEN reads_datasets IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(reads_datasets)) END,
           reads_from, reads_to
      FROM input ORDER BY place
    ON CONFLICT (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING ${jobColumns}
  )
  SELECT coalesce(orgs.worker_pool, '${sharedPool}') AS pool, born.*
    FROM orgs CROSS JOIN input LEFT JOIN born ON born.id = input.id ORDER BY input.place`;

const toInput = ({ range, reuse, metadata: _, fingerprint, maxResultAgeSeconds: __, ...job }: NewJob) => ({
  ...job,
  rangeFrom: range.from,
  rangeTo: range.to,
  fingerprint: fingerprint.toString('hex'),
  reuseKey: reuse?.key.toString('hex'),
  reuseSeconds: reuse?.seconds,
  readsDatasets: reuse?.datasets,
  readsFrom: reuse?.range.from,
  readsTo: reuse?.range.to,
});

export class ManyInserts {
  readonly #postgres: Postgres;
  readonly #batches = new LRUCache<string, Batching<NewJob, StoredRow>>({ max: maxOrgs });

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  /** Stores a job with those of the same organisation that come at the same time. */
  insert(identity: Identity, job: NewJob): Promise<StoredRow> {
    let batch = this.#batches.get(identity.orgId);
    if (batch === undefined) {
      batch = new Batching((jobs) => this.#insertAll(identity, jobs), maxJobs);
      this.#batches.set(identity.orgId, batch);
    }
    return batch.add(job);
  }

  /** A job that cannot be stored fails alone. @param identity of the organisation; nothing else of it counts here */
  async #insertAll(identity: Identity, jobs: NewJob[]): Promise<(StoredRow | Promise<StoredRow>)[]> {
    try {
      const input = JSON.stringify(jobs.map(toInput));
      const metadata = jobs.map(({ metadata }) => (metadata == null ? null : JSON.stringify(metadata)));
      return await this.#postgres.queryAsOrg<StoredRow>(identity, insert, [identity.orgId, input, metadata]);
    } catch (error) {
      if (jobs.length === 1 || error instanceof HarborwatchError) throw error;
      return jobs.map((job) => this.#insertAll(identity, [job]).then(([stored]) => stored!));
    }
  }
}
