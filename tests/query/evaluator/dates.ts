/** Functions of moments. */
import { type Call, floorRemainder, microsecondsPerDay, moment, type Value } from './values.js';

const dateOf = (microseconds: Value): Date =>
  new Date(Number((microseconds as bigint) / 1_000n - ((microseconds as bigint) % 1_000n < 0n ? 1n : 0n)));

/** Midnight of a day; months and days beyond their ends go on in the next or last one. */
function midnight(year: number, month: number, day: number): bigint {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  return BigInt(date.getTime()) * 1_000n;
}

const startOfDay = (at: bigint): bigint => at - floorRemainder(at, microsecondsPerDay);
const sundayFirst = (at: bigint): bigint => BigInt(dateOf(at).getUTCDay());

/** The first moment of the period that holds `at`, so many periods later. */
const starts: Record<string, (at: bigint, offset: number) => bigint> = {
  startofday: (at, offset) => startOfDay(at) + BigInt(offset) * microsecondsPerDay,
  startofweek: (at, offset) => startOfDay(at) + (BigInt(offset) * 7n - sundayFirst(at)) * microsecondsPerDay,
  startofmonth: (at, offset) => midnight(dateOf(at).getUTCFullYear(), dateOf(at).getUTCMonth() + offset, 1),
  startofyear: (at, offset) => midnight(dateOf(at).getUTCFullYear() + offset, 0, 1),
};

/** Periods counted from some beginning: two moments differ by as many as their numbers do. */
const numbers: Record<string, (at: bigint) => bigint> = {
  year: (at) => BigInt(dateOf(at).getUTCFullYear()),
  quarter: (at) => BigInt(dateOf(at).getUTCFullYear() * 4 + Math.floor(dateOf(at).getUTCMonth() / 3)),
  month: (at) => BigInt(dateOf(at).getUTCFullYear() * 12 + dateOf(at).getUTCMonth()),
  week: (at) => starts.startofweek!(at, 0) / (7n * microsecondsPerDay),
  day: (at) => startOfDay(at) / microsecondsPerDay,
  hour: (at) => (at - floorRemainder(at, 3_600_000_000n)) / 3_600_000_000n,
  minute: (at) => (at - floorRemainder(at, 60_000_000n)) / 60_000_000n,
  second: (at) => (at - floorRemainder(at, 1_000_000n)) / 1_000_000n,
};

const parts: Record<string, (date: Date) => number> = {
  year: (date) => date.getUTCFullYear(),
  quarter: (date) => Math.floor(date.getUTCMonth() / 3) + 1,
  month: (date) => date.getUTCMonth() + 1,
  day: (date) => date.getUTCDate(),
  hour: (date) => date.getUTCHours(),
  minute: (date) => date.getUTCMinutes(),
  second: (date) => date.getUTCSeconds(),
};

export const datesFunctions: Record<string, (call: Call) => Value> = {
  ...Object.fromEntries(
    Object.entries(starts).map(([name, start]) => [
      name,
      ({ args: [at, offset] }: Call) => moment(start(at as bigint, Number(offset ?? 0n))),
    ]),
  ),
  datetime_diff: ({ args: [period, a, b] }) =>
    numbers[period as string]!(a as bigint) - numbers[period as string]!(b as bigint),
  datetime_part: ({ args: [part, at] }) => BigInt(parts[part as string]!(dateOf(at!))),
  dayofweek: ({ args: [at] }) => sundayFirst(at as bigint) * microsecondsPerDay,
  hourofday: ({ args: [at] }) => BigInt(dateOf(at!).getUTCHours()),
  dayofmonth: ({ args: [at] }) => BigInt(dateOf(at!).getUTCDate()),
};
