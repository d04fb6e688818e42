/** What an editor offers at a place in a text. */
import type { QueryableDataset, QueryLanguage } from '../prepared-query.js';

export interface CompletionOptions {
  language: QueryLanguage;
  text: string;
  /** Where in the text, in UTF-16 units from its beginning. */
  offset: number;
  /** The datasets that the caller may read. */
  datasets: readonly QueryableDataset[];
}

export interface Completion {
  /** What the list shows. */
  label: string;
  kind: 'TABLE' | 'COLUMN' | 'NAME' | 'FUNCTION' | 'AGGREGATE' | 'OPERATOR' | 'KEYWORD';
  /** One sentence, or a column's type; empty where there is nothing to say. */
  description: string;
  /** What stands in the text instead of what is between `start` and `end` when it is taken. */
  insert: string;
  start: number;
  end: number;
}
