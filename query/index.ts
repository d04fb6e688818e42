/** The query engine's public surface: check a text, then check it against the engine, estimate it, or run it. */

export type { Batch, RunOptions, SearchSummary } from './engines/engine.js';
export { type Engines, enginesOf } from './engines/engines.js';
export type { Completion, CompletionOptions } from './languages/completions.js';
export { exactRange } from './languages/range.js';
export {
  completeInThread as completeQuery,
  type PrepareOptions,
  prepareInThread as prepareQuery,
} from './languages/thread/language-thread.js';
export type {
  PlanQuery,
  PreparedQuery,
  QueryableDataset,
  QueryLanguage,
  SqlQuery,
  TimeRange,
} from './prepared-query.js';
export type { IndexRecommendation, QueryReport } from './query-report.js';
export type { JsonValue, ResultColumn } from './result.js';
export { checkQuery, estimateQuery, reportOnQuery, runQuery } from './run.js';
