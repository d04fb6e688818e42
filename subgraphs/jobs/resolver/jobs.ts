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
import { type Connection, Paged, toConnection } from '../../../platform/graphql/types.js';
import type { Identity } from '../../../platform/identity.js';
import { pageLimits, toPage, toPageRequest } from '../../../platform/paging.js';
import { type GraphQLContext, identityOf, type Reference, subscribedByParts } from '../../../platform/subgraph.js';
import type { JobsService } from '../service/jobs.js';
import { JobIdInput } from '../types/inputs.js';
import { CancelledJob, Job, JobConnection, JobsArgs } from '../types/job.js';
import { ResultArgs, ResultConnection } from '../types/results.js';
import { hasResult, type JobNode, jobMapper } from './job-node.js';
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
    description: 'The jobs of the organisation, newest first; 50 a page where no size is given, at most 200.',
  })
  async listJobs(@Ctx() context: GraphQLContext, @Args(() => JobsArgs) args: JobsArgs): Promise<Connection<Job>> {
    const identity = identityOf(context);
    const { status, userId, createdAfter, createdBefore } = args;
    const filters = {
      status: status ?? undefined,
      userId: userId ?? undefined,
      createdAfter: createdAfter ?? undefined,
      createdBefore: createdBefore ?? undefined,
    };
    const cursor = { cursors: this.cursors, binding: { orgId: identity.orgId, list: 'jobs', filters } };
    const request = toPageRequest(args, pageLimits, cursor);
    const rows = await this.jobs.list(identity, filters, request);
    const page = await toPage(
      request,
      rows,
      (row) => [row.createdAt, row.id],
      async (position) => {
        const direction = request.direction === 'FORWARD' ? 'BACKWARD' : 'FORWARD';
        return (await this.jobs.list(identity, filters, { direction, position, limit: 0 })).length > 0;
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

  @Paged(resultLimits, 'first')
  @Requires('jobs:read')
  @FieldResolver(() => ResultConnection, {
    nullable: true,
    description:
      'The rows of a completed job, each an object by column name; null where the job has no result, or not any more.',
  })
  async results(@Ctx() context: GraphQLContext, @Root() { row }: JobNode, @Args(() => ResultArgs) args: ResultArgs) {
    return hasResult(row) ? toResultConnection(this.jobs, this.cursors, identityOf(context), row, args) : null;
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
