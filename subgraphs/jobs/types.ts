/** The GraphQL shape of query jobs. */
import { ArgsType, Directive, Field, Float, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated, Requires } from '../../platform/graphql/access-rules.js';
import { ResultColumnType } from '../../platform/graphql/result-column-type.js';
import { BigIntScalar, DateTimeScalar, JSONScalar } from '../../platform/graphql/scalars.js';
import { connectionOf, PageArgs } from '../../platform/graphql/types.js';

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
    COMPLETED: { description: 'The whole result is stored.' },
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

export enum QueryLanguage {
  SQL = 'SQL',
  KQL = 'KQL',
  LINQ = 'LINQ',
  OPENSEARCH = 'OPENSEARCH',
}
registerEnumType(QueryLanguage, {
  name: 'QueryLanguage',
  description: 'What a query is written in.',
  valuesConfig: {
    SQL: { description: 'One SELECT in the PostgreSQL dialect; datasets are its tables.' },
    KQL: { description: 'Kusto Query Language; datasets are its tables.' },
    LINQ: { description: 'Devo’s query language: `from dataset where … select …`.' },
    OPENSEARCH: { description: 'A search in OpenSearch’s query DSL, as JSON; `dataset` says what it searches.' },
  },
});

@Authenticated()
@ObjectType('JobProgress', { simpleResolvers: true, description: 'How far a job is.' })
export class JobProgress {
  @Field(() => Int, { description: 'Never falls during an attempt; 100 only when the job is completed.' })
  percent!: number;
  @Field(() => String, {
    description: 'QUEUED, RUNNING (no row yet), FETCHING (rows come in), COMPLETED, FAILED or CANCELLED.',
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
    description: 'Whether `percent` is a measure. False: it is the rows so far against the planner’s guess.',
  })
  exact!: boolean;
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

@Authenticated()
@ObjectType('ResultColumn', { simpleResolvers: true, description: 'A column of a result.' })
export class ResultColumn {
  @Field(() => String, { description: 'The key in the rows; unique in its result.' })
  name!: string;
  @Field(() => ResultColumnType, { description: 'What it holds.' })
  type!: keyof typeof ResultColumnType;
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
    description: 'When the result is deleted; null where there is none. Results live for 24 hours.',
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

export enum QueryEngineName {
  POSTGRES = 'POSTGRES',
  OPENSEARCH = 'OPENSEARCH',
}
registerEnumType(QueryEngineName, {
  name: 'QueryEngineName',
  description: 'Where a query runs.',
  valuesConfig: {
    POSTGRES: { description: 'In PostgreSQL, the system of record.' },
    OPENSEARCH: { description: 'In OpenSearch, as far as it can; the rest on its result in PostgreSQL.' },
  },
});

@Authenticated()
@ObjectType('IndexRecommendation', { simpleResolvers: true, description: 'An index that would help a query.' })
export class IndexRecommendation {
  @Field(() => String, { description: 'The dataset.' })
  dataset!: string;
  @Field(() => [String], { description: 'The columns that the query filters by without an index.' })
  columns!: string[];
  @Field(() => String, { description: 'Why, for people.' })
  reason!: string;
  @Field(() => String, { description: 'What the database’s owner would run.' })
  statement!: string;
}

@Authenticated()
@ObjectType('QueryPlanReport', { simpleResolvers: true, description: 'How a query would run, and what it would cost.' })
export class QueryPlanReport {
  @Field(() => QueryEngineName, { description: 'Where it would run.' })
  engine!: keyof typeof QueryEngineName;
  @Field(() => String, {
    description: 'The steps of the query; for platform administrators also what the engine makes of them (EXPLAIN).',
  })
  text!: string;
  @Field(() => BigIntScalar, {
    nullable: true,
    description:
      'Rows of the result. For platform administrators the planner’s guess; for others the next power of ten of the rows at most.',
  })
  estimatedRows!: number | null;
  @Field(() => Float, {
    nullable: true,
    description:
      'The planner’s cost, in its own unit. For platform administrators: it tells of other organisations’ data.',
  })
  estimatedCost!: number | null;
  @Field(() => [String], { description: 'The indexes that it would use. For platform administrators.' })
  indexesUsed!: string[];
  @Field(() => [IndexRecommendation], { description: 'Indexes that would help. For platform administrators.' })
  recommendations!: IndexRecommendation[];
  @Field(() => Boolean, {
    description:
      'Whether it can run slice by slice of time, newest first, so that partial results and true progress show.',
  })
  runsInSlices!: boolean;
}

export enum CompletionKind {
  TABLE = 'TABLE',
  COLUMN = 'COLUMN',
  NAME = 'NAME',
  FUNCTION = 'FUNCTION',
  AGGREGATE = 'AGGREGATE',
  OPERATOR = 'OPERATOR',
  KEYWORD = 'KEYWORD',
}
registerEnumType(CompletionKind, {
  name: 'CompletionKind',
  description: 'What a completion is.',
  valuesConfig: {
    TABLE: { description: 'A dataset, or a table that the text defines.' },
    COLUMN: { description: 'A column.' },
    NAME: { description: 'A name that the text defines.' },
    FUNCTION: { description: 'A function.' },
    AGGREGATE: { description: 'A function over many rows.' },
    OPERATOR: { description: 'An operator.' },
    KEYWORD: { description: 'A word of the language.' },
  },
});

@Authenticated()
@ObjectType('QueryCompletion', {
  simpleResolvers: true,
  description: 'What could stand at the cursor. Places are counted in UTF-16 units from the start of the text.',
})
export class QueryCompletion {
  @Field(() => String, { description: 'What a list shows.' })
  label!: string;
  @Field(() => CompletionKind, { description: 'What it is.' })
  kind!: keyof typeof CompletionKind;
  @Field(() => String, { description: 'One sentence, or a column’s type; empty where there is nothing to say.' })
  description!: string;
  @Field(() => String, { description: 'What stands between `start` and `end` when it is taken.' })
  insert!: string;
  @Field(() => Int, { description: 'Where the text that it replaces begins.' })
  start!: number;
  @Field(() => Int, { description: 'Where the text that it replaces ends.' })
  end!: number;
}

export const JobConnection = connectionOf('Job', () => Job);

@Authenticated()
@ObjectType('ResultConnection', { simpleResolvers: true, description: 'A page of Result rows.' })
export class ResultConnection extends connectionOf('Result', () => JSONScalar) {
  @Field(() => JSONScalar, {
    nullable: true,
    description: 'What a search of OpenSearch’s DSL aggregates, in OpenSearch’s shape; null for other queries.',
  })
  aggregations!: unknown;
  @Field(() => JSONScalar, {
    nullable: true,
    description:
      'The answer to a search of OpenSearch’s DSL in OpenSearch’s own shape, with the hits of this page; null for other queries.',
  })
  searchResponse!: unknown;
}

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
}

@ArgsType()
export class ResultArgs {
  @Field(() => Int, {
    nullable: true,
    description: 'How many rows: 1,000 where it is not given, at most 10,000. Pages of giant rows may have fewer.',
  })
  first?: number | null;
  @Field(() => String, { nullable: true, description: 'The cursor to go on after.' })
  after?: string | null;
  @Field(() => Int, { nullable: true, description: 'How many rows to leave out, from the start or after `after`.' })
  offset?: number | null;
}

@InputType('EstimateQueryInput', { description: 'A query to look at without running it.' })
export class EstimateQueryInput {
  @Field(() => String, { description: 'The query’s text.' })
  query!: string;
  @Field(() => QueryLanguage, { nullable: true, description: 'What it is written in. Default: SQL.' })
  language?: keyof typeof QueryLanguage | null;
  @Field(() => String, {
    nullable: true,
    description:
      'With OPENSEARCH: the dataset that it searches. Default: logs. Other languages name theirs in the text.',
  })
  dataset?: string | null;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Only events at or after this moment are read, whatever the text says.',
  })
  from?: string | null;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Only events before this moment are read, whatever the text says.',
  })
  to?: string | null;
}

@InputType('CompleteQueryInput', { description: 'A query that is being written.' })
export class CompleteQueryInput {
  @Field(() => String, { description: 'The text so far.' })
  query!: string;
  @Field(() => QueryLanguage, { description: 'What it is written in.' })
  language!: keyof typeof QueryLanguage;
  @Field(() => Int, { description: 'Where the cursor stands: how many UTF-16 units are before it.' })
  position!: number;
}

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
