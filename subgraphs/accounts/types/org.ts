/** The GraphQL shape of organisations. */
import { Directive, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated } from '../../../platform/graphql/access-rules.js';
import { BigIntScalar } from '../../../platform/graphql/scalars.js';
import type * as identity from '../../../platform/identity.js';

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

@Authenticated()
@ObjectType('RateLimits', {
  simpleResolvers: true,
  description:
    'How fast an organisation may ask: what its tier admits, or what was set for it. 2,147,483,647 stands for no limit.',
})
export class RateLimits {
  @Field(() => Int, { description: 'Requests a minute.' })
  requestsPerMinute!: number;
  @Field(() => Int, { description: 'Requests at once.' })
  burstCapacity!: number;
  @Field(() => Int, { description: 'Open WebSocket connections.' })
  concurrentConnections!: number;
}

@Directive('@key(fields: "id")')
@Authenticated()
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
  @Field(() => RateLimits, { description: 'How fast it may ask.' })
  limits!: RateLimits;
  @Field(() => String, {
    nullable: true,
    description: 'The worker pool of its own that runs its query jobs; null where the shared one does.',
  })
  workerPool!: string | null;
}

@InputType('OrgLimitsInput', {
  description: 'What differs from the limits of the tier: null is no limit, what is left out is the tier’s.',
})
export class OrgLimitsInput {
  @Field(() => Int, { nullable: true, description: 'Request units a minute, from 1.' })
  requestsPerMinute?: number | null;
  @Field(() => Int, { nullable: true, description: 'Request units at once, from 1.' })
  burstCapacity?: number | null;
  @Field(() => Int, { nullable: true, description: 'Open WebSockets and event streams, from 1.' })
  concurrentConnections?: number | null;
  @Field(() => BigIntScalar, {
    nullable: true,
    description: 'Events and log entries that are accepted in a day (UTC).',
  })
  eventsPerDay?: string | null;
  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes of accepted events and log entries.' })
  storedBytes?: string | null;
  @Field(() => Int, { nullable: true, description: 'Query jobs that run at the same time.' })
  runningJobs?: number | null;
  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes of kept job results.' })
  resultBytes?: string | null;
  @Field(() => Int, { nullable: true, description: 'Collections that are not removed.' })
  collections?: number | null;
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
  @Field(() => OrgLimitsInput, { nullable: true, description: 'Limits of its own. Default: those of the tier.' })
  limits?: OrgLimitsInput | null;
}

@InputType('UpdateOrgInput', { description: 'What to change of an organisation; what is left out stays as it is.' })
export class UpdateOrgInput {
  @Field(() => ID, { description: 'The organisation.' })
  id!: string;
  @Field(() => String, { nullable: true, description: 'For people.' })
  name?: string | null;
  @Field(() => Tier, { nullable: true, description: 'How much it may take.' })
  tier?: identity.Tier | null;
  @Field(() => OrgLimitsInput, {
    nullable: true,
    description: 'All limits of its own: what is not in here, or null altogether, is the tier’s again.',
  })
  limits?: OrgLimitsInput | null;
}

@InputType('AssignWorkerPoolInput', { description: 'Who is to run an organisation’s query jobs.' })
export class AssignWorkerPoolInput {
  @Field(() => ID, { description: 'The organisation.' })
  orgId!: string;
  @Field(() => String, {
    nullable: true,
    description:
      'The pool, as `npm run worker -- --pool` names it: 1 to 63 lower-case letters, digits and hyphens, starting with a letter. Null is the shared pool.',
  })
  pool?: string | null;
}
