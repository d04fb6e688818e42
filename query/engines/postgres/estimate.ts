import type { Pool, QueryArrayConfig } from 'pg';
import type { GuardedQuery } from '../../guarded-query.js';
import type { CheckOptions } from './check.js';
import { queryError } from './errors.js';
import { inSession } from './session.js';

/**
 * The planner's guess. It is made from statistics of every organisation's rows: good for progress and scheduling, never
 * to be shown as it is to people who are not platform administrators.
 */
export interface QueryEstimate {
  /** Rows of the result. */
  rows: number;
  /** The planner's total cost, in its own unit. */
  cost: number;
}

type Explanation = [{ Plan: { 'Plan Rows': number; 'Total Cost': number } }];

const explain = 'EXPLAIN (FORMAT JSON) ';

/** Plans the query without running it. */
export async function estimateQuery(
  pool: Pool,
  query: GuardedQuery,
  { orgId, timeoutMs = 5_000 }: CheckOptions,
): Promise<QueryEstimate> {
  try {
    // The extended protocol takes one statement, whatever the text holds.
    const explained: QueryArrayConfig & { queryMode: 'extended' } = {
      text: explain + query.text,
      rowMode: 'array',
      queryMode: 'extended',
    };
    const result = await inSession(pool, { orgId, timeoutMs }, (client) => client.query<[Explanation]>(explained));
    const plan = result.rows[0]![0][0].Plan;
    return { rows: plan['Plan Rows'], cost: plan['Total Cost'] };
  } catch (error) {
    throw queryError(error, query, explain.length);
  }
}
