/** The worker processes of one pool: as many as WORKER_PROCESSES says, and as its queue is deep. */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../platform/config.js';
import { Postgres, postgresUrls } from '../../platform/postgres/postgres.js';
import { loadOf, readPoolLoads } from '../../platform/system/workers.js';
import type { Processes } from './processes.js';
import { nextScaling, type Scaling } from './scaling.js';
import type { Shutdown } from './shutdown.js';
import { say, warn } from './terminal.js';

const lookEveryMs = 2_000;
/** The entry file of a process: compiled as we are. */
const program = fileURLToPath(new URL(`../../subgraphs/work${path.extname(import.meta.url)}`, import.meta.url));

interface Input {
  /** Of the processes: their pool, their slots, their number. */
  config: Config;
  processes: Processes;
  shutdown: Shutdown;
}

const nameOf = (number: number) => (number === 1 ? 'workers' : `workers-${number}`);

/** Resolves when the least number of processes is ready; goes on to add and to end others by the depth of the queue. */
export async function startWorkers({ config, processes, shutdown }: Input): Promise<void> {
  const { workerProcesses, workerConcurrency: concurrency, workerPool: pool } = config;
  const { min, max } = workerProcesses;
  await Promise.all(Array.from({ length: min }, (_, at) => processes.start(nameOf(at + 1), program)));
  if (max === min || shutdown.stopping) return;
  const postgres = new Postgres(postgresUrls(config));
  let scaling: Scaling = { processes: min };
  const look = async () => {
    const load = loadOf(pool, await readPoolLoads(postgres));
    const next = nextScaling(scaling, load, { min, max, concurrency }, performance.now());
    if (shutdown.stopping) return;
    if (next.processes > scaling.processes) {
      say(`${load.startable} jobs wait for ${load.slots} slots: starting worker process ${next.processes} of ${max}.`);
      await processes.start(nameOf(next.processes), program);
    } else if (next.processes < scaling.processes) {
      say(`The queue is short: ending worker process ${scaling.processes}.`);
      await processes.retire(nameOf(scaling.processes));
    }
    scaling = next;
  };
  const keepLooking = async () => {
    for (let isFailing = false; ; ) {
      await delay(lookEveryMs);
      if (shutdown.stopping) return;
      try {
        await look();
        isFailing = false;
      } catch (error) {
        scaling = { processes: scaling.processes };
        if (!isFailing && !shutdown.stopping) {
          warn(`The number of worker processes stays as it is: ${(error as Error).message}`);
        }
        isFailing = true;
      }
    }
  };
  void keepLooking();
  shutdown.add(() => postgres.close());
}
