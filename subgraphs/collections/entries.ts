/** The entries in Redis. The one place that knows how they lie there; SPEC.md tells it to other programs. */
import { fail } from '../../platform/errors.js';
import type { Logger } from '../../platform/logging.js';
import type { RedisConnections } from '../../platform/redis.js';
import { keyHash } from './keys.js';
import { applyEntries, claimKeyBase, clearEntries, pageOfIndex, releaseKeyBase, type Script } from './scripts.js';

/** What of a collection decides where its entries lie. */
export interface KeyBase {
  orgId: string;
  id: string;
  redisKeyBase: string;
}

/** A collection at one of its fills from history. */
export interface KeyBaseRun extends KeyBase {
  run: string;
}

/** An entry as it was found in Redis. */
export interface FoundEntry {
  /** The canonical key. */
  key: string;
  /** Microseconds since 1970; exact. */
  expiryMicros: number;
  /** What is kept: the content as JSON, or the last event's date. */
  value: string | null;
}

/** An entry on its way to Redis. */
export interface Entry extends FoundEntry {
  value: string;
}

/**
 * How a batch of entries fared. LOST: the key base is not, or no longer, this run's, and nothing was written.
 * UNREACHABLE: Redis did not answer, and nobody knows.
 */
export type Applied = 'LOST' | 'UNREACHABLE' | { sent: number; keyCount: number };

const clearedAtOnce = 1_000;

