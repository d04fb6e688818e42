/** Moments in nanoseconds since 1970, as decimal text: JavaScript's dates end at milliseconds, its numbers at 2^53. */
import { parseMoment } from '../../platform/graphql/scalars.js';

/** @returns undefined for text that is no RFC 3339 moment */
export function toNanoseconds(text: string): bigint | undefined {
  const moment = parseMoment(text);
  if (moment === undefined) return undefined;
  const [seconds, fraction = ''] = moment.slice(0, -1).split('.');
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** RFC 3339 in UTC with no more digits than the moment has, as Go writes it. */
export function toMoment(nanoseconds: string | bigint): string {
  const ns = BigInt(nanoseconds);
  const fraction = (ns % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${secondsOf(ns)}${fraction && `.${fraction}`}Z`;
}

/** The moment cut to the microseconds that a timestamptz holds. */
export function toMicrosecondMoment(nanoseconds: string | bigint): string {
  const ns = BigInt(nanoseconds);
  return `${secondsOf(ns)}.${((ns / 1_000n) % 1_000_000n).toString().padStart(6, '0')}Z`;
}

const secondsOf = (ns: bigint): string => new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
