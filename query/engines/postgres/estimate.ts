/** What PostgreSQL's planner says of a query, without running it. */
import type { Pool, PoolClient, QueryArrayConfig } from 'pg';
import type { PlanQuery, SqlQuery } from '../../prepared-query.js';
import type { CheckOptions } from './check.js';
import { inSession } from './session.js';
import { planStatement, textStatement } from './statement.js';

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

/** A step of PostgreSQL's own plan: the fields that are read. */
export interface PlannerNode {
  'Plan Rows': number;
  'Total Cost': number;
  'Relation Name'?: string;
  'Index Name'?: string;
  Filter?: string;
  Plans?: PlannerNode[];
}

/** Plans the query without running it. */
export async function estimateQuery(
  pool: Pool,
  query: SqlQuery | PlanQuery,
  options: CheckOptions,
): Promise<QueryEstimate> {
  const root = await inPlanner(pool, query, options, ({ asTree }) => asTree());
  return { rows: root['Plan Rows'], cost: root['Total Cost'] };
}

export interface Planner {
  asTree(): Promise<PlannerNode>;
  /** As PostgreSQL writes it for people. */
  asText(): Promise<string>;
  /** For what else there is to know, in the same transaction. */
  client: PoolClient;
}

/** Asks the planner about a query. */
export async function inPlanner<T>(
  pool: Pool,
  query: SqlQuery | PlanQuery,
  { orgId, timeoutMs = 5_000 }: CheckOptions,
  ask: (planner: Planner) => Promise<T>,
): Promise<T> {
  const statement = query.form === 'SQL' ? textStatement(query) : planStatement(query.plan, {});
  const explain = (format: 'JSON' | 'TEXT') => `EXPLAIN (FORMAT ${format}) `;
  // The extended protocol takes one statement, whatever the text holds.
  const asked = (format: 'JSON' | 'TEXT'): QueryArrayConfig & { queryMode: 'extended' } => ({
    text: explain(format) + statement.text,
    values: statement.values,
    rowMode: 'array',
    queryMode: 'extended',
  });
  try {
    return await inSession(pool, { orgId, timeoutMs }, (client) =>
      ask({
        client,
        asTree: async () => (await client.query<[[{ Plan: PlannerNode }]]>(asked('JSON'))).rows[0]![0][0].Plan,
        asText: async () => (await client.query<[string]>(asked('TEXT'))).rows.map(([line]) => line).join('\n'),
      }),
    );
  } catch (error) {
    throw statement.errorOf(error, explain('JSON').length);
  }
}
