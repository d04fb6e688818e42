/**
 * How many worker processes a supervisor runs. One more once the queue has been deep for a while, one fewer once the
 * others would have done with all there was for a longer while: what one rule does, the other never undoes by itself.
 */
import type { ProcessCounts } from '../../platform/setting-kinds.js';
import type { PoolLoad } from '../../platform/system/workers.js';

/** More jobs than this for each slot, of those that could start, make a queue deep. */
const deepPerSlot = 2;
const deepForMs = 4_000;
const shallowForMs = 30_000;

export interface Scaling {
  /** How many are to run. */
  processes: number;
  /** Since when the queue has been deep, or shallow, without a break. */
  deepSinceMs?: number;
  shallowSinceMs?: number;
}

export interface ScalingBounds extends ProcessCounts {
  /** How many jobs one process runs at once. */
  concurrency: number;
}

/** What follows from a look at the pool; its slots may be those of other machines as well. */
export function nextScaling(
  { processes, deepSinceMs, shallowSinceMs }: Scaling,
  { startable, running, slots }: Pick<PoolLoad, 'startable' | 'running' | 'slots'>,
  { min, max, concurrency }: ScalingBounds,
  nowMs: number,
): Scaling {
  // A process that has just begun may not be in the list yet.
  if (startable > deepPerSlot * Math.max(slots, processes * concurrency)) {
    const since = deepSinceMs ?? nowMs;
    return nowMs - since >= deepForMs && processes < max
      ? { processes: processes + 1 }
      : { processes, deepSinceMs: since };
  }
  if (startable === 0 && running <= slots - concurrency) {
    const since = shallowSinceMs ?? nowMs;
    return nowMs - since >= shallowForMs && processes > min
      ? { processes: processes - 1 }
      : { processes, shallowSinceMs: since };
  }
  return { processes };
}
