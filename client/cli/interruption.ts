/** Ctrl-C: the first one asks a command to end well, a second one ends it at once. */

/** The exit status of a command that was interrupted, as shells have it. */
export const interruptedStatus = 130;

/** A wait was ended by Ctrl-C. */
export class Interrupted extends Error {}

/** A wrapper process passes on the signal that the terminal sends to both of us: that is one Ctrl-C, not two. */
const sameKeyPressMs = 400;

/**
 * Turns SIGINT and SIGTERM into an AbortSignal for as long as the story runs.
 * @param end called for a second Ctrl-C
 */
export async function interruptible<T>(
  story: (signal: AbortSignal) => Promise<T>,
  end = () => process.exit(interruptedStatus),
): Promise<T> {
  const controller = new AbortController();
  let firstAtMs: number | undefined;
  const onSignal = () => {
    firstAtMs ??= performance.now();
    if (!controller.signal.aborted) controller.abort(new Interrupted());
    else if (performance.now() - firstAtMs > sameKeyPressMs) end();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    return await story(controller.signal);
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** Waits, or throws Interrupted as soon as the signal comes. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Interrupted());
    const onAbort = () => {
      clearTimeout(timer);
      reject(new Interrupted());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
