/** Prepared queries on the engines: whatever language a query is written in, and wherever it runs. */
import { fail } from '../platform/errors.js';
import type { Batch, RunOptions } from './engines/engine.js';
import type { Engines } from './engines/engines.js';
import { runOnOpenSearch } from './engines/opensearch/run.js';
import * as postgres from './engines/postgres/check.js';
import { estimateQuery as estimateOnPostgres, type QueryEstimate } from './engines/postgres/estimate.js';
import { type ReportOptions, reportOnQuery as reportOnPostgres } from './engines/postgres/report.js';
import { runQuery as runOnPostgres, runPlans } from './engines/postgres/run.js';
import type { SearchPlans } from './languages/opensearch/search-plans.js';
import type { Plan } from './plan/types.js';
import type { PlanQuery, PreparedQuery, SearchQuery, SqlQuery } from './prepared-query.js';
import type { QueryReport } from './query-report.js';
import type { ResultColumn } from './result.js';
import { answerSearch, hitColumns } from './search/answer.js';

/**
 * Runs a query in a read-only transaction of the caller's organisation, and streams its rows with bounded memory.
 * `timeoutMs` bounds the whole run, the consumer's time included. Leaving the loop early ends it.
 * @throws QUERY_FAILED, QUERY_TIMEOUT, QUERY_CANCELLED, RESULT_TOO_LARGE, SERVICE_UNAVAILABLE; QUERY_NOT_SUPPORTED for
 * SQL that OpenSearch cannot run exactly
 */
export function runQuery(engines: Engines, query: PreparedQuery, options: RunOptions): AsyncGenerator<Batch, void> {
  if (query.form === 'SEARCH') {
    return runSearch(engines, query.search, options);
  }
  // The rows of one ingest batch are found in PostgreSQL alone.
  if (engines.openSearch === undefined || options.ingestBatch !== undefined) {
    return runOnPostgres(engines.postgres, query, options);
  }
  return runOnOpenSearch(engines.openSearch, planOf(query), options);
}

/** All plans of a search together have the time that the options allow. */
function runSearch({ openSearch, postgres: pool }: Engines, search: SearchPlans, options: RunOptions) {
  // One search is of one moment: `now` is the same in all of its plans.
  const fixed = { ...options, now: options.now ?? new Date().toISOString() };
  if (openSearch === undefined || options.ingestBatch !== undefined) {
    return runPlans(pool, fixed, (run) => answerSearch(search, run));
  }
  const untilMs = performance.now() + options.timeoutMs;
  return answerSearch(search, (plan) =>
    runOnOpenSearch(openSearch, plan, { ...fixed, timeoutMs: Math.max(1, Math.floor(untilMs - performance.now())) }),
  );
}

/** @throws QUERY_NOT_SUPPORTED where SQL has no plan, with the place of the reason */
function planOf(query: PlanQuery | SqlQuery): Plan {
  if (query.form === 'PLAN') return query.plan;
  if (query.translation.ok) return query.translation.plan;
  const { reason, line, column } = query.translation;
  return fail('QUERY_NOT_SUPPORTED', `On OpenSearch this SQL has no exact answer: ${reason}`, {
    argument: 'query',
    line,
    column,
  });
}

/** What stands for a search where one statement is asked about: its hits, or their count. */
function statementOf({ search, ...query }: SearchQuery): PlanQuery {
  const plan = search.hits?.plan ?? search.total?.plan ?? search.aggregations?.plan;
  if (plan === undefined)
    return fail('QUERY_NOT_SUPPORTED', 'The search asks for nothing: no hits, no count, no aggregations.', {
      argument: 'query',
      line: 1,
      column: 1,
    });
  return { ...query, form: 'PLAN', language: 'KQL', plan };
}

/**
 * Asks the engine about a query without running it: its columns, and what can be wrong with it only there.
 * @throws QUERY_* with the place in the text
 */
export async function checkOnEngines(
  engines: Engines,
  query: PreparedQuery,
  options: postgres.CheckOptions,
): Promise<{ columns: ResultColumn[] }> {
  if (query.form === 'SEARCH') {
    await postgres.checkQuery(engines.postgres, statementOf(query), options);
    return { columns: hitColumns(query.search.hits) };
  }
  if (engines.openSearch !== undefined) planOf(query);
  return postgres.checkQuery(engines.postgres, query, options);
}

/** PostgreSQL's guess at the rows and the cost of a query: for progress and scheduling, not to be shown. */
export async function estimateQuery(
  engines: Engines,
  query: PreparedQuery,
  options: postgres.CheckOptions,
): Promise<QueryEstimate> {
  return estimateOnPostgres(engines.postgres, query.form === 'SEARCH' ? statementOf(query) : query, options);
}

/** Tells how a query would run, as far as whoever asks may know. @throws QUERY_* with the place in the text */
export async function reportOnQuery(
  engines: Engines,
  query: PreparedQuery,
  options: ReportOptions,
): Promise<QueryReport> {
  const statement = query.form === 'SEARCH' ? statementOf(query) : query;
  const report = await reportOnPostgres(engines.postgres, statement, options);
  if (engines.openSearch === undefined) return report;
  planOf(statement);
  return { ...report, engine: 'OPENSEARCH' };
}
