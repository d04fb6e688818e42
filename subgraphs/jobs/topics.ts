/** The live topics of jobs. A ring says "look again" and carries nothing. */
import type { PubSub, Topic } from '../../platform/pubsub.js';

/** Rung when the job's status or progress changed. */
export const jobTopic = (orgId: string, jobId: string): Topic => ({ orgId, name: `job:${jobId}` });

/** Rung when the status of any of the organisation's jobs changed. */
export const jobsTopic = (orgId: string): Topic => ({ orgId, name: 'jobs' });

/** Rung when the job was cancelled: its worker looks at its lease at once. */
export const cancelTopic = (orgId: string, jobId: string): Topic => ({ orgId, name: `job-cancel:${jobId}` });

/** Thousands of jobs a second ring their organisation so often. */
const orgEveryMs = 50;

/** Tells everybody who watches that the job's status changed; call it after the commit. */
export function ringJob(pubsub: PubSub, orgId: string, jobId: string): void {
  pubsub.ring(jobTopic(orgId, jobId));
  ringJobs(pubsub, orgId);
}

/** Tells those who watch all of the organisation's jobs, as of one that nobody can watch yet; call it after the commit. */
export function ringJobs(pubsub: PubSub, orgId: string): void {
  pubsub.ringAtMostEvery(orgEveryMs, jobsTopic(orgId));
}
