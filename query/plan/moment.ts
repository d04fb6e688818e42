/** Moments and spans of time as whole microseconds: exact arithmetic on literals. */
import type { JsonValue } from '../result.js';

/** KQL's units, the smallest first. */
export const microsecondsPer = {
  microsecond: 1n,
  ms: 1_000n,
  s: 1_000_000n,
  m: 60_000_000n,
  h: 3_600_000_000n,
  d: 86_400_000_000n,
} as const;

const form = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** The start of the year 1, from which KQL's bins are counted, and the last microsecond of the year 9999. */
export const firstMoment = -62_135_596_800_000_000n;
export const lastMoment = 253_402_300_799_999_999n;

/**
 * RFC 3339 as microseconds since 1970, finer fractions rounded up: of whole microseconds the same ones are at or after
 * the moment. Undefined where the text is none, or outside the years 1 to 9999.
 */
export function momentOf(text: string): bigint | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const fraction = match[7] ?? '';
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) {
    return undefined;
  }
  date.setUTCHours(hour, minute, second);
  const finer = /[1-9]/.test(fraction.slice(6)) ? 1n : 0n;
  const offset = match[8] === undefined ? 0n : BigInt(`${match[8]}${Number(match[9]) * 60 + Number(match[10])}`);
  const micros =
    BigInt(date.getTime()) * 1_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0')) + finer - offset * microsecondsPer.m;
  return isMoment(micros) ? micros : undefined;
}

export const isMoment = (microseconds: bigint): boolean => microseconds >= firstMoment && microseconds <= lastMoment;

/** The form of a datetime literal: UTC, the fraction without trailing zeros. */
export function momentText(microseconds: bigint): string {
  const fraction = ((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const whole = new Date(Number((microseconds - fraction) / 1_000n)).toISOString().slice(0, 19);
  const digits = fraction === 0n ? '' : `.${fraction.toString().padStart(6, '0').replace(/0+$/, '')}`;
  return `${whole}${digits}Z`;
}

/** A 64-bit figure in the form of a literal: a number, or digits beyond 2^53. */
export function figure(value: bigint): JsonValue {
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value.toString();
}
