/** What mutations of jobs take. */
import { Field, ID, InputType, Int } from 'type-graphql';
import { JSONScalar } from '../../../platform/graphql/scalars.js';
import { JobPriority } from './job.js';
import { EstimateQueryInput } from './query.js';

@InputType('SubmitJobInput', { description: 'A query to run in the background.' })
export class SubmitJobInput extends EstimateQueryInput {
  @Field(() => JobPriority, {
    nullable: true,
    description: 'Which of the organisation’s jobs goes first. Default: NORMAL.',
  })
  priority?: keyof typeof JobPriority | null;
  @Field(() => Int, {
    nullable: true,
    description: 'How long the query may run, 1 to 3,600,000. Default: the installation’s QUERY_TIMEOUT_MS, 300,000.',
  })
  timeoutMs?: number | null;
  @Field(() => JSONScalar, { nullable: true, description: 'Anything to find again on the job, up to 16 KB.' })
  metadata?: unknown;
  @Field(() => String, {
    nullable: true,
    description:
      'Up to 200 characters. A second submission with the same key answers with the first one’s job; one with another query is refused.',
  })
  idempotencyKey?: string | null;
  @Field(() => Int, {
    nullable: true,
    description: 'How long to wait for the job’s end before answering, 0 to 30,000. Default: 0.',
  })
  waitMs?: number | null;
}

@InputType('JobIdInput', { description: 'One job.' })
export class JobIdInput {
  @Field(() => ID, { description: 'The job’s id.' })
  id!: string;
}
