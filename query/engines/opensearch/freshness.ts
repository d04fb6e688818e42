/** A query on OpenSearch sees everything that was committed before it began: it waits for the indexer, and refreshes. */
import { setTimeout as delay } from 'node:timers/promises';
import { fail } from '../../../platform/errors.js';
import type { LogPosition } from '../../../platform/postgres/follower.js';
import type { Postgres } from '../../../platform/postgres/postgres.js';
import { type Search, SearchRefusal } from '../../../platform/search.js';
import { hasFollowed, hasSearchGap, lastBatch } from '../../../platform/system/search.js';
import { readAlias } from './index-names.js';
import { indexConsumer } from './indexer.js';

const minPollMs = 5;
const maxPollMs = 100;

const isAtOrBehind = (a: LogPosition, b: LogPosition): boolean =>
  BigInt(a.tx) < BigInt(b.tx) || (a.tx === b.tx && BigInt(a.seq) <= BigInt(b.seq));

export class Freshness {
  /** Up to which batch searches on a dataset see what is indexed. */
  readonly #visible = new Map<string, LogPosition>();

  constructor(
    readonly postgres: Postgres,
    readonly search: Search,
    /** OPENSEARCH_WAIT_MS. */
    readonly waitMs: number,
  ) {}

  /**
   * Resolves when searches see every event of the organisation's dataset that is committed now.
   * @returns false where they cannot: events are known that OpenSearch refused, or its indexes are not there yet
   * @throws SERVICE_UNAVAILABLE where the indexer does not come that far in time; `signal.reason`
   */
  async reach(orgId: string, dataset: string, signal?: AbortSignal): Promise<boolean> {
    const wanted = await lastBatch(this.postgres, orgId, dataset);
    if (wanted === undefined) return true;
    const visible = this.#visible.get(dataset);
    if (visible === undefined || !isAtOrBehind(wanted, visible)) {
      await this.#indexed(wanted, signal);
      if (!(await this.#refresh(dataset, signal))) return false;
      const now = this.#visible.get(dataset);
      if (now === undefined || isAtOrBehind(now, wanted)) this.#visible.set(dataset, wanted);
    }
    return !(await hasSearchGap(this.postgres, orgId, dataset));
  }

  async #indexed(wanted: LogPosition, signal?: AbortSignal): Promise<void> {
    const end = Date.now() + this.waitMs;
    for (let pollMs = minPollMs; !(await hasFollowed(this.postgres, indexConsumer, wanted)); ) {
      signal?.throwIfAborted();
      if (Date.now() > end) {
        fail(
          'SERVICE_UNAVAILABLE',
          'The search index has not caught up with the newest events. Try again in a moment.',
        );
      }
      await delay(pollMs);
      pollMs = Math.min(pollMs * 2, maxPollMs);
    }
  }

  /** @returns false where there is nothing to refresh */
  async #refresh(dataset: string, signal: AbortSignal | undefined): Promise<boolean> {
    const path = `/${readAlias(this.search.prefix, dataset)}/_refresh`;
    try {
      await this.search.request({ method: 'POST', path, signal });
      return true;
    } catch (error) {
      if (error instanceof SearchRefusal && error.status === 404) return false;
      throw error;
    }
  }
}
