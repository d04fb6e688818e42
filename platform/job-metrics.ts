/**
 * What Prometheus reads of query jobs, whichever worker ran them. Organisations are no label: there may be thousands.
 * Counters begin with the process and count what ended everywhere; the database tells each end once.
 */
import type { Figures } from './metrics.js';
import type { Postgres } from './postgres/postgres.js';
import { type CountedEnds, countEnds, type QueueGauges, readHorizon, readQueueGauges } from './system/job-counts.js';
import { within } from './within.js';

/** Scrapes that follow each other this closely share a look at the database. */
const freshMs = 2_000;
const readTimeoutMs = 1_000;

/** Upper bounds in seconds: jobs take between milliseconds and an hour. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
const boundsUs = buckets.map((seconds) => Math.round(seconds * 1e6));

interface Histogram {
  /** By bucket; the last is of what is above every bound. */
  counts: number[];
  seconds: number;
}

/** By label. */
type Series = Map<string, Histogram>;

/** Every gateway tells the figures of all jobs. They are left out while the database does not answer. */
export function jobMetrics(postgres: Postgres): Figures {
  const counted: Record<CountedEnds['figure'], Series> = {
    ended: new Map(),
    duration: new Map(),
    startDelay: new Map(),
  };
  let horizon = readHorizon(postgres).catch(() => undefined);

  const read = async (): Promise<string> => {
    const from = await horizon;
    const to = await readHorizon(postgres);
    const ends = from === undefined ? [] : await countEnds(postgres, from, to, boundsUs);
    horizon = Promise.resolve(to);
    for (const end of ends) add(counted[end.figure], end);
    return toText(counted, await readQueueGauges(postgres));
  };
  let reading: Promise<string> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let latest = '';
  const refresh = async () => {
    latest = await read().catch(() => '');
    readAt = performance.now();
    reading = undefined;
    return latest;
  };
  return {
    text: async () => {
      if (performance.now() - readAt <= freshMs) return latest;
      // One at a time: each reads on from where the one before it stopped.
      reading ??= refresh();
      return within(readTimeoutMs, reading, '');
    },
  };
}

function add(series: Series, { label, bucket, count, seconds }: CountedEnds): void {
  const histogram = series.get(label) ?? { counts: new Array<number>(buckets.length + 1).fill(0), seconds: 0 };
  histogram.counts[bucket]! += count;
  histogram.seconds += seconds;
  series.set(label, histogram);
}

function toText(counted: Record<CountedEnds['figure'], Series>, { runningByTier, alertsByKind }: QueueGauges): string {
  const total = ({ counts }: Histogram) => counts.reduce((sum, count) => sum + count, 0);
  const simple = (type: 'gauge' | 'counter', name: string, label: string, help: string, values: [string, number][]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...values.map(([value, number]) => `${name}{${label}="${value}"} ${number}`),
  ];
  const histogram = (name: string, label: string, help: string, series: Series) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} histogram`,
    ...[...series].flatMap(([value, of]) => {
      const own = `${label}="${value}"`;
      let below = 0;
      return [
        ...of.counts.map((count, at) => {
          below += count;
          return `${name}_bucket{${own},le="${buckets[at] ?? '+Inf'}"} ${below}`;
        }),
        `${name}_sum{${own}} ${of.seconds}`,
        `${name}_count{${own}} ${total(of)}`,
      ];
    }),
  ];
  const { ended, duration, startDelay } = counted;
  return [
    ...simple(
      'counter',
      'harborwatch_jobs_ended_total',
      'status',
      'Query jobs that ended since the gateway began.',
      [...ended].map(([status, of]) => [status, total(of)]),
    ),
    ...histogram('harborwatch_job_duration_seconds', 'status', 'Query jobs that ran to their end.', duration),
    ...histogram(
      'harborwatch_job_start_delay_seconds',
      'priority',
      'From a job’s submission to its first start; counted at its end.',
      startDelay,
    ),
    ...simple(
      'gauge',
      'harborwatch_jobs_running',
      'tier',
      'Query jobs that run, by their organisation’s tier.',
      Object.entries(runningByTier),
    ),
    ...simple(
      'gauge',
      'harborwatch_queue_alerts',
      'kind',
      'Organisations whose queue is degraded in this way.',
      Object.entries(alertsByKind),
    ),
    '',
  ].join('\n');
}
