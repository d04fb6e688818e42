/** What an engine does with a plan. Both engines pass the same contract suite, answer for answer. */
import type { JsonValue, ResultColumn } from '../result.js';

export interface RunOptions {
  /** The organisation whose rows are seen. */
  orgId: string;
  /** How long the run may take, the consumer's time included: 1 ms to a day. */
  timeoutMs: number;
  /** Aborting it ends the run with QUERY_CANCELLED, here and in the engine, within a second. */
  signal?: AbortSignal;
  /** The most rows that a batch may have. Default 1,000; wide rows come in smaller batches. */
  batchRows?: number;
  /** Sees the rows of one ingest batch only: its number, in decimal digits. PostgreSQL only. */
  ingestBatch?: string;
  /** What `now()` is for the whole run, RFC 3339. Default: the moment at which it begins. */
  now?: string;
}

/** A piece of the result. The first one comes even where there are no rows, so that the columns are known. */
export interface Batch {
  /** The same in every batch. */
  columns: ResultColumn[];
  /** One array a row, with a value for each column. */
  rows: JsonValue[][];
  /** What a search in OpenSearch's DSL answers beside its hits; in the last batch of such a query. */
  search?: SearchSummary;
}

/** The parts of OpenSearch's answer that are not hits, in OpenSearch's own shape. */
export interface SearchSummary {
  /** How long it took, in ms. */
  took: number;
  total?: { value: number; relation: 'eq' | 'gte' };
  maxScore: number | null;
  aggregations?: JsonValue;
}
