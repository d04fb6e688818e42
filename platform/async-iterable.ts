/**
 * Maps each value of a stream. Not an async generator: its `return()` would wait behind a pending `next()`, and the
 * upstream of a closed subscription would live on.
 */
export function mapAsyncIterable<From, To>(
  source: AsyncIterable<From>,
  map: (value: From) => To | Promise<To>,
): AsyncIterableIterator<To> {
  const iterator = source[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await iterator.next();
      return done ? { done: true, value: undefined } : { done: false, value: await map(value) };
    },
    async return() {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    async throw(error) {
      await iterator.return?.();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
