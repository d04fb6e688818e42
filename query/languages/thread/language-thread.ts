/**
 * Asks the language thread. One thread a process prepares the texts of every language, because some texts take minutes to
 * parse and nothing but the end of their thread stops them. It starts when it is needed, and again after such a text.
 */
import { Worker } from 'node:worker_threads';
import { HarborwatchError } from '../../../platform/errors.js';
import type { PreparedQuery, QueryableDataset, QueryLanguage, TimeRange } from '../../prepared-query.js';
import type { Completion, CompletionOptions } from '../completions.js';
import type { LanguageReply, LanguageRequest } from './language-worker.js';

/** A text that takes longer is given up, and the thread with it. Loading its language does not count. */
const maxTextMs = 2_000;
/** So long a text may take on a machine that is too busy to give its thread those 2 s. */
const maxWaitMs = 10_000;
/** Kusto's language service takes 330 MB by itself. */
const maxHeapMb = 1_024;
/** A request is given up when threads have ended over it so often without having begun with it. */
const maxLosses = 3;

export interface PrepareOptions {
  language: QueryLanguage;
  /** The query as the caller wrote it. */
  text: string;
  /** The datasets that the caller may read; any other table is refused. */
  datasets: readonly QueryableDataset[];
  /** Cuts every dataset that the query reads, whatever its text says. */
  range?: TimeRange | undefined;
  /** The dataset that a search in OpenSearch's DSL reads. Default: `logs`. Other languages name theirs in the text. */
  dataset?: string | undefined;
}

type WithoutId<Request> = Request extends { id: number } ? Omit<Request, 'id'> : never;

interface Waiting {
  request: LanguageRequest;
  resolve(reply: LanguageReply): void;
  reject(error: Error): void;
  /** Set while the thread is at this request. */
  timer?: NodeJS.Timeout;
  losses: number;
}

class LanguageThread {
  /** In the order in which they were asked, which is that of the answers. */
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  ask(question: WithoutId<LanguageRequest>): Promise<LanguageReply> {
    this.#lastId += 1;
    const request: LanguageRequest = { ...question, id: this.#lastId };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { request, resolve, reject, losses: 0 });
      this.#send(request);
    });
  }

  #send(request: LanguageRequest): void {
    this.#worker ??= this.#start();
    // The thread keeps the process alive only while an answer is waited for.
    this.#worker.ref();
    this.#worker.postMessage(request);
  }

  #start(): Worker {
    // Beside this file, compiled or not.
    const worker = new Worker(new URL(import.meta.url.replace('language-thread', 'language-worker')), {
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    let problem = 'The language thread ended.';
    worker.on('message', (reply: LanguageReply) => {
      if (this.#worker === worker) this.#hear(reply);
    });
    // An answer that is too deep to be read here.
    worker.on('messageerror', () => this.#giveUp(worker, 'The query is nested too deeply. Use fewer levels.'));
    worker.on('error', (error: Error & { code?: string }) => {
      const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      problem = isMemory
        ? 'The query takes too much memory to parse. Make it shorter or simpler.'
        : String(error.stack);
      if (isMemory) this.#giveUp(worker, problem);
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#restart(new Error(problem));
    });
    return worker;
  }

  #hear(reply: LanguageReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    if (reply.kind === 'STARTED') {
      this.#watch(this.#worker!, waiting);
      return;
    }
    clearTimeout(waiting.timer);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    waiting.resolve(reply);
  }

  /** Gives up a text when its thread has worked on it for long enough. */
  #watch(worker: Worker, waiting: Waiting): void {
    const started = performance.now();
    const before = workedMs(worker);
    const look = async (): Promise<void> => {
      const rest = maxTextMs - ((await workedMs(worker)) - (await before));
      // The answer may have come in the meantime.
      if (!this.#waiting.has(waiting.request.id) || this.#worker !== worker) return;
      if (rest > 0 && performance.now() - started < maxWaitMs) {
        waiting.timer = setTimeout(() => void look(), Math.max(rest, 50));
      } else this.#giveUp(worker, 'The query takes too long to parse. Make it shorter or simpler.');
    };
    waiting.timer = setTimeout(() => void look(), maxTextMs);
  }

  /** Refuses the text that the thread is at, and ends the thread. */
  #giveUp(worker: Worker, message: string): void {
    if (this.#worker !== worker) return;
    for (const waiting of this.#waiting.values()) {
      if (waiting.timer === undefined) continue;
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting.request.id);
      waiting.reject(new HarborwatchError('QUERY_NOT_SUPPORTED', message, { argument: 'query', line: 1, column: 1 }));
    }
    this.#restart(new Error('The language thread ended over other requests.'));
  }

  /** Ends the thread; requests that it did not answer are asked again. */
  #restart(why: Error): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    for (const [id, waiting] of [...this.#waiting]) {
      clearTimeout(waiting.timer);
      const hasBegun = waiting.timer !== undefined;
      delete waiting.timer;
      waiting.losses += 1;
      if (hasBegun || waiting.losses > maxLosses) {
        this.#waiting.delete(id);
        waiting.reject(why);
      } else this.#send(waiting.request);
    }
  }
}

/** The processor time that a thread has had. */
async function workedMs(worker: Worker): Promise<number> {
  try {
    const { system, user } = await worker.cpuUsage();
    return (system + user) / 1_000;
  } catch {
    return 0; // It has ended.
  }
}

const thread = new LanguageThread();
const datasetTexts = new WeakMap<readonly QueryableDataset[], string>();

/** What the languages read of the datasets: a dataset's own functions do not cross to the thread. */
function datasetText(datasets: readonly QueryableDataset[]): string {
  const before = datasetTexts.get(datasets);
  if (before !== undefined) return before;
  const plain = datasets.map(({ name, aliases, timeColumn, columns }) => ({
    name,
    aliases,
    timeColumn,
    columns: columns.map(({ name: column, type, description }) => ({ name: column, type, description })),
  }));
  const text = JSON.stringify(plain);
  datasetTexts.set(datasets, text);
  return text;
}

/**
 * Checks a text, resolves its names and translates it. Throws a HarborwatchError of a QUERY_* code with the place in the
 * caller's text.
 */
export async function prepareInThread({
  language,
  text,
  datasets,
  range,
  dataset,
}: PrepareOptions): Promise<PreparedQuery> {
  const question = { kind: 'PREPARE', language, text, datasets: datasetText(datasets), range, dataset } as const;
  const reply = await thread.ask(question);
  if (reply.kind === 'PREPARED') return reply.query;
  throw errorOf(reply);
}

/** What an editor offers at a place in a text. */
export async function completeInThread({ language, text, offset, datasets }: CompletionOptions): Promise<Completion[]> {
  const reply = await thread.ask({ kind: 'COMPLETE', language, text, offset, datasets: datasetText(datasets) });
  if (reply.kind === 'COMPLETED') return reply.completions;
  throw errorOf(reply);
}

function errorOf(reply: LanguageReply): Error {
  if (reply.kind === 'REFUSED') return new HarborwatchError(reply.code, reply.message, reply.details);
  return new Error(reply.kind === 'FAILED' ? reply.stack : `The language thread answered with ${reply.kind}.`);
}
