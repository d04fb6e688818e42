/** The GraphQL shape of usage, as far as accounts tells it: the other subgraphs add what is used of their quotas. */
import { Directive, Field, ID, ObjectType } from 'type-graphql';
import { Authenticated, Requires } from '../../../platform/graphql/access-rules.js';
import { QuotaUse } from '../../../platform/graphql/quota-use.js';
import { BigIntScalar } from '../../../platform/graphql/scalars.js';

@Authenticated()
@ObjectType('UsageDay', { simpleResolvers: true, description: 'What was accepted on a day (UTC).' })
export class UsageDay {
  @Field(() => String, { description: 'The day, such as 2026-01-31.' })
  day!: string;
  @Field(() => BigIntScalar, { description: 'Events and audit log entries.' })
  events!: string;
  @Field(() => BigIntScalar, { description: 'Their size in bytes, as the JSON that came.' })
  bytes!: string;
}

// It tells of one moment and of the days that were asked for, so there is no way back to it by its key.
@Directive('@key(fields: "orgId", resolvable: false)')
@Requires('org:read')
@ObjectType('Usage', {
  simpleResolvers: true,
  description: 'What an organisation has sent, and what it uses of its quotas.',
})
export class Usage {
  @Field(() => ID, { description: 'The organisation’s id.' })
  orgId!: string;
  @Field(() => [UsageDay], { description: 'The last days with today, oldest first.' })
  days!: UsageDay[];
  @Field(() => QuotaUse, { description: 'Events and audit log entries that were accepted today (UTC).' })
  eventsToday!: QuotaUse;
  @Field(() => QuotaUse, { description: 'Bytes of all events and audit log entries, as the JSON that came.' })
  storedBytes!: QuotaUse;
}
