/**
 * Maps what is stored to the objects of the graph. What costs a query is a function, so that it runs only when it is
 * asked for; entries of one page share their App and Actor objects, and a page asks for all of its actors at once.
 */
import DataLoader from 'dataloader';
import type { Identity } from '../../platform/identity.js';
import { describeAddress } from './address.js';
import { type ChangeData, type DebugData, type Entry, type EntryType, priorities } from './entry.js';
import { toMoment } from './nanoseconds.js';
import type { AuditService } from './service.js';
import type { ActorSpan, AppNames } from './store.js';
import type { App, IpAddress, LogEntry } from './types.js';
import { LogEntryType } from './types.js';

const types: Record<EntryType, LogEntryType> = {
  A: LogEntryType.ACTIVITY,
  C: LogEntryType.CHANGE,
  D: LogEntryType.DEBUG,
  U: LogEntryType.UNKNOWN,
};

const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};

const remembered = <Key, Value>(make: (key: Key) => Value): ((key: Key) => Value) => {
  const known = new Map<Key, Value>();
  return (key) => {
    if (!known.has(key)) known.set(key, make(key));
    return known.get(key)!;
  };
};

/** The objects of one answer. */
export class AuditViews {
  readonly #audit: AuditService;
  readonly #identity: Identity;
  readonly #names: DataLoader<string, AppNames>;
  readonly #spans: DataLoader<{ app: string; who: string }, ActorSpan | null, string>;
  readonly #apps = remembered((name: string) => this.#app(name, () => this.#names.load(name)));
  readonly #actors = remembered((app: string) => remembered((who: string) => this.actor(app, who)));

  constructor(audit: AuditService, identity: Identity) {
    this.#audit = audit;
    this.#identity = identity;
    this.#names = new DataLoader(async (names) => {
      const found = new Map((await audit.apps(identity, names)).map((app) => [app.name, app]));
      return names.map((name) => found.get(name) ?? { name, modules: [], classes: [] });
    });
    this.#spans = new DataLoader((actors) => audit.actorSpans(identity, actors), {
      cacheKeyFn: ({ app, who }) => JSON.stringify([app, who]),
    });
  }

  /** An app whose names are known. */
  app(names: AppNames): App {
    return this.#app(names.name, async () => names);
  }

  /** An actor; when they were seen is read when it is asked for. */
  actor(app: string, who: string): object {
    const span = once(() => this.#spans.load({ app, who }));
    return {
      app,
      who,
      firstSeenAt: async () => momentOf((await span())?.firstNs),
      lastSeenAt: async () => momentOf((await span())?.lastNs),
    };
  }

  /** Whether each actor has an entry that the caller may see, in their order. */
  async knownActors(actors: readonly { app: string; who: string }[]): Promise<boolean[]> {
    return (await this.#spans.loadMany(actors)).map((span) => {
      if (span instanceof Error) throw span;
      return span !== null;
    });
  }

  /** An entry as the object of its type. */
  entry(row: Entry): LogEntry {
    const { whenNs, pri, remoteIp, type, app, who, ...same } = row;
    const common = {
      ...same,
      who,
      type: types[type],
      when: toMoment(whenNs),
      priority: priorities[pri]!,
      app: this.#apps(app),
      actor: who === null ? null : this.#actors(app)(who),
      remoteIp: remoteIp === null ? null : toIpAddress(remoteIp),
    };
    const own =
      type === 'C' ? changeOf(row.data as ChangeData) : type === 'D' ? debugOf((row.data ?? {}) as DebugData) : {};
    return { ...common, ...own } as unknown as LogEntry;
  }

  #app(name: string, names: () => Promise<AppNames>): App {
    const view = {
      name,
      entryCount: once(() => this.#audit.countApp(this.#identity, name)),
      modules: async () => (await names()).modules,
      classes: async () => (await names()).classes,
    };
    return view as unknown as App;
  }
}

/** @param address as `toAddress` spells it */
export const toIpAddress = (address: string): IpAddress => ({ address, ...describeAddress(address) });

const momentOf = (ns: string | undefined): string | null => (ns === undefined ? null : toMoment(ns));

const valueText = (value: unknown): string | null =>
  value === undefined || value === null ? null : typeof value === 'string' ? value : JSON.stringify(value);

const changeOf = ({ entity, changes }: ChangeData) => ({
  entity,
  changes: changes.map((change) => ({
    field: change.field,
    oldValue: valueText(change.old_value),
    newValue: valueText(change.new_value),
  })),
});

const debugOf = ({ pid, runtime, file, line, func, stackTrace }: DebugData) => ({
  pid,
  runtime,
  file,
  line,
  function: func,
  stackTrace,
});
