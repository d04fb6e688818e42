/** Jobs in the graph: access rule, service, map. */
import DataLoader from 'dataloader';
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
import { mapAsyncIterable } from '../../platform/async-iterable.js';
import { seesUser } from '../../platform/capabilities.js';
import type { Cursors } from '../../platform/cursor.js';
import { Requires } from '../../platform/graphql/access-rules.js';
import { type Connection, Paged, toConnection } from '../../platform/graphql/types.js';
import type { Identity } from '../../platform/identity.js';
import { pageLimits, toPage, toPageRequest } from '../../platform/paging.js';
import { type GraphQLContext, identityOf, type Reference, subscribedByParts } from '../../platform/subgraph.js';
import { resultLimits, toResultConnection } from './result-page.js';
import type { JobRow, JobsService } from './service.js';
import { isTerminal } from './states.js';
import {
  CancelledJob,
  CompleteQueryInput,
  EstimateQueryInput,
  Job,
  JobConnection,
  JobIdInput,
  type JobProgress,
  JobsArgs,
  QueryCompletion,
  QueryPlanReport,
  ResultArgs,
  ResultConnection,
  SubmitJobInput,
} from './types.js';

/** A job on its way into the graph, with the row that its `results` are found by. */
interface JobNode extends Job {
  row: JobRow;
}

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
    return toConnection(page, this.#mapper(identity), () => this.jobs.count(identity, filters));
  }

  @Requires(['jobs:read', 'events:read'])
  @Query(() => QueryPlanReport, {
    description:
      'How a query would run: the dry run of submitJob. A text that cannot run is refused with its line and column.',
  })
  async estimateQuery(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => EstimateQueryInput, { description: 'The query.' }) input: EstimateQueryInput,
  ): Promise<QueryPlanReport> {
    return this.jobs.estimate(identityOf(context), input);
  }

  @Requires(['jobs:read', 'events:read'])
  @Query(() => [QueryCompletion], {
    description:
      'What could stand at the cursor of a query that is being written: columns, datasets, functions, operators.',
  })
  async completeQuery(
    @Arg('input', () => CompleteQueryInput, { description: 'The text and the cursor.' }) input: CompleteQueryInput,
  ): Promise<QueryCompletion[]> {
    return this.jobs.complete(input.query, input.language, input.position);
  }

  @Requires(['jobs:write', 'events:read'])
  @Mutation(() => Job, {
    description:
      'Stores a query to run in the background. A text that cannot run is refused here, with its line and column.',
  })
  async submitJob(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => SubmitJobInput) input: SubmitJobInput,
  ): Promise<Job> {
    const identity = identityOf(context);
    return this.#mapper(identity)(await this.jobs.submit(identity, input));
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
    return { job: this.#mapper(identity)(job), previousStatus, cancelledAt: job.completedAt! };
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
    return mapAsyncIterable(await this.jobs.watch(identity, id), (row) => this.#mapper(identity)(row));
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
    const toNode = this.#mapper(identity);
    return ids.map((id) => {
      const row = rows.get(id);
      return row ? toNode(row) : null;
    });
  }

  /** Maps the jobs of one answer, which share what has to be looked up for them. */
  #mapper(identity: Identity): (row: JobRow) => JobNode {
    const positions = new DataLoader(async (ids: readonly string[]) => {
      const found = await this.jobs.queuePositions(identity, ids);
      return ids.map((id) => found.get(id) ?? null);
    });
    let median: Promise<number | null> | undefined;
    const medianExecutionMs = () => {
      median ??= this.jobs.medianExecutionMs(identity);
      return median;
    };
    return (row) => ({
      row,
      id: row.id,
      status: row.status,
      progress: toProgress(row),
      language: row.language,
      query: row.query,
      priority: row.priority,
      createdAt: row.createdAt,
      updatedAt: row.updatedAt,
      startedAt: row.startedAt,
      completedAt: row.completedAt,
      expiresAt: row.expiresAt,
      executionTimeMs: row.executionTimeMs,
      resultCount: row.status === 'COMPLETED' ? row.rowsFetched : null,
      queuePosition: () => (row.status === 'PENDING' ? positions.load(row.id) : null),
      estimatedDurationMs: () => (isTerminal(row.status) ? null : medianExecutionMs()),
      cacheHit: false,
      error: row.error,
      metadata: row.metadata,
      submittedBy: row.submittedBy !== null && seesUser(identity, row.submittedBy) ? { id: row.submittedBy } : null,
      org: { id: identity.orgId },
      columns: hasResult(row) ? row.columns : null,
      dataset: row.dataset,
      from: row.rangeFrom,
      to: row.rangeTo,
      render: hasResult(row) ? row.render : null,
    });
  }
}

const hasResult = (row: JobRow): boolean => row.status === 'COMPLETED' && !row.isExpired;

function toProgress({ status, percent, rowsFetched }: JobRow): JobProgress {
  const runningPhase = rowsFetched > 0 ? 'FETCHING' : 'RUNNING';
  const phase = status === 'PENDING' ? 'QUEUED' : status === 'RUNNING' ? runningPhase : status;
  return { percent, phase, rowsScanned: null, rowsMatched: rowsFetched, exact: status === 'COMPLETED' };
}
