/** Usage in the graph: capability, service, map. */
import { Arg, Ctx, Directive, FieldResolver, Int, Resolver, Root } from 'type-graphql';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { toQuotaUse } from '../../../platform/graphql/quota-use.js';
import { type GraphQLContext, identityOf } from '../../../platform/subgraph.js';
import { defaultUsageDays, maxUsageDays, type UsageService } from '../service/usage.js';
import { Org } from '../types/org.js';
import { Usage } from '../types/usage.js';

@Resolver(() => Org)
export class UsageResolver {
  constructor(private readonly usages: UsageService) {}

  @Requires('org:read')
  @Directive(
    `@listSize(assumedSize: ${defaultUsageDays}, slicingArguments: ["days"], sizedFields: ["days"], requireOneSlicingArgument: false)`,
  )
  @FieldResolver(() => Usage, {
    nullable: true,
    description: 'What it has sent and uses of its quotas; null for an organisation that is not the caller’s.',
  })
  async usage(
    @Ctx() context: GraphQLContext,
    @Root() org: Org,
    @Arg('days', () => Int, {
      nullable: true,
      defaultValue: defaultUsageDays,
      description: `How many days to tell of, 1 to ${maxUsageDays}.`,
    })
    days: number | null,
  ): Promise<Usage | null> {
    const identity = identityOf(context);
    if (org.id !== identity.orgId) return null;
    const usage = await this.usages.own(identity, days ?? defaultUsageDays);
    return {
      orgId: org.id,
      days: usage.days,
      eventsToday: toQuotaUse(usage.eventsToday),
      storedBytes: toQuotaUse(usage.storedBytes),
    };
  }
}
