/** Waits for what a background part is about to do: tries again until the check passes, within a bound. */
import { setTimeout as delay } from 'node:timers/promises';

/** @throws what the last try threw, when `timeoutMs` is over */
export async function eventually<T>(check: () => Promise<T> | T, timeoutMs = 30_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await delay(20);
    }
  }
}
