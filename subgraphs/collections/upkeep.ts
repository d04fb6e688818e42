/**
 * How a collection is filled from history and kept up. The rule that makes it exact: a run first makes the key base its
 * own, and only then takes the snapshot that it fills from. Whatever the feed brings before is in the snapshot, and
 * whatever it brings after finds the key base ready; what comes twice, or in any order, gives the same entries.
 */
import type { Clock } from '../../platform/clock.js';
import { HarborwatchError } from '../../platform/errors.js';
import type { FeedRow } from '../../platform/feed.js';
import { systemIdentity } from '../../platform/identity.js';
import type { Logger } from '../../platform/logging.js';
import type { PubSub } from '../../platform/pubsub.js';
import type { CollectionAtWork } from '../../platform/system/collections.js';
import type { Batch, PreparedQuery } from '../../query/index.js';
import { boundedText, type QueryEngine } from './definition.js';
import type { Entries, Entry } from './entries.js';
import { canonicalKey } from './keys.js';
import { fromMicros, toMicros } from './moments.js';
import { collectionTopic } from './service.js';
import { type CollectionStatus, isFilling, type Step, transitions } from './statuses.js';
import type { CollectionRow, CollectionsStore, Progress, StatusChange } from './store.js';

const fillTimeoutMs = 3_600_000;
const followTimeoutMs = 30_000;
/** How many collections are filled at once in a process, one of an organisation. */
const maxFills = 2;
/** How many collections take in new events at once. */
const maxFollowers = 4;
const batchRows = 1_000;
const progressIntervalMs = 1_000;
/** For how long a query's time bound is good enough; an older bound only reads a little more. */
const boundLifeMs = 60_000;

interface RunOptions {
  timeoutMs: number;
  ingestBatch?: string;
  signal?: AbortSignal;
}

interface Fill {
  orgId: string;
  run: string;
  controller: AbortController;
  done: Promise<void>;
}

export interface UpkeepParts {
  store: CollectionsStore;
  entries: Entries;
  engine: QueryEngine;
  pubsub: PubSub;
  clock: Clock;
  logger: Logger;
}

export class Upkeep {
  readonly #parts: UpkeepParts;
  readonly #fills = new Map<string, Fill>();
  /** When each collection was last tried, so that one that fails does not keep the others waiting. */
  readonly #triedAtMs = new Map<string, number>();
  readonly #queries = new Map<string, { query: PreparedQuery; preparedAtMs: number }>();
  #stopped = false;

  /** @param wake asks for `reconcile` at once: there is something to fill, or room for another fill */
  constructor(
    parts: UpkeepParts,
    private readonly wake: () => void,
  ) {
    this.#parts = parts;
  }

  /** Takes in new events: each batch of each collection's dataset, in commit order. */
  async follow(rows: readonly FeedRow[]): Promise<void> {
    const collections = await this.#parts.store.atWork([...new Set(rows.map(({ orgId }) => orgId))]);
    const waiting = collections
      .filter(({ status }) => status !== 'REMOVED')
      .map((collection) => ({
        collection,
        rows: rows.filter((row) => row.orgId === collection.orgId && row.dataset === collection.dataset),
      }));
    const takeNext = async (): Promise<void> => {
      for (let next = waiting.pop(); next; next = waiting.pop()) await this.#followOne(next.collection, next.rows);
    };
    await Promise.all(Array.from({ length: maxFollowers }, takeNext));
  }

