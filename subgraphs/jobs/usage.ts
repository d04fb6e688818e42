/** What jobs take and use of their quotas, as fields of the organisation's usage. */
import { Arg, Ctx, Directive, Field, FieldResolver, ID, Int, ObjectType, Resolver } from 'type-graphql';
import { Requires } from '../../platform/graphql/access-rules.js';
import { QuotaUse, toQuotaUse } from '../../platform/graphql/quota-use.js';
import { type GraphQLContext, identityOf } from '../../platform/subgraph.js';
import type { JobsService } from './service/jobs.js';
import { defaultJobDays, maxJobDays, type StatsService } from './service/stats.js';
import { JobDay } from './types/stats.js';

@Directive('@key(fields: "orgId")')
@Requires('org:read')
@ObjectType('Usage')
export class Usage {
  @Field(() => ID)
  orgId!: string;
}

@Resolver(() => Usage)
export class JobsUsageResolver {
  constructor(
    private readonly jobs: JobsService,
    private readonly stats: StatsService,
  ) {}

  @Directive(`@listSize(assumedSize: ${defaultJobDays}, slicingArguments: ["days"], requireOneSlicingArgument: false)`)
  @FieldResolver(() => [JobDay], {
    nullable: true,
    description: 'What query jobs took on the last days with today (UTC), oldest first.',
  })
  async jobDays(
    @Ctx() context: GraphQLContext,
    @Arg('days', () => Int, {
      nullable: true,
      defaultValue: defaultJobDays,
      description: `How many days to tell of, 1 to ${maxJobDays}.`,
    })
    days: number | null,
  ): Promise<JobDay[]> {
    return this.stats.days(identityOf(context), days ?? defaultJobDays);
  }

  @FieldResolver(() => QuotaUse, { nullable: true, description: 'Query jobs that run now.' })
  async runningJobs(@Ctx() context: GraphQLContext): Promise<QuotaUse> {
    return toQuotaUse(await this.jobs.use(identityOf(context), 'runningJobs'));
  }

  @FieldResolver(() => QuotaUse, { nullable: true, description: 'Bytes of kept job results, as JSON.' })
  async resultBytes(@Ctx() context: GraphQLContext): Promise<QuotaUse> {
    return toQuotaUse(await this.jobs.use(identityOf(context), 'resultBytes'));
  }
}
