/** The program of the language thread: it answers one request after the other. */
import { parentPort } from 'node:worker_threads';
import { type ErrorCode, type ErrorDetails, HarborwatchError } from '../../../platform/errors.js';
import { brief } from '../../brief.js';
import { checkColumns } from '../../plan/columns.js';
import type { PreparedQuery, QueryableDataset, QueryLanguage, TimeRange } from '../../prepared-query.js';
import type { Completion } from '../completions.js';
import { languages } from './languages.js';

interface Question {
  id: number;
  language: QueryLanguage;
  text: string;
  /** JSON of the datasets: few texts have others than the one before, and the thread keeps what it made of them. */
  datasets: string;
}

/** What the thread is asked. */
export type LanguageRequest =
  | (Question & { kind: 'PREPARE'; range?: TimeRange | undefined; dataset?: string | undefined })
  | (Question & { kind: 'COMPLETE'; offset: number });

/** What it answers. */
export type LanguageReply = {
  id: number;
} /** The language is loaded and the text is being read: its time counts from here. */ & (
  | { kind: 'STARTED' }
  | { kind: 'PREPARED'; query: PreparedQuery }
  | { kind: 'COMPLETED'; completions: Completion[] }
  /** An error that the caller is meant to see. */
  | { kind: 'REFUSED'; code: ErrorCode; message: string; details: ErrorDetails }
  /** Something unexpected. */
  | { kind: 'FAILED'; stack: string }
);

/** The datasets of the last few callers: what is made of them is kept by their identity. */
const maxDatasetLists = 16;
const datasetLists = new Map<string, QueryableDataset[]>();

function datasetsOf(json: string): QueryableDataset[] {
  const datasets = datasetLists.get(json) ?? (JSON.parse(json) as QueryableDataset[]);
  // The one that was used last is the last to go.
  datasetLists.delete(json);
  datasetLists.set(json, datasets);
  if (datasetLists.size > maxDatasetLists) datasetLists.delete(datasetLists.keys().next().value!);
  return datasets;
}

async function answer(request: LanguageRequest): Promise<LanguageReply> {
  const { id, language, text } = request;
  try {
    const { complete, prepare } = await languages[language]();
    const datasets = datasetsOf(request.datasets);
    parentPort!.postMessage({ id, kind: 'STARTED' } satisfies LanguageReply);
    if (request.kind === 'COMPLETE') {
      return { id, kind: 'COMPLETED', completions: complete?.(text, request.offset, datasets) ?? [] };
    }
    const query = await prepare(text, datasets, request.range, request.dataset);
    // Here rather than where it runs: what is too wide takes its time on the way out of this thread.
    if (query.form === 'PLAN') checkColumns(query.plan);
    return { id, kind: 'PREPARED', query };
  } catch (error) {
    if (error instanceof HarborwatchError) {
      const { code, message, details } = error;
      return { id, kind: 'REFUSED', code, message: brief(message), details };
    }
    return isTooDeep(error) ? tooDeep(id) : failed(id, error);
  }
}

/** Texts that are nested deeper than anyone writes end the stack, in their translation or on the way out of here. */
const isTooDeep = (error: unknown): boolean => error instanceof RangeError && /call stack/.test(error.message);

const tooDeep = (id: number): LanguageReply => ({
  id,
  kind: 'REFUSED',
  code: 'QUERY_NOT_SUPPORTED',
  message: 'The query is nested too deeply. Use fewer levels.',
  details: { argument: 'query', line: 1, column: 1 },
});

const failed = (id: number, error: unknown): LanguageReply => ({
  id,
  kind: 'FAILED',
  stack: error instanceof Error ? (error.stack ?? error.message) : String(error),
});

function send(reply: LanguageReply): void {
  try {
    parentPort!.postMessage(reply);
  } catch (error) {
    parentPort!.postMessage(isTooDeep(error) ? tooDeep(reply.id) : failed(reply.id, error));
  }
}

let last: Promise<void> = Promise.resolve();
parentPort!.on('message', (request: LanguageRequest) => {
  last = last.then(async () => send(await answer(request)));
});