  /**
   * Looks at everything there is to do: notices what Redis has lost, begins fills, ends those that nobody wants any
   * more, and clears what was removed.
   */
  async reconcile(): Promise<void> {
    const collections = await this.#parts.store.atWork();
    const running = collections.filter(({ status }) => status === 'RUNNING');
    const held = await this.#parts.entries.held(running);
    for (const collection of running) if (!held.has(collection.id)) await this.#step(collection, 'lost');

    const wanted = collections.filter(({ status }) => status !== 'REMOVED' && isFilling(status));
    for (const [id, fill] of this.#fills) {
      if (!wanted.some((collection) => collection.id === id && collection.run === fill.run)) fill.controller.abort();
    }
    for (const collection of collections) if (collection.status === 'REMOVED') await this.#clear(collection);

    for (const id of this.#triedAtMs.keys())
      if (!wanted.some((collection) => collection.id === id)) this.#triedAtMs.delete(id);
    wanted.sort((a, b) => (this.#triedAtMs.get(a.id) ?? 0) - (this.#triedAtMs.get(b.id) ?? 0));
    for (const collection of wanted) this.#startFill(collection);
  }

  /** Ends the fills in hand; the next worker begins them afresh. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { controller } of this.#fills.values()) controller.abort();
    await Promise.all([...this.#fills.values()].map(({ done }) => done));
  }

  #startFill(collection: CollectionAtWork): void {
    const { orgId, id, run } = collection;
    const isBusy = this.#fills.size >= maxFills || [...this.#fills.values()].some((fill) => fill.orgId === orgId);
    if (this.#stopped || isBusy) return;
    this.#triedAtMs.set(id, this.#parts.clock.now());
    const controller = new AbortController();
    const done = this.#fill(collection, controller.signal)
      .catch((error) => {
        if (!controller.signal.aborted)
          this.#parts.logger.warn({ collection: id, error: String(error) }, 'collection is filled again later');
        return false;
      })
      .then((isFilled) => {
        this.#fills.delete(id);
        if (isFilled) this.wake();
      });
    this.#fills.set(id, { orgId, run, controller, done });
  }

  /** @returns whether it came to its end */
  async #fill({ orgId, id, run }: CollectionAtWork, signal: AbortSignal): Promise<boolean> {
    const { store, entries } = this.#parts;
    let isFilled = false;
    await store.alone(id, async () => {
      // As it is under the lock: it may have been removed, and cleared, since it was listed.
      const collection = (await store.atWork([orgId])).find((row) => row.id === id);
      if (!collection || collection.run !== run || collection.status === 'REMOVED' || !isFilling(collection.status))
        return;
      try {
        await entries.claim(collection);
      } catch (error) {
        this.#parts.logger.debug({ collection: id, error: String(error) }, 'collection waits for Redis');
        return;
      }
      try {
        const outcome = await this.#send(collection, { timeoutMs: fillTimeoutMs, signal });
        if (outcome !== 'SENT') return;
        await this.#step(collection, 'filled');
        isFilled = true;
      } catch (error) {
        if (!isFault(error) && !isTimeout(error)) throw error;
        await this.#step(collection, 'failed', (error as Error).message);
        isFilled = true;
      }
    });
    return isFilled;
  }

  async #followOne(collection: CollectionAtWork, rows: readonly FeedRow[]): Promise<void> {
    try {
      for (const { batchNo } of rows) {
        const outcome = await this.#send(collection, { timeoutMs: followTimeoutMs, ingestBatch: batchNo });
        if (outcome === 'SENT') continue;
        // LOST while it is being filled: that fill has not begun yet and will see the batch, or begins again by itself.
        if (outcome === 'LOST') await this.#step(collection, 'lost');
        else await this.#fillAgain(collection);
        return;
      }
    } catch (error) {
      // Nobody's feed waits for one collection's slow query: it is filled afresh, with more time.
      if (isTimeout(error)) await this.#fillAgain(collection);
      else if (isFault(error)) await this.#step(collection, 'failed', (error as Error).message);
      else throw error;
    }
  }

  /** Runs the query and puts what it gives into Redis, or tells why Redis did not take it. */
  async #send(collection: CollectionAtWork, options: RunOptions): Promise<'SENT' | 'LOST' | 'UNREACHABLE'> {
    const query = await this.#boundedQuery(collection);
    let progress: Progress | undefined;
    let savedAtMs = this.#parts.clock.now();
    let outcome: 'SENT' | 'LOST' | 'UNREACHABLE' = 'SENT';
    for await (const batch of this.#parts.engine.run(query, { orgId: collection.orgId, batchRows, ...options })) {
      const entries = toEntries(collection, batch);
      const applied = await this.#parts.entries.apply(collection, entries);
      if (typeof applied === 'string') {
        outcome = applied;
        break;
      }
      if (entries.length === 0) continue;
      progress = {
        sent: (progress?.sent ?? 0) + applied.sent,
        lastEventAt: latest(collection, entries, progress?.lastEventAt),
        keyCount: applied.keyCount,
      };
      if (this.#parts.clock.now() - savedAtMs < progressIntervalMs) continue;
      await this.#save(collection, progress);
      progress = undefined;
      savedAtMs = this.#parts.clock.now();
    }
    if (progress) await this.#save(collection, progress);
    return outcome;
  }

  async #save({ orgId, id, run }: CollectionAtWork, progress: Progress): Promise<void> {
    await this.#parts.store.addProgress(systemIdentity(orgId, 'collections'), id, run, progress);
    this.#parts.pubsub.ring(collectionTopic(orgId, id));
  }

