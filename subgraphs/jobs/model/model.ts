/** Jobs as they should be, in plain TypeScript: what every command has to make of them. */
import { births, isTerminal, type JobEvent, type JobStatus, transitions } from '../states.js';

export type Priority = 'LOW' | 'NORMAL' | 'HIGH';

export interface ModelJob {
  id: string;
  org: 0 | 1;
  query: string;
  priority: Priority;
  status: JobStatus;
  attempt: number;
  /** Was handed back a moment ago. */
  isPaused: boolean;
  /** The rows that are stored, chunk by chunk. */
  chunks: number[][];
  isPartial: boolean;
  /** The job whose rows are its result. */
  resultOf: ModelJob | null;
  /** Its result's time is over. */
  isExpired: boolean;
  errorCode: string | null;
  /** What happened to it, in order. */
  events: string[];
}

/** A claim that was made at some time; the job may have gone on without it. */
export interface ModelLease {
  job: ModelJob;
  attempt: number;
}

/** After so many attempts a job whose lease ends is given up. */
export const maxAttempts = 3;
/** The quota `runningJobs` of the first organisation; the second one has none. */
export const mayRun: readonly [number, number] = [2, Number.POSITIVE_INFINITY];

const told: Record<JobStatus, string> = {
  PENDING: 'RETURNED',
  RUNNING: 'STARTED',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
};
const urgency: Record<Priority, number> = { HIGH: 0, NORMAL: 1, LOW: 2 };

export class Model {
  /** In the order of their submission. */
  readonly jobs: ModelJob[] = [];
  readonly leases: ModelLease[] = [];

  /** The job at a place that counts on from the last one to the first; undefined where there is none. */
  pick(index: number): ModelJob | undefined {
    return this.jobs[index % Math.max(1, this.jobs.length)];
  }

  /** The rows of a job's result; of none that has no result any more. */
  rowsOf(job: ModelJob): number[] {
    return (job.resultOf ?? job).chunks.flat();
  }

  submit(id: string, org: 0 | 1, query: string, priority: Priority): ModelJob {
    const resultOf = this.reusable(org, query) ?? null;
    const status = resultOf ? births.reuse : births.submit;
    const job: ModelJob = {
      id,
      org,
      query,
      priority,
      status,
      attempt: resultOf?.attempt ?? 0,
      isPaused: false,
      chunks: [],
      isPartial: false,
      resultOf,
      isExpired: false,
      errorCode: null,
      events: [resultOf ? 'COMPLETED' : 'SUBMITTED'],
    };
    this.jobs.push(job);
    return job;
  }

  /** The job whose result answers the query. */
  reusable(org: 0 | 1, query: string): ModelJob | undefined {
    return this.jobs.find(
      (job) =>
        job.org === org &&
        job.query === query &&
        job.status === 'COMPLETED' &&
        job.resultOf === null &&
        !job.isPartial &&
        !job.isExpired,
    );
  }

  /** The jobs of the organisation that a claim takes, if it takes so many, the first one first. */
  claimable(org: 0 | 1): ModelJob[] {
    const running = this.jobs.filter((job) => job.org === org && job.status === 'RUNNING').length;
    const waiting = this.jobs.filter((job) => job.org === org && job.status === 'PENDING' && !job.isPaused);
    const sorted = waiting.sort((a, b) => urgency[a.priority] - urgency[b.priority]); // Stable: the oldest among equals.
    return sorted.slice(0, Math.max(0, mayRun[org] - running));
  }

  /** Whether the lease is that of the present attempt. */
  isHeld({ job, attempt }: ModelLease): boolean {
    return job.status === 'RUNNING' && job.attempt === attempt;
  }

  /**
   * What the table says of an event; the job is what it was where it refuses.
   * @returns whether it is admitted
   */
  step(job: ModelJob, event: JobEvent): boolean {
    const next = transitions[job.status][event];
    if (next === null) return false;
    const givesUp = event === 'expire' && job.attempt >= maxAttempts;
    job.status = givesUp ? 'FAILED' : next;
    job.events.push(told[job.status]);
    job.isPaused = job.status === 'PENDING';
    if (event === 'claim') job.attempt += 1;
    if (event === 'finalize') job.isPartial = true;
    else if (event !== 'complete') job.chunks = [];
    return true;
  }

  /** Why a caller gets no rows of the job; undefined where it does. */
  refusalOf({ status, isExpired }: ModelJob, partial: boolean): string | undefined {
    if (isExpired) return 'RESULT_EXPIRED';
    if (status === 'FAILED') return 'JOB_FAILED';
    if (status === 'CANCELLED') return 'JOB_CANCELLED';
    return status === 'COMPLETED' || partial ? undefined : 'JOB_NOT_COMPLETED';
  }

  /** The time of this result is over, and whatever is over is swept away. */
  expireResult(job: ModelJob): void {
    job.isExpired = true;
    for (const one of this.jobs) {
      const isRead = this.jobs.some((other) => other.resultOf === one && !other.isExpired);
      if (one.isExpired && !isRead) one.chunks = [];
    }
  }

  get openJobs(): ModelJob[] {
    return this.jobs.filter(({ status }) => !isTerminal(status));
  }
}
