/** Jobs in the graph: access rule, service, map. */
import {
  Arg,
  Args,
  Ctx,
  Directive,
  FieldResolver,
  ID,
  Mutation,
  Query,
  Resolver,
  Root,
  Subscription,
} from 'type-graphql';
import { mapAsyncIterable } from '../../../platform/async-iterable.js';
import type { Cursors } from '../../../platform/cursor.js';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { type Connection, Paged, PagedAs, toConnection } from '../../../platform/graphql/types.js';
import type { Identity } from '../../../platform/identity.js';
import { pageLimits, toPage, toPageRequest } from '../../../platform/paging.js';
import { type GraphQLContext, identityOf, type Reference, subscribedByParts } from '../../../platform/subgraph.js';
import type { JobOrder, JobsService } from '../service/jobs.js';
import { JobIdInput } from '../types/inputs.js';
import { CancelledJob, Job, JobConnection, JobsArgs } from '../types/job.js';
import { ResultArgs, ResultConnection } from '../types/results.js';
import { type JobNode, jobMapper } from './job-node.js';
import { resultLimits, toResultConnection } from './result-page.js';

@Resolver(() => Job)
export class JobsResolver {
  constructor(
    private readonly jobs: JobsService,
    private readonly cursors: Cursors,
  ) {}

  @Requires('jobs:read')
  @Query(() => Job, {
    nullable: true,
    description: 'A job of the organisation; null where there is none with this id.',
  })
  async job(
    @Ctx() context: GraphQLContext,
    @Arg('id', () => ID, { description: 'The job’s id.' }) id: string,
  ): Promise<Job | null> {
    const [job] = await this.loadJobs(identityOf(context), [{ id }]);
    return job ?? null;
  }

  @Paged(pageLimits, 'first', 'last')
  @Requires('jobs:read')
  @Query(() => JobConnection, {
    name: 'jobs',
    description:
      'The jobs of the organisation, newest first where nothing else is said; 50 a page where no size is given, at most 200.',
  })
  async listJobs(@Ctx() context: GraphQLContext, @Args(() => JobsArgs) args: JobsArgs): Promise<Connection<Job>> {
    const identity = identityOf(context);
    const { status, userId, createdAfter, createdBefore, language, priority } = args;
    const filters = {
      status: status ?? undefined,
      userId: userId ?? undefined,
      createdAfter: createdAfter ?? undefined,
      createdBefore: createdBefore ?? undefined,
      language: language ?? undefined,
      priority: priority ?? undefined,
    };
    const order: JobOrder = { sort: args.sort ?? 'CREATED_AT', order: args.order ?? 'DESC' };
    const binding = { orgId: identity.orgId, list: 'jobs', filters: { ...filters, ...order } };
    const cursor = { cursors: this.cursors, binding };
    const request = toPageRequest(args, pageLimits, cursor);
    const rows = await this.jobs.list(identity, filters, order, request);
    const page = await toPage(
      request,
      rows,
      (row) => [row.sortKey, row.id],
      async (position) => {
        const direction = request.direction === 'FORWARD' ? 'BACKWARD' : 'FORWARD';
        return (await this.jobs.list(identity, filters, order, { direction, position, limit: 0 })).length > 0;
      },
      cursor,
    );
    return toConnection(page, jobMapper(this.jobs, identity), () => this.jobs.count(identity, filters));
  }

  @Requires('jobs:write')
  @Mutation(() => CancelledJob, {
    description: 'Cancels a job that has not ended, and its query in the database within a second.',
  })
  async cancelJob(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => JobIdInput) { id }: JobIdInput,
  ): Promise<CancelledJob> {
    const identity = identityOf(context);
    const { job, previousStatus } = await this.jobs.cancel(identity, id);
    return { job: jobMapper(this.jobs, identity)(job), previousStatus, cancelledAt: job.completedAt! };
  }

  @Requires('jobs:write')
  @Mutation(() => Job, {
    description:
      'Completes a running job with the rows that it has found so far: `partial` is true then. Its query is stopped within a second. A job that is completed already answers as it is.',
  })
  async finalizeJob(@Ctx() context: GraphQLContext, @Arg('input', () => JobIdInput) { id }: JobIdInput): Promise<Job> {
    const identity = identityOf(context);
    return jobMapper(this.jobs, identity)(await this.jobs.finalize(identity, id));
  }

  @Directive('@tag(name: "stream-state")')
  @Requires('jobs:read')
  @Subscription(() => Job, {
    description: 'The job as it is now, then as it changes; ends after its end.',
    subscribe: subscribedByParts,
  })
  jobProgress(@Root() job: Job, @Arg('id', () => ID, { description: 'The job’s id.' }) _id: string): Job {
    return job;
  }

  /** The source of `jobProgress`. */
  async openProgress({ id }: { id: string }, context: GraphQLContext): Promise<AsyncIterable<Job>> {
    const identity = identityOf(context);
    return mapAsyncIterable(await this.jobs.watch(identity, id), (row) => jobMapper(this.jobs, identity)(row));
  }

  @PagedAs(['edges', 'nodes', 'rows'], resultLimits, ['first'])
  @Requires('jobs:read')
  @FieldResolver(() => ResultConnection, {
    nullable: true,
    description:
      'The rows of a completed job, with `partial` also those that a running job has so far. Null with an error where there are none: JOB_NOT_COMPLETED, JOB_FAILED, JOB_CANCELLED, RESULT_EXPIRED.',
  })
  async results(@Ctx() context: GraphQLContext, @Root() { row }: JobNode, @Args(() => ResultArgs) args: ResultArgs) {
    return toResultConnection(this.jobs, this.cursors, identityOf(context), row, args);
  }

  /** The loader of Job entities. */
  async loadJobs(identity: Identity, references: readonly Reference[]): Promise<(Job | null)[]> {
    const ids = references.map(({ id }) => String(id).toLowerCase());
    const rows = await this.jobs.find(identity, ids);
    const toNode = jobMapper(this.jobs, identity);
    return ids.map((id) => {
      const row = rows.get(id);
      return row ? toNode(row) : null;
    });
  }
}