  async #clear(collection: CollectionAtWork): Promise<void> {
    const { store, entries } = this.#parts;
    const { orgId, id } = collection;
    await store
      .alone(id, async () => {
        await entries.release(collection);
        await store.markCleared(systemIdentity(orgId, 'collections'), id);
      })
      .catch((error) =>
        this.#parts.logger.debug({ collection: id, error: String(error) }, 'removed collection is cleared later'),
      );
  }

  /**
   * A batch is not in Redis, and a fill in hand may have begun before it: another fill has to follow.
   */
  async #fillAgain(collection: CollectionAtWork): Promise<void> {
    await this.#change(collection, ({ status }) => ({
      status: next(status, 'lost'),
      newRun: isFilling(next(status, 'lost')),
    }));
  }

  async #step(collection: CollectionAtWork, step: WorkerStep, reason?: string): Promise<void> {
    const error = reason === undefined ? {} : { error: `${new Date(this.#parts.clock.now()).toISOString()} ${reason}` };
    await this.#change(collection, ({ status }) => ({ status: next(status, step), ...error }));
  }

  /** Changes the status, unless another run has begun since. */
  async #change({ orgId, id, run }: CollectionAtWork, decide: (row: CollectionRow) => StatusChange): Promise<void> {
    const { store, pubsub } = this.#parts;
    const changed = await store.change(systemIdentity(orgId, 'collections'), id, (row) =>
      row.run === run ? decide(row) : { status: row.status },
    );
    pubsub.ring(collectionTopic(orgId, id));
    if (changed && isFilling(changed.status)) this.wake();
  }

  /** The query with a bound on the event time, since what is older has expired. */
  async #boundedQuery({ id, query, timeColumn, expireInSeconds }: CollectionAtWork): Promise<PreparedQuery> {
    const nowMs = this.#parts.clock.now();
    const known = this.#queries.get(id);
    if (known && nowMs - known.preparedAtMs < boundLifeMs) return known.query;
    const after = new Date(nowMs - Number(expireInSeconds) * 1000).toISOString();
    const prepared = await this.#parts.engine.prepare(boundedText(query, timeColumn, after));
    this.#queries.delete(id);
    this.#queries.set(id, { query: prepared, preparedAtMs: nowMs });
    for (const [oldest, { preparedAtMs }] of this.#queries) {
      if (nowMs - preparedAtMs < boundLifeMs) break;
      this.#queries.delete(oldest);
    }
    return prepared;
  }
}

type WorkerStep = Extract<Step, 'filled' | 'lost' | 'failed'>;

/** Where a step of the worker's leads; it is never told that it cannot be. */
function next(status: CollectionStatus, step: WorkerStep): CollectionStatus {
  const to = transitions[status][step];
  return to === 'REFUSED' ? status : to;
}

/** Whether the query itself is at fault, so that the same events would fail again. */
const isFault = (error: unknown): boolean =>
  error instanceof HarborwatchError && /^(QUERY_(?!CANCELLED)|RESULT_TOO_LARGE|UNKNOWN_)/.test(error.code);

const isTimeout = (error: unknown): boolean => error instanceof HarborwatchError && error.code === 'QUERY_TIMEOUT';

/** Doubles are exact up to here; only a query that makes up its own times gets beyond. */
const maxExpiryMicros = Number.MAX_SAFE_INTEGER;

/** The entries of a batch of rows. A row without a usable event time cannot expire, and is left out. */
function toEntries(
  { keyFields, valueFields, mode, timeColumn, expireInSeconds }: CollectionAtWork,
  { columns, rows }: Batch,
): Entry[] {
  const place = new Map(columns.map(({ name }, index) => [name, index]));
  const value = (row: Batch['rows'][number], name: string) => row[place.get(name)!]!;
  return rows.flatMap((row) => {
    const time = value(row, timeColumn);
    const micros = toMicros(time);
    if (micros === undefined) return [];
    const expiryMicros = micros + Number(expireInSeconds) * 1_000_000;
    if (expiryMicros <= 0 || expiryMicros > maxExpiryMicros) return [];
    const key = canonicalKey(keyFields.map(({ name }) => value(row, name)));
    const content = () => JSON.stringify(Object.fromEntries(valueFields.map(({ name }) => [name, value(row, name)])));
    return [{ key, expiryMicros, value: mode === 'HASH' ? String(time) : content() }];
  });
}

function latest(
  { expireInSeconds }: CollectionAtWork,
  entries: readonly Entry[],
  before: string | null | undefined,
): string {
  const expiries = entries.map(({ expiryMicros }) => expiryMicros - Number(expireInSeconds) * 1_000_000);
  return fromMicros(expiries.reduce((a, b) => Math.max(a, b), toMicros(before) ?? 0));
}
