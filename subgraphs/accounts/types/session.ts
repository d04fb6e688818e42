/** The GraphQL shape of sessions, and of the caller. */
import { Field, InputType, ObjectType } from 'type-graphql';
import { Authenticated, Public } from '../../../platform/graphql/access-rules.js';
import { DateTimeScalar } from '../../../platform/graphql/scalars.js';
import { Org } from './org.js';
import { Capability, User } from './user.js';

@Authenticated()
@ObjectType('Viewer', { simpleResolvers: true, description: 'The caller.' })
export class Viewer {
  @Field(() => Org, { description: 'The caller’s organisation.' })
  org!: Org;
  @Field(() => User, { nullable: true, description: 'The user behind the request.' })
  user!: User | null;
  @Field(() => [Capability], { description: 'What the access token lets the caller do.' })
  capabilities!: Capability[];
  @Field(() => DateTimeScalar, { description: 'When the access token ends.' })
  expiresAt!: string;
}

@Public()
@ObjectType('Session', { simpleResolvers: true, description: 'Tokens of one sign-in.' })
export class Session {
  @Field(() => String, { description: 'Goes into `Authorization: Bearer`.' })
  accessToken!: string;
  @Field(() => String, { description: 'Good for one `refreshSession`.' })
  refreshToken!: string;
  @Field(() => DateTimeScalar, { description: 'When the access token ends.' })
  expiresAt!: string;
}

@InputType('SignInInput', { description: 'Who signs in.' })
export class SignInInput {
  @Field(() => String, { description: 'The account’s email address.' })
  email!: string;
  @Field(() => String, { description: 'The account’s password.' })
  password!: string;
  @Field(() => String, {
    nullable: true,
    description: 'The organisation’s slug, where the address has accounts in several. Default: the oldest account.',
  })
  org?: string | null;
}

@InputType('RefreshSessionInput', { description: 'The session to go on with.' })
export class RefreshSessionInput {
  @Field(() => String, { description: 'The newest refresh token of the session.' })
  refreshToken!: string;
}

@InputType('ChangePasswordInput', { description: 'The caller’s password, and the one to have.' })
export class ChangePasswordInput {
  @Field(() => String, { description: 'The present password.' })
  currentPassword!: string;
  @Field(() => String, { description: 'Another one, at least 8 characters.' })
  newPassword!: string;
}
