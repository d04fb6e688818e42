/** jobs: queries that run in the background, their progress and their results. */
import { usageReferences } from '../../platform/graphql/quota-use.js';
import type { Subgraph } from '../../platform/subgraph.js';
import { enginesAnswer, enginesOf } from '../../query/index.js';
import { JobsResolver } from './resolver/jobs.js';
import { SubmissionsResolver } from './resolver/submissions.js';
import { JobsService } from './service/jobs.js';
import { QueryService } from './service/queries.js';
import { SubmissionService } from './service/submissions.js';
import { ResultStore } from './store/chunks.js';
import { JobsStore } from './store/jobs.js';
import { JobsUsageResolver, Usage } from './usage.js';
import { ringForSubmissions, startJobsWorker } from './worker/index.js';

export const jobs: Subgraph = {
  name: 'jobs',
  resolvers: [JobsResolver, SubmissionsResolver, JobsUsageResolver],
  types: [Usage],
  create(platform) {
    const { postgres, pubsub, clock, config, cursors, redis } = platform;
    const engines = enginesOf(platform);
    const store = new JobsStore(postgres);
    const service = new JobsService(store, new ResultStore(postgres), pubsub);
    const submissions = new SubmissionService(store, service, engines, clock, config);
    const resolver = new JobsResolver(service, cursors);
    const ringing = ringForSubmissions(redis);
    return {
      resolvers: [
        resolver,
        new SubmissionsResolver(submissions, new QueryService(engines), service),
        new JobsUsageResolver(service),
      ],
      references: {
        Job: (identity, references) => resolver.loadJobs(identity, references),
        Usage: usageReferences,
      },
      subscriptions: { jobProgress: (args, context) => resolver.openProgress(args, context) },
      startWorkers: async () => [startJobsWorker(platform)],
      events: ringing.events,
      health: async () => (await postgres.ping()) && enginesAnswer(engines),
      close: ringing.close,
    };
  },
};
