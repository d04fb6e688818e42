/** When jobs start: what their priority promises while the workers are at no more than 80 % of what they can do. */
import type { JobPriority } from './store/jobs.js';

/** The longest time from submission to start. */
export const startWithinMs: Record<JobPriority, number> = { HIGH: 10_000, NORMAL: 60_000, LOW: 300_000 };
