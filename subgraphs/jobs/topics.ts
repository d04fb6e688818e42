/** The live topics of a job. A ring says "look again" and carries nothing. */
import type { Topic } from '../../platform/pubsub.js';

/** Rung when the job's status or progress changed. */
export const jobTopic = (orgId: string, jobId: string): Topic => ({ orgId, name: `job:${jobId}` });

/** Rung when the job was cancelled: its worker looks at its lease at once. */
export const cancelTopic = (orgId: string, jobId: string): Topic => ({ orgId, name: `job-cancel:${jobId}` });
