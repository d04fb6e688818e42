/** Datasets, ingest and the live tail in the graph: access rule, service, map. */
import { Arg, Ctx, Directive, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import { datasets } from '../../datasets/index.js';
import { attributesColumn, type Column, type Dataset as DatasetDeclaration } from '../../datasets/types.js';
import type { Cursors } from '../../platform/cursor.js';
import { Requires } from '../../platform/graphql/access-rules.js';
import { IngestReceipt } from '../../platform/graphql/ingest-receipt.js';
import type { Identity } from '../../platform/identity.js';
import { type GraphQLContext, identityOf, subscribedByParts } from '../../platform/subgraph.js';
import type { EventsService } from './service.js';
import type { EventTails, TailStep } from './tail.js';
import { Dataset, EventTail, IngestEventsInput } from './types.js';

const toColumn = ({ name, type, description, unit, indexed }: Column) => ({
  name,
  type,
  description: unit === undefined ? description : `${description} In ${unit}.`,
  indexed: indexed ?? false,
});

interface TailArgs {
  dataset: string;
  after?: string | null;
}

@Resolver()
export class EventsResolver {
  constructor(
    private readonly events: EventsService,
    private readonly tails: EventTails,
    private readonly cursors: Cursors,
  ) {}

  @Directive('@cacheControl(maxAge: 60, scope: PRIVATE)')
  @Requires('events:read')
  @Query(() => [Dataset], { description: 'All datasets.' })
  datasets(@Ctx() context: GraphQLContext): Dataset[] {
    const identity = identityOf(context);
    return datasets.map((dataset) => this.#toDataset(identity, dataset));
  }

  @Directive('@cacheControl(maxAge: 60, scope: PRIVATE)')
  @Requires('events:read')
  @Query(() => Dataset, { nullable: true, description: 'One dataset by name or alias; null where there is none.' })
  dataset(
    @Ctx() context: GraphQLContext,
    @Arg('name', () => String, { description: 'The dataset’s name or alias.' }) name: string,
  ): Dataset {
    const identity = identityOf(context);
    return this.#toDataset(identity, this.events.dataset(name, 'name'));
  }

  @Requires('events:write')
  @Mutation(() => IngestReceipt, {
    description: 'Stores a batch. Events that do not fit are rejected by their index; the others are stored.',
  })
  async ingestEvents(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => IngestEventsInput) input: IngestEventsInput,
  ): Promise<IngestReceipt> {
    const identity = identityOf(context);
    return this.events.ingest(identity, input);
  }

  @Directive('@tag(name: "stream-live/after")')
  @Requires('events:read')
  @Subscription(() => EventTail, {
    description: 'Every event of a dataset as it is committed. Goes on behind `after`, or starts now.',
    subscribe: subscribedByParts,
  })
  eventTail(
    @Root() step: EventTail,
    @Arg('dataset', () => String, { description: 'The dataset’s name or alias.' }) _dataset: string,
    @Arg('after', () => String, { nullable: true, description: 'The cursor of the last step that was seen.' }) _after?:
      | string
      | null,
  ): EventTail {
    return step;
  }

  /** The source of `eventTail`. */
  async openTail({ dataset: name, after }: TailArgs, context: GraphQLContext): Promise<AsyncIterable<TailStep>> {
    const identity = identityOf(context);
    const dataset = this.events.dataset(name, 'dataset');
    const binding = { orgId: identity.orgId, list: 'eventTail', filters: { dataset: dataset.name } };
    return this.tails.open(identity, dataset, after, { cursors: this.cursors, binding });
  }

  #toDataset(identity: Identity, dataset: DatasetDeclaration): Dataset {
    return {
      name: dataset.name,
      aliases: dataset.aliases,
      description: dataset.description,
      timeColumn: dataset.timeColumn,
      columns: [...dataset.columns, attributesColumn].map(toColumn),
      eventCount: () => this.events.count(identity, dataset),
      firstEventAt: () => this.events.edgeTime(identity, dataset, 'FIRST'),
      lastEventAt: () => this.events.edgeTime(identity, dataset, 'LAST'),
      retentionDays: 0,
    };
  }
}
