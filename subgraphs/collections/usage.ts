/** What is used of the quota of collections, as a field of the organisation's usage. */
import { Ctx, Directive, Field, FieldResolver, ID, ObjectType, Resolver } from 'type-graphql';
import { Requires } from '../../platform/graphql/access-rules.js';
import { QuotaUse, toQuotaUse } from '../../platform/graphql/quota-use.js';
import { type GraphQLContext, identityOf } from '../../platform/subgraph.js';
import type { CollectionsService } from './service.js';

@Directive('@key(fields: "orgId")')
@Requires('org:read')
@ObjectType('Usage')
export class Usage {
  @Field(() => ID)
  orgId!: string;
}

@Resolver(() => Usage)
export class CollectionsUsageResolver {
  constructor(private readonly collectionsService: CollectionsService) {}

  @FieldResolver(() => QuotaUse, { nullable: true, description: 'Collections that are not removed.' })
  async collections(@Ctx() context: GraphQLContext): Promise<QuotaUse> {
    return toQuotaUse(await this.collectionsService.use(identityOf(context)));
  }
}
