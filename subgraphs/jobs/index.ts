/** jobs: queries that run in the background, their progress and their results. */
import { usageReferences } from '../../platform/graphql/quota-use.js';
import { QueueMemory } from '../../platform/queue-memory.js';
import type { Subgraph } from '../../platform/subgraph.js';
import { enginesAnswer, enginesOf } from '../../query/index.js';
import { CallbacksResolver } from './resolver/callbacks.js';
import { JobEventsResolver } from './resolver/events.js';
import { JobPlanResolver } from './resolver/job-plan.js';
import { JobsResolver } from './resolver/jobs.js';
import { StatsResolver } from './resolver/stats.js';
import { SubmissionsResolver } from './resolver/submissions.js';
import { PoolBells } from './rings.js';
import { CallbacksService } from './service/callbacks.js';
import { JobEventStreams } from './service/events.js';
import { JobsService } from './service/jobs.js';
import { QueryService } from './service/queries.js';
import { StatsService } from './service/stats.js';
import { SubmissionService } from './service/submissions.js';
import { CallbackStore } from './store/callbacks.js';
import { ResultStore } from './store/chunks.js';
import { JobEventStore } from './store/events.js';
import { JobsStore } from './store/jobs.js';
import { StatsStore } from './store/stats.js';
import { SubmissionStore } from './store/submissions.js';
import { JobsUsageResolver, Usage } from './usage.js';
import { startJobsWorker } from './worker/index.js';

export const jobs: Subgraph = {
  name: 'jobs',
  resolvers: [
    JobsResolver,
    JobPlanResolver,
    JobEventsResolver,
    SubmissionsResolver,
    JobsUsageResolver,
    CallbacksResolver,
    StatsResolver,
  ],
  types: [Usage],
  create(platform) {
    const { postgres, pubsub, clock, config, cursors, redis } = platform;
    const engines = enginesOf(platform);
    const store = new JobsStore(postgres);
    const service = new JobsService(store, new ResultStore(postgres), pubsub);
    const bells = new PoolBells(redis);
    const submissions = new SubmissionService(new SubmissionStore(postgres), service, engines, bells, clock, config);
    const queries = new QueryService(engines);
    const resolver = new JobsResolver(service, cursors);
    const stats = new StatsService({
      store: new StatsStore(postgres),
      pubsub,
      memory: new QueueMemory(redis),
      settings: config,
    });
    const statsResolver = new StatsResolver(stats, service, cursors);
    const events = new JobEventsResolver(new JobEventStreams(new JobEventStore(postgres), pubsub), service, cursors);
    return {
      resolvers: [
        resolver,
        events,
        new JobPlanResolver(service, queries),
        new SubmissionsResolver(submissions, queries, service),
        new JobsUsageResolver(service, stats),
        statsResolver,
        new CallbacksResolver(new CallbacksService(new CallbackStore(postgres), config.apiKeySecret), cursors),
      ],
      references: {
        Job: (identity, references) => resolver.loadJobs(identity, references),
        Usage: usageReferences,
      },
      subscriptions: {
        jobProgress: (args, context) => resolver.openProgress(args, context),
        jobEvents: (args, context) => events.openEvents(args, context),
        queueStats: (args, context) => statsResolver.openQueueStats(args, context),
      },
      startWorkers: async () => [startJobsWorker(platform)],
      startPoolWorkers: async () => [startJobsWorker(platform)],
      health: async () => (await postgres.ping()) && enginesAnswer(engines),
      close: () => bells.close(),
    };
  },
};
