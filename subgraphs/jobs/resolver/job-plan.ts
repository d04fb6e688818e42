/** How a job's query ran, as a field of the job. */
import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { type GraphQLContext, identityOf } from '../../../platform/subgraph.js';
import type { QueryReport } from '../../../query/index.js';
import type { JobsService } from '../service/jobs.js';
import { visibleReport } from '../service/plan-report.js';
import type { QueryService } from '../service/queries.js';
import { Job } from '../types/job.js';
import { QueryPlanReport } from '../types/query.js';
import type { JobNode } from './job-node.js';

@Resolver(() => Job)
export class JobPlanResolver {
  constructor(
    private readonly jobs: JobsService,
    private readonly queries: QueryService,
  ) {}

  @Requires('jobs:read')
  @FieldResolver(() => QueryPlanReport, {
    nullable: true,
    description:
      'How the query ran, where it took longer than the installation’s SLOW_QUERY_MS; else how it would run now.',
  })
  async plan(@Ctx() context: GraphQLContext, @Root() { row }: JobNode): Promise<QueryReport> {
    const identity = identityOf(context);
    const kept = await this.jobs.keptPlan(identity, row.id);
    if (kept !== null) return visibleReport(identity, kept);
    const { query, language, dataset, rangeFrom, rangeTo } = row;
    return this.queries.estimate(identity, { query, language, dataset, from: rangeFrom, to: rangeTo });
  }
}
