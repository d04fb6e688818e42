/** The processes of a benchmark: each on the core that it is given, spoken to over IPC, and all gone at the end. */
import { type ChildProcess, execFileSync, type Serializable, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/** What is measured has a core of its own; what measures it and stands behind it has the other. */
export type Core = 'measured' | 'measuring';

const stopTimeoutMs = 10_000;
const ticksPerSecond = 100;

export interface ChildOptions {
  core: Core;
  /** A program of the benchmarks, by its URL, or any script by its path; and its arguments. */
  script: URL | string;
  args?: string[];
  env?: Record<string, string>;
  cwd?: string;
  nodeArgs?: string[];
}

export class Child {
  readonly #process: ChildProcess;
  readonly #name: string;
  #output = '';

  constructor({ core, script, args = [], env = {}, cwd, nodeArgs = [] }: ChildOptions) {
    const file = script instanceof URL ? fileURLToPath(script) : script;
    const command = [...pinnedTo(core), process.execPath, ...nodeArgs, file, ...args];
    this.#name = [file, ...args].join(' ');
    this.#process = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production', ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        this.#output = (this.#output + chunk).slice(-4_000);
      });
    }
  }

  /** The next message that it sends. @throws where it ends before */
  async #message<T>(): Promise<T> {
    const ended = new AbortController();
    const gone = once(this.#process, 'exit', { signal: ended.signal }).then(() => {
      throw new Error(`${this.#name} ended:\n${this.#output}`);
    });
    try {
      const [message] = await Promise.race([once(this.#process, 'message', { signal: ended.signal }), gone]);
      return message as T;
    } finally {
      gone.catch(() => {});
      ended.abort();
    }
  }

  /** Sends an order and answers its result. @throws what it answers as `error` */
  async ask<T>(order: Serializable): Promise<T> {
    const answered = this.result<T>();
    this.#process.send(order);
    return answered;
  }

  /** The next result that it sends; what else it tells, such as that it is ready, is passed over. */
  async result<T>(): Promise<T> {
    let next = this.#message<{ result?: T; error?: string }>();
    for (;;) {
      const answer = await next;
      if (answer.error !== undefined) throw new Error(answer.error);
      if (answer.result !== undefined) return answer.result;
      next = this.#message();
    }
  }

  /** @throws its last output, where it has ended */
  check(): void {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) throw new Error(`${this.#name} ended:\n${this.#output}`);
  }

  /** The processor time that it has used so far, where the system tells. */
  cpuSeconds(): number | undefined {
    try {
      const stat = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    } catch {
      return undefined;
    }
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    const hardEnd = setTimeout(() => this.#process.kill('SIGKILL'), stopTimeoutMs);
    this.#process.kill('SIGTERM');
    await gone;
    clearTimeout(hardEnd);
  }
}

/** Starts children and stops them all in the end, whatever happens. */
export async function withChildren<T>(use: (start: (options: ChildOptions) => Child) => Promise<T>): Promise<T> {
  const children: Child[] = [];
  const stopAll = () => Promise.all(children.map((child) => child.stop()));
  const interrupted = () => void stopAll().then(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await use((options) => {
      const child = new Child(options);
      children.push(child);
      return child;
    });
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await stopAll();
  }
}

/** Whether processes can be kept to cores here; else the system places them. */
export const pinsProcesses = (() => {
  try {
    execFileSync('taskset', ['-c', '0,1', process.execPath, '--version'], { stdio: 'ignore' });
    return availableParallelism() >= 2;
  } catch {
    return false;
  }
})();

const pinnedTo = (core: Core): string[] => (pinsProcesses ? ['taskset', '-c', core === 'measured' ? '0' : '1'] : []);
