/** Ends connections so that their clients do not all come back in the same moment. */
import { setTimeout as delay } from 'node:timers/promises';

/** What each connection adds to the time over which all are spread: a few need none. */
const spreadMsPerConnection = 10;

/** @param withinMs over how long they are spread at most */
export async function drainOneByOne<T>(
  connections: Iterable<T>,
  end: (one: T) => void,
  withinMs: number,
): Promise<void> {
  const all = [...connections];
  const spreadMs = Math.min(withinMs, all.length * spreadMsPerConnection);
  await Promise.all(
    all.map(async (connection) => {
      await delay(Math.random() * spreadMs);
      end(connection);
    }),
  );
}
