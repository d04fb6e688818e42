/** What Prometheus reads of the worker pools, for whoever scales them from outside. */
import { Gauge, Registry } from 'prom-client';
import type { Figures } from './metrics.js';
import type { Postgres } from './postgres/postgres.js';
import { type PoolLoad, readPoolLoads } from './system/workers.js';
import { within } from './within.js';

/** Scrapes that follow each other this closely share a look at the database. */
const freshMs = 2_000;
const readTimeoutMs = 1_000;

/** Every gateway tells the figures of all pools. They are left out while the database does not answer. */
export function workerMetrics(postgres: Postgres): Figures {
  const registry = new Registry();
  const gauge = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['pool'], registers: [registry] as const });
  const figures: [Gauge<string>, (load: PoolLoad) => number][] = [
    [gauge('harborwatch_jobs_pending', 'Query jobs that wait for a worker.'), ({ pending }) => pending],
    [gauge('harborwatch_jobs_startable', 'Those that a free slot would start.'), ({ startable }) => startable],
    [gauge('harborwatch_worker_slots', 'Query jobs that the workers run at once.'), ({ slots }) => slots],
    [gauge('harborwatch_worker_slots_busy', 'Query jobs that the workers run now.'), ({ running }) => running],
  ];
  const read = async () => {
    const loads = await within(readTimeoutMs, readPoolLoads(postgres), undefined);
    if (!loads) return '';
    for (const [figure, of] of figures) {
      figure.reset();
      for (const load of loads) figure.set({ pool: load.pool }, of(load));
    }
    return registry.metrics();
  };
  let latest: Promise<string> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return {
    text: () => {
      if (!latest || performance.now() - readAt > freshMs) {
        readAt = performance.now();
        latest = read();
      }
      return latest;
    },
  };
}
