/** The GraphQL shape of the queue's figures, of alerts about it, and of slow queries. */
import { Field, Float, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated, Requires } from '../../../platform/graphql/access-rules.js';
import { BigIntScalar, DateTimeScalar } from '../../../platform/graphql/scalars.js';
import { connectionOf } from '../../../platform/graphql/types.js';
import { type Alert, alertKinds, alertSeverities } from '../service/alerts.js';
import { Job, JobPriority } from './job.js';
import { QueryPlanReport } from './query.js';

const kindDescriptions: Record<keyof typeof alertKinds, string> = {
  NO_WORKERS: 'No worker lives that could run the organisation’s jobs.',
  POOL_WITHOUT_WORKERS: 'No worker of the organisation’s own pool lives; the shared ones run its jobs.',
  PENDING_JOBS: 'More jobs wait than JOBS_ALERT_PENDING.',
  ERROR_RATE: 'Of the jobs that ran in the last hour, more than JOBS_ALERT_ERROR_PERCENT failed.',
  LATE_STARTS: 'Fewer jobs than JOBS_ALERT_IN_TIME_PERCENT started within the time of their priority.',
  QUEUE_DEPTH: 'More jobs than JOBS_ALERT_QUEUE_DEPTH only wait for a worker.',
  SLOW_JOBS: 'One in twenty jobs of the last hour took longer than JOBS_ALERT_P95_MS.',
  DEAD_CALLBACKS: 'Callbacks of the last day reached nobody, and are not tried any more.',
};
const namesOf = <Name extends string>(table: Record<Name, unknown>): { [Key in Name]: Key } =>
  Object.fromEntries(Object.keys(table).map((name) => [name, name])) as { [Key in Name]: Key };
const QueueAlertKind = namesOf(alertKinds);
registerEnumType(QueueAlertKind, {
  name: 'QueueAlertKind',
  description: 'What is wrong with a queue.',
  valuesConfig: Object.fromEntries(
    Object.entries(kindDescriptions).map(([kind, description]) => [kind, { description }]),
  ),
});
registerEnumType(alertSeverities, {
  name: 'QueueAlertSeverity',
  description: 'How bad it is.',
  valuesConfig: {
    CRITICAL: { description: 'Nothing runs any more.' },
    HIGH: { description: 'Callers notice it.' },
    MEDIUM: { description: 'It is not as it should be.' },
  },
});

@Authenticated()
@ObjectType('MemoryUsage', {
  simpleResolvers: true,
  description: 'What the process that answers takes, and the queue.',
})
export class MemoryUsage {
  @Field(() => Float, { description: 'Bytes of the JavaScript heap that are used.' })
  heapUsed!: number;
  @Field(() => Float, { description: 'Bytes of the JavaScript heap.' })
  heapTotal!: number;
  @Field(() => Float, { description: 'Bytes outside of the heap: buffers and native objects.' })
  external!: number;
  @Field(() => Float, {
    nullable: true,
    description:
      'Mebibytes that the queue of the organisation’s worker pool takes in Redis, at most ten seconds old; where many wait, some are weighed for all. Null while Redis does not answer.',
  })
  queueMemoryMb!: number | null;
}

@Authenticated()
@ObjectType('QueuePriority', { simpleResolvers: true, description: 'How the jobs of a priority start.' })
export class QueuePriority {
  @Field(() => JobPriority, { description: 'The priority.' })
  priority!: keyof typeof JobPriority;
  @Field(() => Int, { description: 'Jobs that wait now.' })
  pending!: number;
  @Field(() => Float, {
    nullable: true,
    description:
      'The time from submission to the first start that 95 % did not pass, of jobs that ended in the period or run. Null without one.',
  })
  p95StartDelayMs!: number | null;
  @Field(() => Float, {
    nullable: true,
    description:
      'Percent that started within the time of their priority: HIGH 10 s, NORMAL 1 min, LOW 5 min. Jobs that wait for longer count as late. Null without a job.',
  })
  startedWithinSla!: number | null;
}

@Authenticated()
@ObjectType('QueueAlert', { simpleResolvers: true, description: 'Something that is wrong with the queue now.' })
export class QueueAlert {
  @Field(() => QueueAlertKind, { description: 'What.' })
  kind!: Alert['kind'];
  @Field(() => alertSeverities, { description: 'How bad it is.' })
  severity!: Alert['severity'];
  @Field(() => String, { description: 'For people.' })
  message!: string;
  @Field(() => Float, { description: 'The figure.' })
  value!: number;
  @Field(() => Float, {
    description: 'The bound that it has passed: upwards, but downwards of LATE_STARTS and of the workers.',
  })
  threshold!: number;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Since when; null for the some ten seconds until the workers’ watch has seen it.',
  })
  since!: string | null;
}

