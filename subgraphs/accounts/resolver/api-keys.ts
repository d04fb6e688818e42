/** API keys in the graph: capability, service, map. */
import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { Authenticated } from '../../../platform/graphql/access-rules.js';
import type { GraphQLContext } from '../../../platform/subgraph.js';
import type { ApiKeysService } from '../service/api-keys.js';
import { ApiKey, CreateApiKeyInput, NewApiKey, RevokeApiKeyInput } from '../types/api-key.js';
import { toApiKey, toCaller, toNewApiKey } from './shapes.js';

@Resolver()
export class ApiKeysResolver {
  constructor(private readonly keys: ApiKeysService) {}

  @Authenticated()
  @Query(() => [ApiKey], {
    description:
      'All API keys for administrators, their own for others: live ones first, then the newest, at most 1,000.',
  })
  async apiKeys(@Ctx() context: GraphQLContext): Promise<ApiKey[]> {
    return (await this.keys.list(toCaller(context).identity)).map(toApiKey);
  }

  @Authenticated()
  @Mutation(() => NewApiKey, {
    description: 'Makes an API key, which may do at most what its user may. Its secret is shown this once.',
  })
  async createApiKey(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CreateApiKeyInput) input: CreateApiKeyInput,
  ): Promise<NewApiKey> {
    return toNewApiKey(await this.keys.create(toCaller(context), input));
  }

  @Authenticated()
  @Mutation(() => ApiKey, { description: 'Takes an API key back at once. A second time changes nothing.' })
  async revokeApiKey(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => RevokeApiKeyInput) input: RevokeApiKeyInput,
  ): Promise<ApiKey> {
    return toApiKey(await this.keys.revoke(toCaller(context), input.id));
  }
}
