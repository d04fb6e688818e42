/** The collections' rows. Every statement runs inside one organisation; what looks across them is in platform/system. */
import type { Identity } from '../../platform/identity.js';
import { emit } from '../../platform/outbox.js';
import type { CappedCount, PageRequest } from '../../platform/paging.js';
import { countRows } from '../../platform/postgres/count.js';
import type { Postgres, Tx } from '../../platform/postgres/postgres.js';
import { lockQuota, noteUse, type QuotaUse, readUse, requireRoom, withQuotas } from '../../platform/quotas.js';
import { type CollectionAtWork, collectionsAtWork, withCollectionLock } from '../../platform/system/collections.js';
import { isUuid } from '../../platform/uuid.js';
import type { CollectionDefinition } from './definition.js';
import { beginsRun, type CollectionStatus } from './statuses.js';

export interface CollectionRow extends CollectionDefinition {
  orgId: string;
  id: string;
  redisKeyBase: string;
  status: CollectionStatus;
  /** Counts the fills from history; a figure of 64 bits. */
  run: string;
  lastEventAt: string | null;
  eventsSent: string;
  /** As it was last seen. */
  keyCount: string;
  errors: string[];
}

/** What one stretch of work brought. */
export interface Progress {
  sent: number;
  /** RFC 3339; null when no event came. */
  lastEventAt: string | null;
  keyCount: number;
}

/** A change of status: where it leads, and why where it is an error. */
export interface StatusChange {
  status: CollectionStatus;
  error?: string;
  /** True begins another fill from history where the status alone would not. */
  newRun?: boolean;
}

const columns = `org_id AS "orgId", id, friendly_name AS "friendlyName", description, query, dataset,
  time_column AS "timeColumn", mode, key_fields AS "keyFields", value_fields AS "valueFields",
  expire_in_seconds AS "expireInSeconds", redis_key_base AS "redisKeyBase", status, run,
  last_event_at AS "lastEventAt", events_sent AS "eventsSent", key_count AS "keyCount", errors`;

const maxErrors = 20;
/** What the quota counts. */
const keptCollections = `SELECT count(*) FROM collections WHERE status <> 'REMOVED'`;

export class CollectionsStore {
  constructor(private readonly postgres: Postgres) {}

  async orgSlug(identity: Identity): Promise<string> {
    const [row] = await this.#read(identity, (tx) => tx.query<{ slug: string }>('SELECT slug FROM orgs'));
    return row!.slug;
  }

  /**
   * @returns undefined when the name is taken
   * @throws QUOTA_EXCEEDED; creations of an organisation come one after the other, so none passes the quota
   */
  async insert(
    identity: Identity,
    definition: CollectionDefinition,
    redisKeyBase: string,
  ): Promise<CollectionRow | undefined> {
    const { friendlyName, description, query, dataset, timeColumn, mode, keyFields, valueFields, expireInSeconds } =
      definition;
    return withQuotas(this.postgres, identity, async (tx) => {
      await lockQuota(tx, identity.orgId, 'collections');
      const use = await readUse(tx, 'collections', keptCollections);
      requireRoom('collections', use, 1);
      const [row] = await tx.query<CollectionRow>(
        `INSERT INTO collections (org_id, friendly_name, description, query, dataset, time_column, mode, key_fields,
                                  value_fields, expire_in_seconds, redis_key_base)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (org_id, friendly_name) WHERE status <> 'REMOVED' DO NOTHING RETURNING ${columns}`,
        [
          identity.orgId,
          friendlyName,
          description,
          query,
          dataset,
          timeColumn,
          mode,
          JSON.stringify(keyFields),
          JSON.stringify(valueFields),
          expireInSeconds,
          redisKeyBase,
        ],
      );
      if (!row) return undefined;
      await emit(tx, identity.orgId, 'collections.changed', { collectionId: row.id });
      await noteUse(tx, identity, 'collections', use, 1);
      return row;
    });
  }

