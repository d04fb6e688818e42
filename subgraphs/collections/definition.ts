/** What a collection is made of: parsed once from the caller's input, trusted afterwards. */
import { findDataset } from '../../datasets/index.js';
import { fail, HarborwatchError } from '../../platform/errors.js';
import { isStorableText } from '../../platform/storable.js';
import type { Batch, PreparedQuery, ResultColumn } from '../../query/index.js';
import type { CollectionField } from './keys.js';

export type CollectionMode = 'HASH' | 'HASH_AND_CONTENT';

export interface CollectionInput {
  friendlyName: string;
  description?: string | null | undefined;
  query: string;
  keyFields: string[];
  valueFields?: string[] | null | undefined;
  expireInSeconds: string;
  mode: CollectionMode;
}

export interface CollectionDefinition {
  friendlyName: string;
  description: string | null;
  query: string;
  /** The dataset that the query reads, and the column of its result that dates a row. */
  dataset: string;
  timeColumn: string;
  mode: CollectionMode;
  keyFields: CollectionField[];
  valueFields: CollectionField[];
  expireInSeconds: string;
}

/** What collections need of the query engine. */
export interface QueryEngine {
  /** Checks a text and resolves its names. */
  prepare(text: string): Promise<PreparedQuery>;
  /** The result's columns, as the database sees them. */
  columns(query: PreparedQuery, orgId: string): Promise<ResultColumn[]>;
  /** Streams the result; of one ingest batch, where `ingestBatch` is given. */
  run(
    query: PreparedQuery,
    options: { orgId: string; timeoutMs: number; ingestBatch?: string; signal?: AbortSignal; batchRows?: number },
  ): AsyncIterable<Batch>;
}

const maxNameLength = 240;
const maxDescriptionLength = 240;
const maxFields = 64;
const maxQueryLength = 100_000;
/** Ten years: event time and expiry together stay within exact doubles. */
const maxExpireInSeconds = 315_360_000n;

const refuse = (field: string, message: string): never =>
  fail('BAD_USER_INPUT', `"input.${field}" ${message}`, { argument: `input.${field}` });

/**
 * Checks everything about a new collection but its name's uniqueness.
 * @throws BAD_USER_INPUT, QUERY_NOT_SUPPORTED for a query that is not row-wise, or what the query engine says of the text
 */
export async function parseDefinition(
  engine: QueryEngine,
  orgId: string,
  input: CollectionInput,
): Promise<CollectionDefinition> {
  checkTexts(input);
  const query = await prepare(engine, input.query);
  if (!query.rowWise.ok) {
    const { reason, line, column } = query.rowWise;
    fail('QUERY_NOT_SUPPORTED', `A collection's query gives each row from one event alone; this one has ${reason}.`, {
      argument: 'input.query',
      line,
      column,
    });
  }
  const dataset = findDataset(query.datasets[0]!)!;
  const columns = await engine.columns(query, orgId);
  const time = columns.find(({ name }) => name === dataset.timeColumn);
  if (time?.type !== 'DATETIME') {
    const have = columns.map(({ name }) => name).join(', ');
    refuse(
      'query',
      `must give the column "${dataset.timeColumn}", the event's time: entries expire by it. It gives ${have}.`,
    );
  }
  // The same text with a bound on the time, as it will run.
  const bounded = await engine.prepare(boundedText(input.query, dataset.timeColumn, '1970-01-01T00:00:00Z'));
  await engine.columns(bounded, orgId);
  return {
    friendlyName: input.friendlyName,
    description: input.description ?? null,
    query: input.query,
    dataset: dataset.name,
    timeColumn: dataset.timeColumn,
    mode: input.mode,
    keyFields: pick('keyFields', input.keyFields, columns),
    valueFields: pick('valueFields', input.valueFields ?? [], columns),
    expireInSeconds: input.expireInSeconds,
  };
}

/** The guarded query; what the engine says of its text is said of `input.query`. */
async function prepare(engine: QueryEngine, text: string): Promise<PreparedQuery> {
  try {
    return await engine.prepare(text);
  } catch (error) {
    if (!(error instanceof HarborwatchError) || error.details.argument !== 'query') throw error;
    throw new HarborwatchError(error.code, error.message, { ...error.details, argument: 'input.query' });
  }
}

function checkTexts(input: CollectionInput): void {
  const { friendlyName, description, query, keyFields, valueFields, mode } = input;
  if (friendlyName.trim() === '' || [...friendlyName].length > maxNameLength || !isStorableText(friendlyName)) {
    refuse('friendlyName', `takes 1 to ${maxNameLength} characters.`);
  }
  if (description != null && ([...description].length > maxDescriptionLength || !isStorableText(description))) {
    refuse('description', `takes at most ${maxDescriptionLength} characters.`);
  }
  if (query.length > maxQueryLength)
    refuse('query', `takes at most ${maxQueryLength.toLocaleString('en')} characters.`);
  const seconds = BigInt(input.expireInSeconds);
  if (seconds < 1n || seconds > maxExpireInSeconds) {
    refuse('expireInSeconds', `takes 1 to ${maxExpireInSeconds} seconds, not ${seconds}.`);
  }
  if (keyFields.length === 0) refuse('keyFields', 'takes at least one column of the query.');
  const values = valueFields ?? [];
  if (mode === 'HASH_AND_CONTENT' && values.length === 0) {
    refuse('valueFields', 'takes at least one column of the query, since the mode HASH_AND_CONTENT keeps content.');
  }
  if (mode === 'HASH' && values.length > 0) {
    refuse(
      'valueFields',
      'must be empty, since the mode HASH keeps no content. Leave it out, or use HASH_AND_CONTENT.',
    );
  }
}

function pick(argument: 'keyFields' | 'valueFields', names: string[], columns: ResultColumn[]): CollectionField[] {
  if (names.length > maxFields) refuse(argument, `takes at most ${maxFields} columns.`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse(argument, `names "${twice}" twice.`);
  return names.map((name) => {
    const column = columns.find((candidate) => candidate.name === name);
    if (column) return { name, type: column.type };
    const have = columns.map((candidate) => candidate.name).join(', ');
    return refuse(argument, `names "${name.slice(0, 80)}", which is no column of the query's result: ${have}.`);
  });
}

/** The caller's query with a bound on its rows' time, so that the database reads no partition in vain. */
export function boundedText(query: string, timeColumn: string, after: string): string {
  return `SELECT * FROM (\n${query.replace(/[\s;]+$/, '')}\n) AS collected WHERE "${timeColumn}" > '${after}'::timestamptz`;
}
