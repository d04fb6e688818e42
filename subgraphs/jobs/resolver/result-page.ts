/** A page of a job's result: found by row number, with cursors bound to the attempt that made the rows. */
import type { Cursors } from '../../../platform/cursor.js';
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import type { CappedCount, Page } from '../../../platform/paging.js';
import { toPageRequest } from '../../../platform/paging.js';
import type { SearchSummary } from '../../../query/index.js';
import type { JobRow, JobsService } from '../service/jobs.js';
import type { ResultArgs } from '../types/results.js';

type Row = Record<string, unknown>;

/** Edges and nodes are made when they are asked for: most callers take one of the two. */
interface ResultPage {
  edges: () => Page<Row>['edges'];
  nodes: () => Row[];
  pageInfo: Page<Row>['pageInfo'];
  totalCount: CappedCount;
  aggregations: unknown;
  searchResponse: () => unknown;
}

/** The page sizes of a job's result. */
export const resultLimits = { default: 1_000, max: 10_000 };

/** @throws INVALID_PAGE_SIZE, INVALID_CURSOR, also for a cursor of another job or organisation */
export async function toResultConnection(
  jobs: JobsService,
  cursors: Cursors,
  identity: Identity,
  job: JobRow,
  { first, after, offset }: ResultArgs,
): Promise<ResultPage> {
  const binding = { orgId: identity.orgId, list: 'job results', filters: { jobId: job.id, attempt: job.attempt } };
  const { limit, position } = toPageRequest({ first, after }, resultLimits, { cursors, binding });
  if (offset != null && offset < 0) {
    fail('INVALID_PAGE_SIZE', `"offset" is ${offset}; it takes 0 and more.`, { argument: 'offset' });
  }
  const start = (position === undefined ? 0 : Number(position[0]) + 1) + (offset ?? 0);
  const total = job.rowsFetched;
  const rows = start < total ? await jobs.readResult(identity, job, start, limit) : [];
  const columns = job.columns!;
  const toNode = (row: unknown[]): Row => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]]));
  const cursorAt = (index: number) => cursors.encode(binding, [start + index]);
  return {
    edges: () => rows.map((row, index) => ({ node: toNode(row), cursor: cursorAt(index) })),
    nodes: () => rows.map(toNode),
    pageInfo: {
      hasNextPage: start + rows.length < total,
      hasPreviousPage: start > 0 && total > 0,
      startCursor: rows.length > 0 ? cursorAt(0) : null,
      endCursor: rows.length > 0 ? cursorAt(rows.length - 1) : null,
    },
    totalCount: { value: total, relation: 'EXACT' },
    aggregations: job.search?.aggregations ?? null,
    searchResponse: () => (job.search === null ? null : toSearchResponse(job.search, rows.map(toNode))),
  };
}

/** OpenSearch's own shape; what a hit does not have is left out there. */
function toSearchResponse({ took, total, maxScore, aggregations }: SearchSummary, hits: Row[]): unknown {
  return {
    took,
    timed_out: false,
    hits: {
      ...(total === undefined ? {} : { total }),
      max_score: maxScore,
      hits: hits.map((hit) =>
        Object.fromEntries(
          Object.entries(hit).filter(([key, value]) => value !== null || (key !== 'sort' && key !== '_source')),
        ),
      ),
    },
    ...(aggregations === undefined ? {} : { aggregations }),
  };
}
