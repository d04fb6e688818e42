/** Rings for jobs that were stored just now: nobody waits for it, and where Redis is away the sweepers find the jobs. */
import { Doorbell } from '../../platform/queue.js';
import type { RedisConnections } from '../../platform/redis.js';

/** The queue of a pool. A ring in it says that there is work; which job it names is a hint. */
export const queueOf = (pool: string): string => `jobs-${pool}`;

interface JobRef {
  orgId: string;
  jobId: string;
}

interface Bell {
  doorbell: Doorbell;
  isRinging: boolean;
  /** What the next ring names. */
  next: JobRef | undefined;
}

/** The bells of pools in one process. */
export class PoolBells {
  readonly #redis: RedisConnections;
  readonly #bells = new Map<string, Bell>();

  constructor(redis: RedisConnections) {
    this.#redis = redis;
  }

  /** While one ring is on its way, all others are one more after it: each job is followed by a ring. */
  ring(pool: string, job: JobRef): void {
    let bell = this.#bells.get(pool);
    if (bell === undefined) {
      bell = { doorbell: new Doorbell(queueOf(pool), this.#redis), isRinging: false, next: undefined };
      this.#bells.set(pool, bell);
    }
    bell.next = job;
    if (bell.isRinging) return;
    bell.isRinging = true;
    void this.#ringOn(bell);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#bells.values()].map(({ doorbell }) => doorbell.close()));
  }

  async #ringOn(bell: Bell): Promise<void> {
    while (bell.next !== undefined) {
      const job = bell.next;
      bell.next = undefined;
      await bell.doorbell.ring(job).catch(() => false);
    }
    bell.isRinging = false;
  }
}
