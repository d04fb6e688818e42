/** The GraphQL shape of users, and of what they may do. */
import { Directive, Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated } from '../../../platform/graphql/access-rules.js';
import { DateTimeScalar } from '../../../platform/graphql/scalars.js';
import { connectionOf } from '../../../platform/graphql/types.js';
import type * as identity from '../../../platform/identity.js';

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

@Authenticated()
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
@Authenticated()
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
  @Field(() => [Capability], { description: 'What the user may do: by the roles, and granted beside them.' })
  capabilities!: Capability[];
  @Field(() => Boolean, { description: 'Whether it stands behind API keys and is no person; nobody signs in as it.' })
  isService!: boolean;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Since when the user may do nothing; null for active ones.',
  })
  disabledAt!: string | null;
}

@InputType('CapabilityInput', { description: 'An action with a scope.' })
export class CapabilityInput {
  @Field(() => String, { description: 'Such as audit:read.' })
  action!: string;
  @Field(() => String, {
    nullable: true,
    description:
      'The one app it is for. Default: all. Only audit:read, audit:write and debug:read are for single apps.',
  })
  app?: string | null;
  @Field(() => String, { nullable: true, description: 'The one class of the app that it is for. Default: all.' })
  class?: string | null;
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

@InputType('UpdateUserInput', { description: 'What to change of a user; what is left out or null stays as it is.' })
export class UpdateUserInput {
  @Field(() => ID, { description: 'The user.' })
  id!: string;
  @Field(() => String, { nullable: true, description: 'For people.' })
  name?: string | null;
  @Field(() => [Role], { nullable: true, description: 'What the user is from now on, at least one role.' })
  roles?: identity.Role[] | null;
  @Field(() => String, { nullable: true, description: 'A new password, at least 8 characters.' })
  password?: string | null;
  @Field(() => Boolean, { nullable: true, description: 'True ends all that the user may do, false gives it back.' })
  disabled?: boolean | null;
}

@InputType('GrantCapabilitiesInput', { description: 'What a user may do from now on, beside what stays.' })
export class GrantCapabilitiesInput {
  @Field(() => ID, { description: 'The user.' })
  userId!: string;
  @Field(() => [CapabilityInput], { nullable: true, description: 'Added to those granted beside the roles.' })
  capabilities?: CapabilityInput[] | null;
  @Field(() => [CapabilityInput], { nullable: true, description: 'Taken from those granted beside the roles.' })
  revoke?: CapabilityInput[] | null;
  @Field(() => [Role], { nullable: true, description: 'What the user is from now on. Default: as before.' })
  roles?: identity.Role[] | null;
}

export const UserConnection = connectionOf('User', () => User);
