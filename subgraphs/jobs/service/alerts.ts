/** When an organisation's queue counts as degraded. */
import type { Config } from '../../../platform/config.js';
import { limitsOf } from '../../../platform/org-limits.js';
import { jobPriorities, type PoolSlots, type QueueFigures } from '../../../platform/system/queue-figures.js';
import { sharedPool } from '../../../platform/worker-pools.js';

export const alertSeverities = {
  /** Nothing runs any more, or soon not. */
  CRITICAL: 'CRITICAL',
  /** Callers notice it. */
  HIGH: 'HIGH',
  /** It is not as it should be. */
  MEDIUM: 'MEDIUM',
} as const;
type AlertSeverity = keyof typeof alertSeverities;

/** What can be wrong, and how bad that is. */
export const alertKinds = {
  NO_WORKERS: 'CRITICAL',
  POOL_WITHOUT_WORKERS: 'HIGH',
  PENDING_JOBS: 'HIGH',
  ERROR_RATE: 'HIGH',
  LATE_STARTS: 'HIGH',
  QUEUE_DEPTH: 'MEDIUM',
  SLOW_JOBS: 'MEDIUM',
  DEAD_CALLBACKS: 'MEDIUM',
} as const satisfies Record<string, AlertSeverity>;
export type AlertKind = keyof typeof alertKinds;

export interface Alert {
  kind: AlertKind;
  severity: AlertSeverity;
  /** For people. */
  message: string;
  value: number;
  /** What the value should not pass; of LATE_STARTS and of workers, not be below. */
  threshold: number;
}

export type AlertSettings = Pick<
  Config,
  | 'jobsAlertQueueDepth'
  | 'jobsAlertPending'
  | 'jobsAlertErrorPercent'
  | 'jobsAlertP95Ms'
  | 'jobsAlertInTimePercent'
  | 'jobsAlertLeastJobs'
>;

/** The figures that alerts look at are of this period, so that trouble that is over is soon forgotten. */
export const alertPeriod = 'P_1H';

/** The share in percent; null of nothing. */
export const percentOf = (part: number, whole: number): number | null => (whole === 0 ? null : (100 * part) / whole);

/** Jobs of all priorities. */
export const pendingOf = ({ byPriority }: QueueFigures): number => sumOf(({ pending }) => pending, byPriority);

/** Waiting jobs that only want a worker: the quota `runningJobs` has room for them. */
export const queueDepthOf = (figures: QueueFigures): number => {
  const room = limitsOf(figures.tier, figures.limits).runningJobs - figures.running;
  return Math.min(pendingOf(figures), Math.max(0, room));
};

/** The workers that serve a pool: its own, and while none of them lives, the shared ones. */
export const workersOf = (pool: string, pools: readonly PoolSlots[]): PoolSlots | undefined =>
  pools.find((one) => one.pool === pool) ?? pools.find((one) => one.pool === sharedPool);

const sumOf = (
  of: (start: QueueFigures['byPriority']['LOW']) => number,
  byPriority: QueueFigures['byPriority'],
): number => jobPriorities.reduce((sum, priority) => sum + of(byPriority[priority]), 0);

/** Everything that is wrong with a queue now, the worst first. @param figures of the alertPeriod */
export function alertsOf(figures: QueueFigures, pools: readonly PoolSlots[], settings: AlertSettings): Alert[] {
  const found: Alert[] = [];
  const raise = (kind: AlertKind, value: number, threshold: number, message: string) =>
    found.push({ kind, severity: alertKinds[kind], message, value, threshold });

  const { pool, completed, failed, executionUs, byPriority, deadCallbacks } = figures;
  if (workersOf(pool, pools) === undefined) {
    raise('NO_WORKERS', 0, 1, 'No worker lives that could run jobs.');
  } else if (pool !== sharedPool && !pools.some((one) => one.pool === pool)) {
    raise('POOL_WITHOUT_WORKERS', 0, 1, `No worker of the pool "${pool}" lives; the shared ones run its jobs.`);
  }
  const pending = pendingOf(figures);
  if (pending > settings.jobsAlertPending) {
    raise('PENDING_JOBS', pending, settings.jobsAlertPending, `${pending} jobs wait.`);
  }
  const ran = completed + failed;
  const errorPercent = percentOf(failed, ran) ?? 0;
  if (ran >= settings.jobsAlertLeastJobs && errorPercent > settings.jobsAlertErrorPercent) {
    raise(
      'ERROR_RATE',
      errorPercent,
      settings.jobsAlertErrorPercent,
      `${failed} of ${ran} jobs of the last hour failed.`,
    );
  }
  const due = sumOf(({ started, overdue }) => started + overdue, byPriority);
  const inTime = sumOf(({ startedInTime }) => startedInTime, byPriority);
  const inTimePercent = percentOf(inTime, due) ?? 100;
  if (due >= settings.jobsAlertLeastJobs && inTimePercent < settings.jobsAlertInTimePercent) {
    raise(
      'LATE_STARTS',
      inTimePercent,
      settings.jobsAlertInTimePercent,
      `${due - inTime} of ${due} jobs of the last hour did not start within the time of their priority.`,
    );
  }
  const depth = queueDepthOf(figures);
  if (depth > settings.jobsAlertQueueDepth) {
    raise('QUEUE_DEPTH', depth, settings.jobsAlertQueueDepth, `${depth} jobs only wait for a worker.`);
  }
  const p95Ms = executionUs === null ? 0 : executionUs[1] / 1_000;
  if (ran >= settings.jobsAlertLeastJobs && p95Ms > settings.jobsAlertP95Ms) {
    raise(
      'SLOW_JOBS',
      p95Ms,
      settings.jobsAlertP95Ms,
      `One in twenty jobs of the last hour took ${p95Ms} ms or longer.`,
    );
  }
  if (deadCallbacks > 0) {
    raise('DEAD_CALLBACKS', deadCallbacks, 0, `${deadCallbacks} callbacks were given up in the last day.`);
  }
  return found;
}
