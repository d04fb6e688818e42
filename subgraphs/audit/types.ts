/** The GraphQL shape of the audit log. */
import {
  ArgsType,
  Directive,
  Field,
  ID,
  InputType,
  Int,
  InterfaceType,
  ObjectType,
  registerEnumType,
} from 'type-graphql';
import { Authenticated, Requires } from '../../platform/graphql/access-rules.js';
import { DateTimeScalar, JSONScalar } from '../../platform/graphql/scalars.js';
import { connectionOf, ForwardPageArgs, PageArgs, TotalCount } from '../../platform/graphql/types.js';
import type { OutcomeName, PriorityName } from './entry.js';

export enum LogEntryType {
  ACTIVITY = 'ACTIVITY',
  CHANGE = 'CHANGE',
  DEBUG = 'DEBUG',
  UNKNOWN = 'UNKNOWN',
}
registerEnumType(LogEntryType, {
  name: 'LogEntryType',
  description: 'What kind of entry the sender wrote.',
  valuesConfig: {
    ACTIVITY: { description: 'Somebody did something.' },
    CHANGE: { description: 'Data was changed; the entry lists the fields.' },
    DEBUG: { description: 'For the developers of the app.' },
    UNKNOWN: { description: 'The sender did not tell; such entries are ActivityLogEntry objects.' },
  },
});

export enum Priority {
  DEBUG2 = 'DEBUG2',
  DEBUG1 = 'DEBUG1',
  DEBUG0 = 'DEBUG0',
  INFO = 'INFO',
  WARN = 'WARN',
  ERR = 'ERR',
  CRIT = 'CRIT',
  SEC = 'SEC',
}
registerEnumType(Priority, {
  name: 'Priority',
  description: 'How much an entry matters, lowest first.',
  valuesConfig: {
    DEBUG2: { description: 'The finest detail.' },
    DEBUG1: { description: 'Detail.' },
    DEBUG0: { description: 'Coarse debugging.' },
    INFO: { description: 'Normal work; the default of entries that name none.' },
    WARN: { description: 'Unusual, and handled.' },
    ERR: { description: 'Something failed.' },
    CRIT: { description: 'Something failed that others depend on.' },
    SEC: { description: 'A matter of security.' },
  },
});

export enum Outcome {
  SUCCESS = 'SUCCESS',
  FAILURE = 'FAILURE',
}
registerEnumType(Outcome, {
  name: 'Outcome',
  description: 'How an action ended.',
  valuesConfig: {
    SUCCESS: { description: 'As it was meant to.' },
    FAILURE: { description: 'Not so; `error` tells why.' },
  },
});

@Directive('@key(fields: "name")')
@Requires('audit:read')
@ObjectType('App', { simpleResolvers: true, description: 'An application that writes audit entries.' })
export class App {
  @Field(() => ID, { description: 'Its name, as its entries give it.' })
  name!: string;
  @Field(() => TotalCount, {
    description: 'How many of its entries the caller may see, of all types; counted when asked for.',
  })
  entryCount!: TotalCount;
  @Field(() => [String], { description: 'The modules that its entries name, in alphabetical order.' })
  modules!: string[];
  @Field(() => [String], { description: 'The classes of objects that its entries are about, in alphabetical order.' })
  classes!: string[];
}

@Directive('@key(fields: "app who")')
@Requires('audit:read')
@ObjectType('Actor', { simpleResolvers: true, description: 'Somebody who acts in an app.' })
export class Actor {
  @Field(() => ID, { description: 'The app’s name.' })
  app!: string;
  @Field(() => ID, { description: 'The name or id that the app gives.' })
  who!: string;
  @Field(() => DateTimeScalar, { nullable: true, description: 'The time of the oldest entry, of any type.' })
  firstSeenAt!: string | null;
  @Field(() => DateTimeScalar, { nullable: true, description: 'The time of the newest entry, of any type.' })
  lastSeenAt!: string | null;
}

