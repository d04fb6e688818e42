/**
 * The generic cell rate algorithm: a limit as one moment in time. Every admitted unit takes a part of the time ahead, and as
 * much time may be taken ahead as the burst allows. It stands here twice: as a script for Redis, whose clock all processes
 * share, and as a function for a process on its own. Both compute with the same doubles.
 */

/** What one may take. */
export interface RateLimit {
  /** Units a minute. Infinity for no limit. */
  requestsPerMinute: number;
  /** Units at once. */
  burstCapacity: number;
}

/** What became of an attempt to take units. */
export interface Taken {
  allowed: boolean;
  /** Units that may be taken at once now. */
  remaining: number;
  /** Until the full burst is there again. */
  resetMs: number;
  /** Until as many units may be taken; 0 where they were. Infinity for more than the burst. */
  retryAfterMs: number;
}

const microsecondsPerMinute = 60_000_000;
/** Doubles hold microseconds since 1970 to a quarter: what is taken ahead is only known as well as that. */
const slackUs = 1;

/** The time that one unit takes, in microseconds. */
export const emissionIntervalUs = ({ requestsPerMinute }: RateLimit): number =>
  microsecondsPerMinute / requestsPerMinute;

/**
 * The rule for Redis, in one step. KEYS[1] holds the moment until which time is taken, in microseconds since 1970, and goes
 * with it. ARGV: the microseconds of a unit, the burst, the units to take. Answers whether they were taken, and how many
 * microseconds are taken ahead afterwards.
 * What is ahead never exceeds the burst, also where the limit was lowered or the clock was put back.
 */
export const gcraScript = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = ARGV[1] * ARGV[2]
local ahead = math.min(math.max((tonumber(redis.call('GET', KEYS[1])) or 0) - now, 0), full)
local wanted = ahead + ARGV[1] * ARGV[3]
if wanted > full + ${slackUs} then return { 0, string.format('%.17g', ahead) } end
redis.call('SET', KEYS[1], string.format('%.17g', now + wanted), 'PX', math.ceil(wanted / 1000))
return { 1, string.format('%.17g', wanted) }
`;

/** The same rule for a moment that the process keeps. @param takenUntilUs what the last call answered; 0 before the first */
export function takeUnits(
  takenUntilUs: number,
  nowUs: number,
  limit: RateLimit,
  units: number,
): { allowed: boolean; aheadUs: number; takenUntilUs: number } {
  const interval = emissionIntervalUs(limit);
  const full = interval * limit.burstCapacity;
  const ahead = Math.min(Math.max(takenUntilUs - nowUs, 0), full);
  const wanted = ahead + interval * units;
  const allowed = wanted <= full + slackUs;
  const aheadUs = allowed ? wanted : ahead;
  return { allowed, aheadUs, takenUntilUs: nowUs + aheadUs };
}

/** How long one has to wait for so many units. @param aheadUs the microseconds that are taken ahead */
export function waitMs(limit: RateLimit, aheadUs: number, units: number): number {
  if (units > limit.burstCapacity) return Number.POSITIVE_INFINITY;
  const over = aheadUs + (units - limit.burstCapacity) * emissionIntervalUs(limit);
  return over <= slackUs ? 0 : over / 1_000;
}

/** An attempt as those who ask are told of it. */
export function describeTaken(limit: RateLimit, allowed: boolean, aheadUs: number, units: number): Taken {
  const remaining = limit.burstCapacity - (aheadUs - slackUs) / emissionIntervalUs(limit);
  return {
    allowed,
    remaining: Math.max(0, Math.min(Math.floor(remaining), limit.burstCapacity)),
    resetMs: aheadUs / 1_000,
    retryAfterMs: allowed ? 0 : waitMs(limit, aheadUs, units),
  };
}
