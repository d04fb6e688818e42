/** The rules of collections as users meet them: making, starting, stopping, removing, and finding entries. */
import type { Clock } from '../../platform/clock.js';
import { fail } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import type { CappedCount, PageRequest } from '../../platform/paging.js';
import type { PubSub, Topic } from '../../platform/pubsub.js';
import type { QuotaUse } from '../../platform/quotas.js';
import type { JsonValue } from '../../query/index.js';
import { type CollectionInput, parseDefinition, type QueryEngine } from './definition.js';
import type { Entries, FoundEntry } from './entries.js';
import { keyOfCaller, redisKeyBaseOf } from './keys.js';
import { fromMicros } from './moments.js';
import { isFilling, type Step, transitions } from './statuses.js';
import type { CollectionRow, CollectionsStore } from './store.js';

export type { CollectionRow } from './store.js';

/** An entry as people read it. */
export interface CollectionEntry {
  key: string;
  lastEventAt: string;
  expiresAt: string;
  /** Null in the mode HASH. */
  content: JsonValue;
  /** Where it stands in the list of keys. */
  position: [expiryMicros: string, key: string];
}

/** What rings when a collection changes. */
export const collectionTopic = (orgId: string, id: string): Topic => ({ orgId, name: `collection:${id}` });

export class CollectionsService {
  constructor(
    private readonly store: CollectionsStore,
    private readonly entries: Entries,
    private readonly engine: QueryEngine,
    private readonly pubsub: PubSub,
    private readonly clock: Clock,
  ) {}

  /** Makes a collection; the worker begins to fill it at once. @throws QUOTA_EXCEEDED, CONFLICT where the name is taken */
  async create(identity: Identity, input: CollectionInput): Promise<CollectionRow> {
    const definition = await parseDefinition(this.engine, identity.orgId, input);
    const slug = await this.store.orgSlug(identity);
    const row = await this.store.insert(identity, definition, redisKeyBaseOf(slug, definition.friendlyName));
    return (
      row ??
      fail(
        'CONFLICT',
        `There is a collection "${definition.friendlyName}" already. Choose another name, or remove that one first.`,
        {
          argument: 'input.friendlyName',
        },
      )
    );
  }

  /**
   * Starts, stops or removes a collection. Asking again for what is so already changes nothing.
   * @throws NOT_FOUND, CONFLICT where the status does not allow it
   */
  async change(
    identity: Identity,
    id: string,
    step: Extract<Step, 'start' | 'stop' | 'remove'>,
  ): Promise<CollectionRow> {
    const row = await this.store.change(identity, id, ({ status }) => {
      const next = transitions[status][step];
      if (next === 'REFUSED') {
        fail(
          'CONFLICT',
          `The collection is ${status}: it cannot be ${participle[step]} any more. Create another one.`,
          {
            argument: 'input.id',
            status,
          },
        );
      }
      return { status: next };
    });
    if (!row) return notFound('input.id');
    this.pubsub.ring(collectionTopic(row.orgId, row.id));
    return row;
  }

  /** Undefined for one that does not exist or belongs to another organisation. */
  async find(identity: Identity, id: string): Promise<CollectionRow | undefined> {
    return (await this.store.find(identity, [id])).get(id.toLowerCase());
  }

  async findMany(identity: Identity, ids: readonly string[]): Promise<Map<string, CollectionRow>> {
    return this.store.find(identity, ids);
  }

  /** @throws NOT_FOUND */
  async require(identity: Identity, id: string, argument: string): Promise<CollectionRow> {
    return (await this.find(identity, id)) ?? notFound(argument);
  }

  async list(identity: Identity, request: PageRequest): Promise<CollectionRow[]> {
    return this.store.list(identity, request);
  }

  async count(identity: Identity): Promise<CappedCount> {
    return this.store.count(identity);
  }

  /** What the organisation uses of its quota. */
  async use(identity: Identity): Promise<QuotaUse> {
    return this.store.use(identity);
  }

  /**
   * The entry of a key, or null where no event of the last `expireInSeconds` had it. While the collection is not whole
   * in Redis, an entry that is not found may still come: that is an error and not null.
   * @throws BAD_USER_INPUT for a key that does not fit, SERVICE_UNAVAILABLE
   */
  async lookup(row: CollectionRow, key: unknown): Promise<CollectionEntry | null> {
    const canonical = keyOfCaller(row.keyFields, key);
    if (row.status === 'REMOVED') return null;
    const { entry, isHeld } = await this.entries.find(row, canonical);
    if (entry) return toEntry(row, entry);
    if (isFilling(row.status) || (row.status === 'RUNNING' && !isHeld)) {
      fail(
        'SERVICE_UNAVAILABLE',
        'The collection is being filled, and this key is not there yet. Try again when its status is RUNNING.',
      );
    }
    if (!isHeld) {
      fail(
        'SERVICE_UNAVAILABLE',
        `Redis has lost this collection, and it is ${row.status}. Start it to fill it again.`,
      );
    }
    return null;
  }

  /** The entries by expiry and then by key. @throws SERVICE_UNAVAILABLE */
  async keys(row: CollectionRow, request: PageRequest): Promise<CollectionEntry[]> {
    const [expiryMicros, key] = request.position ?? [];
    const after = request.position ? { expiryMicros: String(expiryMicros), key: String(key) } : undefined;
    if (row.status === 'REMOVED') return [];
    const found = await this.entries.list(row, this.#nowMicros(), request.limit + 1, after);
    return found.map((entry) => toEntry(row, entry));
  }

  /** How many keys it has; as it was last seen while Redis does not answer. */
  async keyCount(row: CollectionRow): Promise<number> {
    if (row.status === 'REMOVED') return 0;
    return this.entries.count(row, this.#nowMicros()).catch(() => Number(row.keyCount));
  }

  #nowMicros(): number {
    return this.clock.now() * 1000;
  }
}

const participle = { start: 'started', stop: 'stopped', remove: 'removed' };

const notFound = (argument: string): never => fail('NOT_FOUND', 'There is no collection with this id.', { argument });

function toEntry(row: CollectionRow, { key, expiryMicros, value }: FoundEntry): CollectionEntry {
  return {
    key,
    lastEventAt: fromMicros(expiryMicros - Number(row.expireInSeconds) * 1_000_000),
    expiresAt: fromMicros(expiryMicros),
    content: row.mode === 'HASH' || value === null ? null : JSON.parse(value),
    position: [String(expiryMicros), key],
  };
}
