/** The GraphQL shape of API keys. */
import { Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated } from '../../../platform/graphql/access-rules.js';
import { DateTimeScalar } from '../../../platform/graphql/scalars.js';
import { Capability, CapabilityInput, User } from './user.js';

export enum ApiKeyKind {
  BEARER = 'BEARER',
  SIGNING = 'SIGNING',
}
registerEnumType(ApiKeyKind, {
  name: 'ApiKeyKind',
  description: 'How an API key is used.',
  valuesConfig: {
    BEARER: { description: 'Sent whole, as `Authorization: Bearer`.' },
    SIGNING: { description: 'A public key, and a secret that signs requests and never travels.' },
  },
});

@Authenticated()
@ObjectType('ApiKey', { simpleResolvers: true, description: 'What a program shows instead of a user’s token.' })
export class ApiKey {
  @Field(() => ID, { description: 'Never changes.' })
  id!: string;
  @Field(() => String, { description: 'For people.' })
  name!: string;
  @Field(() => ApiKeyKind, { description: 'How it is used.' })
  kind!: 'BEARER' | 'SIGNING';
  @Field(() => String, { description: 'Its public part: what stands in front of the secret.' })
  key!: string;
  @Field(() => User, { description: 'Whose it is: it may never do more than this user.' })
  user!: User;
  @Field(() => [Capability], { description: 'What it may do.' })
  capabilities!: Capability[];
  @Field(() => DateTimeScalar, { description: 'When it was made.' })
  createdAt!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it ends by itself; null for never.' })
  expiresAt!: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it was last used, to the minute or so.' })
  lastUsedAt!: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it was taken back; null while it was not.' })
  revokedAt!: string | null;
}

@Authenticated()
@ObjectType('NewApiKey', {
  simpleResolvers: true,
  description: 'An API key with its secret, which is shown this once.',
})
export class NewApiKey {
  @Field(() => ApiKey, { description: 'The key.' })
  apiKey!: ApiKey;
  @Field(() => String, { description: 'The public part.' })
  key!: string;
  @Field(() => String, {
    description: 'BEARER: the whole text to send as `Authorization: Bearer`. SIGNING: what signs requests.',
  })
  secret!: string;
}

@InputType('CreateApiKeyInput', {
  description: 'An API key to make; it belongs to the caller where nobody else is named.',
})
export class CreateApiKeyInput {
  @Field(() => String, { description: 'For people.' })
  name!: string;
  @Field(() => [CapabilityInput], { description: 'What it may do: at most what its user may.' })
  capabilities!: CapabilityInput[];
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it ends by itself. Default: never.' })
  expiresAt?: string | null;
  @Field(() => ApiKeyKind, { defaultValue: ApiKeyKind.BEARER, description: 'How it is used.' })
  kind!: 'BEARER' | 'SIGNING';
  @Field(() => ID, { nullable: true, description: 'Another user whose key it is. For administrators.' })
  userId?: string | null;
  @Field(() => String, {
    nullable: true,
    description: 'The name of a new service user whose key it is and who may do what the key may. For administrators.',
  })
  serviceUserName?: string | null;
}

@InputType('RevokeApiKeyInput', { description: 'An API key to take back.' })
export class RevokeApiKeyInput {
  @Field(() => ID, { description: 'The key.' })
  id!: string;
}
