/** jobs: queries that run in the background, their progress and their results. */
import { usageReferences } from '../../platform/graphql/quota-use.js';
import type { Subgraph } from '../../platform/subgraph.js';
import { enginesAnswer, enginesOf } from '../../query/index.js';
import { JobsResolver } from './resolver.js';
import { JobsService } from './service.js';
import { ResultStore } from './store/chunks.js';
import { JobsStore } from './store/jobs.js';
import { JobsUsageResolver, Usage } from './usage.js';
import { ringForSubmissions, startJobsWorker } from './worker/index.js';

export const jobs: Subgraph = {
  name: 'jobs',
  resolvers: [JobsResolver, JobsUsageResolver],
  types: [Usage],
  create(platform) {
    const { postgres, pubsub, clock, config, cursors, redis } = platform;
    const engines = enginesOf(platform);
    const service = new JobsService(new JobsStore(postgres), new ResultStore(postgres), engines, pubsub, clock, config);
    const resolver = new JobsResolver(service, cursors);
    const ringing = ringForSubmissions(redis);
    return {
      resolvers: [resolver, new JobsUsageResolver(service)],
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
