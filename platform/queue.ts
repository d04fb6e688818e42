/**
 * BullMQ as a doorbell: it carries a job's id, and nothing else that counts. Rows in PostgreSQL decide what a ring means,
 * so a lost ring is made good by the sweeper and a double ring finds nothing to claim.
 */
import { randomUUID } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import type { Logger } from './logging.js';
import type { RedisConnections } from './redis.js';
import { within } from './within.js';

export interface Ring {
  orgId: string;
  jobId: string;
}

const ringTimeoutMs = 3_000;
/** After a ring that nobody took, the next ones fail at once for this long: whoever rings has other work to do. */
const pauseAfterFailureMs = 5_000;
/** More rings than this that wait tell nobody anything new; of a queue that nobody answers they would fill Redis. */
const mostWaiting = 1_000;
/** How often it is looked how many wait: after so many rings, or so long. */
const countEveryRings = 100;
const countEveryMs = 1_000;
/** BullMQ waits for Redis when it closes, and Redis may be away. */
const closeTimeoutMs = 1_000;

/** The side that rings. */
export class Doorbell {
  readonly #queue: Queue<Ring>;
  readonly #redis: RedisConnections;
  #pausedUntil = 0;
  #isFull = false;
  #rungSinceCount = 0;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(name: string, redis: RedisConnections) {
    this.#redis = redis;
    this.#queue = new Queue(name, { connection: redis.duplicateForQueue(), prefix: redis.keys.queues });
    this.#queue.on('error', () => {});
  }

  /**
   * Rings for a job, unless very many rings wait already.
   * @returns false when Redis did not take it in time: somebody has to look for the job
   */
  async ring(ring: Ring): Promise<boolean> {
    if (this.#redis.commands.status !== 'ready' || performance.now() < this.#pausedUntil) return false;
    if (await this.#hasEnough()) return true;
    // A kept id would swallow the next ring: it is made anew for each, and goes with its answer.
    const jobId = this.#redis.keys.ring(ring.orgId, randomUUID());
    const added = this.#queue.add('ring', ring, { jobId, removeOnComplete: true, removeOnFail: true });
    // `add` stays pending for as long as Redis is away.
    const taken = await within(
      ringTimeoutMs,
      added.then(() => true),
      false,
    );
    if (!taken) this.#pausedUntil = performance.now() + pauseAfterFailureMs;
    return taken;
  }

  async close(): Promise<void> {
    await within(closeTimeoutMs, this.#queue.close(), undefined);
  }

  async #hasEnough(): Promise<boolean> {
    this.#rungSinceCount += 1;
    if (this.#rungSinceCount >= countEveryRings || performance.now() - this.#countedAt > countEveryMs) {
      this.#rungSinceCount = 0;
      this.#countedAt = performance.now();
      this.#isFull = (await within(ringTimeoutMs, this.#queue.getWaitingCount(), 0)) >= mostWaiting;
    }
    return this.#isFull;
  }
}

/** The side that answers. */
export interface Answering {
  /** Takes no further ring, and waits for those in hand for at most `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}

/** Calls `handle` for each ring, `concurrency` at once. */
export function answerDoorbell(
  name: string,
  redis: RedisConnections,
  options: { concurrency: number; handle(ring: Ring): Promise<void>; logger: Logger },
): Answering {
  const worker = new Worker<Ring>(name, (job) => options.handle(job.data), {
    connection: redis.duplicateForQueue(),
    prefix: redis.keys.queues,
    concurrency: options.concurrency,
    // The row's lease decides whether a job is lost; BullMQ shall never fail one by itself.
    maxStalledCount: 1_000,
  });
  worker.on('error', (error) => options.logger.debug({ error: String(error) }, 'queue worker'));
  return {
    close: async (deadlineMs) => {
      await within(deadlineMs, worker.close(), undefined);
      await within(closeTimeoutMs, worker.close(true), undefined);
    },
  };
}
