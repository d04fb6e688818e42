/** The background of jobs: answers the doorbell, sweeps, and rings for what was submitted. */
import { hostname } from 'node:os';
import type { EventHandlers } from '../../../platform/outbox.js';
import type { Platform } from '../../../platform/platform.js';
import { answerDoorbell, Doorbell } from '../../../platform/queue.js';
import type { Worker } from '../../../platform/subgraph.js';
import { enginesOf } from '../../../query/index.js';
import type { JobPriority } from '../store/jobs.js';
import { LeaseStore } from '../store/leases.js';
import { JobRunner } from './runner.js';
import { Sweeper } from './sweeper.js';

const queueName = 'jobs';
const ringPriority: Record<JobPriority, number> = { HIGH: 1, NORMAL: 2, LOW: 3 };

/** Rings for every submitted job. Where Redis is away it does not wait: the sweepers find the job. */
export function ringForSubmissions(redis: Platform['redis']): { events: EventHandlers; close(): Promise<void> } {
  let doorbell: Doorbell | undefined; // Opened by the process that follows the outbox, and by no other.
  return {
    events: {
      'jobs.submitted': async ({ orgId, payload: { jobId, priority } }) => {
        doorbell ??= new Doorbell(queueName, redis);
        await doorbell.ring({ orgId, jobId, attempt: 0 }, ringPriority[priority]);
      },
    },
    close: async () => doorbell?.close(),
  };
}

/** Starts to run jobs in this process. */
export function startJobsWorker(platform: Platform): Worker {
  const { postgres, redis, pubsub, logger, config } = platform;
  const runner: JobRunner = new JobRunner(
    { leases: new LeaseStore(postgres), engines: enginesOf(platform), pubsub, logger },
    {
      workerId: `${hostname()}-${process.pid}`,
      concurrency: config.workerConcurrency,
      onFree: () => sweeper.slotFreed(),
      findsMore: () => sweeper.hasMore,
    },
  );
  const sweeper = new Sweeper({ postgres, pubsub, logger }, runner);
  const answering = answerDoorbell(queueName, redis, {
    concurrency: config.workerConcurrency,
    handle: ({ orgId, jobId }) => runner.run({ orgId, jobId }),
    logger,
  });
  return {
    name: 'jobs',
    stop: async (deadlineMs) => {
      await sweeper.stop();
      await Promise.all([answering.close(deadlineMs), runner.stop(deadlineMs)]);
    },
  };
}
