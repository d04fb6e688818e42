/** The same events in PostgreSQL and in OpenSearch, and the same question to both. */
import pg from 'pg';
import { datasets, findDataset } from '../../datasets/index.js';
import { HarborwatchError } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import type { RunOptions } from '../../query/engines/engine.js';
import { Freshness } from '../../query/engines/opensearch/freshness.js';
import { type OpenSearchEngine, runOnOpenSearch } from '../../query/engines/opensearch/run.js';
import { runPlan } from '../../query/engines/postgres/run.js';
import { type Batch, prepareQuery, type QueryLanguage } from '../../query/index.js';
import { scan } from '../../query/plan/build.js';
import type { Plan, PlanColumn } from '../../query/plan/types.js';
import type { JsonValue, ResultColumn } from '../../query/result.js';
import { startIndexWorker } from '../../subgraphs/events/worker.js';
import { createTestDatabase } from './database.js';
import type { TestOpenSearch } from './opensearch.js';
import { createSearchScene, type SearchScene } from './search.js';

export interface Table {
  columns: ResultColumn[];
  rows: JsonValue[][];
}

export type Outcome = Table | { error: string };

export interface TwoEngines {
  scene: SearchScene;
  postgres: pg.Pool;
  openSearch: OpenSearchEngine;
  /** The same OpenSearch, beside a PostgreSQL without events: what has to be read there is missing from the answer. */
  alone: OpenSearchEngine;
  close(): Promise<void>;
}

export async function createTwoEngines(
  openSearch: TestOpenSearch,
  settings: Record<string, string> = {},
): Promise<TwoEngines> {
  const scene = await createSearchScene(openSearch, settings);
  const { platform, search } = scene;
  const worker = startIndexWorker(platform.postgres, search, platform.logger);
  const empty = await createTestDatabase();
  const withoutEvents = new pg.Pool({ connectionString: empty.url('query'), max: 2 });
  withoutEvents.on('error', () => {});
  const freshness = new Freshness(platform.postgres, search, platform.config.openSearchWaitMs);
  const postgres = platform.postgres.queryPool;
  return {
    scene,
    postgres,
    openSearch: { search, freshness, postgres },
    alone: { search, freshness, postgres: withoutEvents },
    close: async () => {
      await worker.stop(5_000);
      await withoutEvents.end();
      await empty.drop();
      await scene.close();
    },
  };
}

/** The plan of a text. */
export async function planOf(language: QueryLanguage, text: string): Promise<Plan> {
  const query = await prepareQuery({ language, text, datasets });
  if (query.form === 'PLAN') return query.plan;
  if (query.form === 'SQL' && query.translation.ok) return query.translation.plan;
  throw new Error(`No plan: ${text}`);
}

/** All of a dataset: the events' ids and these columns. */
export function eventsOf(dataset: string, columns: PlanColumn[] = []): Plan {
  const { timeColumn } = findDataset(dataset)!;
  return scan({ dataset, timeColumn, nullStrings: false, columns: [{ name: '_id', type: 'string' }, ...columns] });
}

export const now = '2026-11-21T12:00:00Z';

const optionsOf = ({ orgId }: Identity, more: Partial<RunOptions>): RunOptions => ({
  orgId,
  timeoutMs: 60_000,
  now,
  ...more,
});

/** OpenSearch's answer, batch by batch. */
export const ask = (
  engine: OpenSearchEngine,
  plan: Plan,
  identity: Identity,
  more: Partial<RunOptions> = {},
): AsyncGenerator<Batch, void> => runOnOpenSearch(engine, plan, optionsOf(identity, more));

/** What an engine gives in all: a table, or the code of its error. */
export async function outcomeOf(batches: AsyncIterable<Batch>): Promise<Outcome> {
  try {
    let columns: ResultColumn[] | undefined;
    const rows: JsonValue[][] = [];
    for await (const batch of batches) {
      columns ??= batch.columns;
      for (const row of batch.rows) rows.push(row);
    }
    return { columns: columns!, rows };
  } catch (error) {
    if (error instanceof HarborwatchError) return { error: error.code };
    throw error;
  }
}

export const onPostgres = ({ postgres }: TwoEngines, plan: Plan, identity: Identity): Promise<Outcome> =>
  outcomeOf(runPlan(postgres, plan, optionsOf(identity, {})));

/** Rows in an order of their own, for answers whose rows may come in any. */
export const unordered = (outcome: Outcome): Outcome =>
  'error' in outcome
    ? outcome
    : {
        columns: outcome.columns,
        rows: outcome.rows.toSorted((a, b) => compare(JSON.stringify(a), JSON.stringify(b))),
      };

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
