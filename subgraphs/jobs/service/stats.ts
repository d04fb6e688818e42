/** The figures of an organisation's queue, and what administrators do to it. */
import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import { liveStream } from '../../../platform/live-stream.js';
import type { CappedCount, PageRequest } from '../../../platform/paging.js';
import { type PeriodName, periodMinutes } from '../../../platform/periods.js';
import type { PubSub } from '../../../platform/pubsub.js';
import type { QueueMemory } from '../../../platform/queue-memory.js';
import { jobPriorities, type PoolSlots, type QueueFigures } from '../../../platform/system/queue-figures.js';
import { queueOf } from '../rings.js';
import type { JobPriority } from '../store/jobs.js';
import type { JobDay, SlowJob, StatsStore } from '../store/stats.js';
import { jobsTopic, ringJob } from '../topics.js';
import {
  type Alert,
  type AlertSettings,
  alertPeriod,
  alertsOf,
  pendingOf,
  percentOf,
  queueDepthOf,
  workersOf,
} from './alerts.js';

export interface QueueState {
  /** The worker pool that the organisation's jobs are meant for. */
  pool: string;
  pendingJobs: number;
  runningJobs: number;
  completedJobs: number;
  failedJobs: number;
  cancelledJobs: number;
  workersActive: number;
  workersTotal: number;
  queueDepth: number;
  avgProcessingTimeMs: number | null;
  throughputPerMinute: number;
  p50ExecutionTimeMs: number | null;
  p95ExecutionTimeMs: number | null;
  p99ExecutionTimeMs: number | null;
  successRate: number | null;
  errorRate: number | null;
  byPriority: PriorityState[];
}

export interface PriorityState {
  priority: JobPriority;
  pending: number;
  p95StartDelayMs: number | null;
  startedWithinSla: number | null;
}

export interface ActiveAlert extends Alert {
  since: string | null;
}

export interface MemoryState {
  heapUsed: number;
  heapTotal: number;
  external: number;
  queueMemoryMb: number | null;
}

interface Counted {
  figures: QueueFigures;
  pools: PoolSlots[];
}

/** One counting of a queue, shared by all who ask while it lasts and for a while after. */
interface Counting {
  beganAt: number;
  answer: Promise<Counted>;
  /** When it is done anew; Infinity while it lasts. */
  staleAt: number;
}

/** A counting is kept for a second, and for ten times as long as it took: so it never takes more than a tenth of the time. */
const keptMs = 1_000;
const restFactor = 10;
const maxKept = 1_000;
/** A watcher is told so often whatever happens. */
const tellEveryMs = 10_000;
/** Jobs that are cancelled in one transaction: the change feed and the outbox wait for transactions to end. */
const flushBatch = 500;
/** Kept back from the request's deadline for the answer itself. */
const answerMs = 2_000;
/** How long to leave those alone who work on what waits. */
const yieldMs = 20;

export const defaultJobDays = 30;
export const maxJobDays = 366;

export interface StatsContext {
  store: StatsStore;
  pubsub: PubSub;
  memory: QueueMemory;
  settings: AlertSettings & { slowQueryMs: number };
}

export class StatsService {
  readonly #context: StatsContext;
  readonly #countings = new LRUCache<string, Counting>({ max: maxKept });

  constructor(context: StatsContext) {
    this.#context = context;
  }

