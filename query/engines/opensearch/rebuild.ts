/**
 * Rebuilds a dataset's indexes from PostgreSQL: the feed is read from its beginning into the indexes of a new generation,
 * and readers are switched to them at once, while the indexer pauses. Before that they see the old ones, to the row.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Dataset } from '../../../datasets/types.js';
import { fail } from '../../../platform/errors.js';
import type { LogPosition } from '../../../platform/postgres/follower.js';
import {
  asOnlyRebuild,
  countFeedEvents,
  forgetSearchGaps,
  readFeedOf,
  whileIndexesRest,
} from '../../../platform/system/search.js';
import { indexPatterns } from './index-names.js';
import type { Indexer } from './indexer.js';

export interface RebuildOptions {
  /** Told how far it is. The total grows while events come in. */
  onProgress?: (events: number, total: number) => void;
  /** How long searches on the old indexes may go on before these are dropped. Default 300,000. */
  graceMs?: number;
}

const batchesPerRead = 100;
const contextPollMs = 250;
/** A request's first line has 4,096 bytes. */
const indexesPerRequest = 20;

/**
 * Rebuilds one dataset.
 * @returns the number of events
 * @throws CONFLICT where another rebuild of it runs
 */
export async function rebuildIndex(
  indexer: Indexer,
  dataset: Dataset,
  { onProgress = () => {}, graceMs = 300_000 }: RebuildOptions = {},
): Promise<number> {
  const { indexes, postgres, search } = indexer;
  const events = await asOnlyRebuild(postgres, dataset.name, async () => {
    await indexes.describe(dataset);
    const before = await indexes.list(dataset);
    // Of a rebuild that ended before its time.
    for (const { name, isLive } of before) if (!isLive) await indexes.drop(name);
    const live = before.find(({ isLive }) => isLive)?.generation ?? 0;
    await forgetSearchGaps(postgres, dataset.name, { side: 'AFTER', live });
    const generation = Math.max(0, ...before.map((index) => index.generation)) + 1;
    await indexes.makeAnchor(dataset, generation);

    const total = await countFeedEvents(postgres, dataset.name);
    const write = indexer.writerTo(dataset, generation);
    let done = 0;
    let position: LogPosition = { tx: '0', seq: '0' };
    /** Up to what can be read when it ends; what comes in meanwhile would never let it. */
    const catchUp = async () => {
      for (let isBehind = true; isBehind; ) {
        const rows = await readFeedOf(postgres, dataset.name, position, batchesPerRead);
        isBehind = rows.length === batchesPerRead;
        const last = rows.at(-1);
        if (!last) return;
        await write(rows);
        position = { tx: last.tx, seq: last.seq };
        done += rows.reduce((sum, { rowCount }) => sum + rowCount, 0);
        onProgress(done, Math.max(done, total));
      }
    };
    await catchUp();
    // What the indexer has written by now could be read before, so the last look at the feed brings all of it.
    await whileIndexesRest(postgres, dataset.name, async () => {
      await catchUp();
      await indexes.refresh(indexPatterns(search.prefix, dataset.name).join(','));
      await indexes.switchTo(dataset, generation);
    });
    await forgetSearchGaps(postgres, dataset.name, { side: 'BEFORE', live: generation });
    const old = (await indexes.list(dataset)).filter((index) => index.generation !== generation);
    const end = Date.now() + graceMs;
    for (let at = 0; at < old.length; at += indexesPerRequest) {
      const names = old
        .slice(at, at + indexesPerRequest)
        .map(({ name }) => name)
        .join(',');
      while ((await indexes.openSearches(names)) > 0 && Date.now() < end) await delay(contextPollMs);
      await indexes.drop(names);
    }
    return done;
  });
  return events ?? fail('CONFLICT', `The index of ${dataset.name} is being rebuilt already.`);
}
