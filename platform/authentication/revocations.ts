/**
 * Access that ended before its tokens do, as every gateway process knows it: read from the table when the connection to
 * PostgreSQL begins, and told over it from then on.
 */
import type { Identity } from '../identity.js';
import type { Logger } from '../logging.js';
import { Notifications } from '../postgres/notifications.js';
import type { Postgres } from '../postgres/postgres.js';
import { type AccessRevocation, deleteOldRevocations, readRevocations } from '../system/revocations.js';
import { accessEndedChannel } from './end-access.js';
import { maxTokenLifeSeconds } from './token-keys.js';

/** What of a caller can be ended. */
export type EndableAccess = Pick<Identity, 'orgId' | 'subject' | 'sessionId' | 'accessVersion'>;

interface Watcher {
  access: EndableAccess;
  onEnded(): void;
}

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
  readonly #notifications: Notifications;
  readonly #cleaning: NodeJS.Timeout;
  #known = false;

  constructor(postgres: Postgres, logger: Logger) {
    this.#postgres = postgres;
    this.#logger = logger;
    this.#notifications = new Notifications(postgres, {
      channel: accessEndedChannel,
      onListening: () => this.#readAll(),
      onNotification: (payload) => this.#take(JSON.parse(payload) as AccessRevocation),
      logger,
    });
    this.#cleaning = setInterval(() => void this.#clean(), cleanEveryMs);
    this.#cleaning.unref();
  }

  /** Resolves once everything is known that ended before. */
  get started(): Promise<void> {
    return this.#notifications.started;
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
    clearInterval(this.#cleaning);
    await this.#notifications.close();
  }

  async #readAll(): Promise<void> {
    for (const revocation of await readRevocations(this.#postgres)) this.#take(revocation);
    this.#known = true;
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

  async #clean(): Promise<void> {
    for (const [key, { atMs }] of this.#ended) if (atMs < Date.now() - keepSeconds * 1_000) this.#ended.delete(key);
    await deleteOldRevocations(this.#postgres, keepSeconds).catch((error: Error) =>
      this.#logger.warn({ reason: error.message }, 'old revocations are cleared later'),
    );
  }
}