export class Entries {
  readonly #redis: RedisConnections;
  readonly #logger: Logger;
  /** The run id of the Redis server: another one after each restart, which may have lost its last second. */
  #serverRunId: string | undefined;
  readonly #onClose = () => {
    this.#serverRunId = undefined;
  };

  constructor(redis: RedisConnections, logger: Logger) {
    this.#redis = redis;
    this.#logger = logger;
    for (const { name, lua } of [applyEntries, claimKeyBase, clearEntries, pageOfIndex, releaseKeyBase]) {
      redis.commands.defineCommand(name, { lua });
    }
    redis.commands.on('close', this.#onClose);
  }

  /** Lets go of the connection, which stays open. */
  close(): void {
    this.#redis.commands.off('close', this.#onClose);
  }

  /**
   * Makes the key base this run's. Another collection's entries under the same name are cleared first; the collection's
   * own stay, since they are as true as before.
   */
  async claim(collection: KeyBaseRun): Promise<void> {
    const marker = await this.#marker(collection);
    const clearing = `${collection.id}/clearing`;
    while ((await this.#run(claimKeyBase, this.#places(collection), [collection.id, marker, clearing])) === 0) {
      await this.#clear(collection, clearing);
    }
  }

  /** Deletes everything of a removed collection, unless another has taken its name by now. */
  async release(collection: KeyBase): Promise<void> {
    const clearing = `${collection.id}/clearing`;
    while ((await this.#run(releaseKeyBase, this.#places(collection), [collection.id, clearing])) === 0) {
      await this.#clear(collection, clearing);
    }
  }

  /** Puts entries in place, all of them at once. Never fails: the answer tells. */
  async apply(collection: KeyBaseRun, entries: readonly Entry[]): Promise<Applied> {
    try {
      const keys = [...this.#places(collection), ...entries.map(({ key }) => this.#entryKey(collection, key))];
      const args = entries.flatMap(({ key, expiryMicros, value }) => [key, String(expiryMicros), value]);
      const answer = await this.#run(applyEntries, keys, [await this.#marker(collection), ...args]);
      if (answer === null) return 'LOST';
      const [sent, keyCount] = answer as [number, number];
      return { sent, keyCount };
    } catch (error) {
      this.#logger.debug({ collection: collection.id, error: String(error) }, 'collection entries were not taken');
      return 'UNREACHABLE';
    }
  }

  /** The ids of those collections that Redis holds as their present run left them. None where it does not answer. */
  async held(collections: readonly KeyBaseRun[]): Promise<Set<string>> {
    if (collections.length === 0) return new Set();
    try {
      this.#serverRunId = undefined;
      const expected = await Promise.all(collections.map((collection) => this.#marker(collection)));
      const markers = await this.#redis.commands.mget(collections.map((collection) => this.#places(collection)[0]));
      return new Set(collections.filter((_, index) => markers[index] === expected[index]).map(({ id }) => id));
    } catch {
      return new Set();
    }
  }

  /**
   * One entry with whether Redis holds the collection at all.
   * @throws SERVICE_UNAVAILABLE
   */
  async find(collection: KeyBase, key: string): Promise<{ entry: FoundEntry | undefined; isHeld: boolean }> {
    const [marker, index] = this.#places(collection);
    const answers = await this.#ask(() =>
      this.#redis.commands.multi().get(marker).zscore(index, key).get(this.#entryKey(collection, key)).exec(),
    );
    const [owner, expiry, value] = (answers ?? []).map(([, answer]) => answer as string | null);
    const isHeld = owner?.startsWith(`${collection.id}/`) === true && owner !== `${collection.id}/clearing`;
    const entry = isHeld && expiry != null && value != null ? { key, expiryMicros: Number(expiry), value } : undefined;
    return { entry, isHeld };
  }

  /**
   * Entries by expiry and then by key, from behind a position. One that expires at this very moment has a null value.
   * @throws SERVICE_UNAVAILABLE
   */
  async list(
    collection: KeyBase,
    nowMicros: number,
    limit: number,
    after: { expiryMicros: string; key: string } | undefined,
  ): Promise<FoundEntry[]> {
    const [, index] = this.#places(collection);
    const position = after ? [after.expiryMicros, after.key] : ['', ''];
    return this.#ask(async () => {
      const flat = (await this.#run(pageOfIndex, [index], [String(nowMicros), String(limit), ...position])) as string[];
      const keys = flat.filter((_, place) => place % 2 === 0);
      const values =
        keys.length === 0 ? [] : await this.#redis.commands.mget(keys.map((key) => this.#entryKey(collection, key)));
      return keys.map((key, place) => ({
        key,
        expiryMicros: Number(flat[place * 2 + 1]),
        value: values[place] ?? null,
      }));
    });
  }

  /** How many keys there are. @throws SERVICE_UNAVAILABLE */
  async count(collection: KeyBase, nowMicros: number): Promise<number> {
    const [, index] = this.#places(collection);
    return this.#ask(() => this.#redis.commands.zcount(index, `(${nowMicros}`, '+inf'));
  }

  async #clear(collection: KeyBase, clearing: string): Promise<void> {
    const places = this.#places(collection);
    for (;;) {
      const keys = await this.#redis.commands.zrange(places[1], '0', String(clearedAtOnce - 1));
      if (keys.length === 0) return;
      const done = await this.#run(
        clearEntries,
        [...places, ...keys.map((key) => this.#entryKey(collection, key))],
        [clearing, ...keys],
      );
      if (done === 0) return;
    }
  }

  /** The marker and the index of a key base. Collections of one name share them: one after the other has them. */
  #places({ orgId, redisKeyBase }: KeyBase): [marker: string, index: string] {
    const { keys } = this.#redis;
    return [keys.collection(orgId, redisKeyBase, 'marker'), keys.collection(orgId, redisKeyBase, 'index')];
  }

  #entryKey({ redisKeyBase }: KeyBase, key: string): string {
    return this.#redis.keys.collectionEntry(redisKeyBase, keyHash(key));
  }

  async #marker({ id, run }: KeyBaseRun): Promise<string> {
    this.#serverRunId ??= /^run_id:(\w+)/m.exec(await this.#redis.commands.info('server'))?.[1] ?? 'unknown';
    return `${id}/${run}/${this.#serverRunId}`;
  }

  async #run(script: Script, keys: string[], args: string[]): Promise<unknown> {
    const commands = this.#redis.commands as unknown as Record<
      string,
      (...args: (string | number)[]) => Promise<unknown>
    >;
    return commands[script.name]!(keys.length, ...keys, ...args);
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      this.#logger.debug({ error: String(error) }, 'collection entries could not be read');
      fail(
        'SERVICE_UNAVAILABLE',
        'The Redis that keeps collections does not answer at the moment. Try again in a few seconds.',
      );
    }
  }
}
