/** Collections in the graph: access rule, service, map. */
import {
  Arg,
  Args,
  Ctx,
  Directive,
  FieldResolver,
  ID,
  Mutation,
  Query,
  Resolver,
  Root,
  Subscription,
} from 'type-graphql';
import type { Cursors } from '../../platform/cursor.js';
import { Requires } from '../../platform/graphql/access-rules.js';
import { JSONScalar } from '../../platform/graphql/scalars.js';
import { type Connection, ForwardPageArgs, Paged, toConnection } from '../../platform/graphql/types.js';
import { pageLimits, toCappedCount, toPage, toPageRequest } from '../../platform/paging.js';
import { type PubSub, watchState } from '../../platform/pubsub.js';
import { type GraphQLContext, identityOf, subscribedByParts } from '../../platform/subgraph.js';
import { type CollectionRow, type CollectionsService, collectionTopic } from './service.js';
import { isTerminal } from './statuses.js';
import {
  Collection,
  CollectionConnection,
  CollectionEntry,
  CollectionEntryConnection,
  CollectionIdInput,
  CreateCollectionInput,
} from './types.js';

/** A collection in the graph keeps its row: `lookup` and `keys` read its entries. */
interface CollectionNode extends Collection {
  row: CollectionRow;
}

@Resolver(() => Collection)
export class CollectionsResolver {
  constructor(
    private readonly collectionsService: CollectionsService,
    private readonly cursors: Cursors,
    private readonly pubsub: PubSub,
  ) {}

  @Requires('collections:read')
  @Query(() => Collection, { nullable: true, description: 'One collection; null where there is none with this id.' })
  async collection(
    @Ctx() context: GraphQLContext,
    @Arg('id', () => ID, { description: 'The collection’s id.' }) id: string,
  ): Promise<Collection | null> {
    const identity = identityOf(context);
    const row = await this.collectionsService.find(identity, id);
    return row ? this.toCollection(row) : null;
  }

  @Paged(pageLimits, 'first')
  @Requires('collections:read')
  @Query(() => CollectionConnection, {
    description: 'The organisation’s collections, oldest first, without removed ones; at most 200 a page.',
  })
  async collections(
    @Ctx() context: GraphQLContext,
    @Args(() => ForwardPageArgs) args: ForwardPageArgs,
  ): Promise<Connection<Collection>> {
    const identity = identityOf(context);
    const cursor = { cursors: this.cursors, binding: { orgId: identity.orgId, list: 'collections' } };
    const request = toPageRequest(args, pageLimits, cursor);
    const rows = await this.collectionsService.list(identity, request);
    const page = await toPage(
      request,
      rows,
      (row) => [row.id],
      async () => true,
      cursor,
    );
    return toConnection(
      page,
      (row) => this.toCollection(row),
      () => this.collectionsService.count(identity),
    );
  }

  @Requires('collections:read')
  @FieldResolver(() => CollectionEntry, {
    nullable: true,
    description:
      'The entry of a key; null where no event of the time that counts had it. SERVICE_UNAVAILABLE while that cannot be known.',
  })
  async lookup(
    @Root() { row }: CollectionNode,
    @Arg('key', () => JSONScalar, {
      description: 'An object of the key fields, or an array of their values in their order.',
    })
    key: unknown,
  ): Promise<CollectionEntry | null> {
    return this.collectionsService.lookup(row, key);
  }

  @Requires('collections:read')
  @Paged(pageLimits, 'first')
  @FieldResolver(() => CollectionEntryConnection, {
    description: 'The entries, the next one to expire first; at most 200 a page.',
  })
  async keys(
    @Root() { row }: CollectionNode,
    @Args(() => ForwardPageArgs) args: ForwardPageArgs,
  ): Promise<Connection<CollectionEntry>> {
    const cursor = {
      cursors: this.cursors,
      binding: { orgId: row.orgId, list: 'collectionKeys', filters: { id: row.id } },
    };
    const request = toPageRequest(args, pageLimits, cursor);
    const entries = await this.collectionsService.keys(row, request);
    const page = await toPage(
      request,
      entries,
      ({ position }) => position,
      async () => true,
      cursor,
    );
    return toConnection(
      page,
      (entry) => entry,
      async () => toCappedCount(await this.collectionsService.keyCount(row)),
    );
  }

  @Requires(['collections:write', 'events:read'])
  @Mutation(() => Collection, {
    description: 'Makes a collection. It is filled from history at once, and then kept up.',
  })
  async createCollection(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CreateCollectionInput) input: CreateCollectionInput,
  ): Promise<Collection> {
    return this.toCollection(await this.collectionsService.create(identityOf(context), input));
  }

  @Requires('collections:write')
  @Mutation(() => Collection, {
    description: 'Starts a stopped or paused collection: what it missed is filled in from history.',
  })
  async startCollection(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CollectionIdInput) input: CollectionIdInput,
  ): Promise<Collection> {
    return this.#change(context, input, 'start');
  }

  @Requires('collections:write')
  @Mutation(() => Collection, { description: 'Stops a collection. Its entries stay until they expire.' })
  async stopCollection(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CollectionIdInput) input: CollectionIdInput,
  ): Promise<Collection> {
    return this.#change(context, input, 'stop');
  }

  @Requires('collections:write')
  @Mutation(() => Collection, { description: 'Removes a collection with its entries, and frees its name.' })
  async removeCollection(
    @Ctx() context: GraphQLContext,
    @Arg('input', () => CollectionIdInput) input: CollectionIdInput,
  ): Promise<Collection> {
    return this.#change(context, input, 'remove');
  }

  @Directive('@tag(name: "stream-state")')
  @Requires('collections:read')
  @Subscription(() => Collection, {
    description: 'A collection as it is and at every change; ends when it is COMPLETED or REMOVED.',
    subscribe: subscribedByParts,
  })
  collectionProgress(
    @Root() collection: Collection,
    @Arg('id', () => ID, { description: 'The collection’s id.' }) _id: string,
  ): Collection {
    return collection;
  }

  /** The source of `collectionProgress`. */
  async watch({ id }: { id: string }, context: GraphQLContext): Promise<AsyncIterable<Collection>> {
    const identity = identityOf(context);
    const row = await this.collectionsService.require(identity, id, 'id');
    return watchState<CollectionNode>({
      pubsub: this.pubsub,
      topic: collectionTopic(row.orgId, row.id),
      read: async () => this.toCollection(await this.collectionsService.require(identity, row.id, 'id')),
      version: ({ status, eventsSent, lastEventAt, errors }) =>
        JSON.stringify([status, eventsSent, lastEventAt, errors.length]),
      isTerminal: ({ status }) => isTerminal(status),
    });
  }

  toCollection(row: CollectionRow): CollectionNode {
    const { id, friendlyName, description, query, status, mode, redisKeyBase, keyFields, valueFields } = row;
    const { expireInSeconds, lastEventAt, eventsSent, errors } = row;
    return {
      id,
      friendlyName,
      description,
      query,
      status,
      mode,
      redisKeyBase,
      keyFields,
      valueFields,
      expireInSeconds,
      lastEventAt,
      eventsSent,
      errors,
      keyCount: () => this.collectionsService.keyCount(row),
      row,
    };
  }

  async #change(
    context: GraphQLContext,
    { id }: CollectionIdInput,
    step: 'start' | 'stop' | 'remove',
  ): Promise<Collection> {
    const identity = identityOf(context);
    return this.toCollection(await this.collectionsService.change(identity, id, step));
  }
}
