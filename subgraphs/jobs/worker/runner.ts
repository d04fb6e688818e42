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
  /** Whether `onFree` finds the next job, of any organisation. */
  findsMore(): boolean;
}

export class JobRunner {
  readonly #context: RunContext;
  readonly #options: RunnerOptions;
  readonly #runs = new Set<JobRun>();
  readonly #work = new Set<Promise<boolean>>();
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

  /**
   * Runs the job, or one that comes before it in its organisation, as soon as a slot is free, if any waits for a worker
   * then. What ends makes room in its organisation's quota: another one may have waited for just that. Never rejects.
   */
  async run(ref: JobRef): Promise<void> {
    if (this.#taken < this.#options.concurrency) this.#taken += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const work = this.#claimAndRun(ref).catch((error) => {
      // Nothing was claimed, so the job still waits, and a sweeper finds it.
      this.#context.logger.warn({ ...ref, err: error }, 'a job could not be claimed');
      return false;
    });
    this.#work.add(work);
    const hasMadeRoom = await work;
    this.#work.delete(work);
    // It queues up for a slot behind those that wait for one already, other organisations' jobs among them.
    if (hasMadeRoom && !this.#options.findsMore()) void this.run(ref);
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

  /** @returns whether a job ended here */
  async #claimAndRun({ orgId, jobId }: JobRef): Promise<boolean> {
    if (this.#stopped) return false;
    const job = await this.#context.leases.claim(orgId, jobId, this.#options.workerId);
    if (job === undefined) return false;
    const run = new JobRun(this.#context, job);
    this.#runs.add(run);
    if (this.#stopped) run.handBack();
    const isOver = await run.execute();
    this.#runs.delete(run);
    return isOver;
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
