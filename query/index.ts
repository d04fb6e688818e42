/** The query engine's public surface: check a text, then check it against the database, estimate it, or run it. */
import type { GuardedQuery, QueryableDataset, QueryLanguage } from './guarded-query.js';
import { guardSql } from './languages/sql/guard.js';

export { checkQuery } from './engines/postgres/check.js';
export { estimateQuery } from './engines/postgres/estimate.js';
export { type Batch, runQuery } from './engines/postgres/run.js';
export type { GuardedQuery, QueryableDataset, QueryLanguage } from './guarded-query.js';
export type { JsonValue, ResultColumn } from './result.js';

export interface PrepareOptions {
  language: QueryLanguage;
  /** The query as the caller wrote it. */
  text: string;
  /** The datasets that the caller may read; any other table is refused. */
  datasets: readonly QueryableDataset[];
}

const guards: Record<QueryLanguage, (text: string, datasets: readonly QueryableDataset[]) => Promise<GuardedQuery>> = {
  SQL: guardSql,
};

/**
 * Checks a query's text and resolves its names, without a database. Throws a HarborwatchError of a QUERY_* code with
 * the line and column in the caller's text.
 */
export async function prepareQuery({ language, text, datasets }: PrepareOptions): Promise<GuardedQuery> {
  return guards[language](text, datasets);
}
