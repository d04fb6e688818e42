/** Stopping: asked for by a signal, a lost parent or a failure; what was started last stops first. */
import { warn } from './terminal.js';

/** Thrown out of a start that was asked to stop meanwhile. */
export class Stopped extends Error {}

/** npm, its shell and our own wrapper each pass the same Ctrl-C on: signals this close are one. */
const oneKeyPressMs = 500;

type Stop = (hasten: AbortSignal) => Promise<void>;

/** Collects what has to be stopped, and knows when. */
export class Shutdown {
  /** Resolves when stopping was asked for. */
  readonly requested: Promise<void>;
  /** Why we stop by ourselves, when it is no person's wish. */
  failure: string | undefined;
  private readonly stops: Stop[] = [];
  private readonly hasten = new AbortController();
  private firstRequestAt: number | undefined;
  private resolveRequested: () => void = () => {};

  constructor() {
    this.requested = new Promise((resolve) => {
      this.resolveRequested = resolve;
    });
  }

  /** Takes this process's signals as requests, and the death of the wrapper that started it. */
  listen(): this {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => this.request());
    // Without the wrapper nobody is left to pass a Ctrl-C on.
    if (process.connected) process.once('disconnect', () => this.request());
    return this;
  }

  /** True once stopping was asked for, or has begun. */
  get stopping(): boolean {
    return this.firstRequestAt !== undefined;
  }

  /** Asks to stop; asked again a moment later, hastens. */
  request(): void {
    if (this.firstRequestAt === undefined) {
      this.firstRequestAt = performance.now();
      warn('Stopping: finishing what runs. Ctrl-C again hastens.');
      this.resolveRequested();
    } else if (performance.now() - this.firstRequestAt > oneKeyPressMs && !this.hasten.signal.aborted) {
      warn('Stopping at once.');
      this.hasten.abort();
    }
  }

  /** Stops because something cannot go on. */
  fail(reason: string): void {
    if (this.stopping) return;
    this.failure = reason;
    warn(reason);
    this.request();
  }

  /** Registers how to stop something; `hasten` is aborted when there is no time left for a drain. */
  add(stop: Stop): void {
    this.stops.push(stop);
  }

  /** The result of a step of the start; throws Stopped as soon as stopping is asked for. */
  async unlessStopped<T>(step: Promise<T>): Promise<T> {
    step.catch(() => {}); // When we are stopped first, its failure is of no interest any more.
    const stopped = this.requested.then(() => {
      throw new Stopped();
    });
    return Promise.race([step, stopped]);
  }

  /** Stops everything, last started first. A part that fails to stop is told and does not keep the others. */
  async run(): Promise<void> {
    const asked = this.stopping;
    this.firstRequestAt ??= performance.now(); // A start that failed also stops what it started.
    for (const stop of this.stops.splice(0).reverse()) {
      await stop(this.hasten.signal).catch((error: Error) => warn(error.message));
    }
    if (asked) warn('Stopped.');
  }
}
