/** The feed of one organisation, for tests that act on it without a follower. */
import { type FeedRow, feedSource } from '../../platform/feed.js';
import type { Identity } from '../../platform/identity.js';
import { readLog } from '../../platform/postgres/follower.js';
import type { Postgres } from '../../platform/postgres/postgres.js';
import { eventually } from './until.js';

/** All feed rows of the organisation, as soon as none of them can be overtaken any more. */
export async function readWholeFeed(postgres: Postgres, identity: Identity): Promise<FeedRow[]> {
  return eventually(() =>
    postgres.withOrg(identity, async (tx) => {
      const rows = await readLog(tx.query, feedSource, { tx: '0', seq: '0' }, 10_000);
      const [all] = await tx.query<{ count: number }>('SELECT count(*)::int AS count FROM change_feed');
      if (rows.length < all!.count) throw new Error('a row still waits for an older transaction');
      return rows;
    }),
  );
}