  async find(identity: Identity, ids: readonly string[]): Promise<Map<string, CollectionRow>> {
    const known = ids.map((id) => id.toLowerCase()).filter(isUuid);
    if (known.length === 0) return new Map();
    const rows = await this.#read(identity, (tx) =>
      tx.query<CollectionRow>(`SELECT ${columns} FROM collections WHERE id = ANY($1::uuid[])`, [known]),
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Those that are not removed, in the order of their making. */
  async list(identity: Identity, page: PageRequest): Promise<CollectionRow[]> {
    return this.#read(identity, (tx) =>
      tx.query<CollectionRow>(
        `SELECT ${columns} FROM collections
          WHERE status <> 'REMOVED' AND ($1::uuid IS NULL OR id > $1::uuid) ORDER BY id LIMIT $2`,
        [page.position?.[0] ?? null, page.limit + 1],
      ),
    );
  }

  async count(identity: Identity): Promise<CappedCount> {
    return this.#read(identity, (tx) => countRows(tx, `collections WHERE status <> 'REMOVED'`));
  }

  /**
   * Changes the status as `decide` says from the present row, one change after the other. A collection that begins to
   * be filled again begins a new run.
   * @returns the row as it is then; undefined where there is none
   */
  async change(
    identity: Identity,
    id: string,
    decide: (row: CollectionRow) => StatusChange,
  ): Promise<CollectionRow | undefined> {
    if (!isUuid(id.toLowerCase())) return undefined;
    return this.postgres.withOrg(identity, async (tx) => {
      const [row] = await tx.query<CollectionRow>(`SELECT ${columns} FROM collections WHERE id = $1 FOR UPDATE`, [id]);
      if (!row) return undefined;
      const { status, error, newRun = beginsRun(row.status, status) } = decide(row);
      if (status === row.status && !newRun) return row;
      const [changed] = await tx.query<CollectionRow>(
        `UPDATE collections SET status = $2, run = run + $4::boolean::int,
                errors = CASE WHEN $3::text IS NULL THEN errors ELSE (errors || $3::text)[greatest(1, cardinality(errors) + 2 - ${maxErrors}):] END
          WHERE id = $1 RETURNING ${columns}`,
        [id, status, error ?? null, newRun],
      );
      await emit(tx, identity.orgId, 'collections.changed', { collectionId: row.id });
      return changed;
    });
  }

  /** Adds to the figures; without effect for a run that is over. */
  async addProgress(identity: Identity, id: string, run: string, progress: Progress): Promise<void> {
    await this.postgres.withOrg(identity, (tx) =>
      tx.query(
        `UPDATE collections SET events_sent = events_sent + $3, last_event_at = greatest(last_event_at, $4::timestamptz),
                key_count = $5 WHERE id = $1 AND run = $2`,
        [id, run, progress.sent, progress.lastEventAt, progress.keyCount],
      ),
    );
  }

  async markCleared(identity: Identity, id: string): Promise<void> {
    await this.postgres.withOrg(identity, (tx) =>
      tx.query('UPDATE collections SET cleared_at = now(), key_count = 0 WHERE id = $1', [id]),
    );
  }

  /** What the worker has to do, in the given organisations or in all. */
  async atWork(orgIds?: string[]): Promise<CollectionAtWork[]> {
    return collectionsAtWork(this.postgres, orgIds);
  }

  /** Runs `work` while no other process works on the collection; not at all where one does. */
  async alone(id: string, work: () => Promise<void>): Promise<boolean> {
    return withCollectionLock(this.postgres, id, work);
  }

  /** What the organisation uses of its quota. */
  async use(identity: Identity): Promise<QuotaUse> {
    return this.#read(identity, (tx) => readUse(tx, 'collections', keptCollections, { always: true }));
  }

  #read<T>(identity: Identity, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.postgres.withOrg(identity, fn, { readOnly: true });
  }
}
