/** What is used of the quotas of jobs, as fields of the organisation's usage. */
import { Ctx, Directive, Field, FieldResolver, ID, ObjectType, Resolver } from 'type-graphql';
import { Requires } from '../../platform/graphql/access-rules.js';
import { QuotaUse, toQuotaUse } from '../../platform/graphql/quota-use.js';
import { type GraphQLContext, identityOf } from '../../platform/subgraph.js';
import type { JobsService } from './service/jobs.js';

@Directive('@key(fields: "orgId")')
@Requires('org:read')
@ObjectType('Usage')
export class Usage {
  @Field(() => ID)
  orgId!: string;
}

@Resolver(() => Usage)
export class JobsUsageResolver {
  constructor(private readonly jobs: JobsService) {}

  @FieldResolver(() => QuotaUse, { nullable: true, description: 'Query jobs that run now.' })
  async runningJobs(@Ctx() context: GraphQLContext): Promise<QuotaUse> {
    return toQuotaUse(await this.jobs.use(identityOf(context), 'runningJobs'));
  }

  @FieldResolver(() => QuotaUse, { nullable: true, description: 'Bytes of kept job results, as JSON.' })
  async resultBytes(@Ctx() context: GraphQLContext): Promise<QuotaUse> {
    return toQuotaUse(await this.jobs.use(identityOf(context), 'resultBytes'));
  }
}
