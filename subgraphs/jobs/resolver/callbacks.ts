/** Callbacks in the graph: access rule, service, map. */
import DataLoader from 'dataloader';
import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Cursors } from '../../../platform/cursor.js';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { type Connection, Paged, toConnection } from '../../../platform/graphql/types.js';
import { pageLimits, toPage, toPageRequest } from '../../../platform/paging.js';
import { type GraphQLContext, identityOf } from '../../../platform/subgraph.js';
import type { CallbackRow, CallbacksService, Caller } from '../service/callbacks.js';
import {
  CallbackSecret,
  JobCallback,
  JobCallbackConnection,
  JobCallbacksArgs,
  ResendJobCallbackInput,
} from '../types/callbacks.js';
import { Job } from '../types/job.js';
import type { JobNode } from './job-node.js';

@Resolver(() => Job)
export class CallbacksResolver {
  /** The jobs of one answer share a look-up. */
  readonly #loaders = new WeakMap<GraphQLContext, DataLoader<string, CallbackRow | null>>();

  constructor(
    private readonly callbacks: CallbacksService,
    private readonly cursors: Cursors,
  ) {}

  @FieldResolver(() => JobCallback, {
    nullable: true,
    description:
      'The call that tells of its end; null before the end, and where it was submitted without `callbackUrl`.',
  })
  async callback(@Ctx() context: GraphQLContext, @Root() { row }: JobNode): Promise<JobCallback | null> {
    return row.callbackUrl === null ? null : this.#loaderOf(context).load(row.id);
  }

  @Paged(pageLimits, 'first')
  @Requires('org:admin')
  @Query(() => JobCallbackConnection, {
    description: 'The callbacks of the organisation, newest first; 50 a page where no size is given, at most 200.',
  })
  async jobCallbacks(
    @Ctx() context: GraphQLContext,
    @Args(() => JobCallbacksArgs) args: JobCallbacksArgs,
  ): Promise<Connection<JobCallback>> {
    const identity = identityOf(context);
    const filters = { status: args.status ?? undefined };
    const cursor = { cursors: this.cursors, binding: { orgId: identity.orgId, list: 'jobCallbacks', filters } };
    const request = toPageRequest(args, pageLimits, cursor);
    const rows = await this.callbacks.list(identity, filters, request);
    const page = await toPage(
      request,
      rows,
      (row) => [row.createdAt, row.id],
      async (position) =>
        (await this.callbacks.list(identity, filters, { direction: 'BACKWARD', position, limit: 0 })).length > 0,
      cursor,
    );
    return toConnection(
      page,
      (row) => row,
      () => this.callbacks.count(identity, filters),
    );
  }

  @Requires('org:admin')
  @Query(() => CallbackSecret, {
    description:
      'What callbacks are signed with; made at the first use. Each reading is written down in the audit log.',
  })
  async callbackSecret(@Ctx() context: GraphQLContext): Promise<CallbackSecret> {
    return this.callbacks.readSecret(toCaller(context));
  }

  @Requires('org:admin')
  @Mutation(() => CallbackSecret, {
    description:
      'Makes a new secret. The one before signs beside it for 24 hours, so that receivers can change over; any older one no more.',
  })
  async rotateCallbackSecret(@Ctx() context: GraphQLContext): Promise<CallbackSecret> {
    return this.callbacks.rotateSecret(toCaller(context));
  }

  @Requires('org:admin')
  @Mutation(() => JobCallback, {
    description:
      'Sends a callback that is DEAD or DELIVERED again, under the same id and for up to 24 hours; one that is PENDING stays as it is.',
  })
  async resendJobCallback(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => ResendJobCallbackInput) { id }: ResendJobCallbackInput,
  ): Promise<JobCallback> {
    return this.callbacks.resend(toCaller(context), id);
  }

  #loaderOf(context: GraphQLContext): DataLoader<string, CallbackRow | null> {
    let loader = this.#loaders.get(context);
    if (!loader) {
      loader = new DataLoader(async (jobIds: readonly string[]) => {
        const found = await this.callbacks.findOfJobs(identityOf(context), jobIds);
        return jobIds.map((jobId) => found.get(jobId) ?? null);
      });
      this.#loaders.set(context, loader);
    }
    return loader;
  }
}

const toCaller = (context: GraphQLContext): Caller => ({ identity: identityOf(context), remoteIp: context.remoteIp });
