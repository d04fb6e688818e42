/** The audit log in the graph: capability, service, map. */
import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import { requireCapability } from '../../platform/capabilities.js';
import { IngestReceipt } from '../../platform/graphql/ingest-receipt.js';
import { type Connection, Paged, toConnection } from '../../platform/graphql/types.js';
import type { Identity } from '../../platform/identity.js';
import { pageLimits } from '../../platform/paging.js';
import { callerWith, type GraphQLContext, identityOf } from '../../platform/subgraph.js';
import type { AuditService } from './service.js';
import {
  ActivityLogArgs,
  Actor,
  ActorActivityArgs,
  App,
  type LogEntry,
  LogEntryConnection,
  WriteLogEntriesInput,
} from './types.js';
import { AuditViews } from './views.js';

@Resolver()
export class AuditResolver {
  constructor(private readonly audit: AuditService) {}

  @Query(() => [App], { description: 'The apps of which the caller may see entries, by name.' })
  async apps(@Ctx() context: GraphQLContext): Promise<object[]> {
    const identity = callerWith(context, 'audit:read');
    const views = new AuditViews(this.audit, identity);
    return (await this.audit.apps(identity)).map((names) => views.app(names));
  }

  @Paged(pageLimits, 'first', 'last')
  @Query(() => LogEntryConnection, {
    description:
      'What happened in an app, newest first: activity and data changes, without debug entries; at most 200 a page. A walk through the ' +
      'pages shows the log as it was at its first page.',
  })
  async activityLog(
    @Ctx() context: GraphQLContext,
    @Args(() => ActivityLogArgs) args: ActivityLogArgs,
  ): Promise<Connection<LogEntry>> {
    return readTimeline(this.audit, identityOf(context), args);
  }

  @Mutation(() => IngestReceipt, {
    description:
      'Stores audit entries. Those that do not fit are named by their place and field, and all others are stored.',
  })
  async writeLogEntries(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => WriteLogEntriesInput) input: WriteLogEntriesInput,
  ): Promise<IngestReceipt> {
    const identity = callerWith(context, 'audit:write', input.app == null ? {} : { app: input.app });
    return this.audit.write(identity, input);
  }
}

@Resolver(() => Actor)
export class ActorResolver {
  constructor(private readonly audit: AuditService) {}

  @Paged(pageLimits, 'first')
  @FieldResolver(() => LogEntryConnection, {
    description: 'What the actor did in the app, newest first; at most 200 a page.',
  })
  async activity(
    @Ctx() context: GraphQLContext,
    @Root() actor: Actor,
    @Args(() => ActorActivityArgs) args: ActorActivityArgs,
  ): Promise<Connection<LogEntry>> {
    return readTimeline(this.audit, identityOf(context), { ...args, app: actor.app, who: actor.who });
  }
}

async function readTimeline(
  audit: AuditService,
  identity: Identity,
  args: ActivityLogArgs,
): Promise<Connection<LogEntry>> {
  const { app, days, who, class: className, instanceId, ...page } = args;
  requireCapability(identity, 'audit:read', { app, ...(className == null ? {} : { class: className }) });
  const timeline = await audit.activity(identity, { app, who, class: className, instanceId }, days, page);
  const views = new AuditViews(audit, identity);
  return toConnection(timeline.page, (entry) => views.entry(entry), timeline.totalCount);
}
