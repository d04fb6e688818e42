/** Streams of what a process finds in PostgreSQL each time it is told to look again. */
import { Bell } from './bell.js';

export interface LiveStreamOptions<Value> {
  /** What is new, one value a call; undefined where nothing is. An error ends the stream. */
  take(): Promise<Value | undefined>;
  /** Calls `ring` at every sign of something new, until the answered function is called. */
  listen(ring: () => void): () => void;
  /** How long to wait for a ring before looking without one. */
  recheckInMs(): number;
  /** Whether the stream ends behind this value. Default: never. */
  isLast?(value: Value): boolean;
}

/**
 * Takes value after value, and waits when there is none. Not an async generator: `return()` must take effect while
 * `next()` waits.
 */
export function liveStream<Value>(options: LiveStreamOptions<Value>): AsyncIterableIterator<Value> {
  const bell = new Bell();
  const stopListening = options.listen(() => bell.ring());
  let hasEnded = false;
  const end = () => {
    if (hasEnded) return;
    hasEnded = true;
    stopListening();
    bell.ring();
  };
  const done = { done: true, value: undefined } as const;
  return {
    async next() {
      try {
        while (!hasEnded) {
          const value = await options.take();
          if (hasEnded) break;
          if (value !== undefined) {
            if (options.isLast?.(value)) end();
            return { done: false, value };
          }
          await bell.wait(options.recheckInMs());
        }
        return done;
      } catch (error) {
        end();
        throw error;
      }
    },
    async return() {
      end();
      return done;
    },
    async throw(error) {
      end();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
