/** Runs jobs in a fixed number of slots: whenever one is free, it looks for work of its pool. */
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import type { ClaimedJob } from '../store/leases.js';
import { JobRun, type RunContext } from './run.js';

/** How long a ring waits here for a slot before another process gets it. */
const holdRingMs = 100;
/** Others are rung at most this often. */
const passOnEveryMs = 50;

export interface RunnerOptions {
  /** Names the process in the jobs' rows. */
  workerId: string;
  pool: string;
  /** How many jobs run at once. */
  concurrency: number;
  /** Called when there may be more work than there are slots here: other processes of the pool should look. */
  passOn(job: { orgId: string; jobId: string }): void;
}

export class JobRunner {
  readonly #context: RunContext;
  readonly #options: RunnerOptions;
  readonly #runs = new Map<JobRun, Promise<void>>();
  #looking: Promise<void> | undefined;
  #looksAgain = false;
  #slotFreed = Promise.withResolvers<void>();
  #passedOnAt = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(context: RunContext, options: RunnerOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** How many jobs run. */
  get running(): number {
    return this.#runs.size;
  }

  get #freeSlots(): number {
    return this.#stopped ? 0 : this.#options.concurrency - this.#runs.size;
  }

  /** Answers a ring: looks for work as soon as a slot is free, or hands the ring on. Never rejects. */
  async answer(ring: { orgId: string; jobId: string }): Promise<void> {
    if (this.#freeSlots === 0) await Promise.race([this.#slotFreed.promise, delay(holdRingMs)]);
    if (this.#freeSlots === 0) this.#options.passOn(ring);
    else await this.look();
  }

  /**
   * Claims work for every free slot and begins it. What is asked for while it looks is looked for once more after that.
   * Never rejects: what could not be claimed waits for the next look.
   */
  look(): Promise<void> {
    this.#looksAgain = true;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      // It was asked for after the last claim, and before this.
      if (this.#looksAgain && this.#freeSlots > 0) void this.look();
    });
    return this.#looking;
  }

  /** Lets the running jobs end; those that have not when most of `deadlineMs` is over are handed back. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    const allDone = async () => {
      await this.#looking;
      await Promise.all(this.#runs.values());
    };
    await Promise.race([allDone(), delay(deadlineMs * 0.6, undefined, { ref: false })]);
    for (const run of this.#runs.keys()) run.handBack();
    await Promise.race([allDone(), delay(deadlineMs * 0.4, undefined, { ref: false })]);
  }

  async #look(): Promise<void> {
    const { workerId, pool } = this.#options;
    try {
      while (this.#looksAgain && this.#freeSlots > 0) {
        // Jobs end many at a time: one claim fills all of their slots.
        await setImmediate();
        this.#looksAgain = false;
        const free = this.#freeSlots;
        const jobs = await this.#context.leases.claim(pool, workerId, free);
        for (const job of jobs) this.#start(job);
        const last = jobs.at(-1);
        if (last !== undefined && jobs.length === free) this.#passOn(last);
      }
    } catch (error) {
      this.#looksAgain = false;
      this.#context.logger.warn({ err: error }, 'jobs could not be claimed');
    }
  }

  #start(job: ClaimedJob): void {
    const run = new JobRun(this.#context, job);
    const ended = run.execute().then(() => {
      this.#runs.delete(run);
      this.#slotFreed.resolve();
      this.#slotFreed = Promise.withResolvers();
      // The slot is free, and so is a place in the organisation's quota.
      if (!this.#stopped) void this.look();
    });
    this.#runs.set(run, ended);
    // It was claimed while the process had begun to stop.
    if (this.#stopped) run.handBack();
  }

  #passOn({ orgId, jobId }: ClaimedJob): void {
    if (performance.now() - this.#passedOnAt < passOnEveryMs) return;
    this.#passedOnAt = performance.now();
    this.#options.passOn({ orgId, jobId });
  }
}
