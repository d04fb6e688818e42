/** When a failed call is tried again. */
import { expect, test } from 'vitest';
import { parseRetryAfter, retryDelayMs, tryForMs } from './schedule.js';

const minuteMs = 60_000;
const now = Date.parse('2026-01-15T10:00:00Z');

/** The delays after each failure until it is given up, of a receiver that answers at once. */
function delays(random: number, retryAfterMs?: number): number[] {
  const all: number[] = [];
  for (let elapsedMs = 0; ; elapsedMs += all.at(-1)!) {
    const delayMs = retryDelayMs({ tries: all.length + 1, elapsedMs, retryAfterMs }, random);
    if (delayMs === undefined) return all;
    all.push(delayMs);
  }
}

test('a call is tried at once, after 5 s, and then ever later until 24 hours are over', () => {
  const seconds = delays(0.5).map((delayMs) => Math.round(delayMs / 1_000));
  expect(seconds).toEqual([5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800, 1_045]);
});

test.each([0, 0.25, 0.75, 1])('it ends when the 24 hours do, whatever chance says (%s)', (random) => {
  expect(delays(random).reduce((total, delayMs) => total + delayMs, 0)).toBeCloseTo(tryForMs);
});

test('attempts that were lost with their process do not end it sooner', () => {
  expect(retryDelayMs({ tries: 40, elapsedMs: 60 * minuteMs, retryAfterMs: undefined }, 0.5)).toBe(8 * 60 * minuteMs);
});

test('calls that failed together come back at different times, up to a fifth sooner or later', () => {
  expect(retryDelayMs({ tries: 3, elapsedMs: 0, retryAfterMs: undefined }, 0)).toBeCloseTo(96_000);
  expect(retryDelayMs({ tries: 3, elapsedMs: 0, retryAfterMs: undefined }, 1)).toBeCloseTo(144_000);
});

test('what a receiver asks for puts a call off, for an hour at most, and never brings it forward', () => {
  const delay = (retryAfterMs: number, tries = 1) => retryDelayMs({ tries, elapsedMs: 0, retryAfterMs }, 0.5);
  expect(delay(90_000)).toBe(90_000);
  expect(delay(1_000)).toBe(5_000);
  expect(delay(1e12)).toBe(60 * minuteMs);
  expect(delays(0.5, 1e12).reduce((total, delayMs) => total + delayMs, 0)).toBe(tryForMs);
});

test('the last try is when the 24 hours end, and there is none after it', () => {
  expect(retryDelayMs({ tries: 5, elapsedMs: tryForMs - 1_000, retryAfterMs: undefined }, 0.5)).toBe(1_000);
  expect(retryDelayMs({ tries: 5, elapsedMs: tryForMs, retryAfterMs: undefined }, 0.5)).toBeUndefined();
  expect(retryDelayMs({ tries: 1, elapsedMs: 9 * tryForMs, retryAfterMs: undefined }, 0.5)).toBeUndefined();
});

test('Retry-After is read as seconds and as a moment; anything else is none', () => {
  expect(parseRetryAfter('120', now)).toBe(120_000);
  expect(parseRetryAfter('Thu, 15 Jan 2026 10:01:00 GMT', now)).toBe(minuteMs);
  for (const text of [undefined, '', 'soon', '-5', '1e3', '99999999999', 'Thu, 15 Jan 2026 09:00:00 GMT']) {
    expect(parseRetryAfter(text, now), text).toBeUndefined();
  }
});
