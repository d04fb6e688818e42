/** The GraphQL shape of callbacks: what tells receivers of the ends of jobs. */
import { ArgsType, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated, Requires } from '../../../platform/graphql/access-rules.js';
import { DateTimeScalar } from '../../../platform/graphql/scalars.js';
import { connectionOf, ForwardPageArgs } from '../../../platform/graphql/types.js';

export enum JobCallbackStatus {
  PENDING = 'PENDING',
  DELIVERED = 'DELIVERED',
  DEAD = 'DEAD',
}
registerEnumType(JobCallbackStatus, {
  name: 'JobCallbackStatus',
  description: 'Where a callback is in its life.',
  valuesConfig: {
    PENDING: { description: 'Waits to be sent, or to be sent once more.' },
    DELIVERED: { description: 'The receiver answered with a status of 200 to 299.' },
    DEAD: { description: 'Given up: after 24 hours, or because the receiver answered 410. It can be sent again.' },
  },
});

export enum JobCallbackError {
  ADDRESS_NOT_ALLOWED = 'ADDRESS_NOT_ALLOWED',
  CONNECTION_FAILED = 'CONNECTION_FAILED',
  TLS_FAILED = 'TLS_FAILED',
  TIMED_OUT = 'TIMED_OUT',
  REDIRECTED = 'REDIRECTED',
  REFUSED = 'REFUSED',
  GONE = 'GONE',
}
registerEnumType(JobCallbackError, {
  name: 'JobCallbackError',
  description: 'Why an attempt to send a callback failed.',
  valuesConfig: {
    ADDRESS_NOT_ALLOWED: { description: 'The host has no address in DNS, or one that may not be called.' },
    CONNECTION_FAILED: { description: 'There was no connection, it broke, or what came was no HTTP.' },
    TLS_FAILED: { description: 'The certificate is not valid for the host, or TLS failed otherwise.' },
    TIMED_OUT: { description: 'There was no answer within 5 seconds.' },
    REDIRECTED: { description: 'The receiver answered with a redirect; these are not followed.' },
    REFUSED: { description: 'The receiver answered with another status than 200 to 299: see `lastStatusCode`.' },
    GONE: { description: 'The receiver answered 410: it does not want to be called.' },
  },
});

@Authenticated()
@ObjectType('JobCallback', { simpleResolvers: true, description: 'A call that tells a receiver of the end of a job.' })
export class JobCallback {
  @Field(() => ID, { description: 'What the receiver gets as `webhook-id`: the same however often it is sent.' })
  id!: string;
  @Field(() => ID, { description: 'The job.' })
  jobId!: string;
  @Field(() => String, { description: 'What it tells: job.completed, job.failed or job.cancelled.' })
  type!: string;
  @Field(() => String, { description: 'Who is called; without the query string, which may hold a secret.' })
  url!: string;
  @Field(() => JobCallbackStatus, { description: 'Where it is in its life.' })
  status!: keyof typeof JobCallbackStatus;
  @Field(() => Int, { description: 'How often it was sent.' })
  attempts!: number;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description:
      'When it is sent next, unless an attempt that is under way succeeds; null where it is not sent any more.',
  })
  nextAttemptAt!: string | null;
  @Field(() => Int, { nullable: true, description: 'The HTTP status of the last answer; null where there was none.' })
  lastStatusCode!: number | null;
  @Field(() => JobCallbackError, { nullable: true, description: 'Why the last attempt failed; null where none did.' })
  lastError!: keyof typeof JobCallbackError | null;
  @Field(() => DateTimeScalar, { description: 'When the job ended.' })
  createdAt!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When the receiver took it.' })
  deliveredAt!: string | null;
}

export const JobCallbackConnection = connectionOf('JobCallback', () => JobCallback, Requires('org:admin'));

@ArgsType()
export class JobCallbacksArgs extends ForwardPageArgs {
  @Field(() => JobCallbackStatus, { nullable: true, description: 'Only callbacks with this status.' })
  status?: keyof typeof JobCallbackStatus | null;
}

@Requires('org:admin')
@ObjectType('CallbackSecret', {
  simpleResolvers: true,
  description: 'What callbacks of the organisation are signed with.',
})
export class CallbackSecret {
  @Field(() => String, { description: 'As libraries of Standard Webhooks take it: `whsec_` and base64.' })
  secret!: string;
  @Field(() => DateTimeScalar, { description: 'When it was made.' })
  createdAt!: string;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Until when the secret before it signs beside it; null where it does not any more.',
  })
  previousExpiresAt!: string | null;
}

@InputType('ResendJobCallbackInput', { description: 'A callback to send again.' })
export class ResendJobCallbackInput {
  @Field(() => ID, { description: 'The callback’s id.' })
  id!: string;
}
