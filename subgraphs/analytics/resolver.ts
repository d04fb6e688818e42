/** The widgets in the graph: access rule, service, map. */
import { Args, Ctx, FieldResolver, Query, Resolver } from 'type-graphql';
import { Requires } from '../../platform/graphql/access-rules.js';
import { type GraphQLContext, identityOf } from '../../platform/subgraph.js';
import type { AnalyticsService } from './service.js';
import { TotalEventsArgs, TotalEventsWidget, Widgets } from './types.js';

@Resolver(() => Widgets)
export class AnalyticsResolver {
  constructor(private readonly analytics: AnalyticsService) {}

  @Requires('analytics:read')
  @Query(() => Widgets, { description: 'Figures for dashboards. Needs the capability analytics:read.' })
  widgets(): Widgets {
    return new Widgets();
  }

  @FieldResolver(() => TotalEventsWidget, {
    description: 'How many security events a period had, by severity and against the period before.',
  })
  async totalEvents(
    @Ctx() context: GraphQLContext,
    @Args(() => TotalEventsArgs) args: TotalEventsArgs,
  ): Promise<TotalEventsWidget> {
    return Object.assign(new TotalEventsWidget(), await this.analytics.totalEvents(identityOf(context), args));
  }
}
