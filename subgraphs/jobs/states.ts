/** The life of a job as a total table: every status answers every event. SPEC.md tells it in words. */

export const jobStatuses = ['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** What can happen to a job. */
export const jobEvents = [
  /** A worker takes it: a new attempt begins. */
  'claim',
  /** The attempt's worker stored the whole result. */
  'complete',
  /** The attempt's worker met an error that another attempt would meet too, or the last attempt was lost. */
  'fail',
  /** A caller does not want it any more. */
  'cancel',
  /** A caller keeps what was found so far, and wants no more. */
  'finalize',
  /** The attempt's worker hands it back: it stops, or the database went away. */
  'release',
  /** The attempt's worker was not heard of for the length of a lease. */
  'expire',
] as const;
export type JobEvent = (typeof jobEvents)[number];

/** How a job comes into the world: it waits, or an old result answers it at once. */
export const births = { submit: 'PENDING', reuse: 'COMPLETED' } as const satisfies Record<string, JobStatus>;

/** Nothing happens: the job stays what it is, and whoever brought the event is told. */
const refused = null;

export const transitions: Record<JobStatus, Record<JobEvent, JobStatus | typeof refused>> = {
  PENDING: {
    claim: 'RUNNING',
    complete: refused,
    fail: refused,
    cancel: 'CANCELLED',
    finalize: refused,
    release: refused,
    expire: refused,
  },
  RUNNING: {
    claim: refused,
    complete: 'COMPLETED',
    fail: 'FAILED',
    cancel: 'CANCELLED',
    finalize: 'COMPLETED',
    release: 'PENDING',
    expire: 'PENDING',
  },
  COMPLETED: {
    claim: refused,
    complete: refused,
    fail: refused,
    cancel: refused,
    finalize: refused,
    release: refused,
    expire: refused,
  },
  FAILED: {
    claim: refused,
    complete: refused,
    fail: refused,
    cancel: refused,
    finalize: refused,
    release: refused,
    expire: refused,
  },
  CANCELLED: {
    claim: refused,
    complete: refused,
    fail: refused,
    cancel: refused,
    finalize: refused,
    release: refused,
    expire: refused,
  },
};

/** Whether the job has ended: no event moves it any more. */
export const isTerminal = (status: JobStatus): boolean =>
  jobEvents.every((event) => transitions[status][event] === refused);

/** An event as the store's statements need it. Made from the table, so that the two cannot differ. */
export interface Step {
  /** The statuses that admit the event, as SQL literals with commas between. */
  from: string;
  /** The status after it, as an SQL literal. */
  to: string;
}

/** The step of an event. */
export function step(event: JobEvent): Step {
  const from = jobStatuses.filter((status) => transitions[status][event] !== refused);
  return { from: from.map((status) => `'${status}'`).join(', '), to: `'${transitions[from[0]!][event]}'` };
}
