/** The audit log in the graph: access rule, service, map. */
import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import { requireCapability } from '../../platform/capabilities.js';
import { Requires } from '../../platform/graphql/access-rules.js';
import { IngestReceipt } from '../../platform/graphql/ingest-receipt.js';
import { type Connection, Paged, toConnection } from '../../platform/graphql/types.js';
import { type PageArguments, pageLimits } from '../../platform/paging.js';
import { type GraphQLContext, identityOf } from '../../platform/subgraph.js';
import type { AuditService, TimelineFilter } from './service.js';
import {
  ActivityLogArgs,
  Actor,
  ActorActivityArgs,
  App,
  DebugLogArgs,
  type LogEntry,
  LogEntryConnection,
  ReadsEntries,
  WriteLogEntriesInput,
} from './types.js';
import { AuditViews } from './views.js';

@Resolver()
export class AuditResolver {
  constructor(private readonly audit: AuditService) {}

  @Requires('audit:read')
  @Query(() => [App], { description: 'The apps of which the caller may see entries, by name.' })
  async apps(@Ctx() context: GraphQLContext): Promise<object[]> {
    const identity = identityOf(context);
    const views = new AuditViews(this.audit, identity);
    return (await this.audit.apps(identity)).map((names) => views.app(names));
  }

  @Paged(pageLimits, 'first', 'last')
  @Requires('audit:read')
  @Query(() => LogEntryConnection, {
    description:
      'What happened in an app, newest first: activity and data changes, without debug entries; at most 200 a page. A walk through the ' +
      'pages shows the log as it was at its first page.',
  })
  async activityLog(
    @Ctx() context: GraphQLContext,
    @Args(() => ActivityLogArgs) args: ActivityLogArgs,
  ): Promise<Connection<LogEntry>> {
    return readActivity(this.audit, context, args);
  }

  @Paged(pageLimits, 'first', 'last')
  @ReadsEntries
  @Query(() => LogEntryConnection, {
    description:
      'What a module of an app wrote for its developers, newest first; at most 200 a page. A walk through the pages shows the log as it ' +
      'was at its first page.',
  })
  async debugLog(
    @Ctx() context: GraphQLContext,
    @Args(() => DebugLogArgs) args: DebugLogArgs,
  ): Promise<Connection<LogEntry>> {
    const { app, module, priority, days = null, traceId, who, ...page } = args;
    requireCapability(identityOf(context), ['audit:read', 'debug:read'], { app });
    return readTimeline(this.audit, context, { log: 'debugLog', app, module, priority, traceId, who }, days, page);
  }

  @Requires('audit:write')
  @Mutation(() => IngestReceipt, {
    description:
      'Stores audit entries. Those that do not fit are named by their place and field, and all others are stored.',
  })
  async writeLogEntries(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => WriteLogEntriesInput) input: WriteLogEntriesInput,
  ): Promise<IngestReceipt> {
    const identity = identityOf(context);
    if (input.app != null) requireCapability(identity, 'audit:write', { app: input.app });
    return this.audit.write(identity, input);
  }
}

@Resolver(() => Actor)
export class ActorResolver {
  /** By actor, which is one object in an answer, and arguments: many entries may lead to it, and each read is written down. */
  readonly #read = new WeakMap<Actor, Map<string, Promise<Connection<LogEntry>>>>();

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
    const known = this.#read.get(actor) ?? new Map<string, Promise<Connection<LogEntry>>>();
    this.#read.set(actor, known);
    const key = JSON.stringify(args);
    const read = known.get(key) ?? readActivity(this.audit, context, { ...args, app: actor.app, who: actor.who });
    known.set(key, read);
    return read;
  }
}

function readActivity(
  audit: AuditService,
  context: GraphQLContext,
  args: ActivityLogArgs,
): Promise<Connection<LogEntry>> {
  const { app, days, who, class: className, instanceId, ...page } = args;
  requireCapability(identityOf(context), 'audit:read', { app, ...(className == null ? {} : { class: className }) });
  return readTimeline(audit, context, { log: 'activityLog', app, who, class: className, instanceId }, days, page);
}

async function readTimeline(
  audit: AuditService,
  context: GraphQLContext,
  filter: TimelineFilter,
  days: number | null,
  page: PageArguments,
): Promise<Connection<LogEntry>> {
  const identity = identityOf(context);
  const timeline = await audit.timeline({ identity, remoteIp: context.remoteIp }, filter, days, page);
  const views = new AuditViews(audit, identity);
  return toConnection(timeline.page, (entry) => views.entry(entry), timeline.totalCount);
}
