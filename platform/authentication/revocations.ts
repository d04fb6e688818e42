/**
 * Access that ended before its tokens do, as every gateway process knows it: read from the table when the connection to
 * PostgreSQL begins, and told over it from then on.
 *
 * Told by NOTIFY itself and not by the outbox: rows of that wait for every older transaction of the whole database, up to
 * half a minute, and access that was taken back must not.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Identity } from '../identity.js';
import type { Logger } from '../logging.js';
import type { Postgres } from '../postgres/postgres.js';
import { type AccessRevocation, deleteOldRevocations, readRevocations } from '../system/revocations.js';
import { within } from '../within.js';
import { accessEndedChannel } from './end-access.js';
import { maxTokenLifeSeconds } from './token-keys.js';

/** What of a caller can be ended. */
export type EndableAccess = Pick<Identity, 'orgId' | 'subject' | 'sessionId' | 'accessVersion'>;

interface Watcher {
  access: EndableAccess;
  onEnded(): void;
}

const minBackoffMs = 100;
const maxBackoffMs = 2_000;
/** How often the connection is tried: one that died without a word would keep everything from us. */
const tryEveryMs = 1_000;
const answerWithinMs = 2_000;
const cleanEveryMs = 3_600_000;
/** No token is alive that an older revocation is about; the rest is for clocks that differ. */
const keepSeconds = maxTokenLifeSeconds + 600;

const keyOf = (orgId: string, kind: AccessRevocation['kind'], id: string): string => `${kind} ${orgId} ${id}`;

/** The names under which the access may be ended. */
function keysOf({ orgId, subject, sessionId }: EndableAccess): string[] {
  const keys: string[] = [];
  if (sessionId !== undefined) keys.push(keyOf(orgId, 'SESSION', sessionId));
  if (subject.userId !== undefined) keys.push(keyOf(orgId, 'USER', subject.userId));
  if (subject.kind === 'API_KEY') keys.push(keyOf(orgId, 'API_KEY', subject.id));
  return keys;
}

export class Revocations {
  readonly #postgres: Postgres;
  readonly #logger: Logger;
  /** By key; of a user, the version from which on tokens are good again. */
  readonly #ended = new Map<string, { accessVersion: number | null; atMs: number }>();
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #started = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  readonly #cleaning: NodeJS.Timeout;
  readonly #done: Promise<void>;
  #known = false;

  constructor(postgres: Postgres, logger: Logger) {
    this.#postgres = postgres;
    this.#logger = logger;
    this.#done = this.#run();
    this.#cleaning = setInterval(() => void this.#clean(), cleanEveryMs);
    this.#cleaning.unref();
  }

  /** Resolves once everything is known that ended before. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Whether it is known what has ended. Before that, nobody can be let in. */
  get known(): boolean {
    return this.#known;
  }

  hasEnded(access: EndableAccess): boolean {
    if (this.#ended.size === 0) return false;
    return keysOf(access).some((key) => {
      const ended = this.#ended.get(key);
      return ended !== undefined && (ended.accessVersion === null || (access.accessVersion ?? 0) < ended.accessVersion);
    });
  }

  /** Calls back once when the access ends, at once where it has. @returns what ends the watch */
  watch(access: EndableAccess, onEnded: () => void): () => void {
    if (this.hasEnded(access)) {
      onEnded();
      return () => {};
    }
    const watcher: Watcher = { access, onEnded };
    const keys = keysOf(access);
    for (const key of keys) {
      const watchers = this.#watchers.get(key) ?? new Set();
      this.#watchers.set(key, watchers.add(watcher));
    }
    return () => {
      for (const key of keys) {
        const watchers = this.#watchers.get(key);
        if (watchers?.delete(watcher) && watchers.size === 0) this.#watchers.delete(key);
      }
    };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#cleaning);
    await this.#done;
  }

  async #run(): Promise<void> {
    let backoffMs = minBackoffMs;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#listen(() => {
          backoffMs = minBackoffMs;
        });
      } catch (error) {
        if (!this.#stop.signal.aborted)
          this.#logger.warn({ reason: String(error) }, 'ended access is listened for again');
        await this.#rest(backoffMs);
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      }
    }
    this.#started.resolve();
  }

  /** Listens until the connection breaks or the stop. What ended while there was none is in the table. */
  async #listen(onListening: () => void): Promise<void> {
    const client = await this.#postgres.systemConnection();
    const ignore = () => {}; // The next try finds out.
    const tell = ({ payload }: pg.Notification) => this.#take(JSON.parse(payload!) as AccessRevocation);
    client.on('error', ignore).on('notification', tell);
    try {
      await client.query(`LISTEN ${accessEndedChannel}`);
      for (const revocation of await readRevocations(this.#postgres)) this.#take(revocation);
      this.#known = true;
      this.#started.resolve();
      onListening();
      while (!this.#stop.signal.aborted) {
        await this.#rest(tryEveryMs);
        const answer = await within(answerWithinMs, client.query('SELECT 1'), undefined);
        if (!answer) throw new Error('PostgreSQL does not answer');
      }
    } finally {
      client.off('error', ignore).off('notification', tell);
      // The connection is closed, not returned: LISTEN goes with it.
      client.release(true);
    }
  }

  #take({ orgId, kind, subjectId, accessVersion }: AccessRevocation): void {
    const key = keyOf(orgId, kind, subjectId);
    const before = this.#ended.get(key)?.accessVersion ?? 0;
    this.#ended.set(key, {
      accessVersion: accessVersion === null ? null : Math.max(accessVersion, before),
      atMs: Date.now(),
    });
    for (const { access, onEnded } of [...(this.#watchers.get(key) ?? [])]) if (this.hasEnded(access)) onEnded();
  }

  /** So long, or until the stop. */
  #rest(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #clean(): Promise<void> {
    for (const [key, { atMs }] of this.#ended) if (atMs < Date.now() - keepSeconds * 1_000) this.#ended.delete(key);
    await deleteOldRevocations(this.#postgres, keepSeconds).catch((error: Error) =>
      this.#logger.warn({ reason: error.message }, 'old revocations are cleared later'),
    );
  }
}
