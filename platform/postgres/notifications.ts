/**
 * Hears PostgreSQL's NOTIFY on one channel, for what must not wait: rows of a log (feed, outbox) wait for every older
 * transaction of the whole database, up to half a minute. Notifications that nobody heard are lost, so whoever listens
 * reads the truth whenever the listening begins.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from '../logging.js';
import { within } from '../within.js';
import type { Postgres } from './postgres.js';

export interface NotificationOptions {
  channel: string;
  /** Called whenever the listening begins, before it counts as begun: what was told earlier was not heard. */
  onListening(): void | Promise<void>;
  onNotification(payload: string): void;
  logger: Logger;
}

const minBackoffMs = 100;
const maxBackoffMs = 2_000;
/** How often the connection is tried: one that died without a word would keep everything from us. */
const tryEveryMs = 1_000;
const answerWithinMs = 2_000;

export class Notifications {
  readonly #postgres: Postgres;
  readonly #options: NotificationOptions;
  readonly #started = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(postgres: Postgres, options: NotificationOptions) {
    this.#postgres = postgres;
    this.#options = options;
    this.#done = this.#run();
  }

  /** Resolves when the listening has begun for the first time, or is over. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { channel, logger } = this.#options;
    let backoffMs = minBackoffMs;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#listen(() => {
          backoffMs = minBackoffMs;
        });
      } catch (err) {
        if (!this.#stop.signal.aborted) logger.warn({ err, channel }, 'PostgreSQL is listened to again');
        await this.#rest(backoffMs);
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      }
    }
    this.#started.resolve();
  }

  /** Listens until the connection breaks or the stop. */
  async #listen(onListening: () => void): Promise<void> {
    const client = await this.#postgres.systemConnection();
    const ignore = () => {}; // The next try finds out.
    const hear = ({ payload }: pg.Notification) => this.#options.onNotification(payload ?? '');
    client.on('error', ignore).on('notification', hear);
    try {
      await client.query(`LISTEN ${this.#options.channel}`);
      await this.#options.onListening();
      this.#started.resolve();
      onListening();
      while (!this.#stop.signal.aborted) {
        await this.#rest(tryEveryMs);
        const answer = await within(answerWithinMs, client.query('SELECT 1'), undefined);
        if (!answer) throw new Error('PostgreSQL does not answer');
      }
    } finally {
      client.off('error', ignore).off('notification', hear);
      // The connection is closed, not returned: LISTEN goes with it.
      client.release(true);
    }
  }

  /** So long, or until the stop. */
  #rest(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}
