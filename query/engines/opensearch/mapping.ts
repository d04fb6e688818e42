/**
 * How a dataset's rows are kept in OpenSearch: index templates made from its declaration, committed as
 * `schema/opensearch/*.json`. Nothing is analysed, guessed or rounded, and no value makes OpenSearch refuse an event: what
 * cannot be indexed is in `_source` all the same, and the document says which of its columns an index lacks.
 *
 * | column | field | exact |
 * |---|---|---|
 * | STRING, IP | keyword (IP in PostgreSQL's text form) | but for values over `maxKeywordLength`, see `_long` |
 * | free text | and below it `parts`, a wildcard field | for values of any length |
 * | INT, LONG | long | yes; sums and averages in OpenSearch are doubles |
 * | REAL | double | yes; NaN and infinities are not indexed, see `_ignored` |
 * | BOOLEAN | boolean | yes |
 * | DATETIME | date | no: milliseconds; the time column is in `_time_us` exactly |
 * | JSON, `attributes` | stored alone, as PostgreSQL's text of it | every digit and every level |
 */
import { attributesColumn, type Column, type ColumnType, type Dataset } from '../../../datasets/types.js';
import { indexPatterns } from './index-names.js';

/**
 * The longest text, in UTF-16 units, that is indexed as a keyword: Lucene's terms hold 32,766 bytes, and a unit takes three
 * at most. A longer one is left out of the index without a word, so the document names its column in `_long`.
 */
export const maxKeywordLength = 10_922;

/** The fields of every document beside the row's columns. */
export const metaFields = {
  /** Every request filters by it. */
  orgId: 'org_id',
  /** The event's id, which is the document's too. */
  id: 'id',
  batchNo: 'batch_no',
  /** The time column in whole microseconds since 1970, negative before. */
  timeUs: '_time_us',
  /** The columns whose value was too long to be indexed as a keyword. */
  long: '_long',
} as const;

/** The sub-field of a free text that finds its parts. */
export const partsField = (column: string): string => `${column}.parts`;

const keyword = { type: 'keyword' };

const fieldTypes: Record<ColumnType, object> = {
  STRING: { ...keyword, ignore_above: maxKeywordLength },
  IP: keyword,
  INT: { type: 'long', ignore_malformed: true },
  LONG: { type: 'long', ignore_malformed: true },
  REAL: { type: 'double', ignore_malformed: true },
  BOOLEAN: { type: 'boolean' },
  DATETIME: { type: 'date', format: 'strict_date_optional_time', ignore_malformed: true },
  JSON: { type: 'object', enabled: false },
};

const fieldOf = ({ type, freeText }: Column): object =>
  freeText ? { ...fieldTypes[type], fields: { parts: { type: 'wildcard' } } } : fieldTypes[type];

/** The mapping of a dataset's indexes. */
export function mappingOf(dataset: Dataset): { properties: object; dynamic: false; date_detection: false } {
  const columns = [...dataset.columns, attributesColumn].map((column) => [column.name, fieldOf(column)]);
  return {
    dynamic: false,
    date_detection: false,
    properties: {
      [metaFields.orgId]: keyword,
      [metaFields.id]: keyword,
      [metaFields.batchNo]: { type: 'long' },
      [metaFields.timeUs]: { type: 'long' },
      [metaFields.long]: keyword,
      ...Object.fromEntries(columns),
    },
  };
}

/** The index template of a dataset. @param prefix of the installation's index names */
export const templateOf = (dataset: Dataset, prefix = ''): object => ({
  index_patterns: indexPatterns(prefix, dataset.name),
  priority: 100,
  template: {
    settings: {
      number_of_shards: 1,
      // No copy on a single node, one where there are more.
      auto_expand_replicas: '0-1',
      max_result_window: 10_000,
    },
    mappings: mappingOf(dataset),
  },
});
