import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDataset } from '../../datasets/index.js';
import type { Worker } from '../../platform/subgraph.js';
import { Indexer } from '../../query/engines/opensearch/indexer.js';
import { rebuildIndex } from '../../query/engines/opensearch/rebuild.js';
import { startIndexWorker } from '../../subgraphs/events/worker.js';
import { ingest } from '../setup/events.js';
import { findOpenSearch } from '../setup/opensearch.js';
import { createSearchScene, type SearchScene } from '../setup/search.js';

const openSearch = await findOpenSearch();
const logs = findDataset('logs')!;
/** How many months have events, and how many events there are before the rebuild; ingest takes 2,000 at once. */
const [months, size] = process.env.HARBORWATCH_DEEP ? [60, 20_000] : [3, 500];
const batchSize = 2_000;

describe.skipIf(!openSearch)('a rebuild of the search indexes', { timeout: 1_800_000 }, () => {
  let scene: SearchScene;
  let worker: Worker;
  let indexer: Indexer;
  beforeAll(async () => {
    scene = await createSearchScene(openSearch!, { OPENSEARCH_WAIT_MS: '600000' });
    const { postgres, logger } = scene.platform;
    worker = startIndexWorker(postgres, scene.search, logger);
    indexer = new Indexer(postgres, scene.search, logger);
  });
  afterAll(async () => {
    await worker.stop(5_000);
    await scene.close();
  });

  it('leaves every query the rows that it had, to the row, while events come in', async () => {
    const [one] = scene.orgs;
    let made = 0;
    const some = (count: number) =>
      Array.from({ length: count }, () => ({
        timestamp: new Date(Date.UTC(2022, made++ % months, 1)).toISOString(),
        message: `event ${made}`,
      }));
    for (let left = size; left > 0; left -= batchSize) {
      await ingest(scene.platform, one, 'logs', some(Math.min(left, batchSize)));
    }
    await scene.documents(one, 'logs');

    let isRebuilding = true;
    const rebuildTwice = async () => {
      for (let round = 0; round < 2; round++) await rebuildIndex(indexer, logs);
    };
    const rebuilding = rebuildTwice().finally(() => {
      isRebuilding = false;
    });
    let queries = 0;
    while (isRebuilding) {
      await ingest(scene.platform, one, 'logs', some(7));
      const expected = await scene.eventIds(one, 'logs');
      expect((await scene.documents(one, 'logs')).map(({ id }) => id)).toEqual(expected);
      queries += 1;
    }
    await rebuilding;
    expect(queries).toBeGreaterThan(1);
    expect((await scene.documents(one, 'logs')).map(({ id }) => id)).toEqual(await scene.eventIds(one, 'logs'));
    const left = (await indexer.indexes.list(logs)).filter(({ isLive }) => !isLive);
    expect(left).toEqual([]);
  });

  it('runs once at a time for a dataset', async () => {
    const outcomes = await Promise.allSettled([rebuildIndex(indexer, logs), rebuildIndex(indexer, logs)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'CONFLICT' } });
  });

  it('is a command that tells what it did', async () => {
    const program = ['--no-warnings', '--import', './tests/support/run-typescript.mjs', 'scripts/rebuild-index.ts'];
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [...program, ...args], {
        env: { PATH: process.env.PATH, ...scene.env },
      });
    const events = (await scene.database.asSuperuser('SELECT 1 FROM app.logs')).length;
    const { stdout } = await run('--dataset', 'logs');
    expect(stdout).toBe(`logs: ${events.toLocaleString('en')} events are indexed anew.\n`);
    await expect(run('--dataset', 'nothing')).rejects.toMatchObject({
      stderr: expect.stringContaining('There is no dataset "nothing"'),
    });
  });
});
