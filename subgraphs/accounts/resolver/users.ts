/** Users in the graph: capability, service, map. */
import { Arg, Args, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Cursors } from '../../../platform/cursor.js';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { type Connection, ForwardPageArgs, Paged, toConnection } from '../../../platform/graphql/types.js';
import { pageLimits, toPage, toPageRequest } from '../../../platform/paging.js';
import { type GraphQLContext, identityOf } from '../../../platform/subgraph.js';
import type { UsersService } from '../service/users.js';
import { CreateUserInput, GrantCapabilitiesInput, UpdateUserInput, User, UserConnection } from '../types/user.js';
import { toCaller, toUser } from './shapes.js';

@Resolver()
export class UsersResolver {
  constructor(
    private readonly service: UsersService,
    private readonly cursors: Cursors,
  ) {}

  @Paged(pageLimits, 'first')
  @Requires('org:read')
  @Query(() => UserConnection, { description: 'The users of the organisation, oldest first; at most 200 a page.' })
  async users(
    @Ctx() context: GraphQLContext,
    @Args(() => ForwardPageArgs) args: ForwardPageArgs,
  ): Promise<Connection<User>> {
    const identity = identityOf(context);
    const cursor = { cursors: this.cursors, binding: { orgId: identity.orgId, list: 'users' } };
    const request = toPageRequest(args, pageLimits, cursor);
    const rows = await this.service.list(identity, request);
    const page = await toPage(
      request,
      rows,
      (row) => [row.createdAt, row.id],
      async () => true,
      cursor,
    );
    return toConnection(page, toUser, () => this.service.count(identity));
  }

  @Requires('org:admin')
  @Mutation(() => User, { description: 'Makes a user of the caller’s organisation. For administrators.' })
  async createUser(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CreateUserInput) input: CreateUserInput,
  ): Promise<User> {
    return toUser(await this.service.create(toCaller(context), input));
  }

  @Requires('org:admin')
  @Mutation(() => User, {
    description:
      'Changes a user of the caller’s organisation. Other roles, a new password or being disabled end the user’s access tokens at once. For administrators.',
  })
  async updateUser(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => UpdateUserInput) input: UpdateUserInput,
  ): Promise<User> {
    return toUser(await this.service.update(toCaller(context), input));
  }

  @Requires('org:admin')
  @Mutation(() => User, {
    description:
      'Gives and takes capabilities beside the roles. The user’s access tokens end at once; a refreshed session has the new rights. For administrators.',
  })
  async grantCapabilities(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => GrantCapabilitiesInput) input: GrantCapabilitiesInput,
  ): Promise<User> {
    return toUser(await this.service.grant(toCaller(context), input));
  }
}
