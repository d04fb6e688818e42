/** The query engine's public surface: check a text, then check it against the engine, estimate it, or run it. */

export { describeQuery, type QueryClass } from './describe.js';
export type { Batch, SearchSummary } from './engines/engine.js';
export { type Engines, enginesAnswer, enginesOf } from './engines/engines.js';
export type { Completion } from './languages/completions.js';
export { exactRange } from './languages/range.js';
export { completeInThread as completeQuery } from './languages/thread/language-thread.js';
export { checkQuery, prepareQuery } from './prepare.js';
export type {
  PreparedQuery,
  QueryLanguage,
  SqlQuery,
  TimeRange,
} from './prepared-query.js';
export type { QueryReport } from './query-report.js';
export type { JsonValue, ResultColumn } from './result.js';
export { estimateQuery, reportOnQuery, runQuery } from './run.js';
export { type RunState, runQueryInSlices, type SlicingRule } from './run-in-slices.js';
