/** Lists of jobs: filters, orders, and pages by the position of a row in them. */
import type { PageRequest } from '../../../platform/paging.js';
import type { JobStatus } from '../states.js';

/** Which jobs a list has; undefined is no condition. */
export interface JobFilters {
  status?: JobStatus | undefined;
  language?: string | undefined;
  priority?: string | undefined;
  userId?: string | undefined;
  /** At or after. */
  createdAfter?: string | undefined;
  /** Before. */
  createdBefore?: string | undefined;
}

/** What a list is sorted by. What has no value yet counts as lower than everything that has one; equals go by their id. */
type JobSort = 'CREATED_AT' | 'COMPLETED_AT' | 'EXECUTION_TIME' | 'PRIORITY';

export interface JobOrder {
  sort: JobSort;
  order: 'ASC' | 'DESC';
}

/** Columns with an index each; see 0016. */
const sortKeys: Record<JobSort, { sql: string; type: string }> = {
  CREATED_AT: { sql: 'created_at', type: 'timestamptz' },
  COMPLETED_AT: { sql: 'completion', type: 'timestamptz' },
  EXECUTION_TIME: { sql: 'execution_us', type: 'bigint' },
  PRIORITY: { sql: 'priority_rank', type: 'smallint' },
};

/** The condition of a list, over filterParameters. */
export const matches = `
  ($1::text IS NULL OR status = $1) AND ($2::uuid IS NULL OR submitted_by = $2)
  AND ($3::timestamptz IS NULL OR created_at >= $3) AND ($4::timestamptz IS NULL OR created_at < $4)
  AND ($5::text IS NULL OR language = $5) AND ($6::job_priority IS NULL OR priority = $6::job_priority)`;

export const filterParameters = (filters: JobFilters): unknown[] => {
  const { status, userId, createdAfter, createdBefore, language, priority } = filters;
  return [status, userId, createdAfter, createdBefore, language, priority];
};

/**
 * The statement that reads a page, with one row more where there is one.
 * @param columns what it reads of a job; `sortKey` comes beside it
 */
export function pageStatement(
  columns: string,
  filters: JobFilters,
  { sort, order }: JobOrder,
  page: PageRequest,
): { sql: string; parameters: unknown[] } {
  const { sql: key, type } = sortKeys[sort];
  const isDescending = (order === 'DESC') === (page.direction === 'FORWARD');
  const [comparison, direction] = isDescending ? ['<', 'DESC'] : ['>', 'ASC'];
  const [sortKey = null, id = null] = page.position ?? [];
  // Written only where there is a position: planners look through a condition on a parameter, but not into a row of two.
  const behind = page.position === undefined ? '' : `AND (${key}, id) ${comparison} ($8::text::${type}, $9::uuid)`;
  return {
    sql: `SELECT ${columns}, (${key})::text AS "sortKey" FROM jobs WHERE ${matches} ${behind}
           ORDER BY ${key} ${direction}, id ${direction} LIMIT $7`,
    parameters: [...filterParameters(filters), page.limit + 1, ...(behind === '' ? [] : [sortKey, id])],
  };
}
