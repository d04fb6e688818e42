/** When a job may be done, from what is known of it and of its organisation's other jobs. */
import { isTerminal } from '../states.js';
import type { JobRow, Pace } from '../store/jobs.js';

/**
 * The moment at which the job may have ended, RFC 3339; null after its end, and where nothing tells. A running job of whose
 * work a measured share is done goes on at its own pace, any other takes the median time. While as many jobs run as now,
 * one of them ends every median by their number: that long every place of the queue waits.
 * @param position the place in the queue, from 1; null where it does not wait
 */
export function estimateEnd(
  job: Pick<JobRow, 'status' | 'startedAt' | 'percent' | 'isExact'>,
  position: number | null,
  { medianMs, running }: Pace,
  nowMs: number,
): string | null {
  if (isTerminal(job.status)) return null;
  const leftMs = job.status === 'RUNNING' ? runningMs(job, medianMs, nowMs) : waitingMs(position, medianMs, running);
  return leftMs === null ? null : new Date(nowMs + Math.max(0, leftMs)).toISOString();
}

function runningMs(
  { startedAt, percent, isExact }: Pick<JobRow, 'startedAt' | 'percent' | 'isExact'>,
  medianMs: number | null,
  nowMs: number,
): number | null {
  const elapsedMs = nowMs - Date.parse(startedAt!);
  if (isExact && percent > 0) return (elapsedMs * (100 - percent)) / percent;
  return medianMs === null ? null : medianMs - elapsedMs;
}

function waitingMs(position: number | null, medianMs: number | null, running: number): number | null {
  if (position === null || medianMs === null) return null;
  return medianMs + (running === 0 ? 0 : (medianMs * position) / running);
}
