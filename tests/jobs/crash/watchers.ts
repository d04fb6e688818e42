/** Subscribers over WebSocket who come back after every break. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Identity } from '../../../platform/identity.js';
import { callersOf } from '../../setup/gateway.js';
import { eventually } from '../../setup/until.js';
import type { JobsSystem } from './system.js';

const retryAfterMs = 200;
const terminal = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

interface JobEvent {
  cursor: string;
  type: string;
  jobId: string;
}

/** The subscriptions of one organisation's user, on one connection at a time. */
export class Watcher {
  readonly #client: Client;
  readonly #events = new Map<string, string[]>();
  readonly #cursors = new Set<string>();
  #cursor: string | undefined;
  #isOver = false;
  /** How often a stream broke off before its end. */
  breaks = 0;
  /** What no break explains. */
  readonly objections: string[] = [];

  constructor(system: Pick<JobsSystem, 'url' | 'platform'>, identity: Identity) {
    const { tokenFor } = callersOf(system.url, system.platform);
    this.#client = createClient({
      url: `${system.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: async () => ({ authorization: `Bearer ${await tokenFor(identity)}` }),
      retryAttempts: 0,
    });
  }

  /**
   * Follows the organisation's events from now on, and goes on behind the last one after every break. Resolves when there
   * is a first one to go on behind. @param submitOne makes something happen
   */
  async followEvents(submitOne: () => Promise<unknown>): Promise<void> {
    void this.#untilEnd(async () => {
      const stream = this.#client.iterate<{ jobEvents: JobEvent }>({
        query: 'subscription ($after: String) { jobEvents(after: $after) { cursor type jobId } }',
        variables: { after: this.#cursor },
      });
      for await (const { data, errors } of stream) {
        if (errors) throw errors;
        this.#take(data!.jobEvents);
      }
      return false;
    });
    await eventually(async () => {
      await submitOne();
      await delay(retryAfterMs);
      if (this.#cursor === undefined) throw new Error('No event came.');
    });
  }

  /** The types of the job's events, as they came. */
  eventsOf(jobId: string): string[] {
    return this.#events.get(jobId) ?? [];
  }

  /** Whether the job's last event came. */
  sawEndOf(jobId: string): boolean {
    return terminal.has(this.eventsOf(jobId).at(-1) ?? '');
  }

  /** Follows a job's progress, again from its present state after every break. @returns the statuses seen, with the last one */
  async progress(id: string): Promise<string[]> {
    const statuses: string[] = [];
    await this.#untilEnd(async () => {
      const stream = this.#client.iterate<{ jobProgress: { status: string } }>({
        query: 'subscription ($id: ID!) { jobProgress(id: $id) { status } }',
        variables: { id },
      });
      for await (const { data, errors } of stream) {
        if (errors) throw errors;
        statuses.push(data!.jobProgress.status);
      }
      return terminal.has(statuses.at(-1) ?? '');
    });
    return statuses;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#client.dispose();
  }

  #take({ cursor, type, jobId }: JobEvent): void {
    if (this.#cursors.has(cursor)) this.objections.push(`${type} of ${jobId} came twice`);
    this.#cursors.add(cursor);
    this.#cursor = cursor;
    const events = this.#events.get(jobId) ?? [];
    events.push(type);
    this.#events.set(jobId, events);
  }

  /** Opens a stream again and again until it came to its end. */
  async #untilEnd(follow: () => Promise<boolean>): Promise<void> {
    while (!this.#isOver) {
      try {
        if (await follow()) return;
      } catch (error) {
        // The gateway is away, or its connection broke. A cursor is taken whatever broke.
        const text = JSON.stringify(error);
        if (text?.includes('INVALID_CURSOR')) this.objections.push(text);
      }
      this.breaks += 1;
      await delay(retryAfterMs);
    }
  }
}
