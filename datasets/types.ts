/**
 * What a dataset is. One declaration in `datasets/<name>.ts` gives the PostgreSQL table and its indexes, the query
 * languages' symbol table, the SQL allow-list, the GraphQL `datasets` listing and the validation at ingest.
 */

/** The column types of a dataset, and what each is in PostgreSQL. */
export const columnTypes = {
  STRING: 'text',
  INT: 'integer',
  LONG: 'bigint',
  REAL: 'double precision',
  BOOLEAN: 'boolean',
  DATETIME: 'timestamptz',
  IP: 'inet',
  JSON: 'jsonb',
} as const;

export type ColumnType = keyof typeof columnTypes;

/** One declared column. Input fields that no column declares are kept in `attributes`. */
export interface Column {
  name: string;
  type: ColumnType;
  /** Shown in the schema browser and in error messages. */
  description: string;
  /** The unit of a figure, such as `ms` or `bytes`. */
  unit?: string;
  /** True gives the column an index of its own with the organisation in front. Default false. */
  indexed?: boolean;
  /** True for texts of many words, which are searched by their parts. Default false. */
  freeText?: boolean;
}

/** A raw event as a client sent it: one JSON object. */
export type RawEvent = Record<string, unknown>;

export interface Dataset {
  /** The name in queries and in PostgreSQL: lower case, underscores. */
  name: string;
  /** Other names under which queries find it. */
  aliases: string[];
  description: string;
  /** The declared columns in the order of display; the time column is one of them. */
  columns: Column[];
  /** The DATETIME column that says when the event happened. Every event must have it. */
  timeColumn: string;
  /** Maps the spellings of common senders to the declared columns. Default: the event as it is. */
  normalise?: (event: RawEvent) => RawEvent;
}

/** The column that keeps what a dataset does not declare; every dataset has it. */
export const attributesColumn: Column = {
  name: 'attributes',
  type: 'JSON',
  description: 'Fields of the event that the dataset does not declare, as they were sent.',
};
