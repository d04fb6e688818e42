/** Runs jobs in a fixed number of slots. */
import { setTimeout as delay } from 'node:timers/promises';
import type { JobRef } from '../../../platform/system/jobs.js';
import { JobRun, type RunContext } from './run.js';

export interface RunnerOptions {
  /** Names the process in the jobs' rows. */
  workerId: string;
  /** How many jobs run at once. */
  concurrency: number;
  /** Called when a slot becomes free. */
  onFree(): void;
}

export class JobRunner {
  readonly #context: RunContext;
  readonly #options: RunnerOptions;
  readonly #runs = new Set<JobRun>();
  readonly #work = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #stopped = false;

  constructor(context: RunContext, options: RunnerOptions) {
    this.#context = context;
    this.#options = options;
  }

  get freeSlots(): number {
    return this.#stopped ? 0 : this.#options.concurrency - this.#taken;
  }

  /** Runs the job as soon as a slot is free, if it waits for a worker then. Never rejects. */
  async run(ref: JobRef): Promise<void> {
    if (this.#taken < this.#options.concurrency) this.#taken += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const work = this.#claimAndRun(ref).catch((error) => {
      // Nothing was claimed, so the job still waits, and a sweeper finds it.
      this.#context.logger.warn({ ...ref, err: error }, 'a job could not be claimed');
    });
    this.#work.add(work);
    await work;
    this.#work.delete(work);
    this.#freeSlot();
  }

  /** Lets the running jobs end; those that have not when most of `deadlineMs` is over are handed back. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    const allDone = async () => {
      await Promise.all(this.#work);
    };
    await Promise.race([allDone(), delay(deadlineMs * 0.6, undefined, { ref: false })]);
    for (const run of this.#runs) run.handBack();
    await Promise.race([allDone(), delay(deadlineMs * 0.4, undefined, { ref: false })]);
  }

  async #claimAndRun({ orgId, jobId }: JobRef): Promise<void> {
    if (this.#stopped) return;
    const job = await this.#context.leases.claim(orgId, jobId, this.#options.workerId);
    if (job === undefined) return;
    const run = new JobRun(this.#context, job);
    this.#runs.add(run);
    if (this.#stopped) run.handBack();
    await run.execute();
    this.#runs.delete(run);
  }

  #freeSlot(): void {
    const next = this.#waiting.shift();
    if (next) {
      next(); // The slot goes on to it.
      return;
    }
    this.#taken -= 1;
    this.#options.onFree();
  }
}
