/** What of collections looks across organisations: the worker that finds what there is to fill, to follow and to clear. */
import type { Postgres } from '../postgres/postgres.js';

/** What the worker has to know of a collection. */
export interface CollectionAtWork {
  orgId: string;
  id: string;
  status: 'CREATED' | 'RECONNECTING' | 'RUNNING' | 'REMOVED';
  /** Which fill from history it is at; a figure of 64 bits. */
  run: string;
  query: string;
  dataset: string;
  timeColumn: string;
  mode: 'HASH' | 'HASH_AND_CONTENT';
  keyFields: { name: string; type: string }[];
  valueFields: { name: string; type: string }[];
  expireInSeconds: string;
  redisKeyBase: string;
}

/**
 * The collections that are filled or kept up, and the removed ones whose keys are still in Redis; oldest first.
 * @param orgIds the organisations to look at; all without
 */
export async function collectionsAtWork(postgres: Postgres, orgIds?: string[]): Promise<CollectionAtWork[]> {
  return postgres.asSystem((tx) =>
    tx.query<CollectionAtWork>(
      `SELECT org_id AS "orgId", id, status, run, query, dataset, time_column AS "timeColumn", mode,
              key_fields AS "keyFields", value_fields AS "valueFields", expire_in_seconds AS "expireInSeconds",
              redis_key_base AS "redisKeyBase"
         FROM collections WHERE $1::uuid[] IS NULL OR org_id = ANY($1::uuid[]) ORDER BY id`,
      [orgIds ?? null],
    ),
  );
}

/**
 * Runs `work` while no other process works on the collection. The lock goes with its connection, so a crash frees it.
 * @returns false when another process is at it; `work` is not called then
 */
export async function withCollectionLock(postgres: Postgres, id: string, work: () => Promise<void>): Promise<boolean> {
  const client = await postgres.systemConnection();
  const ignore = () => {}; // A broken connection costs the lock alone: two fills of one collection do no harm.
  client.on('error', ignore);
  try {
    const key = `harborwatch:collection:${id}`;
    const { rows } = await client.query('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked', [key]);
    if (rows[0].locked) await work();
    return rows[0].locked;
  } finally {
    client.off('error', ignore);
    // Closed, not returned: the lock goes with it.
    client.release(true);
  }
}