@Requires('jobs:read')
@ObjectType('QueueStats', {
  simpleResolvers: true,
  description: 'The organisation’s queue: what waits and runs now, and what ended in a period. Every figure is exact.',
})
export class QueueStats {
  @Field(() => Int, { description: 'Jobs that wait now.' })
  pendingJobs!: number;
  @Field(() => Int, { description: 'Jobs that run now.' })
  runningJobs!: number;
  @Field(() => Int, { description: 'Jobs that completed in the period, also those that an older result answered.' })
  completedJobs!: number;
  @Field(() => Int, { description: 'Jobs that failed in the period.' })
  failedJobs!: number;
  @Field(() => Int, { description: 'Jobs that were cancelled in the period.' })
  cancelledJobs!: number;
  @Field(() => Int, {
    description: 'How many of the `workersTotal` are busy now, with any organisation’s jobs; a few seconds old.',
  })
  workersActive!: number;
  @Field(() => Int, {
    description:
      'How many jobs the live workers that serve the organisation run at once: its own pool’s, or the shared ones.',
  })
  workersTotal!: number;
  @Field(() => Int, {
    description: 'Waiting jobs that only want a worker: the organisation’s quota `runningJobs` has room for them.',
  })
  queueDepth!: number;
  @Field(() => Float, {
    nullable: true,
    description: 'The mean time of the jobs that ran to their end in the period, failed ones too. Null without one.',
  })
  avgProcessingTimeMs!: number | null;
  @Field(() => Float, { description: 'Completed jobs a minute, over the whole period.' })
  throughputPerMinute!: number;
  @Field(() => Float, {
    nullable: true,
    description: 'The time that half of these jobs did not pass: that of a job that there was (nearest rank).',
  })
  p50ExecutionTimeMs!: number | null;
  @Field(() => Float, { nullable: true, description: 'The time that 95 % did not pass.' })
  p95ExecutionTimeMs!: number | null;
  @Field(() => Float, { nullable: true, description: 'The time that 99 % did not pass.' })
  p99ExecutionTimeMs!: number | null;
  @Field(() => Float, {
    nullable: true,
    description: 'Percent of the completed and failed jobs that completed; null without one.',
  })
  successRate!: number | null;
  @Field(() => Float, {
    nullable: true,
    description: 'Percent of the completed and failed jobs that failed; null without one.',
  })
  errorRate!: number | null;
  @Field(() => [QueuePriority], { description: 'How jobs start, the most urgent first.' })
  byPriority!: QueuePriority[];
  @Field(() => MemoryUsage, { description: 'What the process that answers takes, and the queue.' })
  memory!: () => Promise<MemoryUsage>;
  @Field(() => [QueueAlert], {
    description:
      'What is wrong with the queue now, the worst first. It looks at the last hour, whatever the period is.',
  })
  alerts!: () => Promise<QueueAlert[]>;
}

@Requires('jobs:read')
@ObjectType('SlowQuery', { simpleResolvers: true, description: 'A job that took long.' })
export class SlowQuery {
  @Field(() => Job, { description: 'The job.' })
  job!: Job;
  @Field(() => Float, { description: 'How long its last attempt took.' })
  executionTimeMs!: number;
  @Field(() => DateTimeScalar, { description: 'When it ended.' })
  completedAt!: string;
  @Field(() => QueryPlanReport, {
    nullable: true,
    description:
      'How it ran, with the indexes that would help; null where that could not be found out. What the planner says is for platform administrators.',
  })
  plan!: QueryPlanReport | null;
}

export const SlowQueryConnection = connectionOf('SlowQuery', () => SlowQuery, Requires('jobs:read'));

@Authenticated()
@ObjectType('JobDay', { simpleResolvers: true, description: 'What the query jobs that ended on a day (UTC) took.' })
export class JobDay {
  @Field(() => String, { description: 'The day, such as 2026-01-31.' })
  day!: string;
  @Field(() => Int, { description: 'Jobs that completed.' })
  completed!: number;
  @Field(() => Int, { description: 'Jobs that failed.' })
  failed!: number;
  @Field(() => Int, { description: 'Jobs that were cancelled.' })
  cancelled!: number;
  @Field(() => Int, { description: 'Of the completed ones, those that an older result answered.' })
  cacheHits!: number;
  @Field(() => BigIntScalar, { description: 'Milliseconds that those which completed or failed ran, together.' })
  executionMs!: string;
  @Field(() => BigIntScalar, { description: 'Rows of their results.' })
  rows!: string;
}
