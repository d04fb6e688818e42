/** Rows of PostgreSQL as documents: `_source` holds the row in the JSON form of query/result.ts, so that nothing is lost. */
import { attributesColumn, type Column, type ColumnType, type Dataset } from '../../../datasets/types.js';
import type { FeedRow } from '../../../platform/feed.js';
import type { Tx } from '../../../platform/postgres/postgres.js';
import type { JsonValue } from '../../result.js';
import { resultTypes } from '../postgres/values.js';
import { maxKeywordLength, metaFields } from './mapping.js';

/** An event on its way to OpenSearch. */
export interface EventDocument {
  id: string;
  /** Of the event's time (UTC), such as `2026.11`. */
  month: string;
  /** `_source`, as JSON. */
  json: string;
}

/** Batches of one organisation's dataset. */
export interface BatchGroup {
  orgId: string;
  dataset: Dataset;
  rows: readonly FeedRow[];
}

/** Rows are fetched by this many: an event may have 256 KB. */
const rowsPerFetch = 250;

const quote = (name: string): string => `"${name}"`;

const columnsOf = (dataset: Dataset): Column[] => [...dataset.columns, attributesColumn];

/** Moments and JSON as PostgreSQL writes them: the driver's own forms of them would lose digits. */
const selected = ({ name, type }: Column): string =>
  type === 'DATETIME' || type === 'JSON' ? `${quote(name)}::text AS ${quote(name)}` : quote(name);

const timestamptz = 1184;
const parseMoment = resultTypes.getTypeParser(timestamptz) as (text: string) => JsonValue;

const asIs = (value: unknown): JsonValue => value as JsonValue;
/** From the driver's values to those of a result; JSON stays PostgreSQL's text of it, in which every digit is kept. */
const toJson: Record<ColumnType, (value: unknown) => JsonValue> = {
  STRING: asIs,
  IP: asIs,
  BOOLEAN: asIs,
  INT: asIs,
  JSON: asIs,
  LONG: (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)),
  REAL: (value) => (Number.isFinite(value) ? (value as number) : String(value)),
  DATETIME: (value) => parseMoment(String(value)),
};

type Row = Record<string, unknown> & { _id: string; _batch: string; _us: string; _year: number; _month: number };

const monthOf = ({ _year: year, _month: month }: Row): string => {
  const digits = String(Math.abs(year)).padStart(4, '0');
  return `${year < 0 ? '-' : ''}${digits}.${String(month).padStart(2, '0')}`;
};

function toDocument(orgId: string, dataset: Dataset, row: Row): EventDocument {
  const source: Record<string, JsonValue> = {
    [metaFields.orgId]: orgId,
    [metaFields.id]: row._id,
    [metaFields.batchNo]: row._batch,
    [metaFields.timeUs]: row._us,
  };
  const long: string[] = [];
  for (const { name, type } of columnsOf(dataset)) {
    const value = row[name];
    if (value === null) continue;
    if (type === 'STRING' && (value as string).length > maxKeywordLength) long.push(name);
    source[name] = toJson[type](value);
  }
  if (long.length > 0) source[metaFields.long] = long;
  return { id: row._id, month: monthOf(row), json: JSON.stringify(source) };
}

/** Reads the events of batches, some at a time, in a transaction of their organisation. */
export async function* readDocuments(tx: Tx, { orgId, dataset, rows }: BatchGroup): AsyncGenerator<EventDocument[]> {
  const time = quote(dataset.timeColumn);
  const batches = rows.map(({ batchNo }) => batchNo);
  const from = rows.map(({ minTime }) => minTime);
  const to = rows.map(({ maxTime }) => maxTime);
  await tx.query(
    `DECLARE events NO SCROLL CURSOR FOR
     SELECT id AS _id, batch_no AS _batch, (extract(epoch FROM ${time}) * 1000000)::bigint AS _us,
            extract(year FROM ${time})::int AS _year, extract(month FROM ${time})::int AS _month,
            ${columnsOf(dataset).map(selected).join(', ')}
       FROM ${dataset.name}
      WHERE batch_no = ANY ($1::bigint[])
        AND ${time} BETWEEN (SELECT min(t) FROM unnest($2::timestamptz[]) AS t) AND (SELECT max(t) FROM unnest($3::timestamptz[]) AS t)`,
    [batches, from, to],
  );
  for (;;) {
    const fetched = await tx.query<Row>(`FETCH ${rowsPerFetch} FROM events`);
    if (fetched.length === 0) break;
    yield fetched.map((row) => toDocument(orgId, dataset, row));
  }
  await tx.query('CLOSE events');
}
