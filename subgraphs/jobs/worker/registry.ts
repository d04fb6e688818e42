/** A worker process in the list of those that live: pools without one in it are served by the shared workers. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Platform } from '../../../platform/platform.js';
import { removeWorker, reportWorker } from '../../../platform/system/workers.js';
import { within } from '../../../platform/within.js';

const reportEveryMs = 3_000;
/** A stop waits no longer for a database that is away; the row goes by itself then. */
const removeTimeoutMs = 1_000;

/** A name that no worker had before: pids are used again. */
export const newWorkerId = (): string => `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;

export interface RegisteredWorker {
  workerId: string;
  pool: string;
  /** How many jobs it runs at once. */
  concurrency: number;
  /** How many it runs now. */
  running(): number;
}

/** Keeps the worker in the list until `stop`; call that first of all that ends, since it takes no more jobs then. */
export function registerWorker(
  { postgres, logger }: Pick<Platform, 'postgres' | 'logger'>,
  { running, ...worker }: RegisteredWorker,
): { stop(): Promise<void> } {
  let reporting: Promise<void> | undefined;
  const report = () => {
    reporting ??= reportWorker(postgres, { ...worker, running: running() })
      .catch((error) => logger.warn({ error: String(error) }, 'the worker could not say that it lives'))
      .finally(() => {
        reporting = undefined;
      });
  };
  const timer = setInterval(report, reportEveryMs);
  report();
  return {
    stop: async () => {
      clearInterval(timer);
      // After the report in hand, which would bring the row back.
      const remove = async () => {
        await reporting;
        await removeWorker(postgres, worker.workerId);
      };
      await within(removeTimeoutMs, remove(), undefined);
    },
  };
}
