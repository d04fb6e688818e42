/** Query texts on their way in: looked at, completed, submitted. */
import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { type GraphQLContext, identityOf } from '../../../platform/subgraph.js';
import type { JobsService } from '../service/jobs.js';
import type { QueryService } from '../service/queries.js';
import type { SubmissionService } from '../service/submissions.js';
import { SubmitJobInput, TouchJobInput } from '../types/inputs.js';
import { Job } from '../types/job.js';
import { CompleteQueryInput, EstimateQueryInput, QueryCompletion, QueryPlanReport } from '../types/query.js';
import { jobMapper } from './job-node.js';

@Resolver()
export class SubmissionsResolver {
  constructor(
    private readonly submissions: SubmissionService,
    private readonly queries: QueryService,
    private readonly jobs: JobsService,
  ) {}

  @Requires(['jobs:read', 'events:read'])
  @Query(() => QueryPlanReport, {
    description:
      'How a query would run: the dry run of submitJob. A text that cannot run is refused with its line and column.',
  })
  async estimateQuery(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => EstimateQueryInput, { description: 'The query.' }) input: EstimateQueryInput,
  ): Promise<QueryPlanReport> {
    return this.queries.estimate(identityOf(context), input);
  }

  @Requires(['jobs:read', 'events:read'])
  @Query(() => [QueryCompletion], {
    description:
      'What could stand at the cursor of a query that is being written: columns, datasets, functions, operators.',
  })
  async completeQuery(
    @Arg('input', () => CompleteQueryInput, { description: 'The text and the cursor.' }) input: CompleteQueryInput,
  ): Promise<QueryCompletion[]> {
    return this.queries.complete(input.query, input.language, input.position);
  }

  @Requires(['jobs:write', 'events:read'])
  @Mutation(() => Job, {
    description:
      'Stores a query to run in the background. A text that cannot run is refused here, with its line and column.',
  })
  async submitJob(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => SubmitJobInput) input: SubmitJobInput,
  ): Promise<Job> {
    const identity = identityOf(context);
    return jobMapper(this.jobs, identity)(await this.submissions.submit(identity, input));
  }

  @Requires('jobs:write')
  @Mutation(() => Job, {
    description: 'Keeps a completed job’s result for longer: for a time from now, or as long as it is kept anyway.',
  })
  async touchJob(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => TouchJobInput) { id, ttlSeconds }: TouchJobInput,
  ): Promise<Job> {
    const identity = identityOf(context);
    return jobMapper(this.jobs, identity)(await this.jobs.touch(identity, id, ttlSeconds ?? undefined));
  }
}
