/** The GraphQL shape of query jobs. */
import { ArgsType, Directive, Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated, Requires } from '../../../platform/graphql/access-rules.js';
import { BigIntScalar, DateTimeScalar, JSONScalar } from '../../../platform/graphql/scalars.js';
import { connectionOf, PageArgs } from '../../../platform/graphql/types.js';
import { QueryLanguage } from './query.js';
import { ResultColumn } from './results.js';

export enum JobStatus {
  PENDING = 'PENDING',
  RUNNING = 'RUNNING',
  COMPLETED = 'COMPLETED',
  FAILED = 'FAILED',
  CANCELLED = 'CANCELLED',
}
registerEnumType(JobStatus, {
  name: 'JobStatus',
  description: 'Where a job is in its life. The last three are terminal: a job that reached one never leaves it.',
  valuesConfig: {
    PENDING: { description: 'Waits for a worker.' },
    RUNNING: { description: 'A worker runs its query.' },
    COMPLETED: { description: 'The result is stored: the whole one, or what `finalizeJob` kept.' },
    FAILED: { description: 'It ended with the error in `error`; there is no result.' },
    CANCELLED: { description: 'Somebody cancelled it; there is no result.' },
  },
});

export enum JobPriority {
  LOW = 'LOW',
  NORMAL = 'NORMAL',
  HIGH = 'HIGH',
}
registerEnumType(JobPriority, {
  name: 'JobPriority',
  description: 'Which of the organisation’s jobs goes first.',
  valuesConfig: {
    LOW: { description: 'After all others.' },
    NORMAL: { description: 'Before LOW.' },
    HIGH: { description: 'Before all others.' },
  },
});

@Authenticated()
@ObjectType('JobProgress', { simpleResolvers: true, description: 'How far a job is.' })
export class JobProgress {
  @Field(() => Int, {
    description: 'Never falls during an attempt; 100 exactly when the job is completed, in part as well.',
  })
  percent!: number;
  @Field(() => String, {
    description:
      'QUEUED, PLANNING, RUNNING (no row yet), FETCHING (rows come in), MERGING (slices of time are put together), COMPLETED, FAILED or CANCELLED.',
  })
  phase!: string;
  @Field(() => BigIntScalar, {
    nullable: true,
    description: 'Rows that were looked at; null where the engine does not count them.',
  })
  rowsScanned!: number | null;
  @Field(() => BigIntScalar, { nullable: true, description: 'Rows of the result that are stored so far.' })
  rowsMatched!: number | null;
  @Field(() => Boolean, {
    description:
      'Whether `percent` is a measure: the share of the events’ time that is covered. False: it is the rows so far against the planner’s guess, or 100 of a result that is partial.',
  })
  exact!: boolean;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description:
      'The rows so far are of all events at or after this moment; null where that cannot be said, and when the result is whole.',
  })
  coveredSince!: string | null;
}

@Authenticated()
@ObjectType('JobError', { simpleResolvers: true, description: 'Why a job failed.' })
export class JobError {
  @Field(() => String, { description: 'A code of the error registry, such as QUERY_TIMEOUT.' })
  code!: string;
  @Field(() => String, { description: 'For people.' })
  message!: string;
  @Field(() => Int, { nullable: true, description: 'The line in the query’s text, from 1.' })
  line?: number | undefined;
  @Field(() => Int, { nullable: true, description: 'The column in the query’s text, from 1.' })
  column?: number | undefined;
}

@Directive('@key(fields: "id", resolvable: false)')
@Authenticated()
@ObjectType('User', { simpleResolvers: true })
export class User {
  @Field(() => ID)
  id!: string;
}

@Directive('@key(fields: "id", resolvable: false)')
@Authenticated()
@ObjectType('Org', { simpleResolvers: true })
export class Org {
  @Field(() => ID)
  id!: string;
}

