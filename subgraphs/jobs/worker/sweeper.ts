/**
 * Looks for what nobody works on. The doorbell makes jobs start at once; the sweeper makes them start at all: a ring that
 * was lost, a Redis that is away or was emptied, a worker that died. It needs PostgreSQL alone.
 */
import type { Logger } from '../../../platform/logging.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import type { PubSub } from '../../../platform/pubsub.js';
import { deleteOldJobEvents } from '../../../platform/system/job-events.js';
import { cancelUnaskedJobs, deleteExpiredResults, returnExpiredLeases } from '../../../platform/system/jobs.js';
import { cancelTopic, ringJob } from '../topics.js';
import { abandoned, maxAttempts } from './run.js';
import type { JobRunner } from './runner.js';

const sweepEveryMs = 2_000;
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

  /** Ends with the sweep in hand. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { postgres, pubsub } = this.#context;
    for (const { orgId, jobId } of await returnExpiredLeases(postgres, { maxAttempts, error: abandoned })) {
      ringJob(pubsub, orgId, jobId);
    }
    for (const { orgId, jobId } of await cancelUnaskedJobs(postgres)) {
      pubsub.ring(cancelTopic(orgId, jobId));
      ringJob(pubsub, orgId, jobId);
    }
    if (performance.now() - this.#purgedAt > purgeEveryMs) {
      this.#purgedAt = performance.now();
      await deleteExpiredResults(postgres);
      await deleteOldJobEvents(postgres);
    }
    // Not waited for: while there is always more to start, it goes on, and the next sweep has other things to do too.
    void this.#runner.look();
  }
}
