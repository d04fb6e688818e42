/** A job on its way into the graph. */
import DataLoader from 'dataloader';
import { seesUser } from '../../../platform/capabilities.js';
import type { Identity } from '../../../platform/identity.js';
import { estimateEnd } from '../service/estimates.js';
import type { JobRow, JobsService, Pace } from '../service/jobs.js';
import { isTerminal } from '../states.js';
import type { Job, JobProgress } from '../types/job.js';

/** With the row that its `results` are found by. */
export interface JobNode extends Job {
  row: JobRow;
}

/** Maps the jobs of one answer, which share what has to be looked up for them. */
export function jobMapper(jobs: JobsService, identity: Identity): (row: JobRow) => JobNode {
  const positions = new DataLoader(async (ids: readonly string[]) => {
    const found = await jobs.queuePositions(identity, ids);
    return ids.map((id) => found.get(id) ?? null);
  });
  let pace: Promise<Pace> | undefined;
  const readPace = () => {
    pace ??= jobs.pace(identity);
    return pace;
  };
  const position = (row: JobRow) => (row.status === 'PENDING' ? positions.load(row.id) : null);
  return (row) => ({
    row,
    id: row.id,
    status: row.status,
    progress: toProgress(row),
    language: row.language,
    query: row.query,
    priority: row.priority,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    startedAt: row.startedAt,
    completedAt: row.completedAt,
    expiresAt: row.expiresAt,
    executionTimeMs: row.executionTimeMs,
    resultCount: row.status === 'COMPLETED' ? row.rowsFetched : null,
    queuePosition: () => position(row),
    estimatedDurationMs: async () => (isTerminal(row.status) ? null : (await readPace()).medianMs),
    estimatedCompletionAt: async () =>
      isTerminal(row.status) ? null : estimateEnd(row, await position(row), await readPace(), Date.now()),
    partial: row.isPartial,
    cacheHit: row.resultOf !== null,
    error: row.error,
    metadata: row.metadata,
    submittedBy: row.submittedBy !== null && seesUser(identity, row.submittedBy) ? { id: row.submittedBy } : null,
    org: { id: identity.orgId },
    columns: hasResult(row) ? row.columns : null,
    dataset: row.dataset,
    from: row.rangeFrom,
    to: row.rangeTo,
    render: hasResult(row) ? row.render : null,
  });
}

const hasResult = (row: JobRow): boolean => row.status === 'COMPLETED' && !row.isExpired;

function toProgress({ status, percent, rowsFetched, phase, isExact, coveredSince, isPartial }: JobRow): JobProgress {
  const phases = { PENDING: 'QUEUED', RUNNING: phase ?? 'RUNNING' };
  return {
    percent,
    phase: phases[status as keyof typeof phases] ?? status,
    rowsScanned: null,
    rowsMatched: rowsFetched,
    exact: status === 'RUNNING' ? isExact : status === 'COMPLETED' && !isPartial,
    coveredSince: status === 'RUNNING' || isPartial ? coveredSince : null,
  };
}
