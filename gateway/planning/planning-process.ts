/**
 * Asks the planning process of a supergraph. A process of its own, because planning may take seconds, and because the
 * native planner can end the process that it runs in; it starts when it is needed and ends when it idles.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { PlanningReply, PlanningRequest } from './planner-process.js';

const idleMs = 300_000;
/** An operation that takes longer to plan is given up, and the process with it. */
const answerTimeoutMs = 10_000;
/** What is kept of a process's last words. */
const maxLastWords = 2_000;

type WithoutId<Request> = Request extends { id: number } ? Omit<Request, 'id'> : never;
type Question = WithoutId<PlanningRequest>;
type Answer = Exclude<PlanningReply, { error: string }>;

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** The process ended while the question was with it. */
class PlanningCrash extends Error {
  override readonly name = 'PlanningCrash';
}

export class PlanningProcess {
  readonly #supergraphSdl: string;
  readonly #waiting = new Map<number, Waiting>();
  #process: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;
  #closed = false;
  /** Questions of a process that ended are asked again one by one, to find the one that ends it. */
  #retries: Promise<unknown> = Promise.resolve();

  constructor(supergraphSdl: string) {
    this.#supergraphSdl = supergraphSdl;
  }

  /** Checks the supergraph. @returns the text of its API schema @throws what is wrong with it */
  async apiSdl(): Promise<string> {
    return (await this.#ask({ kind: 'api' })).apiSdl!;
  }

  /** @throws where the planner cannot plan the operation, or ends over it */
  async plan<Kind extends 'native' | 'apollo'>(
    kind: Kind,
    source: string,
    operationName: string | undefined,
    override: number,
  ): Promise<Answer[Kind]> {
    const question = { kind, source, operationName, override } as const;
    try {
      return (await this.#ask(question))[kind];
    } catch (error) {
      if (!(error instanceof PlanningCrash) || this.#closed) throw error;
      const retry = this.#retries.then(() => this.#ask(question));
      this.#retries = retry.catch(() => {});
      return (await retry)[kind];
    }
  }

  close(): void {
    this.#closed = true;
    this.#end('The planner was closed.');
  }

  #start(): ChildProcess {
    // Beside this file, compiled or not.
    const child = fork(new URL(import.meta.url.replace('planning-process', 'planner-process')), [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // A profiler or debugger is the gateway's own.
      execArgv: process.execArgv.filter((argument) => !/^--(inspect|cpu-prof|heap-prof|prof)/.test(argument)),
    });
    let lastWords = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(-maxLastWords);
    });
    child.on('message', (reply: PlanningReply) => this.#settle(reply));
    child.on('error', () => {});
    child.on('exit', (status, signal) => {
      if (this.#process === child) this.#end(`The planner ended with ${signal ?? status}: ${lastWords.trim()}`);
    });
    child.send({ id: 0, kind: 'open', supergraphSdl: this.#supergraphSdl } satisfies PlanningRequest);
    return child;
  }

  #settle(reply: PlanningReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    this.#waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if ('error' in reply) waiting.reject(new Error(reply.error));
    else waiting.resolve(reply);
    if (this.#waiting.size > 0) return;
    unreference(this.#process!);
    this.#idle = setTimeout(() => this.#end('The planner idled.'), idleMs).unref();
  }

  #end(why: string): void {
    clearTimeout(this.#idle);
    const child = this.#process;
    this.#process = undefined;
    child?.kill('SIGKILL');
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject, timer } of waiting) {
      clearTimeout(timer);
      reject(new PlanningCrash(why));
    }
  }

  #ask(question: Question): Promise<Answer> {
    if (this.#closed) return Promise.reject(new PlanningCrash('The planner was closed.'));
    clearTimeout(this.#idle);
    this.#process ??= this.#start();
    const child = this.#process;
    reference(child);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => this.#end(`No plan within ${answerTimeoutMs} ms.`), answerTimeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      child.send({ ...question, id } as PlanningRequest, (error) => {
        if (error && this.#process === child) this.#end(error.message);
      });
    });
  }
}

/** Whether the child keeps this process alive: only while an answer is waited for. */
function reference(child: ChildProcess): void {
  child.ref();
  child.channel?.ref();
}

function unreference(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
  (child.stderr as unknown as { unref(): void }).unref();
}
