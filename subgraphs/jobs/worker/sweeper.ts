/**
 * Looks for what nobody works on. The doorbell makes jobs start at once; the sweeper makes them start at all: a ring that
 * was lost, a Redis that is away or was emptied, a worker that died. It needs PostgreSQL alone.
 */
import type { Logger } from '../../../platform/logging.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import type { PubSub } from '../../../platform/pubsub.js';
import { deleteExpiredResults, findOverdueJobs, returnExpiredLeases } from '../../../platform/system/jobs.js';
import { jobTopic } from '../topics.js';
import { abandoned, maxAttempts } from './run.js';
import type { JobRunner } from './runner.js';

const sweepEveryMs = 2_000;
/** How long a job may wait for its ring before a sweeper takes it. */
const graceMs = 2_000;
const purgeEveryMs = 60_000;

export interface SweeperContext {
  postgres: Postgres;
  pubsub: PubSub;
  logger: Logger;
}

export class Sweeper {
  readonly #context: SweeperContext;
  readonly #runner: JobRunner;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;
  #hasMore = false;
  #purgedAt = Number.NEGATIVE_INFINITY;

  constructor(context: SweeperContext, runner: JobRunner) {
    this.#context = context;
    this.#runner = runner;
    this.#timer = setInterval(() => this.sweep(), sweepEveryMs);
    this.sweep();
  }

  /** Looks now, unless it is looking. */
  sweep(): void {
    this.#sweeping ??= this.#sweep()
      .catch((error) => this.#context.logger.warn({ error: String(error) }, 'the sweep of jobs failed'))
      .finally(() => {
        this.#sweeping = undefined;
      });
  }

  /** Whether the last sweep filled every free slot: there may be more. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** A slot became free: goes on with what waited longer than it should. */
  slotFreed(): void {
    if (this.#hasMore) this.sweep();
  }

  /** Ends with the sweep in hand. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#hasMore = false;
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { postgres, pubsub } = this.#context;
    for (const { orgId, jobId } of await returnExpiredLeases(postgres, { maxAttempts, error: abandoned })) {
      pubsub.ring(jobTopic(orgId, jobId));
    }
    if (performance.now() - this.#purgedAt > purgeEveryMs) {
      this.#purgedAt = performance.now();
      await deleteExpiredResults(postgres);
    }
    const free = this.#runner.freeSlots;
    const overdue = free > 0 ? await findOverdueJobs(postgres, graceMs, free) : [];
    this.#hasMore = free > 0 && overdue.length === free;
    for (const ref of overdue) void this.#runner.run(ref);
  }
}
