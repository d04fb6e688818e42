/** What a query is once its text has been checked, and before an engine runs it. Plain data: it crosses threads. */
import type { ColumnType } from '../datasets/types.js';
import type { SearchPlans } from './languages/opensearch/search-plans.js';
import type { Plan } from './plan/types.js';

/** The languages that `prepareQuery` understands. */
export type QueryLanguage = 'SQL' | 'KQL' | 'LINQ' | 'OPENSEARCH';

/** Only events at or after `from` and before `to` are read, whatever the text says; RFC 3339. */
export interface TimeRange {
  from?: string;
  to?: string;
}

/** A place in the caller's text, both from 1; columns count characters (code points), not bytes. */
export interface TextPosition {
  line: number;
  column: number;
}

/** One replacement that the guard made in the caller's text; offsets are UTF-16 indexes into the source. */
export interface TextEdit {
  start: number;
  end: number;
  replacement: string;
}

/**
 * Whether the same text can be run over new rows alone and give exactly what it would have given for them in a run over
 * everything. Where not, the first reason and its place.
 */
export type RowWise = { ok: true } | ({ ok: false; reason: string } & TextPosition);

interface Prepared {
  /** The text as the caller wrote it. Error positions refer to it. */
  source: string;
  /** The canonical names of the datasets that it reads, without repeats, in the order of their first use. */
  datasets: string[];
  /** The columns of those datasets, for suggestions in error messages. */
  knownColumns: string[];
  rowWise: RowWise;
}

/** What is seen of an SQL text without a plan of it. */
export interface SqlTraits {
  /** A join, a union, a window or a subquery. */
  combinesRelations: boolean;
  /** It hangs on the time of its run. */
  readsClock: boolean;
  /** Chance is in it: no two runs are the same. */
  isVolatile: boolean;
}

/** SQL that passed the guard: PostgreSQL runs the text itself. Only the guard makes these. */
export interface SqlQuery extends Prepared {
  form: 'SQL';
  language: 'SQL';
  /** The text as it is run: the source with dataset aliases, column spellings and the time range resolved. */
  text: string;
  /** How `source` became `text`, in ascending order. Empty where they are the same. */
  edits: TextEdit[];
  /** The same query as a plan, for OpenSearch; or why it has none, and where that stands in the source. */
  translation: { ok: true; plan: Plan } | ({ ok: false; reason: string } & TextPosition);
  traits: SqlTraits;
}

/** A query that was translated to a plan. */
export interface PlanQuery extends Prepared {
  form: 'PLAN';
  language: 'KQL' | 'LINQ';
  plan: Plan;
  /** KQL's `render`: how its author would draw the result. A hint; it changes no row. */
  render?: { kind: string; properties: Record<string, string> };
}

/** A search in OpenSearch's DSL: several plans, whose answers make one answer in OpenSearch's shape. */
export interface SearchQuery extends Prepared {
  form: 'SEARCH';
  language: 'OPENSEARCH';
  search: SearchPlans;
}

export type PreparedQuery = SqlQuery | PlanQuery | SearchQuery;

/** The part of a dataset's declaration that the guards read. `Dataset` of datasets/types.ts fits. */
export interface QueryableDataset {
  name: string;
  aliases: string[];
  /** The DATETIME column that says when the event happened. */
  timeColumn: string;
  /** Every declared column in the order of display; `attributes` (dynamic) is one more without being declared. */
  columns: { name: string; type: ColumnType; description: string }[];
}
