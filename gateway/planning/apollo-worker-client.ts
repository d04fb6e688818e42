/** Asks the worker thread with Apollo's packages. The thread runs while it is needed and ends when it idles. */
import { Worker } from 'node:worker_threads';
import type { WorkerReply, WorkerRequest } from './apollo-worker.js';

const idleMs = 30_000;
const answerTimeoutMs = 60_000;

type Question = WorkerRequest extends infer Request
  ? Request extends { id: number }
    ? Omit<Request, 'id'>
    : never
  : never;
type Answer = Exclude<WorkerReply, { error: string }>;

/** A supergraph in a worker thread. */
export class ApolloWorker {
  readonly #supergraphSdl: string;
  readonly #waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  #worker: Worker | undefined;
  #loading: Promise<Answer> | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(supergraphSdl: string) {
    this.#supergraphSdl = supergraphSdl;
  }

  /** Checks the supergraph. @returns the text of its API schema @throws what is wrong with it */
  async apiSdl(): Promise<string> {
    return (await this.#load()).apiSdl!;
  }

  /** The top node of Apollo's plan. @throws where the planner cannot plan the operation */
  async plan(source: string, operationName: string | undefined, override: number) {
    await this.#load();
    return (await this.#ask({ kind: 'plan', source, operationName, override })).node;
  }

  close(): void {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#loading = undefined;
    void worker?.terminate();
    for (const { reject } of this.#waiting.values()) reject(new Error('The planner was closed.'));
    this.#waiting.clear();
  }

  #load(): Promise<Answer> {
    this.#loading ??= this.#ask({ kind: 'load', supergraphSdl: this.#supergraphSdl });
    return this.#loading;
  }

  #start(): Worker {
    // Beside this file, compiled or not.
    const worker = new Worker(new URL(import.meta.url.replace('apollo-worker-client', 'apollo-worker')));
    worker.on('message', (reply: WorkerReply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('error' in reply) waiting?.reject(new Error(reply.error));
      else waiting?.resolve(reply);
      if (this.#waiting.size === 0) this.#rest();
    });
    worker.on('error', (error) => {
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      this.close();
      for (const { reject } of waiting) reject(error as Error);
    });
    return worker;
  }

  #rest(): void {
    this.#worker?.unref();
    this.#idle = setTimeout(() => this.close(), idleMs).unref();
  }

  async #ask(question: Question): Promise<Answer> {
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#lastId += 1;
    const id = this.#lastId;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        // A thread that never answers is given up with everything that waits for it.
        timer = setTimeout(() => this.close(), answerTimeoutMs);
        this.#worker!.postMessage({ ...question, id });
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
