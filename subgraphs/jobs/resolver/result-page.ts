/** A page of a job's result: found by row number, with cursors bound to the attempt that made the rows. */
import type { Cursors } from '../../../platform/cursor.js';
import { fail } from '../../../platform/errors.js';
import type { Identity } from '../../../platform/identity.js';
import type { CappedCount, Page } from '../../../platform/paging.js';
import { toPageRequest } from '../../../platform/paging.js';
import type { ResultColumn, SearchSummary } from '../../../query/index.js';
import type { JobRow, JobsService } from '../service/jobs.js';
import type { ResultArgs } from '../types/results.js';

type Row = Record<string, unknown>;

/** What the rows are made into is made when it is asked for: most callers take one of the three. */
interface ResultPage {
  columns: ResultColumn[];
  version: string;
  edges: () => Page<Row>['edges'];
  nodes: () => Row[];
  rows: () => unknown[][];
  pageInfo: Page<Row>['pageInfo'];
  totalCount: CappedCount;
  aggregations: unknown;
  searchResponse: () => unknown;
}

/** The page sizes of a job's result. */
export const resultLimits = { default: 1_000, max: 10_000 };

/**
 * @throws INVALID_PAGE_SIZE; INVALID_CURSOR, also for a cursor of another job or organisation, and of rows that were
 * replaced since; why the job has no rows to answer with
 */
export async function toResultConnection(
  jobs: JobsService,
  cursors: Cursors,
  identity: Identity,
  found: JobRow,
  { first, after, offset, partial }: ResultArgs,
): Promise<ResultPage> {
  const bindingOf = ({ id, attempt, revision }: JobRow) => ({
    orgId: identity.orgId,
    list: 'job results',
    filters: { jobId: id, attempt, revision },
  });
  const { limit } = toPageRequest({ first }, resultLimits, { cursors, binding: bindingOf(found) });
  if (offset != null && offset < 0) {
    fail('INVALID_PAGE_SIZE', `"offset" is ${offset}; it takes 0 and more.`, { argument: 'offset' });
  }
  const startIn = (state: JobRow): number => {
    const position = after == null ? undefined : cursors.decode(bindingOf(state), after);
    return (position === undefined ? 0 : Number(position[0]) + 1) + (offset ?? 0);
  };
  const read = await jobs.readResult(identity, found, { partial: partial ?? false, limit, startIn });
  const { job, rows, start, stored } = read;
  const columns = job.columns ?? [];
  const nodes = () => rows.map(rowFactory(columns));
  const cursorAt = (index: number) => cursors.encode(bindingOf(job), [start + index]);
  return {
    columns,
    version: `${job.attempt}.${job.revision}`,
    edges: () => nodes().map((node, index) => ({ node, cursor: cursorAt(index) })),
    nodes,
    rows: () => rows,
    pageInfo: {
      hasNextPage: start + rows.length < stored,
      hasPreviousPage: start > 0 && stored > 0,
      startCursor: rows.length > 0 ? cursorAt(0) : null,
      endCursor: rows.length > 0 ? cursorAt(rows.length - 1) : null,
    },
    totalCount: { value: stored, relation: job.status === 'COMPLETED' ? 'EXACT' : 'AT_LEAST' },
    aggregations: job.search?.aggregations ?? null,
    searchResponse: () => (job.search === null ? null : toSearchResponse(job.search, nodes())),
  };
}

/**
 * Makes a row's object of its values. Compiled, since constant keys are written many times faster than computed ones: of
 * 10,000 rows with 20 columns in 2 ms, where `Object.fromEntries` takes 30.
 */
function rowFactory(columns: readonly ResultColumn[]): (row: unknown[]) => Row {
  const fields = columns.map(({ name }, index) => {
    const key = JSON.stringify(name);
    // As a plain key this one would set the object's prototype.
    return `${name === '__proto__' ? `[${key}]` : key}:row[${index}]`;
  });
  return new Function('row', `return {${fields.join()}}`) as (row: unknown[]) => Row;
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
