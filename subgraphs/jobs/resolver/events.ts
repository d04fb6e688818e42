/** What happens to jobs, in the graph. */
import { Arg, Directive, Resolver, Root, Subscription } from 'type-graphql';
import { mapAsyncIterable } from '../../../platform/async-iterable.js';
import type { Cursors } from '../../../platform/cursor.js';
import { Requires } from '../../../platform/graphql/access-rules.js';
import { type GraphQLContext, identityOf, subscribedByParts } from '../../../platform/subgraph.js';
import type { JobEventStreams, JobEventType } from '../service/events.js';
import type { JobsService } from '../service/jobs.js';
import type { JobStatus } from '../states.js';
import { JobEvent } from '../types/event.js';
import { jobMapper } from './job-node.js';

const statusAfter: Record<JobEventType, JobStatus> = {
  SUBMITTED: 'PENDING',
  STARTED: 'RUNNING',
  RETURNED: 'PENDING',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
};

@Resolver()
export class JobEventsResolver {
  constructor(
    private readonly streams: JobEventStreams,
    private readonly jobs: JobsService,
    private readonly cursors: Cursors,
  ) {}

  @Directive('@tag(name: "stream-live/after")')
  @Requires('jobs:read')
  @Subscription(() => JobEvent, {
    description:
      'Every change of the status of any job of the organisation, in the order of the commits, which is the same for ' +
      'everybody. Goes on behind `after`, or starts now. Events are kept for 7 days.',
    subscribe: subscribedByParts,
  })
  jobEvents(
    @Root() event: JobEvent,
    @Arg('after', () => String, { nullable: true, description: 'The cursor of the last event that was seen.' }) _after?:
      | string
      | null,
  ): JobEvent {
    return event;
  }

  /** The source of `jobEvents`. */
  async openEvents({ after }: { after?: string | null }, context: GraphQLContext): Promise<AsyncIterable<JobEvent>> {
    const identity = identityOf(context);
    const binding = { orgId: identity.orgId, list: 'jobEvents' };
    const steps = await this.streams.open(identity, after, { cursors: this.cursors, binding });
    return mapAsyncIterable(steps, ({ event, cursor, lagged }) => ({
      cursor,
      type: event.type,
      jobId: event.jobId,
      job: async () => {
        const row = await this.jobs.load(identity, event.jobId);
        return row ? jobMapper(this.jobs, identity)(row) : null;
      },
      status: statusAfter[event.type],
      attempt: event.attempt,
      at: event.at,
      percent: event.percent,
      resultCount: event.rowCount,
      partial: event.isPartial,
      error: event.error,
      lagged,
    }));
  }
}