@Directive('@key(fields: "id")')
@Requires('jobs:read', 'jobs:write')
@ObjectType('Job', { simpleResolvers: true, description: 'A query that runs in the background, with its result.' })
export class Job {
  @Field(() => ID, { description: 'Never changes.' })
  id!: string;
  @Field(() => JobStatus, { description: 'Where it is in its life.' })
  status!: keyof typeof JobStatus;
  @Field(() => JobProgress, { description: 'How far it is.' })
  progress!: JobProgress;
  @Field(() => QueryLanguage, { description: 'What the query is written in.' })
  language!: keyof typeof QueryLanguage;
  @Field(() => String, { description: 'The query as it was submitted.' })
  query!: string;
  @Field(() => JobPriority, { description: 'Which of the organisation’s jobs goes first.' })
  priority!: keyof typeof JobPriority;
  @Field(() => DateTimeScalar, { description: 'When it was submitted.' })
  createdAt!: string;
  @Field(() => DateTimeScalar, { description: 'When its status or progress last changed.' })
  updatedAt!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When its latest attempt began; null before the first.' })
  startedAt!: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'When it ended, in whichever way.' })
  completedAt!: string | null;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'When the result is deleted; null where there is none. `touchJob` puts it off.',
  })
  expiresAt!: string | null;
  @Field(() => Int, {
    nullable: true,
    description: 'How long the latest attempt took; null before the end, and where it never began.',
  })
  executionTimeMs!: number | null;
  @Field(() => Int, { nullable: true, description: 'Rows of the result; null before it is complete.' })
  resultCount!: number | null;
  @Field(() => Int, {
    nullable: true,
    description: 'The place among the organisation’s waiting jobs, from 1; null where it does not wait.',
  })
  queuePosition!: () => Promise<number | null> | null;
  @Field(() => Int, {
    nullable: true,
    description:
      'How long it may take to run: the median of the organisation’s latest jobs. Null after its end and before the first job.',
  })
  estimatedDurationMs!: () => Promise<number | null> | null;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description:
      'When it may be done, from its progress where that is a measure, else from its place, the organisation’s running jobs and the median of the latest ones. Null after its end and before the first job.',
  })
  estimatedCompletionAt!: () => Promise<string | null>;
  @Field(() => Boolean, {
    description: 'Whether the result is what was found until `finalizeJob` ended the job. Other results are whole.',
  })
  partial!: boolean;
  @Field(() => Boolean, { description: 'Whether the result was taken over from an equal earlier job.' })
  cacheHit!: boolean;
  @Field(() => JobError, { nullable: true, description: 'Why it failed.' })
  error!: JobError | null;
  @Field(() => JSONScalar, { nullable: true, description: 'What the submitter attached.' })
  metadata!: unknown;
  @Field(() => User, {
    nullable: true,
    description: 'Who submitted it; null for the system, and for others where the caller lacks org:read.',
  })
  submittedBy!: User | null;
  @Field(() => Org, { nullable: true, description: 'Whose it is.' })
  org!: Org | null;
  @Field(() => [ResultColumn], { nullable: true, description: 'The columns of the result; null where there is none.' })
  columns!: ResultColumn[] | null;
  @Field(() => String, { nullable: true, description: 'The dataset that a search in OpenSearch’s DSL reads.' })
  dataset!: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'Only events at or after this moment are read.' })
  from!: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'Only events before this moment are read.' })
  to!: string | null;
  @Field(() => JSONScalar, {
    nullable: true,
    description:
      'How the query’s author would draw the result: KQL’s `render` as {kind, properties}; null without one.',
  })
  render!: unknown;
}

export enum JobSort {
  CREATED_AT = 'CREATED_AT',
  COMPLETED_AT = 'COMPLETED_AT',
  EXECUTION_TIME = 'EXECUTION_TIME',
  PRIORITY = 'PRIORITY',
}
registerEnumType(JobSort, {
  name: 'JobSort',
  description: 'What a list of jobs is sorted by. Jobs without the value come last where the order is DESC.',
  valuesConfig: {
    CREATED_AT: { description: 'When they were submitted.' },
    COMPLETED_AT: { description: 'When they ended, in whichever way.' },
    EXECUTION_TIME: { description: 'How long the latest attempt took.' },
    PRIORITY: { description: 'LOW, NORMAL, HIGH; the later one is the greater among equals.' },
  },
});

export enum SortOrder {
  ASC = 'ASC',
  DESC = 'DESC',
}
registerEnumType(SortOrder, {
  name: 'SortOrder',
  description: 'Which end of a list comes first.',
  valuesConfig: {
    ASC: { description: 'The least first: the oldest, the shortest, the lowest.' },
    DESC: { description: 'The greatest first: the newest, the longest, the highest.' },
  },
});

export const JobConnection = connectionOf('Job', () => Job);

@ArgsType()
export class JobsArgs extends PageArgs {
  @Field(() => JobStatus, { nullable: true, description: 'Only jobs with this status.' })
  status?: keyof typeof JobStatus | null;
  @Field(() => ID, { nullable: true, description: 'Only jobs that this user submitted.' })
  userId?: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'Only jobs submitted at or after this moment.' })
  createdAfter?: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'Only jobs submitted before this moment.' })
  createdBefore?: string | null;
  @Field(() => QueryLanguage, { nullable: true, description: 'Only jobs whose query is written in it.' })
  language?: keyof typeof QueryLanguage | null;
  @Field(() => JobPriority, { nullable: true, description: 'Only jobs of this priority.' })
  priority?: keyof typeof JobPriority | null;
  @Field(() => JobSort, { nullable: true, description: 'What they are sorted by. Default: CREATED_AT.' })
  sort?: keyof typeof JobSort | null;
  @Field(() => SortOrder, { nullable: true, description: 'Which end comes first. Default: DESC.' })
  order?: keyof typeof SortOrder | null;
}

@Authenticated()
@ObjectType('CancelledJob', { simpleResolvers: true, description: 'A job that was cancelled just now.' })
export class CancelledJob {
  @Field(() => Job, { description: 'The job as it is now.' })
  job!: Job;
  @Field(() => JobStatus, { description: 'What it was before: PENDING or RUNNING.' })
  previousStatus!: keyof typeof JobStatus;
  @Field(() => DateTimeScalar, { description: 'When.' })
  cancelledAt!: string;
}
