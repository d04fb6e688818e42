/** What a receiver is told: of the job, what its organisation may see anyway; no row, and nothing of the query's text. */
import type { DueCallback } from '../store/callback-attempts.js';

/** The body of a call, as JSON. */
export const toBody = ({ type, completedAt, ...job }: DueCallback): string =>
  JSON.stringify({
    type,
    timestamp: completedAt,
    data: {
      jobId: job.jobId,
      status: job.status,
      resultCount: job.resultCount,
      executionTimeMs: job.executionTimeMs,
      // Messages may quote the query, or a value that it met.
      error: job.error && { code: job.error.code },
      metadata: job.metadata,
    },
  });
