/** The engines that answer the cases, over one database with the events in it. */
import pg from 'pg';
import { datasets } from '../../../datasets/index.js';
import { HarborwatchError } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import { Indexes } from '../../../query/engines/opensearch/indexes.js';
import {
  type Batch,
  type Engines,
  enginesOf,
  type JsonValue,
  type PreparedQuery,
  prepareQuery,
  type QueryLanguage,
  runQuery,
} from '../../../query/index.js';
import { startIndexWorker } from '../../../subgraphs/events/worker.js';
import { createTestPlatform, makeOrg, type TestPlatform } from '../../setup/database.js';
import { ingest } from '../../setup/events.js';
import type { TestOpenSearch } from '../../setup/opensearch.js';
import { eventually } from '../../setup/until.js';
import type { Given } from './answers.js';
import type { QueryCase } from './cases.js';

export interface Bench {
  test: TestPlatform;
  /** By name. */
  engines: Map<string, Engines>;
  close(): Promise<void>;
}

/** @param openSearch of the test file; without it there is PostgreSQL alone */
export async function openBench(openSearch?: TestOpenSearch): Promise<Bench> {
  const settings = { ...openSearch?.settings, QUERY_ENGINE: 'opensearch', OPENSEARCH_WAIT_MS: '60000' };
  const test = await createTestPlatform(openSearch && settings);
  const postgres = new pg.Pool({ connectionString: test.env.DATABASE_QUERY_URL!, max: 2 });
  postgres.on('error', () => {});
  const engines = new Map<string, Engines>([['PostgreSQL', { postgres }]]);
  const { platform } = test;
  const worker = platform.search && startIndexWorker(platform.postgres, platform.search, platform.logger);
  if (worker !== undefined) {
    engines.set('OpenSearch', enginesOf(platform));
    const indexes = new Indexes(platform.search!);
    // The first start makes them; no case should wait for that.
    await eventually(async () => {
      for (const dataset of datasets)
        if ((await indexes.generation(dataset)) === undefined) throw new Error(dataset.name);
    });
  }
  return {
    test,
    engines,
    close: async () => {
      await worker?.stop(5_000);
      await postgres.end();
      await test.close();
      await openSearch?.drop();
    },
  };
}

/** An organisation of its own that has the case's events. */
export async function orgWith(bench: Bench, input: QueryCase['input']): Promise<Identity> {
  if (input.size === 0) return bench.test.orgs[1];
  const org = await makeOrg(bench.test.platform, `case-${crypto.randomUUID().slice(0, 8)}`);
  for (const [dataset, events] of input) {
    const { rejected } = await ingest(bench.test.platform, org, dataset, events);
    if (rejected.length > 0) throw new Error(`Not an event of ${dataset}: ${JSON.stringify(rejected[0])}`);
  }
  return org;
}

/** The engine's answer to a case. */
export async function ask(
  engines: Engines,
  language: QueryLanguage,
  { query: text, settings }: Pick<QueryCase, 'query' | 'settings'>,
  org: Identity,
): Promise<Given> {
  const { now, from, to, dataset } = settings;
  const range = { ...(from && { from }), ...(to && { to }) };
  return answerOf(engines, async () => prepareQuery({ language, text, datasets, range, dataset }), {
    orgId: org.orgId,
    ...(now && { now }),
  });
}

/** What comes of a query on an engine: its rows, or the error that its caller sees. */
export async function answerOf(
  engines: Engines,
  prepare: () => Promise<PreparedQuery>,
  options: { orgId: string; now?: string; timeoutMs?: number },
): Promise<Given> {
  try {
    const given: Batch[] = [];
    for await (const batch of runQuery(engines, await prepare(), { timeoutMs: 20_000, ...options })) given.push(batch);
    const rows: JsonValue[][] = given.flatMap((batch) => batch.rows);
    const search = given.at(-1)!.search;
    return { kind: 'ROWS', columns: given[0]!.columns, rows, ...(search && { search }) };
  } catch (error) {
    // What is not ours would leak: it is no answer, and the case says so.
    if (!(error instanceof HarborwatchError)) return { kind: 'ERROR', code: 'UNEXPECTED', message: String(error) };
    const { line, column } = error.details as { line?: number; column?: number };
    return {
      kind: 'ERROR',
      code: error.code,
      message: error.message,
      ...(line !== undefined && { line }),
      ...(column !== undefined && { column }),
    };
  }
}
