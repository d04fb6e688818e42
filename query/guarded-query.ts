/** What a query is once its text has been checked, and before an engine runs it. */

/** The languages that `prepareQuery` understands. */
export type QueryLanguage = 'SQL';

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

/** A query that passed its language's guard. Only the guards make these; the engines run nothing else. */
export interface GuardedQuery {
  language: QueryLanguage;
  /** The text as the caller wrote it. Error positions refer to it. */
  source: string;
  /** The text as it is run: the source with dataset aliases and column spellings resolved. */
  text: string;
  /** How `source` became `text`, in ascending order. Empty where they are the same. */
  edits: TextEdit[];
  /** The canonical names of the datasets that it reads, without repeats, in the order of their first use. */
  datasets: string[];
  /** The columns of those datasets, for suggestions in error messages. */
  knownColumns: string[];
  rowWise: RowWise;
}

/** The part of a dataset's declaration that the guards read. `Dataset` of datasets/types.ts fits. */
export interface QueryableDataset {
  name: string;
  aliases: string[];
  /** Every column that a query may name; `attributes` is one without being declared. */
  columns: { name: string }[];
}
