/**
 * Keeps the rollup equal to the raw events: a minute that a batch touched is counted anew from raw, so late events and
 * events of the same minute in many batches come out exactly.
 *
 * Two recounts of an organisation's dataset never run at once (an advisory lock, since a follower that lost its leadership
 * may still be at work), and each reads raw after it has the lock: a later one never sees less than an earlier one. A batch
 * that commits while its minute is being counted may be missed then, and is counted when its own feed row comes.
 */
import type { FeedRow } from '../../platform/feed.js';
import { systemIdentity } from '../../platform/identity.js';
import type { WidgetCache } from './cache.js';
import { findMeasured, type MeasuredDataset } from './measures.js';
import type { AnalyticsStore, Range } from './store.js';

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** How much one transaction counts: a minute of 100,000 events takes about 0.2 s, and open writes hold the feed back. */
const minutesPerTransaction = 60;

/** Sorted minutes as ranges without gaps. */
export function toRanges(minutes: Iterable<number>): Range[] {
  const ranges: Range[] = [];
  for (const startMs of [...new Set(minutes)].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.endMs === startMs) last.endMs += minuteMs;
    else ranges.push({ startMs, endMs: startMs + minuteMs });
  }
  return ranges;
}

/** What a batch of feed rows asks of one organisation's dataset. */
interface Touched {
  orgId: string;
  measured: MeasuredDataset;
  minutes: Set<number>;
}

export class Rollup {
  constructor(
    private readonly store: AnalyticsStore,
    private readonly cache: WidgetCache,
  ) {}

  /** Counts what a batch of feed rows touched. May be repeated. */
  async apply(rows: readonly FeedRow[]): Promise<void> {
    const groups = new Map<string, Touched>();
    for (const { orgId, dataset, minutes } of rows) {
      const measured = findMeasured(dataset);
      if (!measured) continue;
      const key = `${orgId}/${dataset}`;
      const group = groups.get(key) ?? { orgId, measured, minutes: new Set() };
      for (const minute of minutes) group.minutes.add(Date.parse(minute));
      groups.set(key, group);
    }
    for (const group of groups.values()) await this.#applyGroup(group);
  }

  /**
   * Counts all of an organisation's events of a dataset anew, a day at a time.
   * @returns the number of days that had events
   */
  async rebuild(orgId: string, datasetName: string): Promise<number> {
    const measured = findMeasured(datasetName);
    if (!measured) return 0;
    const nextDay = (fromMs: number): Promise<number | undefined> =>
      this.store.postgres.withOrg(this.#identity(orgId), async (tx) => {
        const next = await this.store.nextTime(tx, measured, fromMs);
        return next === null ? undefined : Math.floor(Date.parse(next) / dayMs) * dayMs;
      });
    let days = 0;
    for (let day = await nextDay(0); day !== undefined; day = await nextDay(day + dayMs)) {
      await this.#recount(orgId, measured, [{ startMs: day, endMs: day + dayMs }]);
      days += 1;
    }
    this.cache.invalidate(orgId, measured.dataset.name);
    return days;
  }

  async #applyGroup({ orgId, measured, minutes }: Touched): Promise<void> {
    const all = [...minutes].sort((a, b) => a - b);
    for (let start = 0; start < all.length; start += minutesPerTransaction) {
      await this.#recount(orgId, measured, toRanges(all.slice(start, start + minutesPerTransaction)));
    }
    this.cache.invalidate(orgId, measured.dataset.name);
  }

  async #recount(orgId: string, measured: MeasuredDataset, ranges: Range[]): Promise<void> {
    await this.store.postgres.withOrg(this.#identity(orgId), async (tx) => {
      await this.store.lockRollup(tx, orgId, measured.dataset.name);
      await this.store.recount(tx, orgId, measured, ranges);
    });
  }

  #identity(orgId: string) {
    return systemIdentity(orgId, 'analytics');
  }
}
