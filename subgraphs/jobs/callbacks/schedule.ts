/** When a call that failed is tried again: soon at first, then ever later, for 24 hours in all. */

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** After the first failure, the second one, and so on; the last one again and again. */
const delaysMs = [
  5 * secondMs,
  30 * secondMs,
  2 * minuteMs,
  10 * minuteMs,
  30 * minuteMs,
  hourMs,
  2 * hourMs,
  4 * hourMs,
  8 * hourMs,
];
/** For how long a call is tried. */
export const tryForMs = 24 * hourMs;
/** Each delay is up to that much shorter or longer, so that what failed together does not come back together. */
const jitter = 0.2;
/** The longest that a receiver's Retry-After puts a call off. */
const maxRetryAfterMs = hourMs;

export interface FailedTry {
  /** How often it was tried, this time included. */
  tries: number;
  /** Since the first try became due. */
  elapsedMs: number;
  /** What the receiver asked for; undefined where it did not. */
  retryAfterMs: number | undefined;
}

/**
 * How long to wait before the next try; the last one is when the 24 hours end.
 * @param random from 0 to 1
 * @returns undefined when there is none any more
 */
export function retryDelayMs({ tries, elapsedMs, retryAfterMs = 0 }: FailedTry, random: number): number | undefined {
  // By the clock alone: attempts that were lost with their process count among the tries.
  const delayMs = delaysMs[tries - 1] ?? delaysMs.at(-1)!;
  const leftMs = tryForMs - elapsedMs;
  if (leftMs <= 0) return undefined;
  const jitteredMs = delayMs * (1 - jitter + 2 * jitter * random);
  return Math.min(Math.max(jitteredMs, Math.min(retryAfterMs, maxRetryAfterMs)), leftMs);
}

/** Reads a Retry-After header: seconds, or a moment. @returns undefined for anything else */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const delayMs = /^\d{1,9}$/.test(value.trim()) ? Number(value) * secondMs : Date.parse(value) - nowMs;
  return delayMs >= 0 ? delayMs : undefined;
}