@Directive('@key(fields: "address")')
@Authenticated()
@ObjectType('IpAddress', { simpleResolvers: true, description: 'A network address.' })
export class IpAddress {
  @Field(() => ID, { description: 'In its one spelling: short, lower case, IPv4 as IPv4.' })
  address!: string;
  @Field(() => Int, { description: '4 or 6.' })
  family!: number;
  @Field(() => Boolean, {
    description: 'Whether it is not routed on the Internet: private, loopback, link-local or shared by a carrier.',
  })
  isPrivate!: boolean;
}

/** Whoever may read entries of any type: which of them, the row policy decides. */
export const ReadsEntries = Requires('audit:read', 'debug:read');

/** The name of an entry's object type. */
const typeNames: Record<LogEntryType, string> = {
  ACTIVITY: 'ActivityLogEntry',
  CHANGE: 'DataChangeLogEntry',
  DEBUG: 'DebugLogEntry',
  UNKNOWN: 'ActivityLogEntry',
};

@InterfaceType('LogEntry', {
  description: 'One entry of an app’s audit log.',
  resolveType: (entry: LogEntry) => typeNames[entry.type],
})
export abstract class LogEntry {
  @Field(() => ID, { description: 'Given by the sender, or a KSUID made on arrival.' })
  id!: string;
  @Field(() => DateTimeScalar, { description: 'When it happened, to the nanosecond.' })
  when!: string;
  @Field(() => String, { nullable: true, description: 'Who did it.' })
  who!: string | null;
  @Field(() => App, { nullable: true, description: 'The app that wrote it.' })
  app!: App | null;
  @Field(() => String, { nullable: true, description: 'The machine or installation that it happened on.' })
  system!: string | null;
  @Field(() => String, { nullable: true, description: 'The part of the app.' })
  module!: string | null;
  @Field(() => String, { nullable: true, description: 'What was done, such as create or sign-in.' })
  op!: string | null;
  @Field(() => Priority, { description: 'How much it matters.' })
  priority!: PriorityName;
  @Field(() => String, { nullable: true, description: 'The class of the object that it is about, such as user.' })
  class!: string | null;
  @Field(() => String, { nullable: true, description: 'The object’s id within its class.' })
  instanceId!: string | null;
  @Field(() => Outcome, {
    nullable: true,
    description: 'How it ended; null where the sender says that there is no outcome.',
  })
  status!: OutcomeName | null;
  @Field(() => String, { nullable: true, description: 'Why it failed.' })
  error!: string | null;
  @Field(() => String, { nullable: true, description: 'Where the request came from, as it was sent, such as LOCAL.' })
  remote!: string | null;
  @Field(() => IpAddress, { nullable: true, description: 'The address in `remote`; null where it is none.' })
  remoteIp!: IpAddress | null;
  @Field(() => Actor, { nullable: true, description: 'Who did it, with what else is known of them.' })
  actor!: Actor | null;
  @Field(() => LogEntryType, { description: 'What kind of entry it is.' })
  type!: LogEntryType;
  @Field(() => String, { description: 'The entry in words; may be empty.' })
  msg!: string;
  @Field(() => ID, { nullable: true, description: 'The trace that it belongs to.' })
  traceId!: string | null;
  @Field(() => ID, { nullable: true, description: 'The span within the trace.' })
  spanId!: string | null;
  @Field(() => JSONScalar, { nullable: true, description: 'What the sender added, without the wrapper of its type.' })
  data!: unknown;
}

@ReadsEntries
@ObjectType('ActivityLogEntry', { implements: LogEntry, simpleResolvers: true, description: 'Somebody did something.' })
export class ActivityLogEntry extends LogEntry {}

