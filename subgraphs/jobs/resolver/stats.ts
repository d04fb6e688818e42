/** The queue's figures in the graph: access rule, service, map. */
import { Arg, Args, Ctx, Directive, Int, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import { mapAsyncIterable } from '../../../platform/async-iterable.js';
import type { Cursors } from '../../../platform/cursor.js';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { Period } from '../../../platform/graphql/period.js';
import { type Connection, ForwardPageArgs, Paged, toConnection } from '../../../platform/graphql/types.js';
import type { Identity } from '../../../platform/identity.js';
import { pageLimits, toPage, toPageRequest } from '../../../platform/paging.js';
import type { PeriodName } from '../../../platform/periods.js';
import { type GraphQLContext, identityOf, subscribedByParts } from '../../../platform/subgraph.js';
import type { JobsService } from '../service/jobs.js';
import { visibleReport } from '../service/plan-report.js';
import type { QueueState, StatsService } from '../service/stats.js';
import { QueueStats, type SlowQuery, SlowQueryConnection } from '../types/stats.js';
import { jobMapper } from './job-node.js';

const defaultPeriod = Period.P_24H;
const AnyPeriod = () =>
  Arg('period', () => Period, {
    nullable: true,
    defaultValue: defaultPeriod,
    description: 'How far back jobs count that have ended.',
  });

@Resolver()
export class StatsResolver {
  constructor(
    private readonly stats: StatsService,
    private readonly jobs: JobsService,
    private readonly cursors: Cursors,
  ) {}

  @Requires('jobs:read')
  @Query(() => QueueStats, {
    name: 'queueStats',
    description:
      'The organisation’s queue now, and over a period; at most a second old, of very many jobs a little more.',
  })
  async readQueueStats(@Ctx() context: GraphQLContext, @AnyPeriod() period: PeriodName | null): Promise<QueueStats> {
    const identity = identityOf(context);
    return this.#toStats(identity, await this.stats.state(identity, period ?? defaultPeriod));
  }

  @Directive('@tag(name: "stream-state")')
  @Requires('jobs:read')
  @Subscription(() => QueueStats, {
    description:
      'The organisation’s queue as it is now, then as it changes: at most once a second, and every ten seconds anyway.',
    subscribe: subscribedByParts,
  })
  queueStats(@Root() stats: QueueStats, @AnyPeriod() _period: PeriodName | null): QueueStats {
    return stats;
  }

  /** The source of the subscription `queueStats`. */
  openQueueStats({ period }: { period?: PeriodName | null }, context: GraphQLContext): AsyncIterable<QueueStats> {
    const identity = identityOf(context);
    const states = this.stats.watch(identity, period ?? defaultPeriod);
    return mapAsyncIterable(states, (state) => this.#toStats(identity, state));
  }

  @Requires('org:admin')
  @Mutation(() => Int, {
    description: 'Cancels all jobs of the organisation that wait, and answers how many. Those that run go on.',
  })
  async flushQueue(@Ctx() context: GraphQLContext): Promise<number> {
    return this.stats.flush(identityOf(context));
  }

  @Paged(pageLimits, 'first')
  @Requires('jobs:read')
  @Query(() => SlowQueryConnection, {
    description:
      'Jobs that took longer than the installation’s SLOW_QUERY_MS, the latest end first; 50 a page where no size is given, at most 200.',
  })
  async slowQueries(
    @Ctx() context: GraphQLContext,
    @Args(() => ForwardPageArgs) args: ForwardPageArgs,
  ): Promise<Connection<SlowQuery>> {
    const identity = identityOf(context);
    const cursor = { cursors: this.cursors, binding: { orgId: identity.orgId, list: 'slowQueries' } };
    const request = toPageRequest(args, pageLimits, cursor);
    const page = await toPage(
      request,
      await this.stats.slowJobs(identity, request),
      (row) => [row.completedAt, row.id],
      async (position) =>
        (await this.stats.slowJobs(identity, { direction: 'BACKWARD', position, limit: 0 })).length > 0,
      cursor,
    );
    const toJob = jobMapper(this.jobs, identity);
    return toConnection(
      page,
      (row) => ({
        job: toJob(row),
        executionTimeMs: row.executionTimeMs!,
        completedAt: row.completedAt,
        plan: row.plan && visibleReport(identity, row.plan),
      }),
      () => this.stats.countSlowJobs(identity),
    );
  }

  #toStats(identity: Identity, state: QueueState): QueueStats {
    return { ...state, memory: () => this.stats.memory(state.pool), alerts: () => this.stats.alerts(identity) };
  }
}
