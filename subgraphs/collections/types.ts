/** The GraphQL shape of collections. */
import { Directive, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated, Requires } from '../../platform/graphql/access-rules.js';
import { ResultColumnType } from '../../platform/graphql/result-column-type.js';
import { BigIntScalar, DateTimeScalar, JSONScalar } from '../../platform/graphql/scalars.js';
import { connectionOf } from '../../platform/graphql/types.js';
import type { JsonValue } from '../../query/index.js';

export enum CollectionStatus {
  CREATED = 'CREATED',
  RUNNING = 'RUNNING',
  COMPLETED = 'COMPLETED',
  STOPPED = 'STOPPED',
  RECONNECTING = 'RECONNECTING',
  PAUSED = 'PAUSED',
  REMOVED = 'REMOVED',
}
registerEnumType(CollectionStatus, {
  name: 'CollectionStatus',
  description: 'Where a collection is in its life.',
  valuesConfig: {
    CREATED: { description: 'It is being filled from history for the first time.' },
    RUNNING: { description: 'Everything is in Redis, and new events follow as they are committed.' },
    COMPLETED: { description: 'Its query had an end, and that has passed.' },
    STOPPED: { description: 'Somebody stopped it: entries stay until they expire, and none are added.' },
    RECONNECTING: { description: 'It is being filled again: after a start, or because Redis is away or has lost it.' },
    PAUSED: { description: 'Its query failed on an event; `errors` tells why. Starting it tries again.' },
    REMOVED: { description: 'Gone, with its entries.' },
  },
});

export enum CollectionMode {
  HASH = 'HASH',
  HASH_AND_CONTENT = 'HASH_AND_CONTENT',
}
registerEnumType(CollectionMode, {
  name: 'CollectionMode',
  description: 'What is kept for a key.',
  valuesConfig: {
    HASH: { description: 'The date of the last event with it.' },
    HASH_AND_CONTENT: { description: 'The value fields of the last event with it.' },
  },
});

@Authenticated()
@ObjectType('FieldRef', { simpleResolvers: true, description: 'A column of a collection’s query.' })
export class FieldRef {
  @Field(() => String, { description: 'As the query’s result names it.' })
  name!: string;
  @Field(() => ResultColumnType, { description: 'What it holds.' })
  type!: string;
}

@Authenticated()
@ObjectType('CollectionEntry', { simpleResolvers: true, description: 'What a collection keeps for one key.' })
export class CollectionEntry {
  @Field(() => String, { description: 'The values of the key fields in their order, as canonical JSON (RFC 8785).' })
  key!: string;
  @Field(() => DateTimeScalar, { description: 'The time of the last event with this key.' })
  lastEventAt!: string;
  @Field(() => DateTimeScalar, { description: 'When it goes: the last event’s time and the collection’s expiry.' })
  expiresAt!: string;
  @Field(() => JSONScalar, {
    nullable: true,
    description: 'The value fields of the last event; null in the mode HASH.',
  })
  content!: JsonValue;
}

export const CollectionEntryConnection = connectionOf('CollectionEntry', () => CollectionEntry);

@Directive('@key(fields: "id")')
@Requires('collections:read', 'collections:write')
@ObjectType('Collection', {
  simpleResolvers: true,
  description: 'The last event of each key of a query, kept in Redis until it expires by its event time.',
})
export class Collection {
  @Field(() => ID, { description: 'Never changes.' })
  id!: string;
  @Field(() => String, { description: 'Unique within the organisation.' })
  friendlyName!: string;
  @Field(() => String, { nullable: true, description: 'For people.' })
  description!: string | null;
  @Field(() => String, { description: 'The SQL SELECT whose rows are kept.' })
  query!: string;
  @Field(() => CollectionStatus, { description: 'Where it is in its life.' })
  status!: keyof typeof CollectionStatus;
  @Field(() => CollectionMode, { description: 'What is kept for a key.' })
  mode!: keyof typeof CollectionMode;
  @Field(() => String, {
    description: 'What its keys in Redis begin with, after the prefix: slug, #, md5 of slug and name.',
  })
  redisKeyBase!: string;
  @Field(() => [FieldRef], { description: 'The columns that make the key.' })
  keyFields!: FieldRef[];
  @Field(() => [FieldRef], { description: 'The columns that are kept; none in the mode HASH.' })
  valueFields!: FieldRef[];
  @Field(() => BigIntScalar, { description: 'How long after its event’s time an entry goes.' })
  expireInSeconds!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: 'The time of the latest event that came.' })
  lastEventAt!: string | null;
  @Field(() => Int, { description: 'How many keys there are; as it was last seen while Redis does not answer.' })
  keyCount!: () => Promise<number>;
  @Field(() => BigIntScalar, { description: 'How many events were sent to Redis, those of each new fill included.' })
  eventsSent!: string;
  @Field(() => [String], { description: 'Why it was paused, oldest first; the last 20.' })
  errors!: string[];
}

export const CollectionConnection = connectionOf('Collection', () => Collection);

@InputType('CreateCollectionInput', { description: 'A collection to make.' })
export class CreateCollectionInput {
  @Field(() => String, { description: 'Unique within the organisation; 1 to 240 characters.' })
  friendlyName!: string;
  @Field(() => String, { nullable: true, description: 'For people; at most 240 characters.' })
  description?: string | null;
  @Field(() => String, {
    description:
      'A SQL SELECT over one dataset that gives each row from one event alone: no aggregates, joins, limits or clocks. The dataset’s time column must be among its columns.',
  })
  query!: string;
  @Field(() => [String], { description: 'The columns of the query that make the key; at least one.' })
  keyFields!: string[];
  @Field(() => [String], { nullable: true, description: 'The columns that are kept; for the mode HASH_AND_CONTENT.' })
  valueFields?: string[] | null;
  @Field(() => BigIntScalar, { description: 'How long after its event’s time an entry goes; up to ten years.' })
  expireInSeconds!: string;
  @Field(() => CollectionMode, { description: 'What is kept for a key.' })
  mode!: keyof typeof CollectionMode;
}

@InputType('CollectionIdInput', { description: 'Which collection.' })
export class CollectionIdInput {
  @Field(() => ID, { description: 'The collection’s id.' })
  id!: string;
}
