/** The GraphQL shape of organisations, users and sessions. */
import { Directive, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { DateTimeScalar } from '../../platform/graphql/scalars.js';
import { connectionOf } from '../../platform/graphql/types.js';
import type * as identity from '../../platform/identity.js';

export enum Tier {
  BASIC = 'BASIC',
  PRO = 'PRO',
  ENTERPRISE = 'ENTERPRISE',
}
registerEnumType(Tier, {
  name: 'Tier',
  description: 'How much an organisation may take.',
  valuesConfig: {
    BASIC: { description: '60 requests a minute.' },
    PRO: { description: '300 requests a minute.' },
    ENTERPRISE: { description: '1,000 requests a minute.' },
  },
});

export enum Role {
  PLATFORM_ADMIN = 'PLATFORM_ADMIN',
  ADMIN = 'ADMIN',
  ANALYST = 'ANALYST',
  AUDITOR = 'AUDITOR',
  INGESTER = 'INGESTER',
  VIEWER = 'VIEWER',
}
registerEnumType(Role, {
  name: 'Role',
  description: 'What a user is; each role stands for a set of capabilities.',
  valuesConfig: {
    PLATFORM_ADMIN: { description: 'Runs the installation: makes organisations.' },
    ADMIN: { description: 'Runs an organisation.' },
    ANALYST: { description: 'Asks questions and keeps collections.' },
    AUDITOR: { description: 'Reads audit logs.' },
    INGESTER: { description: 'Sends events and log entries, and reads nothing.' },
    VIEWER: { description: 'Reads everything but audit logs.' },
  },
});

@ObjectType('RateLimits', { simpleResolvers: true, description: 'What a tier admits.' })
export class RateLimits {
  @Field(() => Int, { description: 'Requests a minute.' })
  requestsPerMinute!: number;
  @Field(() => Int, { description: 'Requests at once.' })
  burstCapacity!: number;
  @Field(() => Int, { description: 'Open WebSocket connections.' })
  concurrentConnections!: number;
}

@Directive('@key(fields: "id")')
@ObjectType('Org', { simpleResolvers: true, description: 'An organisation: the owner of every row.' })
export class Org {
  @Field(() => ID, { description: 'Never changes.' })
  id!: string;
  @Field(() => String, { description: 'Unique, never changes.' })
  slug!: string;
  @Field(() => String, { description: 'For people.' })
  name!: string;
  @Field(() => Tier, { description: 'How much it may take.' })
  tier!: identity.Tier;
  @Field(() => RateLimits, { description: 'What its tier admits.' })
  limits!: RateLimits;
}

@ObjectType('Capability', {
  simpleResolvers: true,
  description: 'An action with a scope: the organisation, one app, or one class of an app.',
})
export class Capability {
  @Field(() => String, { description: 'Such as audit:read.' })
  action!: string;
  @Field(() => String, { nullable: true, description: 'The one app it is for; null for all.' })
  app?: string | null;
  @Field(() => String, { nullable: true, description: 'The one class it is for; null for all.' })
  class?: string | null;
}

@Directive('@key(fields: "id")')
@ObjectType('User', { simpleResolvers: true, description: 'A person or a service with an account.' })
export class User {
  @Field(() => ID, { description: 'Never changes.' })
  id!: string;
  @Field(() => String, { description: 'Lower case; unique within the organisation.' })
  email!: string;
  @Field(() => String, { description: 'For people.' })
  name!: string;
  @Field(() => [Role], { description: 'What the user is.' })
  roles!: identity.Role[];
  @Field(() => [Capability], { description: 'What the user may do.' })
  capabilities!: Capability[];
}

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

@InputType('CreateOrgInput', { description: 'An organisation with its first administrator.' })
export class CreateOrgInput {
  @Field(() => String, { description: 'Lower-case letters, digits and hyphens, 2 to 63, starting with a letter.' })
  slug!: string;
  @Field(() => String, { description: 'For people.' })
  name!: string;
  @Field(() => Tier, { description: 'How much it may take.' })
  tier!: identity.Tier;
  @Field(() => String, { description: 'The first administrator’s email address.' })
  adminEmail!: string;
  @Field(() => String, { description: 'The first administrator’s password, at least 8 characters.' })
  adminPassword!: string;
}

@InputType('CreateUserInput', { description: 'A user of the caller’s organisation.' })
export class CreateUserInput {
  @Field(() => String, { description: 'The address to sign in with.' })
  email!: string;
  @Field(() => String, { description: 'For people.' })
  name!: string;
  @Field(() => String, { description: 'At least 8 characters.' })
  password!: string;
  @Field(() => [Role], { description: 'What the user is.' })
  roles!: identity.Role[];
}

export const UserConnection = connectionOf('User', () => User);
