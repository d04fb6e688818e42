import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextScaling, type Scaling } from './scaling.js';

const bounds = { min: 1, max: 4, concurrency: 4 };
const lookEveryMs = 2_000;
type Load = { startable: number; running: number };

/** How many processes run after each look, of a supervisor alone in its pool. */
function follow(loads: readonly Load[], start: Scaling = { processes: 1 }): number[] {
  let scaling = start;
  return loads.map((load, at) => {
    const slots = scaling.processes * bounds.concurrency;
    scaling = nextScaling(scaling, { ...load, slots }, bounds, at * lookEveryMs);
    return scaling.processes;
  });
}
const for_ = (seconds: number, load: Load): Load[] =>
  Array.from({ length: (seconds * 1_000) / lookEveryMs }, () => load);
const deep = { startable: 1_000, running: 4 };
const idle = { startable: 0, running: 0 };

describe('the number of worker processes', () => {
  test('grows one by one while the queue is deep, up to the most, and back to the least when it is short', () => {
    const counts = follow([...for_(30, deep), ...for_(120, idle)]);
    expect(counts.slice(0, 9)).toEqual([1, 1, 2, 2, 2, 3, 3, 3, 4]);
    expect(Math.max(...counts)).toBe(4);
    expect(counts.at(-1)).toBe(1);
  });

  test('stays where a deep queue passes within seconds, and where jobs wait that no worker may start', () => {
    const bursts = Array.from({ length: 20 }, () => [...for_(4, deep), ...for_(4, idle)]).flat();
    expect(new Set(follow(bursts))).toEqual(new Set([1]));
    expect(new Set(follow(for_(60, { startable: 0, running: 2 })))).toEqual(new Set([1]));
  });

  test('shrinks not while the others would have too few slots for what runs', () => {
    expect(new Set(follow(for_(300, { startable: 0, running: 5 }), { processes: 2 }))).toEqual(new Set([2]));
    expect(follow(for_(60, { startable: 0, running: 4 }), { processes: 2 }).at(-1)).toBe(1);
  });

  test('grows no further for slots that other machines have already', () => {
    const load = { startable: 60, running: 40, slots: 40 };
    let scaling: Scaling = { processes: 1 };
    for (let at = 0; at < 30; at++) scaling = nextScaling(scaling, load, bounds, at * lookEveryMs);
    expect(scaling.processes).toBe(1);
  });

  test('settles under every steady load, and stays within its bounds', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.integer({ min: 1, max: 4 }), (wanted, first) => {
        // Jobs of which `wanted` would run at once: those that find no slot wait, and more come than are started.
        let scaling: Scaling = { processes: first };
        let waiting = 0;
        const counts = Array.from({ length: 300 }, (_, at) => {
          const slots = scaling.processes * bounds.concurrency;
          const running = Math.min(wanted + waiting, slots);
          waiting = Math.max(0, waiting + wanted - slots);
          scaling = nextScaling(scaling, { startable: waiting, running, slots }, bounds, at * lookEveryMs);
          return scaling.processes;
        });
        expect(Math.min(...counts)).toBeGreaterThanOrEqual(1);
        expect(Math.max(...counts)).toBeLessThanOrEqual(4);
        const last = counts.slice(-100);
        expect(new Set(last).size).toBe(1);
        expect(last[0]).toBeGreaterThanOrEqual(Math.min(4, Math.ceil(wanted / bounds.concurrency)));
      }),
      { numRuns: 500 },
    );
  });
});
