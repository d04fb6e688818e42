/** The rules of the widgets: which minutes a period has, what a trend is, when an answer is stale. */
import type { Clock } from '../../platform/clock.js';
import { fail } from '../../platform/errors.js';
import type { Identity } from '../../platform/identity.js';
import { type PeriodName, periodMinutes } from '../../platform/periods.js';
import type { Generated, WidgetCache } from './cache.js';
import { countedDatasets, type Severity, severities } from './measures.js';
import type { AnalyticsStore, Range, SeverityTotals } from './store.js';

const minuteMs = 60_000;

/** A change of at most this many percent, up or down, is called stable. */
const stablePercent = 1;
const totalEventsTtlSeconds = 30;

/** Arguments that every widget takes. */
export interface WidgetArguments {
  /** Computes the answer anew. */
  refresh?: boolean | null;
  /** Takes no cached answer that is older; 0 is the same as `refresh`. */
  maxStalenessSeconds?: number | null;
}

export interface TotalEventsArguments extends WidgetArguments {
  period?: PeriodName | null;
  includeTrend?: boolean | null;
  /** A name or alias; null counts all datasets of security events. */
  dataset?: string | null;
}

export interface Trend {
  changePercentage: number | null;
  direction: 'UP' | 'DOWN' | 'STABLE';
  previousPeriod: string;
}

/** How fresh an answer is, and where it came from. */
export interface Freshness {
  cached: boolean;
  cacheTtlSeconds: number;
  generatedAt: string;
  dataThrough: string;
  stale: boolean;
  source: 'CACHE' | 'ROLLUP';
}

export interface TotalEvents {
  totalEvents: string;
  totalErrors: string;
  trend: Trend | null;
  breakdown: { severity: Severity; count: string }[];
  from: string;
  to: string;
}

/** What the cache keeps of an answer. */
type Kept<T> = T & Generated & { dataThrough: string };

/** The figures of two periods compared. */
export function trendOf(present: bigint, previous: bigint): Trend {
  const direction = (percent: number) =>
    percent > stablePercent ? 'UP' : percent < -stablePercent ? 'DOWN' : 'STABLE';
  if (previous === 0n) {
    return { changePercentage: null, direction: present > 0n ? 'UP' : 'STABLE', previousPeriod: '0' };
  }
  const percent = (Number(present - previous) / Number(previous)) * 100;
  return {
    changePercentage: Math.round(percent * 100) / 100,
    direction: direction(percent),
    previousPeriod: String(previous),
  };
}

/** The period that ends with the running minute, in whole minutes, and the equally long one before it. */
export function periodsAt(nowMs: number, period: PeriodName): { previous: Range; present: Range } {
  const lengthMs = periodMinutes[period] * minuteMs;
  const endMs = (Math.floor(nowMs / minuteMs) + 1) * minuteMs;
  const startMs = endMs - lengthMs;
  return { previous: { startMs: startMs - lengthMs, endMs: startMs }, present: { startMs, endMs } };
}

export class AnalyticsService {
  constructor(
    private readonly store: AnalyticsStore,
    private readonly cache: WidgetCache,
    private readonly clock: Clock,
  ) {}

  /** @throws UNKNOWN_DATASET, BAD_USER_INPUT for a negative `maxStalenessSeconds` */
  async totalEvents(identity: Identity, args: TotalEventsArguments): Promise<TotalEvents & Freshness> {
    const period = args.period ?? 'P_24H';
    const includeTrend = args.includeTrend ?? true;
    const datasets = countedDatasets(args.dataset);
    const widget = {
      widget: 'totalEvents',
      args: { period, includeTrend },
      datasets,
      ttlSeconds: totalEventsTtlSeconds,
    };
    return this.#answer(identity, widget, args, () => this.#countEvents(identity, datasets, period, includeTrend));
  }

  async #countEvents(
    identity: Identity,
    datasets: string[],
    period: PeriodName,
    includeTrend: boolean,
  ): Promise<Kept<TotalEvents>> {
    const nowMs = this.clock.now();
    const { previous, present } = periodsAt(nowMs, period);
    const [uncountedSince, totals] = await this.store.read(identity, nowMs, async (tx) => {
      // In this order: what is counted between the two statements is in the totals, and only promised less than it is.
      const since = await this.store.uncountedSince(tx, datasets);
      return [since, await this.store.totals(tx, datasets, includeTrend ? previous : present, present)] as const;
    });
    const sum = (field: 'events' | 'errors' | 'previousEvents') =>
      totals.reduce((total, row) => total + BigInt(row[field]), 0n);
    const bySeverity = new Map<Severity, SeverityTotals>(totals.map((row) => [row.severity, row]));
    const generatedAt = new Date(nowMs).toISOString();
    return {
      totalEvents: String(sum('events')),
      totalErrors: String(sum('errors')),
      trend: includeTrend ? trendOf(sum('events'), sum('previousEvents')) : null,
      breakdown: severities.map((severity) => ({ severity, count: bySeverity.get(severity)?.events ?? '0' })),
      from: new Date(present.startMs).toISOString(),
      to: new Date(present.endMs).toISOString(),
      generatedAt,
      dataThrough: uncountedSince ?? generatedAt,
    };
  }

  /** An answer from the cache or a new one, with its freshness. */
  async #answer<T>(
    identity: Identity,
    widget: { widget: string; args: Record<string, unknown>; datasets: string[]; ttlSeconds: number },
    { refresh, maxStalenessSeconds }: WidgetArguments,
    compute: () => Promise<Kept<T>>,
  ): Promise<T & Freshness> {
    if (maxStalenessSeconds != null && maxStalenessSeconds < 0) {
      const argument = 'maxStalenessSeconds';
      fail('BAD_USER_INPUT', `"${argument}" takes 0 or more seconds, not ${maxStalenessSeconds}.`, { argument });
    }
    const answer = await this.cache.answer(
      {
        identity,
        ...widget,
        refresh: refresh === true || maxStalenessSeconds === 0,
        maxAgeSeconds: maxStalenessSeconds ?? undefined,
      },
      compute,
    );
    const ageMs = this.clock.now() - Date.parse(answer.dataThrough);
    return {
      ...answer,
      cacheTtlSeconds: widget.ttlSeconds,
      stale: ageMs > widget.ttlSeconds * 1_000,
      source: answer.cached ? 'CACHE' : 'ROLLUP',
    };
  }
}
