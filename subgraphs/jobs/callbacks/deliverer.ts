/**
 * Sends the callbacks of all organisations that are due. The rows are the truth: any number of processes look at them,
 * each takes what it has room for, and what a process leaves behind when it dies is due again a minute later. So a
 * receiver is told at least once, always under the same id.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/logging.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import { type CallbackLease, claimDueCallbacks } from '../../../platform/system/callbacks.js';
import type { CallbackAttemptStore } from '../store/callback-attempts.js';
import { toBody } from './payload.js';
import { parseRetryAfter, retryDelayMs } from './schedule.js';
import type { Answer, CallbackSender } from './sender.js';
import { signedHeaders } from './signature.js';

const lookEveryMs = 1_000;
/** How many calls a process makes at once: whoever is slow keeps others waiting no longer than it fills its own share. */
const inAll = 64;
const perOrg = 16;
const perHost = 8;
/** To a host that did not answer a moment ago: several that hang shall not fill an organisation's share. */
const perSilentHost = 2;
const silentForMs = 60_000;
const maxSilentHosts = 500;

export interface DelivererContext {
  postgres: Postgres;
  attempts: CallbackAttemptStore;
  sender: CallbackSender;
  clock: Clock;
  logger: Logger;
}

export class CallbackDeliverer {
  readonly #context: DelivererContext;
  readonly #timer: NodeJS.Timeout;
  readonly #stop = new AbortController();
  readonly #underWay = new Map<CallbackLease, Promise<void>>();
  readonly #silentHosts = new LRUCache<string, true>({ max: maxSilentHosts, ttl: silentForMs });
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #stopped = false;

  constructor(context: DelivererContext) {
    this.#context = context;
    this.#timer = setInterval(() => this.#look(), lookEveryMs);
    this.#look();
  }

  /** Lets the calls under way end; those that have not when most of `deadlineMs` is over are handed back. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#looking;
    const allDone = Promise.all(this.#underWay.values());
    await Promise.race([allDone, delay(deadlineMs * 0.6, undefined, { ref: false })]);
    this.#stop.abort();
    await Promise.race([allDone, delay(deadlineMs * 0.4, undefined, { ref: false })]);
  }

  #look(): void {
    this.#lookAgain = true;
    this.#looking ??= this.#claimAll().finally(() => {
      this.#looking = undefined;
    });
  }

  async #claimAll(): Promise<void> {
    try {
      while (this.#lookAgain && !this.#stopped && this.#underWay.size < inAll) {
        const leases = await claimDueCallbacks(this.#context.postgres, this.#room());
        this.#lookAgain = leases.length > 0;
        for (const lease of leases) this.#start(lease);
      }
    } catch (err) {
      this.#context.logger.warn({ err }, 'callbacks could not be looked for');
    }
  }

  #room() {
    const busyOrgs = new Map<string, number>();
    const busyHosts = new Map<string, number>();
    for (const { orgId, host } of this.#underWay.keys()) {
      busyOrgs.set(orgId, (busyOrgs.get(orgId) ?? 0) + 1);
      busyHosts.set(host, (busyHosts.get(host) ?? 0) + 1);
    }
    for (const host of this.#silentHosts.keys()) {
      busyHosts.set(host, (busyHosts.get(host) ?? 0) + perHost - perSilentHost);
    }
    return { free: inAll - this.#underWay.size, perOrg, perHost, busyOrgs, busyHosts };
  }

  #start(lease: CallbackLease): void {
    const work = this.#deliver(lease)
      // It is due again when its lease is over.
      .catch((err) => this.#context.logger.warn({ ...lease, err }, 'a callback was left behind'))
      .finally(() => {
        this.#underWay.delete(lease);
        this.#look(); // There is room for another one.
      });
    this.#underWay.set(lease, work);
  }

  async #deliver(lease: CallbackLease): Promise<void> {
    const { attempts, sender, clock } = this.#context;
    const due = await attempts.read(lease);
    if (!due) return;
    const { callback, keys } = due;
    const body = toBody(callback);
    const timestamp = Math.floor(clock.now() / 1_000);
    const both = keys.previous ? [keys.current, keys.previous] : [keys.current];
    const headers = signedHeaders({ id: lease.callbackId, timestamp, body }, both);
    let answer: Answer;
    try {
      answer = await sender.send(callback.url, headers, body, this.#stop.signal);
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
      return attempts.release(lease);
    }
    if (answer.statusCode === null) this.#silentHosts.set(lease.host, true);
    else this.#silentHosts.delete(lease.host);
    if (answer.error === null) return attempts.delivered(lease, answer);
    // Gone means that it is not wanted; whatever else failed may succeed later.
    const retryAfterMs = parseRetryAfter(answer.retryAfter, clock.now());
    const retryInMs = answer.error === 'GONE' ? undefined : retryDelayMs({ ...callback, retryAfterMs }, Math.random());
    await attempts.failed(lease, answer, retryInMs);
  }
}
