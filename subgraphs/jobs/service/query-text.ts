/** What is said of a query's text before anything runs: its dataset, its range, where its errors belong. */
import { datasets, findDataset } from '../../../datasets/index.js';
import { fail, HarborwatchError } from '../../../platform/errors.js';
import { exactRange, type TimeRange } from '../../../query/index.js';
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

/** What the engine says of the query is said of `input.query`, and of the range's ends likewise. */
function ofInput(error: unknown): unknown {
  if (!(error instanceof HarborwatchError)) return error;
  const { argument } = error.details;
  if (argument !== 'query' && argument !== 'from' && argument !== 'to') return error;
  return new HarborwatchError(error.code, error.message, { ...error.details, argument: `input.${argument}` });
}

/** Has errors name arguments as the caller gave them. */
export async function aboutInput<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ofInput(error);
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
  const range = toRange(from ?? undefined, to ?? undefined);
  return { query, language: language ?? 'SQL', dataset: known?.name ?? null, range };
}

/** The range as what it means for events, which are stored in whole microseconds. */
function toRange(from: string | undefined, to: string | undefined): TimeRange {
  let range: TimeRange;
  try {
    range = exactRange({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) });
  } catch (error) {
    throw ofInput(error);
  }
  // Without its Z, and with no zero at its end, the earlier text is the earlier moment.
  if (range.from !== undefined && range.to !== undefined && range.from.slice(0, -1) >= range.to.slice(0, -1)) {
    fail('BAD_USER_INPUT', '"input.from" must be before "input.to".', { argument: 'input.from' });
  }
  return range;
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
