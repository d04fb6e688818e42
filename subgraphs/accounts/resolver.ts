/** Accounts in the graph: capability, service, map. */
import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Cursors } from '../../platform/cursor.js';
import { fail } from '../../platform/errors.js';
import { type Connection, ForwardPageArgs, Paged, toConnection } from '../../platform/graphql/types.js';
import { capabilitiesOf } from '../../platform/identity.js';
import { tierLimits } from '../../platform/org-limits.js';
import { pageLimits, toPage, toPageRequest } from '../../platform/paging.js';
import { callerWith, type GraphQLContext, identityOf } from '../../platform/subgraph.js';
import type { AccountsService, OrgRow, UserRow } from './service.js';
import {
  CreateOrgInput,
  CreateUserInput,
  Org,
  RefreshSessionInput,
  Session,
  SignInInput,
  User,
  UserConnection,
  Viewer,
} from './types.js';

export const toOrg = (row: OrgRow): Org => ({ ...row, limits: tierLimits[row.tier] });

export const toUser = (row: UserRow): User => ({
  id: row.id,
  email: row.email,
  name: row.name,
  roles: row.roles,
  capabilities: capabilitiesOf(row.roles),
});

@Resolver()
export class AccountsResolver {
  constructor(
    private readonly accounts: AccountsService,
    private readonly cursors: Cursors,
  ) {}

  @Query(() => Viewer, { description: 'The caller: organisation, user and capabilities.' })
  async viewer(@Ctx() context: GraphQLContext): Promise<Viewer> {
    const identity = identityOf(context);
    const [org, users] = await Promise.all([
      this.accounts.org(identity),
      this.accounts.usersById(identity, identity.subject.userId ? [identity.subject.userId] : []),
    ]);
    const user = users.get(identity.subject.userId ?? '');
    return {
      org: toOrg(org),
      user: user ? toUser(user) : null,
      capabilities: identity.capabilities,
      expiresAt: new Date(identity.expiresAtMs ?? identity.deadline).toISOString(),
    };
  }

  @Query(() => Org, {
    nullable: true,
    description: 'An organisation by id; the caller’s own without one. Others’ are null.',
  })
  async org(
    @Ctx() context: GraphQLContext,
    @Arg('id', () => ID, { nullable: true, description: 'The organisation’s id.' }) id?: string | null,
  ): Promise<Org | null> {
    const identity = callerWith(context, 'org:read');
    return id == null || id === identity.orgId ? toOrg(await this.accounts.org(identity)) : null;
  }

  @Paged(pageLimits, 'first')
  @Query(() => UserConnection, { description: 'The users of the organisation, oldest first; at most 200 a page.' })
  async users(
    @Ctx() context: GraphQLContext,
    @Args(() => ForwardPageArgs) args: ForwardPageArgs,
  ): Promise<Connection<User>> {
    const identity = callerWith(context, 'org:read');
    const cursor = { cursors: this.cursors, binding: { orgId: identity.orgId, list: 'users' } };
    const request = toPageRequest(args, pageLimits, cursor);
    const rows = await this.accounts.listUsers(identity, request);
    const page = await toPage(
      request,
      rows,
      (row) => [row.createdAt, row.id],
      async () => true,
      cursor,
    );
    return toConnection(page, toUser, () => this.accounts.countUsers(identity));
  }

  @Mutation(() => Session, { description: 'Opens a session with email and password. Needs no token.' })
  async signIn(@Ctx() context: GraphQLContext, @Arg('input', () => SignInInput) input: SignInInput): Promise<Session> {
    return this.accounts.signIn(input, context.remoteIp);
  }

  @Mutation(() => Session, {
    description: 'Goes on with a session. Each refresh token is good once; a second use ends the session.',
  })
  async refreshSession(@Arg('input', () => RefreshSessionInput) input: RefreshSessionInput): Promise<Session> {
    return this.accounts.refresh(input.refreshToken);
  }

  @Mutation(() => Boolean, { description: 'Ends all sessions of the caller.' })
  async signOut(@Ctx() context: GraphQLContext): Promise<boolean> {
    await this.accounts.signOut(identityOf(context));
    return true;
  }

  @Mutation(() => Org, {
    description: 'Makes an organisation with its first administrator. For platform administrators.',
  })
  async createOrg(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CreateOrgInput) input: CreateOrgInput,
  ): Promise<Org> {
    callerWith(context, 'platform:admin');
    return toOrg(await this.accounts.createOrg(input, ['ADMIN']));
  }

  @Mutation(() => User, { description: 'Makes a user of the caller’s organisation. For administrators.' })
  async createUser(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CreateUserInput) input: CreateUserInput,
  ): Promise<User> {
    const identity = callerWith(context, 'org:admin');
    if (input.roles.length === 0)
      fail('BAD_USER_INPUT', '"input.roles" takes at least one role.', { argument: 'input.roles' });
    return toUser(await this.accounts.createUser(identity, input));
  }
}
