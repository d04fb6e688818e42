/** The background of jobs: answers the doorbell, sweeps, and calls back. */
import type { Platform } from '../../../platform/platform.js';
import { answerDoorbell } from '../../../platform/queue.js';
import type { Worker } from '../../../platform/subgraph.js';
import { sharedPool } from '../../../platform/worker-pools.js';
import { enginesOf } from '../../../query/index.js';
import { startCallbacks } from '../callbacks/index.js';
import { PoolBells, queueOf } from '../rings.js';
import { LeaseStore } from '../store/leases.js';
import { startQueueWatch } from './queue-watch.js';
import { newWorkerId, registerWorker } from './registry.js';
import { JobRunner } from './runner.js';
import { Sweeper } from './sweeper.js';

/** Starts to run jobs in this process. */
export function startJobsWorker(platform: Platform): Worker {
  const { postgres, redis, pubsub, logger, config } = platform;
  const workerId = newWorkerId();
  const bells = new PoolBells(redis);
  const runner = new JobRunner(
    { leases: new LeaseStore(postgres), engines: enginesOf(platform), pubsub, logger, slowQueryMs: config.slowQueryMs },
    {
      workerId,
      pool: config.workerPool,
      concurrency: config.workerConcurrency,
      passOn: (job) => bells.ring(config.workerPool, job),
    },
  );
  const sweeper = new Sweeper({ postgres, pubsub, logger }, runner);
  const answering = answerDoorbell(queueOf(config.workerPool), redis, {
    // A process that has no free slot leaves the rings to others.
    concurrency: 1,
    handle: (ring) => runner.answer(ring),
    logger,
  });
  const registered = registerWorker(platform, {
    workerId,
    pool: config.workerPool,
    concurrency: config.workerConcurrency,
    running: () => runner.running,
  });
  // A dedicated pool runs jobs alone.
  const others = config.workerPool === sharedPool ? [startCallbacks(platform), startQueueWatch(platform)] : [];
  return {
    name: 'jobs',
    stop: async (deadlineMs) => {
      await registered.stop();
      await sweeper.stop();
      await Promise.all([
        answering.close(deadlineMs),
        runner.stop(deadlineMs),
        ...others.map((other) => other?.stop(deadlineMs)),
      ]);
      await bells.close();
    },
  };
}
