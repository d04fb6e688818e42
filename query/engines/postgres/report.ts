/** Tells how a query would run on PostgreSQL, as far as whoever asks may know it. */
import type { Pool } from 'pg';
import { bindNow } from '../../plan/now.js';
import { optimize } from '../../plan/optimize/index.js';
import { printPlan } from '../../plan/print.js';
import { canSlice } from '../../plan/slices/slices.js';
import type { Plan } from '../../plan/types.js';
import type { PlanQuery, SqlQuery } from '../../prepared-query.js';
import type { QueryReport } from '../../query-report.js';
import { type CheckOptions, checkQuery } from './check.js';
import { inPlanner } from './estimate.js';
import { indexReport } from './recommendations.js';
import { boundRows } from './row-bounds.js';

export interface ReportOptions extends CheckOptions {
  /**
   * EVERYTHING is for platform administrators: the planner's figures come from the rows of all organisations. BOUNDS
   * tells nothing that the organisation's own rows do not tell.
   */
  sees: 'EVERYTHING' | 'BOUNDS';
}

/** Says how the query would run, without running it. */
export async function reportOnQuery(
  pool: Pool,
  query: SqlQuery | PlanQuery,
  { sees, ...options }: ReportOptions,
): Promise<QueryReport> {
  const plan = planOf(query);
  const steps = plan === undefined ? query.source : printPlan(plan);
  const shared = { engine: 'POSTGRES' as const, runsInSlices: plan !== undefined && canSlice(plan).ok };
  if (sees === 'BOUNDS') {
    // What is wrong with the query is said here as well.
    await checkQuery(pool, query, options);
    const most = plan === undefined ? undefined : await boundRows(pool, plan, options.orgId);
    return {
      ...shared,
      text: steps,
      estimatedRows: most ?? null,
      estimatedCost: null,
      indexesUsed: [],
      recommendations: [],
    };
  }
  return inPlanner(pool, query, options, async ({ asTree, asText, client }) => {
    const root = await asTree();
    return {
      ...shared,
      text: `${steps}\n\n${await asText()}`,
      estimatedRows: root['Plan Rows'],
      estimatedCost: root['Total Cost'],
      ...(await indexReport(root, client)),
    };
  });
}

/** The query as it would be run now; undefined for SQL that is no plan. */
function planOf(query: SqlQuery | PlanQuery): Plan | undefined {
  const plan = query.form === 'PLAN' ? query.plan : query.translation.ok ? query.translation.plan : undefined;
  return plan && optimize(bindNow(plan, new Date().toISOString()));
}
