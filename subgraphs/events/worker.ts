/** The background of events: keeps the search indexes equal to the event tables, where the installation has OpenSearch. */
import { setTimeout as delay } from 'node:timers/promises';
import { datasets } from '../../datasets/index.js';
import type { Dataset } from '../../datasets/types.js';
import { HarborwatchError } from '../../platform/errors.js';
import { followFeed } from '../../platform/feed.js';
import type { Logger } from '../../platform/logging.js';
import type { Postgres } from '../../platform/postgres/postgres.js';
import type { Search } from '../../platform/search.js';
import type { Worker } from '../../platform/subgraph.js';
import { endForNewFollower, lagOf, startBehind } from '../../platform/system/search.js';
import { Indexer, indexConsumer } from '../../query/engines/opensearch/indexer.js';
import { rebuildIndex } from '../../query/engines/opensearch/rebuild.js';

/** How often an index that is gone is noticed, and the lag is told. */
const lookEveryMs = 60_000;
/** A lag that is told. */
const longLagSeconds = 60;
const firstTryMs = 500;
const slowestTryMs = 30_000;

/** Starts to index; a new installation, and an OpenSearch that lost its indexes, get them from the feed's first row on. */
export function startIndexWorker(postgres: Postgres, search: Search, logger: Logger): Worker {
  const indexer = new Indexer(postgres, search, logger);
  const stopping = new AbortController();

  /** Builds the indexes of the datasets that are not as they should be. @returns how many it built */
  const ensureIndexes = async (isGood: (dataset: Dataset) => Promise<boolean>): Promise<number> => {
    let built = 0;
    for (const dataset of datasets) {
      if (await isGood(dataset)) continue;
      logger.info({ dataset: dataset.name }, 'building the search index');
      const events = await rebuildIndex(indexer, dataset).catch((error: unknown) => {
        if (error instanceof HarborwatchError && error.code === 'CONFLICT') return undefined; // Another process does it.
        throw error;
      });
      if (events === undefined) continue;
      built += 1;
      logger.info({ dataset: dataset.name, events }, 'built the search index');
    }
    return built;
  };
  const isDescribed = (dataset: Dataset) => indexer.indexes.describe(dataset);
  const isThere = async (dataset: Dataset) => (await indexer.indexes.generation(dataset)) !== undefined;
  const work = async () => {
    for (let waitMs = firstTryMs; ; waitMs = Math.min(waitMs * 2, slowestTryMs)) {
      try {
        const end = await endForNewFollower(postgres, indexConsumer);
        const built = await ensureIndexes(isDescribed);
        // All that the feed had is indexed: the follower need not read it again.
        if (end !== undefined && built === datasets.length) await startBehind(postgres, indexConsumer, end);
        break;
      } catch (error) {
        if (stopping.signal.aborted) return;
        logger.warn({ error: String(error), retryMs: waitMs }, 'the search indexes cannot be prepared');
        await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
    const follower = followFeed(postgres, {
      consumer: indexConsumer,
      logger,
      handle: async (rows) => {
        try {
          await indexer.apply(rows);
        } catch (error) {
          // What failed may have failed because the indexes are gone; the rows come again.
          if (!stopping.signal.aborted) await ensureIndexes(isThere);
          throw error;
        }
      },
    });
    while (!stopping.signal.aborted) {
      await delay(lookEveryMs, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) break;
      await ensureIndexes(isThere)
        .then(() => lagOf(postgres, indexConsumer))
        .then((lag) => {
          const told = { ...lag, ...indexer.figures };
          if (lag.seconds > longLagSeconds) logger.warn(told, 'the search index is behind');
          else logger.debug(told, 'the search index follows');
        })
        .catch((error: unknown) => logger.warn({ error: String(error) }, 'the search indexes cannot be looked at'));
    }
    await follower.stop();
  };
  const done = work();
  return {
    name: indexConsumer,
    stop: async () => {
      stopping.abort();
      indexer.stop();
      await done;
    },
  };
}