  /** The queue now and over a period; at most a second old, or ten times as old as counting takes. */
  async state(identity: Identity, period: PeriodName): Promise<QueueState> {
    return toState(await this.#count(identity, period), period);
  }

  /**
   * The same as it changes: the present state first, then at most one a second where jobs have changed, and one every ten
   * seconds anyway. It does not end by itself.
   */
  watch(identity: Identity, period: PeriodName): AsyncIterableIterator<QueueState> {
    let toldAt: number | undefined;
    let hasChanged = false;
    const restMs = () => (toldAt === undefined ? 0 : Math.max(0, toldAt + tellEveryMs - performance.now()));
    return liveStream({
      take: async () => {
        if (!hasChanged && restMs() > 0) return undefined;
        const since = toldAt === undefined ? Number.NEGATIVE_INFINITY : performance.now();
        hasChanged = false;
        const counted = await this.#count(identity, period, since);
        toldAt = performance.now();
        return toState(counted, period);
      },
      listen: (ring) =>
        this.#context.pubsub.listen(jobsTopic(identity.orgId), () => {
          hasChanged = true;
          ring();
        }),
      recheckInMs: restMs,
    });
  }

  /** What is wrong with the queue now, the worst first. */
  async alerts(identity: Identity): Promise<ActiveAlert[]> {
    const [{ figures, pools }, since] = await Promise.all([
      this.#count(identity, alertPeriod),
      this.#context.store.alertsSince(identity),
    ]);
    return alertsOf(figures, pools, this.#context.settings).map((alert) => ({
      ...alert,
      since: since.get(alert.kind) ?? null,
    }));
  }

  /** What this process takes, and what the queue of a pool takes in Redis. */
  async memory(pool: string): Promise<MemoryState> {
    const { heapUsed, heapTotal, external } = process.memoryUsage();
    const bytes = await this.#context.memory.bytesOf(queueOf(pool));
    return { heapUsed, heapTotal, external, queueMemoryMb: bytes === null ? null : bytes / 2 ** 20 };
  }

  async slowJobs(identity: Identity, page: PageRequest): Promise<SlowJob[]> {
    return this.#context.store.slowJobs(identity, this.#context.settings.slowQueryMs, page);
  }

  async countSlowJobs(identity: Identity): Promise<CappedCount> {
    return this.#context.store.countSlowJobs(identity, this.#context.settings.slowQueryMs);
  }

  /** @throws BAD_USER_INPUT for a number of days out of range */
  async days(identity: Identity, days: number): Promise<JobDay[]> {
    if (days < 1 || days > maxJobDays) {
      const argument = 'days';
      fail('BAD_USER_INPUT', `"${argument}" is ${days}; it takes 1 to ${maxJobDays}.`, { argument, limit: maxJobDays });
    }
    return this.#context.store.days(identity, days);
  }

  /**
   * Cancels the jobs that wait now; those that run go on. What is cancelled stays so where the time is not enough.
   * @returns how many
   * @throws DEADLINE_EXCEEDED, with how many were cancelled until then
   */
  async flush(identity: Identity): Promise<number> {
    const { store, pubsub } = this.#context;
    const before = await store.beginFlush(identity);
    let cancelled = 0;
    for (;;) {
      const ids = await store.cancelWaiting(identity, before, flushBatch);
      if (ids === undefined) return cancelled;
      for (const id of ids) ringJob(pubsub, identity.orgId, id);
      cancelled += ids.length;
      if (Date.now() > identity.deadline - answerMs) {
        fail('DEADLINE_EXCEEDED', `${cancelled} jobs were cancelled, and more wait. Flush again.`, { cancelled });
      }
      if (ids.length === 0) await delay(yieldMs);
    }
  }

  /** @param since the answer is of this moment or later, in the process's time; else it may be one that is kept */
  async #count(identity: Identity, period: PeriodName, since = Number.NEGATIVE_INFINITY): Promise<Counted> {
    const key = `${identity.orgId} ${period}`;
    for (;;) {
      const latest = this.#countings.get(key);
      if (latest === undefined || performance.now() >= latest.staleAt) return this.#begin(key, identity, period);
      if (latest.beganAt >= since) return latest.answer;
      // Whoever may not have it as it is waits for its time to be over: others have to pay for the next one as well.
      await latest.answer.catch(() => {});
      await delay(Math.max(0, latest.staleAt - performance.now()), undefined, { ref: false });
    }
  }

  #begin(key: string, identity: Identity, period: PeriodName): Promise<Counted> {
    const beganAt = performance.now();
    const { store } = this.#context;
    const read = Promise.all([store.figures(identity, periodMinutes[period] * 60), store.pools()]);
    const counting: Counting = {
      beganAt,
      answer: read.then(([figures, pools]) => ({ figures, pools })),
      staleAt: Number.POSITIVE_INFINITY,
    };
    this.#countings.set(key, counting);
    counting.answer.then(
      () => {
        const endedAt = performance.now();
        counting.staleAt = endedAt + Math.max(keptMs, restFactor * (endedAt - beganAt));
      },
      () => {
        counting.staleAt = 0;
        this.#countings.delete(key);
      },
    );
    return counting.answer;
  }
}

const toMs = (us: number | null | undefined): number | null => (us == null ? null : us / 1_000);

function toState({ figures, pools }: Counted, period: PeriodName): QueueState {
  const { running, completed, failed, cancelled, executionUs, meanExecutionUs, byPriority } = figures;
  const workers = workersOf(figures.pool, pools);
  return {
    pool: figures.pool,
    pendingJobs: pendingOf(figures),
    runningJobs: running,
    completedJobs: completed,
    failedJobs: failed,
    cancelledJobs: cancelled,
    workersActive: workers?.busy ?? 0,
    workersTotal: workers?.slots ?? 0,
    queueDepth: queueDepthOf(figures),
    avgProcessingTimeMs: toMs(meanExecutionUs),
    throughputPerMinute: completed / periodMinutes[period],
    p50ExecutionTimeMs: toMs(executionUs?.[0]),
    p95ExecutionTimeMs: toMs(executionUs?.[1]),
    p99ExecutionTimeMs: toMs(executionUs?.[2]),
    successRate: percentOf(completed, completed + failed),
    errorRate: percentOf(failed, completed + failed),
    byPriority: jobPriorities.map((priority) => {
      const { pending, overdue, started, startedInTime, p95StartDelayUs } = byPriority[priority];
      return {
        priority,
        pending,
        p95StartDelayMs: toMs(p95StartDelayUs),
        startedWithinSla: percentOf(startedInTime, started + overdue),
      };
    }),
  };
}
