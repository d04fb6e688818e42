/** What is said of a query's text before anything runs: its dataset, its range, where its errors belong. */
import { datasets, findDataset } from '../../../datasets/index.js';
import { fail, HarborwatchError } from '../../../platform/errors.js';
import { exactRange } from '../../../query/index.js';
import type { JobLanguage } from '../store/jobs.js';

/** A query's text and what it reads. */
export interface QueryText {
  query: string;
  language?: JobLanguage | null;
  /** For OPENSEARCH alone. */
  dataset?: string | null;
  /** RFC 3339. */
  from?: string | null;
  to?: string | null;
}

/** What the engine says of the query is said of `input.query`. */
export async function aboutInput<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HarborwatchError) || error.details.argument !== 'query') throw error;
    throw new HarborwatchError(error.code, error.message, { ...error.details, argument: 'input.query' });
  }
}

/** @throws BAD_USER_INPUT, UNKNOWN_DATASET */
export function toQuery({ query, language, dataset = null, from, to }: QueryText) {
  if (dataset !== null && language !== 'OPENSEARCH') {
    fail('BAD_USER_INPUT', `"input.dataset" goes with OPENSEARCH alone: other languages name theirs in the text.`, {
      argument: 'input.dataset',
    });
  }
  const known = dataset === null ? undefined : findDataset(dataset);
  if (dataset !== null && known === undefined) {
    const names = datasets.map(({ name }) => name);
    fail('UNKNOWN_DATASET', `There is no dataset "${dataset}". There are ${names.join(', ')}.`, {
      argument: 'input.dataset',
    });
  }
  if (from != null && to != null && Date.parse(from) >= Date.parse(to)) {
    fail('BAD_USER_INPUT', '"input.from" must be before "input.to".', { argument: 'input.from' });
  }
  // Stored as what it means for events, which are stored in whole microseconds.
  const range = exactRange({ ...(from == null ? {} : { from }), ...(to == null ? {} : { to }) });
  return { query, language: language ?? 'SQL', dataset: known?.name ?? null, range };
}

/** @throws BAD_USER_INPUT that names the argument and its bounds */
export function checkInteger(value: number, min: number, max: number, argument: string): number {
  if (value >= min && value <= max) return value;
  return fail('BAD_USER_INPUT', `"${argument}" is ${value}; it takes ${min} to ${max}.`, { argument, min, max });
}

const minTtlSeconds = 60;
const maxTtlSeconds = 2_592_000;

/** How long a result is kept. @throws BAD_USER_INPUT */
export const checkTtl = (seconds: number, argument: string): number =>
  checkInteger(seconds, minTtlSeconds, maxTtlSeconds, argument);
