/** The GraphQL shape of what happens to jobs. */
import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated } from '../../../platform/graphql/access-rules.js';
import { DateTimeScalar } from '../../../platform/graphql/scalars.js';
import { Job, JobError, JobStatus } from './job.js';

export enum JobEventType {
  SUBMITTED = 'SUBMITTED',
  STARTED = 'STARTED',
  RETURNED = 'RETURNED',
  COMPLETED = 'COMPLETED',
  FAILED = 'FAILED',
  CANCELLED = 'CANCELLED',
}
registerEnumType(JobEventType, {
  name: 'JobEventType',
  description: 'What can happen to a job.',
  valuesConfig: {
    SUBMITTED: { description: 'It was stored, and waits for a worker.' },
    STARTED: { description: 'A worker took it: a new attempt began.' },
    RETURNED: { description: 'Its worker handed it back or was lost: it waits again.' },
    COMPLETED: { description: 'Its result is stored. The first event of a job that an old result answered.' },
    FAILED: { description: 'It ended with an error.' },
    CANCELLED: { description: 'It was cancelled.' },
  },
});

@Authenticated()
@ObjectType('JobEvent', { simpleResolvers: true, description: 'One change of the status of a job, as it was then.' })
export class JobEvent {
  @Field(() => String, { description: 'Give it as `after` to go on behind this event.' })
  cursor!: string;
  @Field(() => JobEventType, { description: 'What happened.' })
  type!: keyof typeof JobEventType;
  @Field(() => ID, { description: 'The job’s id.' })
  jobId!: string;
  @Field(() => Job, { nullable: true, description: 'The job as it is now, not as it was then.' })
  job!: () => Promise<Job | null>;
  @Field(() => JobStatus, { description: 'Where the job was in its life from then on.' })
  status!: keyof typeof JobStatus;
  @Field(() => Int, { description: 'The number of the attempt, from 1; 0 before the first one.' })
  attempt!: number;
  @Field(() => DateTimeScalar, { description: 'When it happened.' })
  at!: string;
  @Field(() => Int, { description: 'How far the job was.' })
  percent!: number;
  @Field(() => Int, { nullable: true, description: 'Rows of the result; null for all but COMPLETED.' })
  resultCount!: number | null;
  @Field(() => Boolean, { description: 'Whether it was completed by finalizeJob, with what was found until then.' })
  partial!: boolean;
  @Field(() => JobError, { nullable: true, description: 'Why it failed; null for all but FAILED.' })
  error!: JobError | null;
  @Field(() => Int, {
    nullable: true,
    description:
      'How many events were left out before this one, because the reader was more than 100,000 behind. Null where it cannot ' +
      'be said: the event at the cursor was older than 7 days and is not kept any more.',
  })
  lagged!: number | null;
}
