/** Sessions and the caller in the graph: capability, service, map. */
import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { Authenticated, Public } from '../../../platform/graphql/access-rules.js';
import { type GraphQLContext, identityOf } from '../../../platform/subgraph.js';
import type { OrgsService } from '../service/orgs.js';
import type { SessionsService } from '../service/sessions.js';
import type { UsersService } from '../service/users.js';
import { ChangePasswordInput, RefreshSessionInput, Session, SignInInput, Viewer } from '../types/session.js';
import { toCaller, toOrg, toUser } from './shapes.js';

@Resolver()
export class SessionsResolver {
  constructor(
    private readonly sessions: SessionsService,
    private readonly users: UsersService,
    private readonly orgs: OrgsService,
  ) {}

  @Authenticated()
  @Query(() => Viewer, { description: 'The caller: organisation, user and capabilities.' })
  async viewer(@Ctx() context: GraphQLContext): Promise<Viewer> {
    const identity = identityOf(context);
    const { userId } = identity.subject;
    const [org, users] = await Promise.all([
      this.orgs.own(identity),
      this.users.byId(identity, userId === undefined ? [] : [userId]),
    ]);
    const user = users.get(userId ?? '');
    return {
      org: toOrg(org),
      user: user ? toUser(user) : null,
      capabilities: identity.capabilities,
      expiresAt: new Date(identity.expiresAtMs ?? identity.deadline).toISOString(),
    };
  }

  @Public()
  @Mutation(() => Session, {
    description:
      'Opens a session with email and password. Needs no token. After failures an attempt waits for up to five seconds.',
  })
  async signIn(@Ctx() context: GraphQLContext, @Arg('input', () => SignInInput) input: SignInInput): Promise<Session> {
    return this.sessions.signIn(input, context.remoteIp);
  }

  @Public()
  @Mutation(() => Session, {
    description: 'Goes on with a session. Each refresh token is good once; a second use ends the session.',
  })
  async refreshSession(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => RefreshSessionInput) input: RefreshSessionInput,
  ): Promise<Session> {
    return this.sessions.refresh(input.refreshToken, context.remoteIp);
  }

  @Authenticated()
  @Mutation(() => Boolean, {
    description: 'Ends the caller’s session. False where there is none here, as for tokens of another issuer.',
  })
  async signOut(
    @Ctx() context: GraphQLContext,
    @Arg('everywhere', () => Boolean, {
      defaultValue: false,
      description: 'Also ends all other sessions of the user.',
    })
    everywhere: boolean,
  ): Promise<boolean> {
    return this.sessions.signOut(toCaller(context), everywhere);
  }

  @Authenticated()
  @Mutation(() => Session, {
    description: 'Gives the caller another password, ends all sessions and opens a new one.',
  })
  async changePassword(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => ChangePasswordInput) input: ChangePasswordInput,
  ): Promise<Session> {
    return this.sessions.changePassword(toCaller(context), input);
  }
}
