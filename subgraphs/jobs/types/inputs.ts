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
      'Up to 200 characters. A second submission with the same key answers with the first one’s job; one that asks for anything else is refused.',
  })
  idempotencyKey?: string | null;
  @Field(() => String, {
    nullable: true,
    description: 'An https address that is told of the job’s end, up to 2,048 characters; see the page on callbacks.',
  })
  callbackUrl?: string | null;
  @Field(() => Int, {
    nullable: true,
    description:
      'How old the result of an equal query may be that answers this one, 0 to 86,400; 0 runs it in any case. Default: 300, 900 where relations are combined, 3,600 where the times it reads are over for a day. New events among what it reads make it run again.',
  })
  maxResultAgeSeconds?: number | null;
  @Field(() => Int, {
    nullable: true,
    description: 'How long the result is kept after completion, 60 to 2,592,000. Default: 86,400.',
  })
  resultTtlSeconds?: number | null;
  @Field(() => Int, {
    nullable: true,
    description:
      'Cancels the job once nobody has asked for it (job, jobs, jobProgress, results) for so long, 10 to 86,400. Default: never.',
  })
  cancelUnaskedSeconds?: number | null;
  @Field(() => Int, {
    nullable: true,
    description: 'How long to wait for the job’s end before answering, 0 to 30,000. Default: 0.',
  })
  waitMs?: number | null;
}

@InputType('TouchJobInput', { description: 'A job whose result is wanted for longer.' })
export class TouchJobInput {
  @Field(() => ID, { description: 'The job’s id.' })
  id!: string;
  @Field(() => Int, {
    nullable: true,
    description: 'For how long from now, 60 to 2,592,000. Default: the `resultTtlSeconds` that it was submitted with.',
  })
  ttlSeconds?: number | null;
}

@InputType('JobIdInput', { description: 'One job.' })
export class JobIdInput {
  @Field(() => ID, { description: 'The job’s id.' })
  id!: string;
}
