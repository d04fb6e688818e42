/** Builds OpenSearch's indexes anew from PostgreSQL. Queries see the old ones until the new ones hold everything. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { datasets, findDataset } from '../datasets/index.js';
import { ConfigError, loadConfig } from '../platform/config.js';
import { runMain } from '../platform/lifecycle.js';
import { createLogger } from '../platform/logging.js';
import { Postgres, postgresUrls } from '../platform/postgres/postgres.js';
import { connectSearch } from '../platform/search.js';
import { Indexer } from '../query/engines/opensearch/indexer.js';
import { rebuildIndex } from '../query/engines/opensearch/rebuild.js';
import { environmentBeside } from './installation.js';

const root = fileURLToPath(new URL('../..', import.meta.url)); // We run from dist/scripts/.

const usage = `Usage: npm run rebuild-index [-- options]

  --dataset D    one dataset, by its name or an alias (default: all of them)
  --help         show this

Reads every event from PostgreSQL into fresh indexes and switches to them at once; Harborwatch may run meanwhile.`;

function readArguments() {
  try {
    return parseArgs({ options: { dataset: { type: 'string' }, help: { type: 'boolean' } } }).values;
  } catch (error) {
    throw new ConfigError(`${(error as Error).message}\n\n${usage}`);
  }
}

/** One line a dataset that counts up on a terminal, and one line when it is done elsewhere. */
function showProgress(name: string) {
  const out = process.stderr;
  let shownAt = 0;
  return {
    onProgress: (events: number, total: number) => {
      if (!out.isTTY || Date.now() - shownAt < 100) return;
      shownAt = Date.now();
      const percent = total === 0 ? 100 : Math.floor((100 * events) / total);
      out.write(
        `\r\x1b[K${name}: ${events.toLocaleString('en')} of ${total.toLocaleString('en')} events (${percent} %)`,
      );
    },
    end: (events: number) => {
      if (out.isTTY) out.write('\r\x1b[K');
      process.stdout.write(`${name}: ${events.toLocaleString('en')} events are indexed anew.\n`);
    },
  };
}

await runMain(async () => {
  const { dataset: given, help } = readArguments();
  if (help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  const chosen = given === undefined ? datasets : [findDataset(given)];
  const known = chosen.filter((dataset) => dataset !== undefined);
  if (known.length === 0) {
    throw new ConfigError(`There is no dataset "${given}": it takes ${datasets.map(({ name }) => name).join(', ')}.`);
  }
  const config = loadConfig(await environmentBeside(root));
  const search = connectSearch(config);
  if (!search) throw new ConfigError('OPENSEARCH_URL is not set: there is no index to rebuild.');
  const postgres = new Postgres(postgresUrls(config));
  try {
    const indexer = new Indexer(postgres, search, createLogger('rebuild-index', config.logLevel));
    for (const dataset of known) {
      const progress = showProgress(dataset.name);
      progress.end(await rebuildIndex(indexer, dataset, progress));
    }
  } finally {
    await Promise.all([postgres.close(), search.close()]);
  }
});
