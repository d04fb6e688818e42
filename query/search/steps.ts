/** The steps of histograms one after the other: what fills their gaps. */
import { zoneOffsetAt } from '../languages/opensearch/date-math.js';
import type { BucketShape, DateHistogramShape } from '../languages/opensearch/search-plans.js';

/** The start of the step after the one that starts at `ms`. */
export function nextStep(ms: number, { step, timeZone }: DateHistogramShape): number {
  if ('fixedMs' in step) return ms + step.fixedMs;
  const offset = (at: number): number => zoneOffsetAt(timeZone, at) ?? 0;
  const local = new Date(ms + offset(ms));
  const [year, month, day] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
  const toUtc = (wall: number): number => {
    const guess = wall - offset(wall - offset(ms));
    return wall - offset(guess);
  };
  switch (step.calendar) {
    case 'minute':
      return ms + 60_000;
    case 'hour':
      return ms + 3_600_000;
    case 'day':
      return toUtc(Date.UTC(year, month, day + 1));
    case 'week':
      return toUtc(Date.UTC(year, month, day + 7));
    case 'month':
      return toUtc(Date.UTC(year, month + 1, 1));
    case 'quarter':
      return toUtc(Date.UTC(year, month + 3, 1));
    case 'year':
      return toUtc(Date.UTC(year + 1, 0, 1));
  }
}

/** The start of the step that a moment lies in. */
export function stepOf(ms: number, shape: DateHistogramShape): number {
  const { step, timeZone } = shape;
  const offset = zoneOffsetAt(timeZone, ms) ?? 0;
  const local = ms + offset;
  if ('fixedMs' in step) return Math.floor(local / step.fixedMs) * step.fixedMs - offset;
  const at = new Date(local);
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
  const weekday = (at.getUTCDay() + 6) % 7;
  const starts = {
    minute: Math.floor(local / 60_000) * 60_000,
    hour: Math.floor(local / 3_600_000) * 3_600_000,
    day: Date.UTC(year, month, day),
    week: Date.UTC(year, month, day - weekday),
    month: Date.UTC(year, month, 1),
    quarter: Date.UTC(year, month - (month % 3), 1),
    year: Date.UTC(year, 0, 1),
  };
  const wall = starts[step.calendar];
  const guess = wall - offset;
  return wall - (zoneOffsetAt(timeZone, guess) ?? 0);
}

/** The start of the step of numbers that a value lies in. */
export const figureStep = (value: number, { interval, offset }: Extract<BucketShape, { kind: 'histogram' }>): number =>
  Math.floor((value - offset) / interval) * interval + offset;
