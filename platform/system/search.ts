/** What the indexing of events looks at across organisations: the change feed, and how far its follower has come. */
import { type FeedRow, feedSource } from '../feed.js';
import { type LogPosition, logEnd, readLog } from '../postgres/follower.js';
import type { Postgres, Tx } from '../postgres/postgres.js';

const query = (tx: Tx) => (sql: string, parameters: unknown[]) => tx.query<Record<string, unknown>>(sql, parameters);

/** The feed rows of one dataset of all organisations after a position, in commit order. */
export async function readFeedOf(
  postgres: Postgres,
  dataset: string,
  after: LogPosition,
  limit: number,
): Promise<FeedRow[]> {
  return postgres.asSystem((tx) =>
    readLog(query(tx), feedSource, after, limit, { sql: 'dataset = $4', parameters: [dataset] }),
  );
}

/** How many events of a dataset the feed tells of. */
export async function countFeedEvents(postgres: Postgres, dataset: string): Promise<number> {
  const [row] = await postgres.asSystem((tx) =>
    tx.query<{ events: number }>(
      'SELECT coalesce(sum(row_count), 0)::float8 AS events FROM change_feed WHERE dataset = $1',
      [dataset],
    ),
  );
  return row!.events;
}

/** The last batch of an organisation's dataset that is committed; undefined where there is none. */
export async function lastBatch(postgres: Postgres, orgId: string, dataset: string): Promise<LogPosition | undefined> {
  const [row] = await postgres.asSystem((tx) =>
    tx.query<LogPosition>(
      `SELECT tx::text, seq::text FROM change_feed AS feed WHERE org_id = $1 AND dataset = $2
        ORDER BY feed.tx DESC, feed.seq DESC LIMIT 1`,
      [orgId, dataset],
    ),
  );
  return row;
}

/** Whether a follower of the feed has come to a position. */
export async function hasFollowed(postgres: Postgres, consumer: string, position: LogPosition): Promise<boolean> {
  const rows = await postgres.asSystem((tx) =>
    tx.query(
      `SELECT 1 FROM checkpoints WHERE log = 'change_feed' AND consumer = $1 AND (tx, seq) >= ($2::xid8, $3::bigint)`,
      [consumer, position.tx, position.seq],
    ),
  );
  return rows.length > 0;
}

/** Notes that the indexes of a generation lack an event of the organisation's dataset. */
export async function noteSearchGap(
  postgres: Postgres,
  gap: { orgId: string; dataset: string; generation: number; eventId: string },
): Promise<void> {
  await postgres.asSystem((tx) =>
    tx.query(
      `INSERT INTO search_gaps (org_id, dataset, generation, event_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [gap.orgId, gap.dataset, gap.generation, gap.eventId],
    ),
  );
}

/** Whether an event of the organisation's dataset is known that its indexes lack. */
export async function hasSearchGap(postgres: Postgres, orgId: string, dataset: string): Promise<boolean> {
  const rows = await postgres.asSystem((tx) =>
    tx.query('SELECT 1 FROM search_gaps WHERE org_id = $1 AND dataset = $2 LIMIT 1', [orgId, dataset]),
  );
  return rows.length > 0;
}

/** Forgets what generations of a dataset's indexes lack that are no more: those before `live`, or all behind it. */
export async function forgetSearchGaps(
  postgres: Postgres,
  dataset: string,
  { side, live }: { side: 'BEFORE' | 'AFTER'; live: number },
): Promise<void> {
  await postgres.asSystem((tx) =>
    tx.query(`DELETE FROM search_gaps WHERE dataset = $1 AND generation ${side === 'BEFORE' ? '<' : '>'} $2`, [
      dataset,
      live,
    ]),
  );
}

/** The feed's end as far as it can be read, for a follower that has no checkpoint yet; undefined for one that has. */
export async function endForNewFollower(postgres: Postgres, consumer: string): Promise<LogPosition | undefined> {
  return postgres.asSystem(async (tx) => {
    const known = await tx.query(`SELECT 1 FROM checkpoints WHERE log = 'change_feed' AND consumer = $1`, [consumer]);
    return known.length > 0 ? undefined : logEnd(query(tx));
  });
}

/** Lets a new follower of the feed start behind a position; one that has a checkpoint keeps it. */
export async function startBehind(postgres: Postgres, consumer: string, position: LogPosition): Promise<void> {
  await postgres.asSystem((tx) =>
    tx.query(
      `INSERT INTO checkpoints (log, consumer, tx, seq) VALUES ('change_feed', $1, $2::xid8, $3) ON CONFLICT DO NOTHING`,
      [consumer, position.tx, position.seq],
    ),
  );
}

/** What a follower of the feed has not come to yet. */
export interface Lag {
  batches: number;
  /** The age of the oldest of them; 0 where there is none. */
  seconds: number;
}

/** How far a follower of the feed is behind. */
export async function lagOf(postgres: Postgres, consumer: string): Promise<Lag> {
  const [row] = await postgres.asSystem((tx) =>
    tx.query<Lag>(
      `SELECT count(*)::float8 AS batches, coalesce(extract(epoch FROM now() - min(committed_at)), 0)::float8 AS seconds
         FROM change_feed
        WHERE (tx, seq) > (SELECT coalesce(max(tx), '0'), coalesce(max(seq), 0) FROM checkpoints
                            WHERE log = 'change_feed' AND consumer = $1)`,
      [consumer],
    ),
  );
  return row!;
}

const lockName = (dataset: string): string => `search-index:${dataset}`;

/** Keeps a dataset's indexes from being switched until the transaction ends; many may hold it. */
export async function holdIndexes(tx: Tx, dataset: string): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))', [lockName(dataset)]);
}

/** Runs `work` while nobody holds the dataset's indexes. */
export async function whileIndexesRest<T>(postgres: Postgres, dataset: string, work: () => Promise<T>): Promise<T> {
  return postgres.asSystem(async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [lockName(dataset)]);
    return work();
  });
}

/** Runs `work` as the only rebuild of the dataset. @returns undefined where another one runs */
export async function asOnlyRebuild<T>(
  postgres: Postgres,
  dataset: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  return postgres.asSystem(async (tx) => {
    const [row] = await tx.query<{ locked: boolean }>(
      'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS locked',
      [`rebuild-index:${dataset}`],
    );
    return row!.locked ? work() : undefined;
  });
}
