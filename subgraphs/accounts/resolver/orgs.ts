/** Organisations in the graph: capability, service, map. */
import { Arg, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { type GraphQLContext, identityOf } from '../../../platform/subgraph.js';
import type { OrgsService } from '../service/orgs.js';
import { AssignWorkerPoolInput, CreateOrgInput, Org, UpdateOrgInput } from '../types/org.js';
import { toCaller, toOrg } from './shapes.js';

@Resolver()
export class OrgsResolver {
  constructor(private readonly orgs: OrgsService) {}

  @Requires('org:read')
  @Query(() => Org, {
    nullable: true,
    description: 'An organisation by id; the caller’s own without one. Others’ are null.',
  })
  async org(
    @Ctx() context: GraphQLContext,
    @Arg('id', () => ID, { nullable: true, description: 'The organisation’s id.' }) id?: string | null,
  ): Promise<Org | null> {
    const identity = identityOf(context);
    return id == null || id.toLowerCase() === identity.orgId ? toOrg(await this.orgs.own(identity)) : null;
  }

  @Requires('platform:admin')
  @Mutation(() => Org, {
    description: 'Makes an organisation with its first administrator. For platform administrators.',
  })
  async createOrg(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CreateOrgInput) input: CreateOrgInput,
  ): Promise<Org> {
    return toOrg(await this.orgs.create(toCaller(context), input, ['ADMIN']));
  }

  @Requires('platform:admin')
  @Mutation(() => Org, { description: 'Changes name, tier or limits of an organisation. For platform administrators.' })
  async updateOrg(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => UpdateOrgInput) input: UpdateOrgInput,
  ): Promise<Org> {
    return toOrg(await this.orgs.update(toCaller(context), input));
  }

  @Requires('platform:admin')
  @Mutation(() => Org, {
    description:
      'Gives an organisation’s query jobs to a worker pool of its own, or back to the shared one. For platform administrators; the organisation’s tier is ENTERPRISE.',
  })
  async assignWorkerPool(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => AssignWorkerPoolInput) { orgId, pool }: AssignWorkerPoolInput,
  ): Promise<Org> {
    return toOrg(await this.orgs.assignWorkerPool(toCaller(context), { orgId, pool: pool ?? null }));
  }
}
