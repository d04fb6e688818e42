/** The widgets in the graph: capability, service, map. */
import { Args, Ctx, FieldResolver, Query, Resolver } from 'type-graphql';
import { callerWith, type GraphQLContext, identityOf } from '../../platform/subgraph.js';
import type { AnalyticsService } from './service.js';
import { TotalEventsArgs, TotalEventsWidget, Widgets } from './types.js';

@Resolver(() => Widgets)
export class AnalyticsResolver {
  constructor(private readonly analytics: AnalyticsService) {}

  @Query(() => Widgets, { description: 'Figures for dashboards. Needs the capability analytics:read.' })
  widgets(@Ctx() context: GraphQLContext): Widgets {
    callerWith(context, 'analytics:read');
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
