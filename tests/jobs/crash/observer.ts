/** Looks at the jobs' rows the whole time: what was seen to have ended must stay as it was seen, and nothing may stand still. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { leaseSeconds } from '../../../subgraphs/jobs/store/leases.js';
import type { JobsSystem } from './system.js';

const lookEveryMs = 250;
/** How long after the end of its lease a job may still wait for somebody to find it; and how long none may end. */
const graceSeconds = 60;

interface Ended {
  id: string;
  status: string;
  attempt: number;
  completedAt: string;
}

export class Observer {
  readonly #system: JobsSystem;
  readonly #ended = new Map<string, string>();
  readonly #objections: string[] = [];
  readonly #watching: Promise<void>;
  #movedAt = performance.now();
  #isOver = false;

  constructor(system: JobsSystem) {
    this.#system = system;
    this.#watching = this.#watch();
  }

  /** How many jobs were seen to have ended. */
  get endedCount(): number {
    return this.#ended.size;
  }

  /** Resolves when so many have ended. @throws when none ends any more */
  async sees(count: number): Promise<void> {
    while (this.#ended.size < count) {
      if (performance.now() - this.#movedAt > (leaseSeconds + graceSeconds) * 1_000) {
        throw new Error(`No job ended for ${leaseSeconds + graceSeconds} s: ${this.#ended.size} of ${count} have.`);
      }
      await delay(lookEveryMs / 5);
    }
  }

  /** Ends the looking. @throws what was wrong at any time */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#watching;
    expect(this.#objections).toEqual([]);
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      // While PostgreSQL is away there is nothing to see; whoever waits for what is seen notices when that lasts.
      await this.#look().catch(() => {});
      await delay(lookEveryMs);
    }
  }

  async #look(): Promise<void> {
    const rows = await this.#system.asSuperuser<Ended>(
      `SELECT id, status, attempt, completed_at::text AS "completedAt" FROM app.jobs WHERE completed_at IS NOT NULL`,
    );
    for (const { id, ...state } of rows) {
      const now = JSON.stringify(state);
      const before = this.#ended.get(id);
      if (before === undefined) this.#movedAt = performance.now();
      else if (before !== now) this.#objections.push(`${id} had ended as ${before} and is ${now}`);
      this.#ended.set(id, now);
    }
    const gone = this.#ended.size - rows.length;
    if (gone > 0) this.#objections.push(`${gone} jobs that had ended have not any more`);
    const stuck = await this.#system.asSuperuser<{ id: string }>(
      `SELECT id FROM app.jobs WHERE status = 'RUNNING' AND lease_until < clock_timestamp() - interval '${graceSeconds} seconds'`,
    );
    for (const { id } of stuck) this.#objections.push(`${id} is stuck beyond its lease`);
  }
}
