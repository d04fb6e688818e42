/** The GraphQL shape of datasets, ingest and the live tail. */
import { Directive, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { Authenticated } from '../../platform/graphql/access-rules.js';
import { DateTimeScalar, JSONScalar } from '../../platform/graphql/scalars.js';
import { TotalCount } from '../../platform/graphql/types.js';
import type { CappedCount } from '../../platform/paging.js';

export enum ColumnType {
  STRING = 'STRING',
  INT = 'INT',
  LONG = 'LONG',
  REAL = 'REAL',
  BOOLEAN = 'BOOLEAN',
  DATETIME = 'DATETIME',
  IP = 'IP',
  JSON = 'JSON',
}
registerEnumType(ColumnType, {
  name: 'ColumnType',
  description: 'What a column holds.',
  valuesConfig: {
    STRING: { description: 'Text.' },
    INT: { description: 'A whole number of 32 bits.' },
    LONG: { description: 'A whole number of 64 bits.' },
    REAL: { description: 'A number with a fraction.' },
    BOOLEAN: { description: 'true or false.' },
    DATETIME: { description: 'A moment, kept to microseconds.' },
    IP: { description: 'An IPv4 or IPv6 address.' },
    JSON: { description: 'Any JSON value.' },
  },
});

@Directive('@cacheControl(inheritMaxAge: true)')
@Authenticated()
@ObjectType('Column', { simpleResolvers: true, description: 'A declared column of a dataset.' })
export class Column {
  @Field(() => String, { description: 'As it is written in queries.' })
  name!: string;
  @Field(() => ColumnType, { description: 'What it holds.' })
  type!: keyof typeof ColumnType;
  @Field(() => String, { description: 'What it means, with its unit.' })
  description!: string;
  @Field(() => Boolean, { description: 'Whether filters on it use an index.' })
  indexed!: boolean;
}

@Authenticated()
@ObjectType('Dataset', {
  simpleResolvers: true,
  description: 'A kind of event with its columns; queries use it as a table.',
})
export class Dataset {
  @Field(() => String, { description: 'The table’s name in queries.' })
  name!: string;
  @Field(() => [String], { description: 'Other names that queries may use.' })
  aliases!: string[];
  @Field(() => String, { description: 'What it holds.' })
  description!: string;
  @Field(() => String, { description: 'The column that says when an event happened.' })
  timeColumn!: string;
  @Field(() => [Column], { description: 'The declared columns; what else an event has is in `attributes`.' })
  columns!: Column[];
  @Field(() => TotalCount, { description: 'How many events the organisation has here, counted up to 10,000.' })
  eventCount!: () => Promise<CappedCount>;
  @Directive('@cacheControl(maxAge: 0)')
  @Field(() => DateTimeScalar, { nullable: true, description: 'The oldest event’s time.' })
  firstEventAt!: () => Promise<string | null>;
  @Directive('@cacheControl(maxAge: 0)')
  @Field(() => DateTimeScalar, { nullable: true, description: 'The newest event’s time.' })
  lastEventAt!: () => Promise<string | null>;
  @Field(() => Int, { description: 'How long events are kept, in days; 0 is for ever.' })
  retentionDays!: number;
}

@InputType('IngestEventsInput', { description: 'A batch of events for one dataset.' })
export class IngestEventsInput {
  @Field(() => String, { description: 'The dataset’s name or alias.' })
  dataset!: string;
  @Field(() => [JSONScalar], { description: 'The events, each a JSON object of at most 256 KB.' })
  events!: unknown[];
  @Field(() => ID, {
    nullable: true,
    description: 'Names the batch, so that a retry is stored once. Default: a new one.',
  })
  batchId?: string | null;
}

@Authenticated()
@ObjectType('EventTail', { simpleResolvers: true, description: 'One step of a live tail.' })
export class EventTail {
  @Field(() => JSONScalar, { nullable: true, description: 'The event; null in a step that only tells of a gap.' })
  event!: unknown;
  @Field(() => String, { description: 'Give it as `after` to go on behind this step.' })
  cursor!: string;
  @Field(() => Int, { description: 'How many events were left out before this step, because the reader was too slow.' })
  lagged!: number;
}