@Authenticated()
@ObjectType('FieldChange', { simpleResolvers: true, description: 'One changed field.' })
export class FieldChange {
  @Field(() => String, { description: 'The field’s name.' })
  field!: string;
  @Field(() => String, {
    nullable: true,
    description: 'Its value before, values other than text as JSON; null where there was none.',
  })
  oldValue!: string | null;
  @Field(() => String, { nullable: true, description: 'Its value after, in the same form.' })
  newValue!: string | null;
}

@ReadsEntries
@ObjectType('DataChangeLogEntry', { implements: LogEntry, simpleResolvers: true, description: 'Data was changed.' })
export class DataChangeLogEntry extends LogEntry {
  @Field(() => String, { description: 'The kind of record that was changed.' })
  entity!: string;
  @Field(() => [FieldChange], { description: 'The changed fields, in the sender’s order.' })
  changes!: FieldChange[];
}

@ReadsEntries
@ObjectType('DebugLogEntry', {
  implements: LogEntry,
  simpleResolvers: true,
  description: 'An entry for the developers of the app.',
})
export class DebugLogEntry extends LogEntry {
  @Field(() => Int, { nullable: true, description: 'The id of the process.' })
  pid!: number | null;
  @Field(() => String, { nullable: true, description: 'The language’s runtime with its version.' })
  runtime!: string | null;
  @Field(() => String, { nullable: true, description: 'The source file.' })
  file!: string | null;
  @Field(() => Int, { nullable: true, description: 'The line in the file.' })
  line!: number | null;
  @Field(() => String, { nullable: true, description: 'The function.' })
  function!: string | null;
  @Field(() => String, { nullable: true, description: 'The calls that led there.' })
  stackTrace!: string | null;
}

export const LogEntryConnection = connectionOf('LogEntry', () => LogEntry, ReadsEntries);

@ArgsType()
export class ActivityLogArgs extends PageArgs {
  @Field(() => String, { description: 'The app, exactly as `apps { name }` spells it.' })
  app!: string;
  @Field(() => Int, { description: 'How far back to look, 1 to 3,650 days.' })
  days!: number;
  @Field(() => String, { nullable: true, description: 'Only what this actor did.' })
  who?: string | null;
  @Field(() => String, { nullable: true, description: 'Only entries about objects of this class.' })
  class?: string | null;
  @Field(() => String, { nullable: true, description: 'Only entries about the object with this id.' })
  instanceId?: string | null;
}

@ArgsType()
export class DebugLogArgs extends PageArgs {
  @Field(() => String, { description: 'The app, exactly as its entries name it.' })
  app!: string;
  @Field(() => String, { description: 'The part of the app.' })
  module!: string;
  @Field(() => Priority, { description: 'Only entries of this priority and above.' })
  priority!: Priority;
  @Field(() => Int, {
    nullable: true,
    description: 'How far back to look, 1 to 3,650 days; to the first entry without.',
  })
  days?: number | null;
  @Field(() => ID, { nullable: true, description: 'Only entries of this trace.' })
  traceId?: string | null;
  @Field(() => String, { nullable: true, description: 'Only what this actor caused.' })
  who?: string | null;
}

@ArgsType()
export class ActorActivityArgs extends ForwardPageArgs {
  @Field(() => Int, { description: 'How far back to look, 1 to 3,650 days.' })
  days!: number;
}

@InputType('WriteLogEntriesInput', { description: 'A batch of audit entries.' })
export class WriteLogEntriesInput {
  @Field(() => String, { nullable: true, description: 'The app of entries that name none.' })
  app?: string | null;
  @Field(() => [JSONScalar], {
    description:
      'Entries in LogHarbour’s wire form: id app system module type pri when who op class instance status error remote_ip msg data span_id ' +
      'trace_id; `type` and `when` are required. At most 1,000 in a call and 256 KB in one.',
  })
  entries!: unknown[];
  @Field(() => ID, {
    nullable: true,
    description: 'Unique in the organisation; a batch sent twice under one id is stored once. Made where it is absent.',
  })
  batchId?: string | null;
}
