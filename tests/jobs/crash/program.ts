/** A program of the product in a process of its own that is killed, frozen, and started again as often as it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { within } from '../../../platform/within.js';

const readyTimeoutMs = 60_000;
/** Between the end of a process and the next one, as a supervisor does it. */
const pauseMs = 100;
const keptOutput = 20_000;

/** Keeps one program running: whenever its process ends, another one begins. */
export class Program {
  readonly name: string;
  readonly #start: () => ChildProcess;
  #child: ChildProcess | undefined;
  #running: Promise<void> | undefined;
  #ready = Promise.withResolvers<void>();
  #isOver = false;
  #kills = 0;
  #ends = 0;
  #output = '';

  /** @param path of the program's TypeScript file */
  constructor(name: string, path: string, args: string[], env: Record<string, string>) {
    this.name = name;
    this.#start = () =>
      spawn(process.execPath, ['--no-warnings', '--import', './tests/support/run-typescript.mjs', path, ...args], {
        env: { PATH: process.env.PATH, ...env },
        // The channel: it ends with the test, however that ends.
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      });
  }

  /** What it printed last. */
  get output(): string {
    return this.#output;
  }

  /** How often it ended although nobody killed it. */
  get unaskedEnds(): number {
    return this.#ends - this.#kills;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Begins to keep it. Resolves when it serves. */
  async keep(): Promise<void> {
    this.#running = this.#keepRunning();
    await this.serves();
  }

  /** Resolves when the present process serves, or the one after it. */
  async serves(): Promise<void> {
    const isReady = await within(
      readyTimeoutMs,
      this.#ready.promise.then(() => true),
      false,
    );
    if (!isReady) throw new Error(`${this.name} is not ready in ${readyTimeoutMs} ms:\n${this.#output}`);
  }

  /** Ends the process without a word; the next one is on its way when this resolves. */
  async kill(): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    this.#kills += 1;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** The process stands still: its connections stay open, and nothing answers. */
  freeze(): void {
    this.#child!.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child!.kill('SIGCONT');
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.kill();
    await this.#running;
  }

  async #keepRunning(): Promise<void> {
    while (!this.#isOver) {
      const child = this.#start();
      this.#child = child;
      for (const stream of [child.stdout!, child.stderr!]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          this.#output = (this.#output + text).slice(-keptOutput);
        });
      }
      child.once('message', () => this.#ready.resolve());
      child.once('exit', () => {
        this.#ends += 1;
        this.#ready = Promise.withResolvers();
      });
      await once(child, 'exit');
      if (!this.#isOver) await delay(pauseMs);
    }
  }
}
